"""The register of motor vehicles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints, Numbers
from jobs.city.registers.market import CodeClerk
from jobs.city.registers.register import (
    Batch,
    Columns,
    Register,
    Style,
    Subject,
    cancellation,
    changes_of,
    updated_at,
)
from jobs.city.text import Text, digits, iso_date, join, only_where, take, vocabulary, where
from jobs.city.world import World

PLATES = ("01", "02", "07", "15", "51", "52")
TYPES = (
    "重型普通货车",
    "小型轿车",
    "普通二轮摩托车",
    "重型半挂车",
    "大型新能源客车",
    "小型新能源轿车",
)
BRANDS = ("东风", "大众", "丰田", "比亚迪", "长安", "五菱", "本田", "豪爵", "吉利", "红旗")
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _cars(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["vehicle"], world.today)


def _is_owned_by_person(world: World, records: Numbers) -> Bools:
    return world.dice.of("vehicle owner kind").chance(records, 0.88)


def _entities(world: World, records: Ints) -> Ints:
    base = np.flatnonzero(world.entities.appears == 0)
    which = base[world.dice.of("vehicle entities").below(records, len(base))]
    return np.where(_is_owned_by_person(world, records), -1, which)


def _persons(world: World, records: Ints) -> Ints:
    people = world.people
    who = people.head[world.dice.of("vehicle owners").below(records, people.local_count)]
    return np.where(_is_owned_by_person(world, records), who, -1)


def _clerk(world: World) -> Clerk:
    return Clerk(world.dice.of("vehicle clerk"), world.people)


def _codes(world: World) -> CodeClerk:
    return CodeClerk(world, "vehicle codes", 0.05, 0.02)


def _plate_numbers(records: Numbers, kind: Ints) -> Text:
    """鄂L and five characters; electric cars have a letter more."""
    serial = digits(records % 100_000, 5)
    first = take(vocabulary(list(LETTERS)), (records * 7 + records // 1000) % len(LETTERS))
    lettered = join(first, digits((records * 31) % 10_000, 4))
    electric = join("D", digits((records * 17) % 100_000, 5))
    return join("鄂L", where(kind >= 4, electric, where(records % 3 == 0, serial, lettered)))


def _vehicle(world: World, records: Ints) -> Columns:
    dice, life = world.dice.of("vehicle register"), world.lives["vehicle"]
    by_person = _is_owned_by_person(world, records)
    person = np.maximum(_persons(world, records), 0)
    entity = np.maximum(_entities(world, records), 0)
    clerk = _clerk(world)
    kind = dice.of("plate").pick(records, (4, 66, 17, 2, 1, 10))
    first = np.where(
        life.appears[records] > 0,
        world.start + life.appears[records] - 1,
        world.start - 10 - (dice.of("first").uniform(records) ** 1.3 * 5500).astype(np.int64),
    )
    ended, ended_day = cancellation(world, life, records)
    use = dice.of("use").pick(records, (88, 1, 1, 2, 8))
    status = take(vocabulary(["A", "G", "P"]), dice.of("status").pick(records, (93, 5, 2)))
    inspected = first + (1 + np.maximum(world.start - first, 0) // 730) * 730
    return {
        "vehicle_register_id": join("421281", digits(records + 700_000, 10)),
        "plate_kind_code": take(vocabulary(PLATES), kind),
        "plate_number": _plate_numbers(records, kind),
        "owner_kind_code": where(by_person, "1", "2"),
        "owner_name": where(by_person, clerk.names(person, records), world.entities.names(entity)),
        "citizen_id": only_where(by_person, clerk.citizen_ids(person, records)),
        "uscc": only_where(~by_person, _codes(world).write(entity, records)),
        "vehicle_type": take(vocabulary(TYPES), kind),
        "brand": join(
            take(vocabulary(BRANDS), dice.of("brand").below(records, len(BRANDS))),
            "牌",
            take(vocabulary(["DFM", "FV", "GTM", "BYD", "SC"]), dice.of("model").below(records, 5)),
            digits(7000 + dice.of("number").below(records, 999), 4),
        ),
        "use_kind_code": take(vocabulary(["A", "B", "D", "C", "F"]), use),
        "first_registered_date": iso_date(first),
        "inspection_valid_to": iso_date(inspected),
        "status_code": where(ended, "E", status),
        "cancelled_date": only_where(ended, iso_date(ended_day)),
        "updated_at": updated_at(world, life, "vehicle", records, first),
    }


VEHICLE_REGISTER = Register(
    dataset="population.vehicle_register",
    due=_cars,
    write=_vehicle,
    subjects=(
        Subject("person", _persons, lambda world, records: _clerk(world).knows_id(records)),
        Subject("entity", _entities, lambda world, records: _codes(world).knows(records)),
    ),
    style=Style(
        date_form="yyyyMMdd", line_end="\r\n", extra=("CSYS", ("白", "黑", "灰", "红", "蓝", ""))
    ),
)
