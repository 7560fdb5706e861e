"""
Run by a test in a process of its own: Spark changes one served table and answers the queries.

Arguments: as `tests.stack.sparks` gives them, then a folder's URL. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from lake.store import Store
from tests.stack.served_queries import QUERIES, Query
from tests.stack.sparks import given, spark_session

TABLES = ("types", "people", "thinned")
FEED = {"delta.enableChangeDataFeed": "true"}
TYPES = pa.schema(
    [
        ("k", pa.string()),
        ("i", pa.int32()),
        ("b", pa.int64()),
        ("flag", pa.bool_()),
        ("d", pa.date32()),
        ("money", pa.decimal128(20, 2)),
        ("share", pa.decimal128(9, 6)),
        ("f", pa.float64()),
        ("at", pa.timestamp("us", "UTC")),
        ("wall", pa.timestamp("us")),
        ("note", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("attrs", pa.map_(pa.string(), pa.string())),
        ("raw", pa.binary()),
    ]
)
ROWS: tuple[tuple[Any, ...], ...] = (
    ("a", 7, 2**63 - 1, True, date(2025, 3, 3), "1234.56", "0.333333", 1.5,
     datetime(2025, 3, 2, 23, 59, 59, 123000, UTC), datetime(2025, 3, 3, 8, 0, 0, 120000), "赤壁",
     ["低保", "残疾"], [("来源", "民政")], b"\x00\xff"),
    ("b", -7, -(2**63), False, date(1900, 1, 1), "-0.05", "-1.000000", float("nan"),
     datetime(1912, 2, 29, tzinfo=UTC), datetime(1900, 1, 1), "𠮷吉", [], [], b""),
    ("c", None, None, None, None, None, None, None, None, None, None, None, None, None),
    ("d", 0, 0, True, date(9999, 12, 31), "0.00", "0.000001", -0.25,
     datetime(2025, 3, 3, 16, 0, tzinfo=UTC), datetime(2025, 3, 3, 23, 59, 59, 999999),
     "　赤马港 ", [None, "低保"], [("来源", None)], "䶮".encode()),
    ("e", 2**31 - 1, 5, False, date(2024, 2, 29), "999999999999999999.99", "999.999999", 1e300,
     datetime(2025, 3, 3, tzinfo=UTC), datetime(2024, 2, 29, 12, 30), "", ["a", "a"],
     [("来源", ""), ("b", "2")], b"abc"),
    ("f", -(2**31), -5, True, date(1582, 10, 4), "-999999999999999999.99", "-999.999999", 0.0,
     datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1), "Straße ABC", ["𠮷"],
     [("a", "1")], b"\n"),
)  # fmt: skip


def people(first: int, last: int) -> pa.Table:
    """Made-up rows with keys from `first` to before `last`."""
    numbers = range(first, last)
    return pa.table(
        {
            "k": pa.array(numbers, pa.int64()),
            "name": [f"张{'一二三四五六七八九十'[n % 10]}" for n in numbers],
            "town": [["赤马港", "官塘驿", None][n % 3] for n in numbers],
            "amount_yuan": pa.array([Decimal(n) / 4 for n in numbers], pa.decimal128(20, 2)),
        }
    )


def write_tables(root: str, store: Store) -> None:
    """The tables as delta-rs writes them: one of every type, one in two versions, one to thin."""
    options = store.options(root)
    money, share = TYPES.get_field_index("money"), TYPES.get_field_index("share")
    rows = [
        [Decimal(v) if n in (money, share) and v is not None else v for n, v in enumerate(row)]
        for row in ROWS
    ]
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), TYPES, strict=True)]
    table = pa.Table.from_arrays(columns, schema=TYPES)
    write_deltalake(f"{root}/types", table, configuration=FEED, storage_options=options)
    for part in (people(1, 9), people(9, 13)):
        write_deltalake(
            f"{root}/people", part, mode="append", configuration=FEED, storage_options=options
        )
    write_deltalake(f"{root}/thinned", people(1, 9), configuration=FEED, storage_options=options)


VECTORS = "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
MERGE = (
    "MERGE INTO {{people}} AS t USING (SELECT * FROM VALUES {} AS v (k, name, _op)) AS s "
    "ON t.k = s.k WHEN MATCHED AND s._op = 'delete' THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET t.name = s.name "
    "WHEN NOT MATCHED THEN INSERT (k, name) VALUES (s.k, s.name)"
)
"""As the Spark engine merges."""

CHANGES = (
    VECTORS.format("{people}"),
    MERGE.format("(3L, NULL, 'delete'), (4L, NULL, 'delete')"),
    MERGE.format("(5L, '李五', 'upsert')"),
    MERGE.format("(6L, '王六', 'upsert'), (7L, NULL, 'delete'), (20L, '新人', 'upsert')"),
    VECTORS.format("{thinned}"),
    "DELETE FROM {thinned} WHERE k IN (3, 4)",
)
"""What Spark does: versions 2 to 5 of the second table, 1 and 2 of the third, all by vectors."""

VECTORS_ADDED = (
    "SELECT sum(CAST(operationMetrics['numTargetDeletionVectorsAdded'] AS int)) FROM people_history"
)


def plain(value: Any) -> Any:
    """A value in JSON, the same whoever gives it."""
    match value:
        case Decimal():
            return format(value.normalize(), "f")
        case datetime():
            return (
                (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()
            )
        case date():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex()
        case dict():
            return sorted([k, plain(v)] for k, v in value.items())
        case list() | tuple():
            return [plain(one) for one in value]
        case float():
            return repr(value)
    return value


def main() -> None:
    """See the module."""
    store, (root,) = given()
    write_tables(root, store)
    place = root.replace("s3:", "s3a:")
    names = {name: f"delta.`{place}/{name}`" for name in TABLES}
    with spark_session(store) as spark:
        for change in CHANGES:
            spark.sql(change.format(**names))
        for name in ("people", "thinned"):
            feed = spark.read.format("delta").option("readChangeFeed", "true")
            changes = feed.option("startingVersion", 0).load(f"{place}/{name}")
            changes.createTempView(f"{name}_changes")
        for view, statement in (
            ("people_history", "DESCRIBE HISTORY {people}"),
            ("people_properties", "SHOW TBLPROPERTIES {people}"),
        ):
            spark.sql(statement.format(**names)).createTempView(view)

        def answer(query: Query) -> list[Any]:
            rows = spark.sql((query.spark or query.trino).format(**names)).collect()
            return [plain(tuple(row)) for row in rows]

        with ThreadPoolExecutor(4) as pool:
            answers: dict[str, Any] = dict(
                zip((q.name for q in QUERIES), pool.map(answer, QUERIES), strict=True)
            )
        answers["vectors"] = spark.sql(VECTORS_ADDED).collect()[0][0]
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
