"""Who works where: social insurance and the public payroll."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.bureaus import BUREAU_NAMES, BUREAUS, bureau_codes
from jobs.city.clerks import Clerk
from jobs.city.dice import Ints, Numbers
from jobs.city.identifiers import phones
from jobs.city.registers.people import ethnicities, itself, sexes
from jobs.city.registers.register import Batch, Columns, Register, Style, Subject
from jobs.city.text import (
    Text,
    compact_date,
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
from jobs.city.trades import COMPANY
from jobs.city.world import World

FIRST_SCHEMES = int(np.datetime64("1992-01-01").astype(np.int64))
EMPLOYEE, PUBLIC, RESIDENT = range(3)
KINDS = ("110", "120", "170")


def insurance_clerk(world: World) -> Clerk:
    """Who enrols people."""
    return Clerk(world.dice.of("insurance clerk"), world.people)


def payroll_clerk(world: World) -> Clerk:
    """Who keeps the payroll."""
    return Clerk(world.dice.of("payroll clerk"), world.people)


def insured_as(world: World, who: Numbers) -> Ints:
    """As what each person is insured."""
    people = world.people
    fate = world.dice.of("insured as").uniform(who)
    schooled = people.education[who] <= 30
    public = fate < np.where(schooled, 0.11, 0.006)
    employee = fate < np.where(people.is_floating[who], 0.5, 0.36)
    return np.where(public, PUBLIC, np.where(employee, EMPLOYEE, RESIDENT))


def _insured(world: World) -> Ints:
    """Grown-ups, nine of ten; some have died and nobody has said so."""
    people = world.people
    there = world.people_life.present(world.today)
    grown = there[people.age(there, world.date) >= 17]
    gone = (people.death_day[grown] >= 0) & ~people.unreported[grown]
    dice = world.dice.of("insured")
    return grown[dice.chance(grown, 0.88) & (~gone | dice.of("unheard").chance(grown, 0.12))]


def _employers(world: World, who: Numbers) -> Ints:
    companies = np.flatnonzero((world.entities.category == COMPANY) & (world.entities.appears == 0))
    # A few companies employ many.
    place = world.dice.of("employers").uniform(who) ** 2.2 * len(companies)
    return np.asarray(companies[place.astype(np.int64)])


def _everyone_insured(world: World) -> Iterable[Batch]:
    yield Batch(_insured(world))


def _insurance(world: World, who: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("insurance register")
    clerk = insurance_clerk(world)
    kind = insured_as(world, who)
    employed, public = kind == EMPLOYEE, kind == PUBLIC
    employer = _employers(world, who)
    office = dice.of("office").below(who, len(BUREAUS))
    age = people.age(who, world.date)
    retired = age >= np.where(people.is_male[who], 60, np.where(kind == RESIDENT, 60, 52))
    status = 1 + dice.of("status").pick(who, (0.9, 0.1))
    of_age = np.maximum(people.birth_day[who] + 16 * 365 + 5, FIRST_SCHEMES)
    span = np.maximum(world.start - 31 - of_age, 1)
    enrolled = np.minimum(
        of_age + dice.of("enrolled").below(who, np.minimum(span, 9000)), world.start - 31
    )
    base = 388_000 + dice.of("base").below(who, 1_200_000)
    yearly = 20_000 + 10_000 * dice.of("level").below(who, 20)
    # Who moved has seldom told the insurance.
    elsewhere = dice.of("elsewhere").chance(who, 0.12)
    address = np.where(
        elsewhere, (people.address[who] * 7 + 3) % places.base_count, people.address[who]
    )
    month = (np.datetime64(world.date, "D").astype("datetime64[M]") - 1).astype("datetime64[D]")
    lag = dice.of("lag").below(who, 3) * 30
    return {
        "insured_person_id": digits(np.asarray(who) * 3 + 1_000_000_000, 12),
        "citizen_id": clerk.citizen_ids(who, who),
        "person_name": clerk.names(who, who),
        "sex_code": sexes(world, who),
        "ethnicity_code": ethnicities(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "insurance_kind_code": take(vocabulary(KINDS), kind),
        "insurance_status_code": number(np.where(retired, 3, status)),
        "employer_register_id": only_where(
            employed | public, join("DW", digits(np.where(public, office, employer), 10))
        ),
        "employer_name": _employer_names(world, kind, employer, office),
        "employer_uscc": only_where(
            employed | public,
            where(public, take(bureau_codes(), office), world.entities.credit_codes(employer)),
        ),
        "enrolled_date": iso_date(enrolled),
        "contribution_base_yuan": decimal(np.where(kind == RESIDENT, yearly, base), 2),
        "paid_through_month": _months(np.int64(month.astype(np.int64)) - lag),
        "phone": only_where(dice.of("has phone").chance(who, 0.85), phones(dice.of("phone"), who)),
        "residence_division_code": places.town_codes(address),
        "residence_address": join("赤壁市", places.local_names(address)),
    }


def _months(days: Numbers) -> Text:
    """YyyyMM."""
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return number((month // 12 + 1970) * 100 + month % 12 + 1)


def _employer_names(world: World, kind: Ints, employer: Ints, office: Ints) -> Text:
    names = where(kind == PUBLIC, take(BUREAU_NAMES, office), world.entities.names(employer))
    return only_where(kind != RESIDENT, names)


# --- 财政供养人员 ---------------------------------------------------------------------------


def _on_payroll(world: World) -> Iterable[Batch]:
    who = _insured(world)
    people = world.people
    who = who[(insured_as(world, who) == PUBLIC) & (people.age(who, world.date) >= 23)]
    yield Batch(who[~people.is_floating[who] & (people.death_day[who] < 0)])


def _payroll(world: World, who: Ints) -> Columns:
    people, dice = world.people, world.dice.of("public payroll")
    clerk = payroll_clerk(world)
    age = people.age(who, world.date)
    retired = age >= np.where(people.is_male[who], 60, 56)
    kind = 1 + dice.of("kind").pick(who, (22, 8, 62, 8))
    office = world.dice.of("insurance register").of("office").below(who, len(BUREAUS))
    posts = (
        "科员",
        "一级科员",
        "四级主任科员",
        "教师",
        "专业技术人员",
        "副股长",
        "副科长",
        "工勤人员",
    )
    joined = np.minimum(
        people.birth_day[who] + 22 * 365 + dice.of("joined").below(who, 5 * 365), world.start - 60
    )
    pay = 380_000 + age * 4_000 + dice.of("pay").below(who, 260_000)
    return {
        "payroll_id": join("RY", compact_date(joined), digits(who, 8)),
        "person_name": clerk.names(who, who),
        "citizen_id": clerk.citizen_ids(who, who),
        "sex_code": sexes(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "employer_name": take(BUREAU_NAMES, office),
        "employer_uscc": take(bureau_codes(), office),
        "staff_kind_code": number(np.where(retired, 6, kind)),
        "post_name": only_where(
            ~retired, take(vocabulary(posts), dice.of("post").below(who, len(posts)))
        ),
        "joined_date": iso_date(joined),
        "monthly_pay_yuan": decimal(pay, 2),
        "phone": only_where(dice.of("has phone").chance(who, 0.9), phones(dice.of("phone"), who)),
    }


INSURANCE_REGISTER = Register(
    dataset="population.insurance_register",
    due=_everyone_insured,
    write=_insurance,
    subjects=(
        Subject("person", itself, lambda world, records: insurance_clerk(world).knows_id(records)),
    ),
    style=Style(date_form="yyyyMMdd", line_end="\r\n"),
)
PUBLIC_PAYROLL = Register(
    dataset="population.public_payroll",
    due=_on_payroll,
    write=_payroll,
    subjects=(
        Subject("person", itself, lambda world, records: payroll_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, typed_cells=True),
)
