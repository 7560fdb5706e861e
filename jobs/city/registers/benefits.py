"""The lists and payments of benefits (惠民惠农补贴)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Ints
from jobs.city.households import CHILD, FATHER, HEAD, MOTHER, SPOUSE
from jobs.city.identifiers import bank_accounts, phones
from jobs.city.registers.people import itself
from jobs.city.registers.register import Batch, Columns, Register, Stream, Style, Subject
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
from jobs.city.world import World


class Programme(NamedTuple):
    """A benefit: code, name, who decides, yuan for one unit, most units, how common."""

    code: str
    name: str
    authority: str
    yuan: int
    units: int
    weight: float


PROGRAMMES = (
    Programme("BT0101", "城乡居民最低生活保障金", "市民政局", 420, 4, 22),
    Programme("BT0102", "特困人员救助供养金", "市民政局", 1100, 1, 5),
    Programme("BT0103", "高龄津贴", "市民政局", 100, 3, 18),
    Programme("BT0104", "困难残疾人生活补贴", "市残疾人联合会", 100, 1, 9),
    Programme("BT0105", "重度残疾人护理补贴", "市残疾人联合会", 100, 1, 7),
    Programme("BT0106", "孤儿基本生活费", "市民政局", 1500, 1, 1),
    Programme("BT0201", "耕地地力保护补贴", "市农业农村局", 96, 12, 24),
    Programme("BT0202", "退耕还林补助", "市林业局", 125, 8, 5),
    Programme("BT0301", "优抚对象定期抚恤补助", "市退役军人事务局", 900, 1, 5),
    Programme("BT0401", "农村危房改造补助", "市住房和城乡建设局", 14_000, 1, 1),
    Programme("BT0501", "雨露计划补助", "市乡村振兴局", 1500, 1, 3),
)
BANKS = (
    "赤壁农村商业银行",
    "中国邮政储蓄银行赤壁市支行",
    "中国农业银行赤壁支行",
    "中国建设银行赤壁支行",
)

PAYMENTS = Stream("subsidy payments", base=120_000, per_day=600, years=1.0)


def payees(world: World, records: Ints) -> Ints:
    """Who is paid: residents, old people more often."""
    return world.dice.of("payees").below(records, world.people.local_count)


def payment_clerk(world: World) -> Clerk:
    """Who keeps the list of payments."""
    return Clerk(world.dice.of("payment clerk"), world.people)


def _paid(world: World) -> Iterable[Batch]:
    yield Batch(PAYMENTS.new(world))


def _payment(world: World, records: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("subsidy payment")
    clerk = payment_clerk(world)
    who = payees(world, records)
    programme = dice.of("programme").pick(records, [p.weight for p in PROGRAMMES])
    most = np.array([p.units for p in PROGRAMMES])[programme]
    units = np.where(most > 1, 10 + dice.of("units").below(records, most * 100 - 10), 100)
    price = np.array([p.yuan for p in PROGRAMMES])[programme]
    paid = PAYMENTS.happened(world, records)
    month = paid.astype("datetime64[D]").astype("datetime64[M]")
    first = (month - 1).astype("datetime64[D]").astype(np.int64)
    last = month.astype("datetime64[D]").astype(np.int64) - 1
    address = people.address[who]
    failed = dice.of("failed").pick(records, (0.985, 0.01, 0.005))
    return {
        "payment_id": join("FF", digits(records + 1_000_000, 12)),
        "batch_number": join(
            "P", take(vocabulary([p.code for p in PROGRAMMES]), programme), "-", digits(paid, 6)
        ),
        "programme_code": take(vocabulary([p.code for p in PROGRAMMES]), programme),
        "programme_name": take(vocabulary([p.name for p in PROGRAMMES]), programme),
        "competent_authority_name": take(vocabulary([p.authority for p in PROGRAMMES]), programme),
        "person_name": clerk.names(who, records),
        "citizen_id": clerk.citizen_ids(who, records),
        "residence_division_code": places.town_codes(address),
        "community_name": places.community_names(address),
        "phone": only_where(
            dice.of("has phone").chance(records, 0.85), phones(dice.of("phone"), who)
        ),
        "amount_yuan": decimal(units * price, 2),
        "quantity": decimal(units, 2),
        "period_from": iso_date(first),
        "period_to": iso_date(last),
        "paid_date": iso_date(paid),
        "bank_name": take(vocabulary(BANKS), dice.of("bank").pick(who, (6, 2, 1, 1))),
        "bank_account": bank_accounts(dice.of("account"), who),
        "payment_status_code": take(vocabulary(["1", "2", "3"]), failed),
    }


# --- 最低生活保障名单 -----------------------------------------------------------------------

CAUSES = ("因病", "因残", "缺劳动力", "因学", "因灾", "年老体弱")


def allowance_clerk(world: World) -> Clerk:
    """Who keeps the list of allowances."""
    return Clerk(world.dice.of("allowance clerk"), world.people)


def _supported(world: World) -> Iterable[Batch]:
    """Poor families, some of whose members have died or earn well without the list knowing."""
    people = world.people
    there = world.people_life.present(world.today)
    there = there[~people.is_floating[there] & (people.appears[there] == 0)]
    dice = world.dice.of("supported")
    poor = dice.chance(people.family[there], np.where(people.head[there] % 3 == 0, 0.05, 0.022))
    heard = (people.death_day[there] >= 0) & ~people.unreported[there]
    yield Batch(there[poor & (~heard | dice.of("unheard").chance(there, 0.15))])


def _allowance(world: World, who: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("living allowance")
    clerk = allowance_clerk(world)
    family, role = people.family[who], people.role[who]
    address = people.address[who]
    urban = places.is_urban[address]
    destitute = dice.of("destitute").chance(family, 0.12)
    kind = np.where(urban, np.where(destitute, 3, 1), np.where(destitute, 4, 2))
    monthly = np.select([kind == 1, kind == 2, kind == 3], [72_000, 58_000, 98_000], 82_000)
    relations = {HEAD: "01", SPOUSE: "10", CHILD: "30", FATHER: "50", MOTHER: "50"}
    relation = take(vocabulary([relations.get(r, "97") for r in range(7)]), role)
    return {
        "beneficiary_id": join("DB", digits(who + 40_000, 10)),
        "allowance_number": join("421281DB", digits(family, 8)),
        "person_name": clerk.names(who, who),
        "citizen_id": clerk.citizen_ids(who, who),
        "sex_code": take(vocabulary(["2", "1"]), people.is_male[who].astype(np.int8)),
        "birth_date": clerk.birth_dates(who, who),
        "applicant_relationship_code": where((role == CHILD) & people.is_male[who], "20", relation),
        "allowance_kind_code": number(kind),
        "monthly_amount_yuan": decimal(monthly - 1000 * dice.of("less").below(family, 40), 2),
        "approved_date": iso_date(world.start - 30 - dice.of("approved").below(family, 2000)),
        "residence_division_code": places.town_codes(address),
        "residence_address": join("赤壁市", places.local_names(address)),
        "poverty_cause": take(
            vocabulary(CAUSES), dice.of("cause").pick(family, (38, 24, 16, 8, 2, 12))
        ),
        "phone": phones(dice.of("phone"), family),
        "bank_account": bank_accounts(dice.of("account"), family),
    }


# --- 农业补贴发放 ---------------------------------------------------------------------------

FARM_PROGRAMMES = (
    ("NY0101", "耕地地力保护补贴", 9_580, 60),
    ("NY0102", "实际种粮农民一次性补贴", 1_800, 20),
    ("NY0103", "稻谷补贴", 5_600, 12),
    ("NY0201", "农机购置与应用补贴", 0, 8),
)
"""Code, name, cents for a mu (0: by the machine), how common."""

FARM_PAYMENTS = Stream("farm payments", base=60_000, per_day=150, years=2.5)


def farmers(world: World, records: Ints) -> Ints:
    """The head of the farming household."""
    people = world.people
    heads = np.unique(people.head[: people.local_count])
    rural = heads[~world.places.is_urban[people.address[heads]]]
    chosen = rural if len(rural) else heads
    return np.asarray(chosen[world.dice.of("farmers").below(records, len(chosen))])


def farm_clerk(world: World) -> Clerk:
    """Who keeps the list of farmers."""
    return Clerk(world.dice.of("farm clerk"), world.people)


def _farm_paid(world: World) -> Iterable[Batch]:
    yield Batch(FARM_PAYMENTS.new(world))


def _farm(world: World, records: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("farm subsidy")
    clerk = farm_clerk(world)
    who = farmers(world, records)
    kind = dice.of("kind").pick(records, [p[3] for p in FARM_PROGRAMMES])
    price = np.array([p[2] for p in FARM_PROGRAMMES])[kind]
    by_area = price > 0
    area = 80 + (dice.of("area").uniform(who) ** 2 * 3000).astype(np.int64)
    machine = (30 + dice.of("machine").below(records, 900)) * 10_000
    amount = np.where(by_area, (area * price + 50) // 100, machine)
    paid = FARM_PAYMENTS.happened(world, records)
    year = paid.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    address = people.address[who]
    return {
        "payment_id": join("NY", digits(records + 500_000, 12)),
        "programme_code": take(vocabulary([p[0] for p in FARM_PROGRAMMES]), kind),
        "programme_name": take(vocabulary([p[1] for p in FARM_PROGRAMMES]), kind),
        "subsidy_year": number(year),
        "person_name": clerk.names(who, records),
        "citizen_id": clerk.citizen_ids(who, records),
        "residence_division_code": places.town_codes(address),
        "community_name": places.community_names(address),
        "group_name": only_where(~places.is_urban[address], places.road_names(address)),
        "area_mu": only_where(by_area, decimal(area, 2)),
        "standard_yuan": only_where(by_area, decimal(price, 2)),
        "amount_yuan": decimal(amount, 2),
        "paid_date": iso_date(paid),
        "bank_account": bank_accounts(dice.of("account"), who),
    }


SUBSIDY_PAYMENT = Register(
    dataset="benefit.subsidy_payment",
    due=_paid,
    write=_payment,
    subjects=(
        Subject("person", payees, lambda world, records: payment_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy.M.d"),
)
LIVING_ALLOWANCE_LIST = Register(
    dataset="benefit.living_allowance_list",
    due=_supported,
    write=_allowance,
    subjects=(
        Subject("person", itself, lambda world, records: allowance_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy.M.d"),
)
FARM_SUBSIDY_PAYMENT = Register(
    dataset="benefit.farm_subsidy_payment",
    due=_farm_paid,
    write=_farm,
    subjects=(
        Subject("person", farmers, lambda world, records: farm_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, typed_cells=True),
)
