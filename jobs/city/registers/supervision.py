"""What market regulation watches: changes of entities, abnormal operation, food licences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.bureaus import BUREAUS, MARKET
from jobs.city.dice import Ints, Numbers
from jobs.city.registers.market import CodeClerk, representatives
from jobs.city.registers.register import (
    Batch,
    Columns,
    Register,
    Stream,
    Style,
    Subject,
    cancellation,
    changes_of,
    updated_at,
)
from jobs.city.text import (
    Text,
    constant,
    digits,
    iso_date,
    join,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.trades import TRADES
from jobs.city.world import World

# --- 市场主体变更登记 -----------------------------------------------------------------------

OLD_CHANGES = Stream("old entity changes", base=60_000, per_day=0, years=8.0)
FIRST_NEW_CHANGE = 1 << 24
"""The number from which on records stand for events of later days, in their order."""

ITEMS = ("住所变更", "法定代表人（负责人）变更", "名称变更")


def _codes(world: World) -> CodeClerk:
    return CodeClerk(world, "change record codes", 0.05, 0.01)


def _events(world: World, records: Numbers) -> tuple[Ints, Ints, Ints, Ints]:
    """Entity, item, before and after of each record."""
    if world.today:
        events = world.entity_events[world.today]
        place = records - FIRST_NEW_CHANGE - _told_before(world)
        return events.entity[place], events.item[place], events.before[place], events.after[place]
    dice = world.dice.of("old entity changes")
    base = np.flatnonzero(world.entities.appears == 0)
    entity = base[dice.of("entity").below(records, len(base))]
    item = dice.of("item").pick(records, (0.5, 0.35, 0.15))
    people, places = world.people, world.places
    before = np.select(
        [item == 0, item == 1],
        [
            places.in_town(world.entities.town[entity], dice.of("before").below(records, 10**6)),
            dice.of("person").below(records, people.local_count),
        ],
        default=15,
    )
    after = np.select(
        [item == 0, item == 1],
        [world.entities.address[entity], world.entities.representative[entity]],
        default=0,
    )
    return entity, item, before, after


def _told_before(world: World) -> int:
    """How many events were told on the days before."""
    return sum(len(events.entity) for events in world.entity_events[: world.today])


def _changed_entities(world: World, records: Ints) -> Ints:
    return _events(world, records)[0]


def _approved(world: World) -> Iterable[Batch]:
    if world.today == 0:
        yield Batch(OLD_CHANGES.new(world))
    else:
        count = len(world.entity_events[world.today].entity)
        yield Batch(FIRST_NEW_CHANGE + _told_before(world) + np.arange(count))


def _content(world: World, entity: Ints, item: Ints, value: Ints) -> Text:
    zero = np.zeros(len(value), dtype=np.int64)
    address = world.places.full_names(np.where(item == 0, value, zero))
    person = world.people.names(np.where(item == 1, value, zero))
    name = world.entities.names(entity, np.where(item == 2, value, zero))
    return where(item == 0, address, where(item == 1, person, name))


def _change(world: World, records: Ints) -> Columns:
    entities = world.entities
    entity, item, before, after = _events(world, records)
    changed = (
        np.full(len(records), world.date - 1)
        if world.today
        else np.maximum(OLD_CHANGES.happened(world, records), entities.established[entity] + 1)
    )
    return {
        "change_id": join("BG421281", digits(records, 12)),
        "entity_register_id": entities.register_ids(entity),
        "uscc": _codes(world).write(entity, records),
        "entity_name": entities.names(entity),
        "change_item": take(vocabulary(ITEMS), item),
        "content_before": _content(world, entity, item, before),
        "content_after": _content(world, entity, item, after),
        "changed_date": iso_date(np.minimum(changed, world.date - 1)),
        "authority_name": constant(BUREAUS[MARKET], len(records)),
    }


# --- 经营异常名录 ---------------------------------------------------------------------------

REASONS = (
    "未按照规定的期限公示年度报告",
    "通过登记的住所（经营场所）无法取得联系",
    "公示企业信息隐瞒真实情况、弄虚作假",
    "未在责令的期限内公示有关企业信息",
)
REMEDIES = ("已补报年度报告并公示", "已变更登记住所", "已更正公示信息", "已履行公示义务")


def listed_entities(world: World, records: Ints) -> Ints:
    """The entity of each entry of the list."""
    base = np.flatnonzero(world.entities.appears == 0)
    return np.asarray(base[world.dice.of("listed").below(records, len(base))])


def _listing_codes(world: World) -> CodeClerk:
    return CodeClerk(world, "abnormal codes", 0.04, 0.01)


def _listed(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["abnormal operation"], world.today)


def _abnormal(world: World, records: Ints) -> Columns:
    dice, life = world.dice.of("abnormal operation"), world.lives["abnormal operation"]
    entities, entity = world.entities, listed_entities(world, records)
    new = life.appears[records] > 0
    back = (dice.of("listed").uniform(records) * 2600).astype(np.int64)
    listed = np.where(new, world.start + life.appears[records] - 1, world.start - 40 - back)
    listed = np.maximum(listed, entities.established[entity] + 2)
    # Whoever is touched or cancelled in the register has mended what was wrong.
    mended_before = ~new & dice.of("removed").chance(records, 0.42)
    mended_now = (life.touched[records] > 0) & ~new
    removed = np.where(
        mended_before,
        np.minimum(listed + 5 + dice.of("after").below(records, 30), world.start - 1),
        world.start + np.maximum(life.touched[records].astype(np.int64), 1) - 1,
    )
    gone = mended_before | mended_now
    why = dice.of("reason").pick(records, (62, 28, 3, 7))
    authority = constant(BUREAUS[MARKET], len(records))
    return {
        "record_id": join("YC421281", digits(records + 30_000, 10)),
        "entity_register_id": entities.register_ids(entity),
        "uscc": _listing_codes(world).write(entity, records),
        "entity_name": entities.names(entity),
        "listed_reason": take(vocabulary(REASONS), why),
        "listed_date": iso_date(listed),
        "listed_authority_name": authority,
        "removed_reason": only_where(gone, take(vocabulary(REMEDIES), why)),
        "removed_date": only_where(gone, iso_date(removed)),
        "removed_authority_name": only_where(gone, authority),
        "updated_at": updated_at(world, life, "abnormal", records, listed),
    }


# --- 食品经营许可 ---------------------------------------------------------------------------

BUSINESSES = ("食品销售经营者", "餐饮服务经营者", "单位食堂")
ITEMS_SOLD = (
    "预包装食品（含冷藏冷冻食品）销售、散装食品（不含熟食）销售",
    "热食类食品制售、冷食类食品制售",
    "热食类食品制售",
)


def _food_entities(world: World, records: Ints) -> Ints:
    sells = np.array([t.sells_food for t in TRADES])[world.entities.trade]
    sellers = np.flatnonzero(sells & (world.entities.appears == 0))
    return np.asarray(sellers[world.dice.of("food sellers").below(records, len(sellers))])


def _food_codes(world: World) -> CodeClerk:
    return CodeClerk(world, "food codes", 0.03, 0.01)


def _licensed(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["food licence"], world.today)


def _food(world: World, records: Ints) -> Columns:
    dice, life = world.dice.of("food licence"), world.lives["food licence"]
    entities, places, entity = world.entities, world.places, _food_entities(world, records)
    new = life.appears[records] > 0
    back = (dice.of("issued").uniform(records) * 2700).astype(np.int64)
    issued = np.where(new, world.start + life.appears[records] - 1, world.start - 30 - back)
    issued = np.maximum(issued, entities.established[entity] + 2)
    ended, ended_day = cancellation(world, life, records)
    served = np.char.startswith([t.industry for t in TRADES], "62")[entities.trade[entity]]
    kind = np.where(served, np.where(dice.of("canteen").chance(records, 0.03), 2, 1), 0)
    address = entities.address[entity]
    return {
        "licence_number": join(
            take(vocabulary(["JY1", "JY2", "JY3"]), kind), "421281", digits(records + 10_000, 7)
        ),
        "entity_name": entities.names(entity),
        "uscc": _food_codes(world).write(entity, records),
        "representative_name": world.people.names(representatives(world, entity)),
        "business_kind": take(vocabulary(BUSINESSES), kind),
        "business_items": take(vocabulary(ITEMS_SOLD), kind),
        "business_address": join("赤壁市", places.local_names(address)),
        "division_code": places.town_codes(address),
        "authority_name": constant(BUREAUS[MARKET], len(records)),
        "issued_date": iso_date(issued),
        "valid_from": iso_date(issued),
        "valid_to": iso_date(issued + 5 * 365),
        "status_code": where(ended, "2", "1"),
        "cancelled_date": only_where(ended, iso_date(ended_day)),
        "updated_at": updated_at(world, life, "food", records, issued),
    }


CHANGE_RECORD = Register(
    dataset="legal_entity.change_record",
    due=_approved,
    write=_change,
    subjects=(
        Subject("entity", _changed_entities, lambda world, records: _codes(world).knows(records)),
    ),
)
ABNORMAL_OPERATION = Register(
    dataset="credit.abnormal_operation",
    due=_listed,
    write=_abnormal,
    subjects=(
        Subject(
            "entity", listed_entities, lambda world, records: _listing_codes(world).knows(records)
        ),
    ),
    style=Style(date_form="yyyy/M/d"),
)
FOOD_LICENCE = Register(
    dataset="licence.food_licence",
    due=_licensed,
    write=_food,
    subjects=(
        Subject("entity", _food_entities, lambda world, records: _food_codes(world).knows(records)),
    ),
)
