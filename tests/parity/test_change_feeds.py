"""The change feed of a table, by whichever engine wrote it and whichever reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from sqlglot import exp

from catalog.contract import DataType, TypeName
from catalog.shapes import Shape, ShapeColumn
from lake.engine import Engine, Merge, Transaction
from lake.tables import Tables
from tests.extent import DAYS
from tests.parity.chronicles import EMBEDDED, LARGE, SPARK, Chronicle
from tests.parity.comparing import feed, of_rows, with_sorted_maps

VALUES = {
    "born": (DataType(TypeName.DATE), date(1, 1, 1)),
    "seen": (DataType(TypeName.TIMESTAMP), datetime(2025, 3, 3, 10, 0, 0, 123000)),
    "sent_at": (DataType(TypeName.INSTANT), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "paid_yuan": (DataType(TypeName.DECIMAL, None, 20, 2), Decimal("-0.01")),
    "words": (DataType(TypeName.STRINGS), ["中", None]),
    "sources": (DataType(TypeName.MAP), [("name", "register")]),
}
"""A column of every type that does not come as text or number, and a value of it."""

SHAPE = Shape(
    "curated.fed__rows",
    "变更",
    (
        ShapeColumn("id", DataType(TypeName.STRING), "标识", required=True),
        ShapeColumn("name", DataType(TypeName.STRING), "姓名"),
        *(ShapeColumn(name, kind, "列") for name, (kind, _) in VALUES.items()),
    ),
    {"delta.enableChangeDataFeed": "true"},
)

Change = tuple[str, str, str | None]
"""An operation, an id, a name."""

COMMITS: Sequence[tuple[Sequence[Change], Merge | None]] = (
    ([("", "1", "a"), ("", "2", "b"), ("", "3", "c"), ("", "4", None)], None),
    (
        [("upsert", "1", "A"), ("upsert", "5", "e"), ("delete", "2", None)],
        Merge(on=("id",)),
    ),
    (
        [("insert", "2", "again"), ("upsert", "3", "C"), ("delete", "5", None)],
        Merge(on=("id",)),
    ),
    ([("update", "4", "d")], Merge(("id",), ("name",), "t.name IS NULL")),
)
"""What is written, and how: the first is an append, the last sets one column of an open row."""

FED = [
    (1, "insert", "1", "a"),
    (1, "insert", "2", "b"),
    (1, "insert", "3", "c"),
    (1, "insert", "4", None),
    (2, "update_preimage", "1", "a"),
    (2, "update_postimage", "1", "A"),
    (2, "insert", "5", "e"),
    (2, "delete", "2", "b"),
    (3, "insert", "2", "again"),
    (3, "update_preimage", "3", "c"),
    (3, "update_postimage", "3", "C"),
    (3, "delete", "5", "e"),
    (4, "update_preimage", "4", None),
    (4, "update_postimage", "4", "d"),
]
"""The commit, the change, the id and the name."""


def rows(changes: Sequence[Change], tables: Tables) -> pa.Table:
    """The changes as rows of the table, with what is to be done."""
    schema = pa.schema(DeltaTable(tables.path(SHAPE.table)).schema())
    full = {name: value for name, (_, value) in VALUES.items()}
    listed = [{**full, "id": id_, "name": name} for _, id_, name in changes]
    given = pa.Table.from_pylist(listed, schema=schema)
    return given.append_column("_op", pa.array([op for op, _, _ in changes]))


def fed_to_spark(path: str) -> pa.Table:
    """The change feed of a table from its first version, as Spark reads it."""
    reader = SparkSession.active().read.format("delta").option("readChangeFeed", "true")
    read = reader.option("startingVersion", 0).load(path).drop("_commit_timestamp").toArrow()
    assert isinstance(read, pa.Table)
    return read


def told_apart(path: str) -> str:
    """What Spark reads of a feed that delta-rs does not, or the other way round."""
    one, other = (with_sorted_maps(r) for r in (feed(DeltaTable(path)), fed_to_spark(path)))
    return "\n".join(of_rows(path, one, other, ("delta-rs", SPARK)))


@pytest.mark.parametrize("writer", [EMBEDDED, SPARK, LARGE])
def test_every_change_is_read_by_both_whoever_wrote_it(
    tmp_path: Path, engines: Mapping[str, Engine], writer: str
) -> None:
    tables = Tables(str(tmp_path))
    before = tables.ensure(SHAPE)
    path, query = tables.path(SHAPE.table), exp.select("*").from_("given")
    for number, (changes, how) in enumerate(COMMITS):
        with engines[writer].workspace(small=True) as workspace:
            given = rows(changes, tables)
            transaction = Transaction(f"redcliff/{number}")
            if how is None:
                workspace.add_rows("given", given.drop_columns(["_op"]))
                workspace.append(path, query, transaction)
            else:
                workspace.add_rows("given", given)
                workspace.merge(path, query, how, transaction)

    fed = feed(DeltaTable(path)).to_pylist()
    told = [(r["_commit_version"] - before, r["_change_type"], r["id"], r["name"]) for r in fed]
    assert sorted(told, key=repr) == sorted(FED, key=repr)
    assert all(row[name] == value for row in fed for name, (_, value) in VALUES.items())
    assert not (found := told_apart(path)), found


@pytest.mark.parametrize(
    "table", ["curated.population__household_register", "thematic.population__person"]
)
def test_the_feed_of_a_table_that_both_wrote_is_read_by_both(
    chronicle: Chronicle, table: str
) -> None:
    home = chronicle.home(*islice(cycle((SPARK, EMBEDDED)), DAYS), SPARK)

    found = told_apart(home.tables.path(table))

    assert not found, found
