from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from sqlglot import exp

from catalog.errors import UsageError
from catalog.functions import parse
from jobs.export import values
from jobs.query import query
from jobs.thematic import localized, relation
from jobs.versions import at_versions
from lake.engine import Engine
from lake.settings import Settings, load_settings
from lake.tables import Tables
from lake.trino_types import arrow_type, trino_type

SITE = Path(__file__).parents[2]
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), metadata={"comment": "编号"}),
        pa.field("paid_at", pa.timestamp("us", "UTC")),
        pa.field("amount_yuan", pa.decimal128(20, 2)),
        pa.field("sources", pa.map_(pa.string(), pa.string())),
    ]
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with three tables in two layers."""
    made = load_settings(None, tmp_path_factory.mktemp("home"), {"REDCLIFF_SITE": str(SITE)})
    for name in ("curated/a__payment", "curated/a__payment__quarantine", "thematic/a_person"):
        path = Path(made.lake, name)
        path.mkdir(parents=True)
        DeltaTable.create(str(path), SCHEMA, description=f"表 {path.name}")
    return made


def told(settings: Settings, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with query(settings, sql, 60) as answer:
        rows = [r for b in answer.batches for r in zip(*map(values, b.columns), strict=True)]
    return answer.schema.names, rows


def test_schemas_are_the_layers_that_hold_tables(settings: Settings) -> None:
    assert told(settings, "show schemas") == (["Schema"], [("curated",), ("thematic",)])
    assert told(settings, "SHOW SCHEMAS LIKE 'cur%'")[1] == [("curated",)]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (
            "SHOW TABLES",
            ["curated.a__payment", "curated.a__payment__quarantine", "thematic.a_person"],
        ),
        ("SHOW TABLES FROM curated", ["a__payment", "a__payment__quarantine"]),
        ('show tables in "CURATED"', ["a__payment", "a__payment__quarantine"]),
        ("SHOW TABLES FROM curated LIKE '%quarantine'", ["a__payment__quarantine"]),
        ("SHOW TABLES LIKE 'thematic.a_p%'", ["thematic.a_person"]),
        ("SHOW TABLES FROM thematic LIKE 'a.person'", []),
    ],
)
def test_tables_come_with_what_they_hold(
    settings: Settings, sql: str, names: Sequence[str]
) -> None:
    columns, rows = told(settings, sql)

    assert columns == ["Table", "Comment"]
    assert rows == [(name, f"表 {name.rpartition('.')[2]}") for name in names]


@pytest.mark.parametrize(
    "sql",
    [
        "DESCRIBE curated.a__payment",
        "DESC lake.curated.a__payment",
        "SHOW COLUMNS FROM curated.a__payment",
        'show columns in "curated"."a__payment"',
    ],
)
def test_columns_come_with_trinos_types_and_comments(settings: Settings, sql: str) -> None:
    assert told(settings, sql) == (
        ["Column", "Type", "Extra", "Comment"],
        [
            ("id", "integer", "", "编号"),
            ("paid_at", "timestamp(6) with time zone", "", None),
            ("amount_yuan", "decimal(20,2)", "", None),
            ("sources", "map(varchar, varchar)", "", None),
        ],
    )


@pytest.mark.parametrize(
    "name",
    [
        *("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "varchar"),
        *("date", "timestamp(6)", "timestamp(6) with time zone", "varbinary", "decimal(38,0)"),
        *("array(date)", "map(varchar, array(integer))", "row(a bigint, b varchar)"),
    ],
)
def test_a_type_has_the_name_that_trino_knows_it_by(name: str) -> None:
    assert trino_type(arrow_type(name)) == name


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SHOW TABLES FROM rav", "there is no schema rav; SHOW SCHEMAS lists them"),
        ("SHOW FUNCTIONS", "SHOW FUNCTIONS is not answered; what is: SHOW SCHEMAS, SHOW TABLES"),
        ("SHOW TABLES FROM", "SHOW TABLES FROM is not answered"),
        ("DESCRIBE curated.a__paymnt", "did you mean 'curated.a__payment'?"),
        ("DESCRIBE a__payment", "there is no table a__payment"),
        ("SHOW COLUMNS FROM /etc/passwd", "there is no table /etc/passwd"),
        ("SHOW COLUMNS FROM curated.../x", "there is no table curated.../x"),
        ("DESCRIBE SELECT 1", "give one SELECT, SHOW or DESCRIBE"),
    ],
)
def test_what_is_not_there_is_told(settings: Settings, sql: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        told(settings, sql)

    assert reason in str(refused.value)


# --- tables as they stood before ---------------------------------------------------------------

PAID = "curated.b__paid"


@pytest.fixture(scope="module")
def moments(settings: Settings) -> list[int]:
    """A table with three versions, of one, two and three rows; when each was committed, in ms."""
    path = str(Path(settings.lake, *PAID.split(".")))
    for number in range(3):
        write_deltalake(path, pa.table({"id": [number]}), mode="append")
    history = DeltaTable(path).history()
    return [one["timestamp"] for one in sorted(history, key=lambda one: one["version"])]


def at(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    stamp = pa.scalar(seconds, pa.timestamp("s")).as_py()
    return f"TIMESTAMP '{stamp:%Y-%m-%d %H:%M:%S}.{rest:03} UTC'"


def test_a_version_is_the_table_as_it_stood(settings: Settings, moments: list[int]) -> None:
    both = (
        f"SELECT b.id, {PAID.partition('.')[2]}.id FROM {PAID} FOR VERSION AS OF 0 "
        f"RIGHT JOIN {PAID} FOR VERSION AS OF 1 AS b ON b.id = {PAID.partition('.')[2]}.id "
        "ORDER BY 1"
    )

    for version in range(3):
        asked = f"SELECT count(*) FROM {PAID} FOR VERSION AS OF {version}"
        assert told(settings, asked)[1] == [(version + 1,)]
    assert told(settings, both)[1] == [(0, 0), (1, None)]


def test_spark_reads_it_too(settings: Settings, moments: list[int], spark: Engine) -> None:
    tree = parse(f"SELECT count(*) AS n FROM {PAID} FOR VERSION AS OF 1 AS p")
    assert isinstance(tree, exp.Query)
    tables = Tables(settings.lake)

    with spark.workspace() as workspace:
        for name, (table, version) in at_versions(tree, tables).items():
            workspace.add_table(relation(name), tables.path(table), version)
        assert workspace.rows(localized(tree)).to_pylist() == [{"n": 2}]


def test_a_moment_is_the_newest_version_that_stood_then(
    settings: Settings, moments: list[int]
) -> None:
    for version, moment in enumerate(moments):
        newest = max(v for v, m in enumerate(moments) if m <= moment)
        asked = f"SELECT count(*) FROM {PAID} FOR TIMESTAMP AS OF {at(moment)}"
        assert told(settings, asked)[1] == [(newest + 1,)], version
    later = f"SELECT count(*) FROM {PAID} FOR TIMESTAMP AS OF DATE '2999-01-01'"
    assert told(settings, later)[1] == [(3,)]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("VERSION AS OF 3", f"{PAID} has no version 3; the newest is 2"),
        ("VERSION AS OF -1", "write FOR VERSION AS OF 3"),
        ("VERSION AS OF 'x'", "write FOR VERSION AS OF 3"),
        ("TIMESTAMP AS OF now()", "or FOR TIMESTAMP AS OF TIMESTAMP '2025-03-03"),
        ("TIMESTAMP AS OF TIMESTAMP '2025-13-03 00:00:00'", "write FOR VERSION AS OF 3"),
        (
            "TIMESTAMP AS OF TIMESTAMP '2000-01-01 00:00:00'",
            "nothing is known of how it stood at 2000-01-01 00:00:00",
        ),
    ],
)
def test_a_version_that_is_not_there_is_told(
    settings: Settings, moments: list[int], asked: str, reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        told(settings, f"SELECT * FROM {PAID} FOR {asked}")

    assert reason in str(refused.value)
