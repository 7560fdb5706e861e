"""How entities and persons stand: tax ratings and the court's list of dishonest debtors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints, Numbers
from jobs.city.registers.market import CodeClerk, itself
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
    constant,
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
from jobs.city.trades import SHOP
from jobs.city.world import World

# --- 纳税信用评价 ---------------------------------------------------------------------------


def _codes(world: World) -> CodeClerk:
    return CodeClerk(world, "tax codes", 0.01, 0.004)


def _rated_year(world: World) -> int:
    """Ratings of a year are published in April of the next one."""
    today = np.datetime64(world.date, "D")
    year = int(today.astype("datetime64[Y]").astype(np.int64)) + 1970
    return year - 1 if today >= np.datetime64(f"{year}-05-01") else year - 2


def _taxpayers(world: World) -> Iterable[Batch]:
    entities = world.entities
    there = world.entity_life.present(world.today)
    begun = entities.established[there] < np.datetime64(
        f"{_rated_year(world) + 1}-01-01", "D"
    ).astype(np.int64)
    yield Batch(there[(entities.category[there] != SHOP) & begun])


def _rating(world: World, which: Ints) -> Columns:
    dice, entities = world.dice.of("tax rating"), world.entities
    year = _rated_year(world)
    score = 3500 + np.round(6500 * dice.of("score").uniform(which) ** 0.45).astype(np.int64)
    straight = dice.of("straight").chance(which, 0.03)
    young = entities.established[which] > np.datetime64(f"{year - 2}-12-31", "D").astype(np.int64)
    grade = np.select(
        [straight, score >= 9000, young, score >= 7000, score >= 4000], [4, 0, 2, 1, 3], 4
    )
    published = np.full(len(which), np.datetime64(f"{year + 1}-04-20", "D").astype(np.int64))
    return {
        "taxpayer_register_id": join("1011421281", digits(np.asarray(which) + 6_000_000, 10)),
        "uscc": _codes(world).write(which, which),
        "entity_name": entities.names(which),
        "rating_year": constant(str(year), len(which)),
        "rating_code": take(vocabulary(["A", "B", "M", "C", "D"]), grade),
        "score": only_where(~straight, decimal(score, 2)),
        "tax_authority_name": constant("国家税务总局赤壁市税务局", len(which)),
        "published_date": iso_date(published),
    }


# --- 失信被执行人 ---------------------------------------------------------------------------

BEHAVIOURS = (
    "有履行能力而拒不履行生效法律文书确定义务",
    "违反财产报告制度",
    "违反限制消费令",
    "以伪造证据、暴力、威胁等方法妨碍、抗拒执行",
)


def _is_person(world: World, records: Numbers) -> Bools:
    return world.dice.of("debtor kind").chance(records, 0.82)


def _debtor_persons(world: World, records: Ints) -> Ints:
    people = world.people
    who = people.head[world.dice.of("debtor persons").below(records, people.local_count)]
    return np.where(_is_person(world, records), who, -1)


def _debtor_entities(world: World, records: Ints) -> Ints:
    base = np.flatnonzero((world.entities.appears == 0) & (world.entities.category != SHOP))
    which = base[world.dice.of("debtor entities").below(records, len(base))]
    return np.where(_is_person(world, records), -1, which)


def _clerk(world: World) -> Clerk:
    return Clerk(world.dice.of("court clerk"), world.people)


def _court_codes(world: World) -> CodeClerk:
    return CodeClerk(world, "court codes", 0.06, 0.02)


def _debtors(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["dishonest debtor"], world.today)


def _debtor(world: World, records: Ints) -> Columns:
    dice, life = world.dice.of("dishonest debtor"), world.lives["dishonest debtor"]
    by_person = _is_person(world, records)
    person = np.maximum(_debtor_persons(world, records), 0)
    entity = np.maximum(_debtor_entities(world, records), 0)
    clerk = _clerk(world)
    new = life.appears[records] > 0
    back = (dice.of("published").uniform(records) ** 1.2 * 2900).astype(np.int64)
    published = np.where(new, world.start + life.appears[records] - 1, world.start - 20 - back)
    filed = published - 20 - dice.of("filed").below(records, 300)
    ended, ended_day = cancellation(world, life, records)
    paid = dice.of("paid").pick(records, (78, 22))
    year = filed.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    owed = 300_000 + (dice.of("owed").uniform(records) ** 4 * 500_000_000).astype(np.int64)
    return {
        "record_id": join("SX", digits(records + 88_000, 10)),
        "subject_kind_code": where(by_person, "2", "1"),
        "subject_name": where(
            by_person, clerk.names(person, records), world.entities.names(entity)
        ),
        "citizen_id": only_where(by_person, clerk.citizen_ids(person, records)),
        "uscc": only_where(~by_person, _court_codes(world).write(entity, records)),
        "case_number": join("（", number(year), "）鄂1281执", number(100 + records), "号"),
        "court_name": constant("赤壁市人民法院", len(records)),
        "filed_date": iso_date(filed),
        "amount_yuan": only_where(dice.of("known").chance(records, 0.94), decimal(owed, 2)),
        "behaviour": take(
            vocabulary(BEHAVIOURS), dice.of("behaviour").pick(records, (70, 18, 8, 4))
        ),
        "performance_code": where(ended, "3", take(vocabulary(["1", "2"]), paid)),
        "published_date": iso_date(published),
        "removed_date": only_where(ended, iso_date(ended_day)),
        "updated_at": updated_at(world, life, "debtor", records, published),
    }


TAX_RATING = Register(
    dataset="credit.tax_rating",
    due=_taxpayers,
    write=_rating,
    subjects=(Subject("entity", itself, lambda world, records: _codes(world).knows(records)),),
    style=Style(chinese=True, typed_cells=True),
)
DISHONEST_DEBTOR = Register(
    dataset="credit.dishonest_debtor",
    due=_debtors,
    write=_debtor,
    subjects=(
        Subject("person", _debtor_persons, lambda world, records: _clerk(world).knows_id(records)),
        Subject(
            "entity", _debtor_entities, lambda world, records: _court_codes(world).knows(records)
        ),
    ),
    style=Style(chinese=True, date_form="yyyy年M月d日", done_marker=True),
)
