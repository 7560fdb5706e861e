"""The lists and payments of benefits (惠民惠农补贴)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints
from jobs.city.identifiers import bank_accounts, phones
from jobs.city.registers.register import Batch, Columns, Register, Stream, Style, Subject
from jobs.city.text import (
    decimal,
    digits,
    iso_date,
    join,
    only_where,
    take,
    vocabulary,
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


def nobody(world: World, records: Ints) -> Bools:
    """No record of this register counts as an identification."""
    return np.zeros(len(records), dtype=bool)


SUBSIDY_PAYMENT = Register(
    dataset="benefit.subsidy_payment",
    due=_paid,
    write=_payment,
    subjects=(
        Subject("person", payees, lambda world, records: payment_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy.M.d"),
)
