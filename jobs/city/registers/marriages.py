"""The register of marriages and divorces (婚姻登记)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Ints, Numbers
from jobs.city.registers.register import Batch, Columns, Register, Stream, Style, Subject
from jobs.city.text import constant, digits, iso_date, join, number, take, vocabulary, where
from jobs.city.world import World

WEDDINGS = Stream("weddings", base=1, per_day=9, years=0.1)
FIRST_DIVORCE = 1 << 24
FIRST_WEDDING = 1 << 25
"""Record numbers: couples of the city by the spouse, then divorces, then weddings of later days."""


def marriage_clerk(world: World) -> Clerk:
    """The registry office."""
    return Clerk(world.dice.of("marriage clerk"), world.people)


def _couples(world: World, records: Numbers) -> tuple[Ints, Ints]:
    """Husband and wife of each record."""
    people = world.people
    dice = world.dice.of("couples")
    spouse = np.where(records < FIRST_DIVORCE, records, 0)
    head = people.head[spouse]
    male = people.is_male[spouse]
    there = people.appears == 0
    parted = _parted(world)
    single = there & (people.marital == 10) & (people.birth_day < world.start - 23 * 365)
    single &= ~people.is_floating & (people.death_day < 0)
    men, women = np.flatnonzero(single & people.is_male), np.flatnonzero(single & ~people.is_male)
    one = parted[(records - FIRST_DIVORCE) % len(parted)]
    others = np.flatnonzero(there & (people.birth_day < world.start - 30 * 365))
    other_men, other_women = others[people.is_male[others]], others[~people.is_male[others]]
    drawn = dice.of("other").uniform(records)
    ex_man = other_men[(drawn * len(other_men)).astype(np.int64)]
    ex_woman = other_women[(drawn * len(other_women)).astype(np.int64)]
    divorce = (records >= FIRST_DIVORCE) & (records < FIRST_WEDDING)
    wedding = records >= FIRST_WEDDING
    man = men[dice.of("man").below(records, len(men))]
    woman = women[dice.of("woman").below(records, len(women))]
    is_man = people.is_male[one]
    husband = np.where(male, spouse, head)
    wife = np.where(male, head, spouse)
    husband = np.where(divorce, np.where(is_man, one, ex_man), np.where(wedding, man, husband))
    wife = np.where(divorce, np.where(is_man, ex_woman, one), np.where(wedding, woman, wife))
    return husband, wife


def _parted(world: World) -> Ints:
    people = world.people
    chosen = (people.marital == 40) & (people.appears == 0) & ~people.is_floating
    return np.flatnonzero(chosen & (people.birth_day < world.start - 26 * 365))


def husbands(world: World, records: Ints) -> Ints:
    """The husband of each record."""
    return _couples(world, records)[0]


def wives(world: World, records: Ints) -> Ints:
    """The wife of each record."""
    return _couples(world, records)[1]


def _registered(world: World) -> Iterable[Batch]:
    people = world.people
    if world.today == 0:
        wed = np.flatnonzero((people.partner >= 0) & (people.role == 1) & ~people.is_floating)
        wed = wed[(people.appears[wed] == 0) & world.dice.of("wed here").chance(wed, 0.72)]
        yield Batch(np.concatenate([wed, FIRST_DIVORCE + np.arange(len(_parted(world)))]))
        return
    yield Batch(FIRST_WEDDING + WEDDINGS.new(world))


def _marriage(world: World, records: Ints) -> Columns:
    people, dice = world.people, world.dice.of("marriage register")
    clerk = marriage_clerk(world)
    husband, wife = _couples(world, records)
    younger = np.maximum(people.birth_day[husband], people.birth_day[wife])
    of_age = younger + 22 * 365 + 10
    span = np.maximum(np.minimum(world.start - 40 - of_age, 6 * 365), 1)
    day = np.minimum(of_age + dice.of("day").below(records, span), world.start - 10)
    divorce = (records >= FIRST_DIVORCE) & (records < FIRST_WEDDING)
    apart = world.start - 20 - dice.of("apart").below(records, 3000)
    told = WEDDINGS.happened(world, np.maximum(records - FIRST_WEDDING, 0))
    day = np.where(divorce, apart, np.where(records >= FIRST_WEDDING, told, day))
    year = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    kind = where(divorce, "L", "J")
    registrars = ("王爱红", "陈志军", "李小芳", "周海燕")
    return {
        "register_number": join(kind, "421281-", number(year), "-", digits(records, 9)),
        "event_kind_code": where(divorce, "2", "1"),
        "husband_name": clerk.names(husband, records * 2),
        "husband_citizen_id": clerk.citizen_ids(husband, records * 2),
        "wife_name": clerk.names(wife, records * 2 + 1),
        "wife_citizen_id": clerk.citizen_ids(wife, records * 2 + 1),
        "registered_date": iso_date(day),
        "authority_name": constant("赤壁市民政局婚姻登记处", len(records)),
        "registrar_name": take(vocabulary(registrars), dice.of("registrar").below(records, 4)),
    }


MARRIAGE_REGISTER = Register(
    dataset="population.marriage_register",
    due=_registered,
    write=_marriage,
    subjects=(
        Subject("person", husbands, lambda world, records: records < 0, role="husband"),
        Subject("person", wives, lambda world, records: records < 0, role="wife"),
    ),
    style=Style(chinese=True, date_form="yyyy年M月d日", byte_order_mark=True, line_end="\r\n"),
)
