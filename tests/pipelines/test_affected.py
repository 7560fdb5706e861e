"""The keys that changes can touch: never too few, whatever changes; none of other models."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.functions import AGGREGATES
from jobs.thematic import localized
from lake.engine import Engine, Workspace
from pipelines.affected import columns_read, keys_touched, within

TABLES = ("a", "b", "c")
SCHEMA = pa.schema([("id", pa.string()), ("x", pa.int32()), ("y", pa.int32())])
WORLDS = 24

Rows = dict[str, tuple[int | None, int | None]]
"""`x` and `y` of a table's rows by their id."""

ROW_BY_ROW = (
    "SELECT id, x + y AS n FROM t.a WHERE y > 0",
    "SELECT concat(id, '|', CAST(coalesce(x, 7) AS varchar)) AS id, y FROM t.a AS a",
    "SELECT a.id, b.y FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x",
    "SELECT a.id, b.y FROM t.a AS a INNER JOIN t.b AS b ON b.x = a.x AND b.y = 1",
    "SELECT a.id, b.y FROM t.a AS a LEFT JOIN t.b AS b ON b.x > a.x",
    "SELECT a.id, b.y FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x WHERE a.y = b.y",
    """SELECT a.id, c.y FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x
       LEFT JOIN t.c AS c ON c.x = b.y""",
    """SELECT a.id, c.y FROM t.a AS a INNER JOIN t.b AS b ON b.x = a.x
       INNER JOIN t.c AS c ON c.x = b.y WHERE c.y = a.y OR b.y IS NULL""",
    """SELECT a.id, p.y, q.y AS z FROM t.a AS a
       LEFT JOIN t.a AS p ON p.x = a.y LEFT JOIN t.a AS q ON q.x = p.y""",
    """WITH m AS (SELECT x, y + 1 AS y FROM t.b WHERE y > 0)
       SELECT a.id, m.y, n.y AS z FROM t.a AS a
       LEFT JOIN m ON m.x = a.x LEFT JOIN m AS n ON n.x = m.y AND a.y IS NOT NULL""",
    """WITH u AS (SELECT b.x, b.y FROM t.b AS b INNER JOIN t.c AS c ON c.x = b.y WHERE c.y > 0)
       SELECT a.id, u.y FROM t.a AS a LEFT JOIN u ON u.x = a.x""",
    """WITH u AS (SELECT x, y FROM t.b UNION ALL SELECT y AS z, x FROM t.c WHERE x IS NOT NULL)
       SELECT a.id, u.y FROM t.a AS a LEFT JOIN u ON u.x = a.x""",
    """WITH u AS (
         SELECT concat('a', id) AS id, x, y FROM t.a UNION ALL
         (SELECT concat('b', b.id) AS key, c.y, b.y FROM t.b AS b LEFT JOIN t.c AS c ON c.x = b.x
          WHERE c.y IS NOT NULL OR b.y = 2))
       SELECT u.id, u.y, c.id AS other FROM u LEFT JOIN t.c AS c ON c.x = u.x WHERE u.x = 1""",
    """WITH u AS (SELECT id, x FROM t.a WHERE y = 1),
            v AS (SELECT u.id, b.y FROM u INNER JOIN t.b AS b ON b.x = u.x)
       SELECT v.id, c.y FROM v LEFT JOIN t.c AS c ON c.x = v.y""",
)

OTHERS = (
    "SELECT id, count(*) AS n FROM t.a GROUP BY id",
    "SELECT DISTINCT id, x FROM t.a",
    "SELECT id, row_number() OVER (PARTITION BY x ORDER BY id) AS n FROM t.a",
    "SELECT id, x FROM t.a ORDER BY id LIMIT 2",
    "SELECT id, x FROM t.a UNION SELECT id, x FROM t.b",
    "SELECT id, x FROM t.a EXCEPT SELECT id, x FROM t.b",
    "SELECT id, x FROM t.a WHERE x IN (SELECT x FROM t.b)",
    "SELECT a.id, (SELECT max(y) FROM t.b) AS y FROM t.a AS a",
    "SELECT b.id, a.x FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x",
    "SELECT id, a.x FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x",  # of which table is not told
    "SELECT a.id, b.x FROM t.a AS a RIGHT JOIN t.b AS b ON b.x = a.x",
    "SELECT a.id, b.x FROM t.a AS a FULL JOIN t.b AS b ON b.x = a.x",
    "SELECT a.id, b.x FROM t.a AS a CROSS JOIN t.b AS b",
    "SELECT a.id, b.y FROM t.a AS a LEFT JOIN t.b AS b USING (x)",
    "SELECT id, x FROM t.a WHERE y = day(run_date())",
    "WITH u AS (SELECT * FROM t.a) SELECT id, x FROM u",
    "WITH u AS (SELECT x, max(y) AS y FROM t.b GROUP BY x) "
    "SELECT a.id, u.y FROM t.a AS a LEFT JOIN u ON u.x = a.x",
    "WITH u AS (SELECT b.x, c.y FROM t.b AS b LEFT JOIN t.c AS c ON c.x = b.y) "
    "SELECT a.id, u.x FROM t.a AS a LEFT JOIN u ON u.y = a.x",
    "WITH v AS (SELECT b.x, c.y FROM t.b AS b LEFT JOIN t.c AS c ON c.x = b.y), "
    "u AS (SELECT x, y FROM v) SELECT a.id, u.x FROM t.a AS a LEFT JOIN u ON u.y = a.x",
)


@pytest.fixture(scope="module")
def contract(catalog: Catalog) -> Contract:
    """A contract whose key is `id`."""
    some = catalog.get("geography.address")
    first = replace(some.columns[0], name="id")
    return replace(some, columns=(first, *some.columns[1:]))


def parsed(model: str) -> exp.Query:
    tree = sqlglot.parse_one(model, dialect="trino")
    assert isinstance(tree, exp.Query)
    return tree


def world(dice: random.Random) -> dict[str, Rows]:
    """Few values, so that rows meet, and some that meet none."""
    values = (None, 0, 1, 2)
    return {
        table: {
            f"{table}{n}": (dice.choice(values), dice.choice(values))
            for n in range(dice.randint(0, 8))
        }
        for table in TABLES
    }


def changed(before: Mapping[str, Rows], dice: random.Random) -> dict[str, Rows]:
    """The world with some rows changed, gone and new: in one table, in some, or in all."""
    other, touched = world(dice), dice.sample(TABLES, dice.randint(1, len(TABLES)))
    stays = {table: 0.7 if table in touched else 1.0 for table in TABLES}
    after: dict[str, Rows] = {}
    for table, rows in before.items():
        kept = {key: row for key, row in rows.items() if dice.random() < stays[table]}
        after[table] = (other[table] if table in touched else {}) | kept
    return after


def held(rows: Mapping[str, tuple[int | None, int | None]] | list[tuple[Any, ...]]) -> pa.Table:
    listed = [(key, *row) for key, row in rows.items()] if isinstance(rows, Mapping) else rows
    return pa.Table.from_pylist(
        [dict(zip(("id", "x", "y"), row, strict=True)) for row in listed], SCHEMA
    )


def feed(before: Rows, after: Rows) -> list[tuple[Any, ...]]:
    """What a change feed tells: rows as they were, and as they are."""
    old, new = ({(key, *row) for key, row in rows.items()} for rows in (before, after))
    return sorted(old ^ new, key=repr)


def test_every_row_that_differs_has_a_key_that_is_told(engine: Engine, contract: Contract) -> None:
    dice = random.Random(1)
    spared = Counter[str]()
    for _ in range(WORLDS):
        before = world(dice)
        after = changed(before, dice)
        with engine.workspace(date(2025, 3, 3), small=True) as workspace:
            told = {}
            for table in TABLES:
                workspace.add_rows(f"old__{table}", held(before[table]))
                workspace.add_rows(f"t__{table}", held(after[table]))
                if fed := feed(before[table], after[table]):
                    workspace.add_rows(f"changes_{table}", held(fed))
                    told[f"t.{table}"] = f"changes_{table}"
            for model in ROW_BY_ROW:
                if not any(table in model for table in told):
                    continue
                touched = keys_touched(contract, parsed(model), told)
                assert touched is not None, model
                keys = {key for (key,) in rows(workspace, touched)}
                old = rows(workspace, parsed(model.replace("t.", "old.")))
                new = rows(workspace, parsed(model))
                differ = (old - new) + (new - old)
                assert {key for key, *_ in differ} <= keys, (model, before, after)
                spared[model] += len({key for key, *_ in new} - keys)
    assert all(spared[model] for model in ROW_BY_ROW), spared  # else all keys would do


def rows(workspace: Workspace, query: exp.Query) -> Counter[tuple[Any, ...]]:
    """The rows of a query, and how often each stands there."""
    found = workspace.rows(localized(query)).to_pylist()
    return Counter(tuple(row.values()) for row in found)


@pytest.mark.parametrize("model", OTHERS)
def test_a_model_that_makes_one_row_of_many_is_told_nothing_of(
    contract: Contract, model: str
) -> None:
    told = {f"t.{table}": f"changes_{table}" for table in TABLES}

    assert keys_touched(contract, parsed(model), told) is None


def test_what_is_joined_may_be_anything_as_long_as_it_has_not_changed(contract: Contract) -> None:
    grouped = "WITH u AS (SELECT x, max(y) AS y FROM t.b GROUP BY x) "
    model = parsed(grouped + "SELECT a.id, u.y FROM t.a AS a LEFT JOIN u ON u.x = a.x")

    touched = keys_touched(contract, model, {"t.a": "changes_a"})

    assert touched is not None
    assert touched.sql("trino") == 'SELECT DISTINCT a.id AS "id" FROM changes_a AS a'


def test_all_aggregates_that_a_model_may_say_make_one_row_of_many() -> None:
    assert all(issubclass(aggregate, exp.AggFunc) for aggregate in AGGREGATES)


def test_of_changed_rows_only_columns_that_the_model_names_are_read() -> None:
    model = parsed("SELECT a.id FROM t.a AS a LEFT JOIN t.b AS b ON b.x = a.x WHERE b.z > 0")

    assert columns_read(model, ("z", "y", "x", "w")) == ("z", "x")


def test_rows_within_keys_are_those_whose_whole_key_is_there(any_engine: Engine) -> None:
    rows = pa.table({"k": ["1", "1", "2"], "l": ["a", "b", "a"], "v": [1, 2, 3]})
    with any_engine.workspace(small=True) as workspace:
        workspace.add_rows("rows", rows)
        workspace.add_rows("keys", pa.table({"k": ["1", "2", "9"], "l": ["b", "b", "a"]}))
        found = workspace.rows(within(exp.select("*").from_("rows"), ("k", "l"), "keys"))

    assert found.to_pylist() == [{"k": "1", "l": "b", "v": 2}]
