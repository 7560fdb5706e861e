"""Who owns which house: the register of real estate (不动产)."""

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
from jobs.city.text import (
    decimal,
    digits,
    iso_date,
    join,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.towns import TOWN_CODES
from jobs.city.trades import COMPANY
from jobs.city.world import World


def _property_addresses(world: World, records: Numbers) -> Ints:
    """The room that each right is about; houses in villages come under the right to the plot."""
    return np.asarray((records * 3 + 1) % world.places.base_count)


def _is_private(world: World, records: Numbers) -> Bools:
    return world.dice.of("owner kind").chance(records, 0.93)


def _owners(world: World, records: Ints) -> Ints:
    people = world.people
    who = people.head[world.dice.of("owners").below(records, people.local_count)]
    return np.where(_is_private(world, records), who, -1)


def _owning_entities(world: World, records: Ints) -> Ints:
    base = np.flatnonzero((world.entities.appears == 0) & (world.entities.category == COMPANY))
    which = base[world.dice.of("owning entities").below(records, len(base))]
    return np.where(_is_private(world, records), -1, which)


def _clerk(world: World) -> Clerk:
    return Clerk(world.dice.of("land clerk"), world.people)


def _codes(world: World) -> CodeClerk:
    return CodeClerk(world, "land codes", 0.05, 0.02)


def _rights(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["real estate"], world.today)


def _right(world: World, records: Ints) -> Columns:
    dice, life, places = world.dice.of("real estate"), world.lives["real estate"], world.places
    address = _property_addresses(world, records)
    private = _is_private(world, records)
    person = np.maximum(_owners(world, records), 0)
    entity = np.maximum(_owning_entities(world, records), 0)
    clerk = _clerk(world)
    urban = places.is_urban[address]
    new = life.appears[records] > 0
    back = (dice.of("registered").uniform(records) * 5800).astype(np.int64)
    registered = np.where(new, world.start + life.appears[records] - 1, world.start - 15 - back)
    year = registered.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    ended, ended_day = cancellation(world, life, records)
    area = 6000 + (dice.of("area").uniform(records) * 10_000).astype(np.int64)
    kind = places.kind(address)
    return {
        "right_id": join("QL421281", digits(records + 400_000, 10)),
        "unit_number": join(
            take(TOWN_CODES, places.town[address]),
            "001GB",
            digits(address // 50, 5),
            "F",
            digits(address, 8),
        ),
        "certificate_number": join(
            "鄂（", number(year), "）赤壁市不动产权第", digits(records + 1, 7), "号"
        ),
        "owner_kind_code": where(private, "1", "2"),
        "owner_name": where(private, clerk.names(person, records), world.entities.names(entity)),
        "citizen_id": only_where(private, clerk.citizen_ids(person, records)),
        "uscc": only_where(~private, _codes(world).write(entity, records)),
        "ownership_kind_code": take(
            vocabulary(["0", "1", "2"]), dice.of("shared").pick(records, (70, 27, 3))
        ),
        "right_kind_code": where(urban, "4", "6"),
        "use_code": take(vocabulary(["10", "20", "30", "40", "90", "90"]), kind),
        "area_m2": decimal(area, 2),
        "division_code": places.town_codes(address),
        "location": join("赤壁市", places.local_names(address)),
        "building_id": places.building_ids(address),
        "registered_date": iso_date(registered),
        "status_code": where(ended, "3", "1"),
        "cancelled_date": only_where(ended, iso_date(ended_day)),
        "updated_at": updated_at(world, life, "real estate", records, registered),
    }


REAL_ESTATE_REGISTER = Register(
    dataset="geography.real_estate_register",
    due=_rights,
    write=_right,
    subjects=(
        Subject("person", _owners, lambda world, records: _clerk(world).knows_id(records)),
        Subject("entity", _owning_entities, lambda world, records: _codes(world).knows(records)),
    ),
    style=Style(date_form="yyyyMMdd"),
)
