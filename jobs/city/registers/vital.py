"""What health and civil affairs write down of life and death: births, deaths, cremations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Ints
from jobs.city.households import CHILD
from jobs.city.identifiers import phones
from jobs.city.registers.people import ethnicities, itself, sexes
from jobs.city.registers.register import Batch, Columns, Register, Style, Subject
from jobs.city.text import (
    Text,
    constant,
    digits,
    iso_date,
    join,
    number,
    only_where,
    take,
    vocabulary,
)
from jobs.city.world import World

HOSPITALS = (
    "赤壁市人民医院",
    "赤壁市妇幼保健院",
    "赤壁市中医医院",
    "赤壁市第二人民医院",
    "赵李桥镇卫生院",
)
SINCE = 10 * 365
"""Birth certificates go back ten years."""


def birth_clerk(world: World) -> Clerk:
    """The midwife's desk."""
    return Clerk(world.dice.of("birth clerk"), world.people)


def death_clerk(world: World) -> Clerk:
    """Who fills in death certificates."""
    return Clerk(world.dice.of("death clerk"), world.people)


def cremation_clerk(world: World) -> Clerk:
    """The funeral home."""
    return Clerk(world.dice.of("cremation clerk"), world.people)


# --- 出生医学证明 ---------------------------------------------------------------------------


def _mothers(world: World, who: Ints) -> Ints:
    """The mother, where she heads or shares the household; else -1."""
    people = world.people
    head = people.head[who]
    partner = people.partner[head]
    other = np.where((partner >= 0) & ~people.is_male[np.maximum(partner, 0)], partner, -1)
    return np.where(~people.is_male[head], head, other)


def _fathers(world: World, who: Ints) -> Ints:
    people = world.people
    head = people.head[who]
    partner = people.partner[head]
    other = np.where((partner >= 0) & people.is_male[np.maximum(partner, 0)], partner, -1)
    return np.where(people.is_male[head], head, other)


def _births(world: World) -> Iterable[Batch]:
    people = world.people
    told = people.appears == world.today
    told &= (people.role == CHILD) & (people.birth_day > world.start - SINCE)
    who = np.flatnonzero(told)
    who = who[(_mothers(world, who) >= 0) & world.dice.of("born here").chance(who, 0.85)]
    yield Batch(who)


def _birth(world: World, who: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("birth certificate")
    clerk = birth_clerk(world)
    mother, father = _mothers(world, who), _fathers(world, who)
    known = father >= 0
    born = people.birth_day[who]
    issued = np.minimum(born + 2 + dice.of("issued").below(who, 20), world.date)
    address = people.address[who]
    weeks = 37 + dice.of("weeks").pick(who, (8, 18, 32, 28, 12, 2))
    return {
        "certificate_number": join(take(vocabulary(["P", "Q", "R", "S"]), who % 4), digits(who, 9)),
        "person_name": clerk.names(who, who),
        "sex_code": sexes(world, who),
        "birth_date": iso_date(clerk.birth_days(who, who)),
        "citizen_id": clerk.citizen_ids(who, who),
        "birth_weight_g": number(
            np.round(dice.of("weight").bell(who, 2300, 4300)).astype(np.int64)
        ),
        "gestation_weeks": number(weeks),
        "mother_name": people.names(mother),
        "mother_citizen_id": clerk.citizen_ids(mother, who + 10**7),
        "father_name": only_where(known, people.names(np.maximum(father, 0))),
        "father_citizen_id": only_where(
            known, clerk.citizen_ids(np.maximum(father, 0), who + 2 * 10**7)
        ),
        "residence_division_code": places.town_codes(address),
        "residence_address": join("赤壁市", places.local_names(address)),
        "institution_name": take(
            vocabulary(HOSPITALS), dice.of("hospital").pick(who, (5, 6, 2, 1, 1))
        ),
        "issued_date": iso_date(issued),
    }


# --- 死亡医学证明、火化登记 ------------------------------------------------------------------


def _deaths(world: World) -> Iterable[Batch]:
    who = world.died[world.today]
    yield Batch(who[world.dice.of("certified").chance(who, 0.95)])


def _residence(world: World, who: Ints) -> Text:
    return join("赤壁市", world.places.local_names(world.people.address[who]))


def _death(world: World, who: Ints) -> Columns:
    people, dice = world.people, world.dice.of("death certificate")
    clerk = death_clerk(world)
    died = people.death_day[who]
    causes = ("I21.9", "I64", "C34.9", "J44.9", "I25.1", "C16.9", "E14", "K74.6", "V89.2", "R54")
    return {
        "certificate_number": join("SW421281", digits(who, 9)),
        "person_name": clerk.names(who, who),
        "citizen_id": clerk.citizen_ids(who, who),
        "sex_code": sexes(world, who),
        "ethnicity_code": ethnicities(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "marital_status_code": number(people.marital[who]),
        "death_date": iso_date(died),
        "death_place_code": take(
            vocabulary(["1", "2", "3", "4", "9"]), dice.of("place").pick(who, (34, 2, 56, 5, 3))
        ),
        "underlying_cause_code": take(
            vocabulary(causes), dice.of("cause").pick(who, (18, 17, 12, 14, 12, 6, 6, 3, 4, 8))
        ),
        "residence_division_code": world.places.town_codes(people.address[who]),
        "residence_address": _residence(world, who),
        "institution_name": take(
            vocabulary(HOSPITALS), dice.of("hospital").pick(who, (6, 1, 3, 3, 2))
        ),
        "issued_date": iso_date(np.minimum(died + dice.of("issued").below(who, 6), world.date)),
    }


def _cremations(world: World) -> Iterable[Batch]:
    who = world.died[world.today]
    yield Batch(who[world.dice.of("cremated").chance(who, 0.85)])


def _cremation(world: World, who: Ints) -> Columns:
    people, dice = world.people, world.dice.of("cremation record")
    clerk = cremation_clerk(world)
    died = people.death_day[who]
    head, partner = people.head[who], people.partner[who]
    family = np.where(head == who, partner, head)
    told = dice.of("told").chance(who, 0.9) & (family >= 0)
    family = np.maximum(family, 0)
    return {
        "record_number": join("HH", digits(who, 10)),
        "person_name": clerk.names(who, who),
        "citizen_id": clerk.citizen_ids(who, who),
        "sex_code": sexes(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "death_date": iso_date(died),
        "cremated_date": iso_date(
            np.minimum(died + 1 + dice.of("after").below(who, 3), world.date)
        ),
        "registered_address": _residence(world, who),
        "applicant_name": only_where(told, people.names(family)),
        "applicant_phone": only_where(told, phones(dice.of("phone"), family)),
        "funeral_home_name": constant("赤壁市殡仪馆", len(who)),
    }


BIRTH_CERTIFICATE = Register(
    dataset="population.birth_certificate",
    due=_births,
    write=_birth,
    subjects=(
        Subject("person", itself, lambda world, records: birth_clerk(world).knows_id(records)),
        Subject("person", _mothers, lambda world, records: records < 0, role="mother"),
        Subject("person", _fathers, lambda world, records: records < 0, role="father"),
    ),
    style=Style(chinese=True, typed_cells=True),
)
DEATH_CERTIFICATE = Register(
    dataset="population.death_certificate",
    due=_deaths,
    write=_death,
    subjects=(
        Subject("person", itself, lambda world, records: death_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy/M/d"),
)
CREMATION_RECORD = Register(
    dataset="population.cremation_record",
    due=_cremations,
    write=_cremation,
    subjects=(
        Subject("person", itself, lambda world, records: cremation_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy.M.d"),
)
