"""The registers of market regulation: entities, their changes, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.bureaus import BUREAUS, MARKET
from jobs.city.clerks import Clerk, Errors
from jobs.city.dice import Bools, Dice, Ints, Numbers
from jobs.city.entities import CANCELLED, REVOKED, TYPE_CODES
from jobs.city.identifiers import phones, wrong_credit_codes
from jobs.city.registers.register import Batch, Columns, Register, Style, Subject
from jobs.city.text import (
    Text,
    constant,
    decimal,
    iso_date,
    iso_time,
    join,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.trades import COMPANY, SHOP, TRADES
from jobs.city.world import World

REPRESENTATIVES = Errors(without_id=0.05, wrong_id=0.03)
"""Market regulation sees the card of whoever registers."""


class CodeClerk:
    """Writes credit codes into one register: right, wrong, or not at all."""

    def __init__(self, world: World, name: str, without: float, wrong: float) -> None:
        self._world = world
        self._dice: Dice = world.dice.of(name)
        self._without = without
        self._wrong = wrong

    def knows(self, records: Numbers) -> Bools:
        """Whether the record carries the entity's right code."""
        return np.asarray(self._dice.uniform(records) >= self._without + self._wrong)

    def write(self, which: Numbers, records: Numbers) -> Text:
        """The code as the register has it."""
        fate = self._dice.uniform(records)
        wrong = (fate >= self._without) & (fate < self._without + self._wrong)
        characters = self._world.entities.credit_characters[which]
        text = self._world.entities.credit_codes(which)
        text = where(wrong, wrong_credit_codes(characters, self._dice, records), text)
        return only_where(fate >= self._without, text)


def register_codes(world: World) -> CodeClerk:
    """The market register lacks the code of some shops that were never given one."""
    return CodeClerk(world, "market register codes", 0.02, 0.004)


def itself(world: World, records: Ints) -> Ints:
    """The record's number is that of the entity."""
    return records


def representatives(world: World, records: Ints) -> Ints:
    """Who runs the entity of each record."""
    return world.entities.representative[records]


def _present(world: World) -> Iterable[Batch]:
    yield Batch(world.entity_life.present(world.today))


def _market(world: World, which: Ints) -> Columns:
    entities, places, dice = world.entities, world.places, world.dice.of("market register")
    clerk = Clerk(dice.of("clerk"), world.people, REPRESENTATIVES)
    who = entities.representative[which]
    shop = entities.category[which] == SHOP
    company = entities.category[which] == COMPANY
    address = entities.address[which]
    status = entities.status[which]
    capital = decimal(entities.capital_yuan[which] * 100, 6)
    paid = decimal(entities.capital_yuan[which] * dice.of("paid").below(which, 101), 6)
    term = dice.of("term").pick(which, (0.6, 0.2, 0.2))
    ends = iso_date(entities.established[which] + 365 * 20)
    until = where(term == 2, ends, where(term == 1, "9999-09-09", "2099-12-31"))
    elsewhere = dice.of("elsewhere").chance(which, 0.08)
    branch = entities.type_place[which] == 2
    parent = (np.asarray(which) * 31 + 17) % len(entities)
    renamed = entities.renamed[which]
    day, second = world.updated_at(world.entity_life, dice.of("updated"), which)
    trades = [t.scope for t in TRADES]
    scope = join(
        take(vocabulary(trades), entities.trade[which]),
        where(company, "。（依法须经批准的项目，经相关部门批准后方可开展经营活动）", ""),
    )
    return {
        "entity_register_id": entities.register_ids(which),
        "uscc": register_codes(world).write(which, which),
        "registration_number": entities.registration_numbers(which),
        "entity_name": entities.names(which),
        "former_name": only_where(renamed > 0, entities.names(which, np.maximum(renamed - 1, 0))),
        "entity_type_code": take(vocabulary(TYPE_CODES), entities.type_place[which]),
        "entity_category_code": number(entities.category[which] + np.int64(1)),
        "representative_name": clerk.names(who, which),
        "representative_document_type_code": constant("111", len(which)),
        "representative_citizen_id": clerk.citizen_ids(who, which),
        "industry_section_code": take(
            vocabulary([t.section for t in TRADES]), entities.trade[which]
        ),
        "industry_code": take(vocabulary([t.industry for t in TRADES]), entities.trade[which]),
        "registered_capital_yuan": capital,
        "paid_in_capital_yuan": only_where(~shop, paid),
        "capital_currency_code": constant("156", len(which)),
        "established_date": iso_date(entities.established[which]),
        "approved_date": iso_date(entities.approved[which]),
        "operating_from": only_where(~shop, iso_date(entities.established[which])),
        "operating_to": only_where(~shop, until),
        "registration_authority_name": constant(BUREAUS[MARKET], len(which)),
        "status_code": number(status),
        "cancelled_date": only_where(status == CANCELLED, iso_date(entities.ended[which])),
        "revoked_date": only_where(status == REVOKED, iso_date(entities.ended[which])),
        "registered_division_code": places.town_codes(address),
        "registered_address": join("湖北省咸宁市赤壁市", places.local_names(address)),
        "business_address": only_where(
            elsewhere, join("赤壁市", places.local_names((address * 3 + 5) % places.base_count))
        ),
        "business_scope": scope,
        "postal_code": places.postal_codes(address),
        "phone": only_where(
            dice.of("has phone").chance(which, 0.85), phones(dice.of("phone"), which)
        ),
        "email": only_where(
            company & dice.of("has email").chance(which, 0.3),
            join(number(100_000 + dice.of("email").below(which, 900_000)), "@example.cn"),
        ),
        "parent_entity_register_id": only_where(branch, entities.register_ids(parent)),
        "parent_entity_name": only_where(branch, entities.names(parent)),
        "employee_count": only_where(
            dice.of("counted").chance(which, 0.7), number(entities.employees[which])
        ),
        "updated_at": iso_time(day, second),
    }


MARKET_REGISTER = Register(
    dataset="legal_entity.market_register",
    due=_present,
    write=_market,
    subjects=(
        Subject("entity", itself, lambda world, records: register_codes(world).knows(records)),
        Subject(
            "person", representatives, lambda world, records: records < 0, role="representative"
        ),
    ),
    style=Style(chinese=True, date_form="yyyy年M月d日"),
)
