from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import UsageError
from jobs.export import values, write_arrow, write_csv, write_json
from jobs.query import query
from lake.engine import Answer
from lake.engines.analyst import DUCKDB_CALLS
from lake.engines.embedded import EmbeddedEngine
from lake.settings import Settings, load_settings

SITE = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'redcliff'; from jobs.cli import main; main()"
PAID = "curated.benefit__payment"
SECRET = "curated.population__secret"

ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "name": ["straße", None, '王"五",\n'],
        "amount_yuan": pa.array([Decimal("10.00"), Decimal("20.01"), None], pa.decimal128(20, 2)),
        "paid_date": [date(2025, 1, 31), date(2025, 3, 2), None],
        "paid_at": pa.array(
            [datetime(2025, 3, 2, 23, 30, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")
        ),
        "marks": pa.array([[3, None, 1], [2], None], pa.list_(pa.int32())),
        "sources": pa.array([{"a": "x"}, {}, None], pa.map_(pa.string(), pa.string())),
        "record": ['{"a": {"b": 1}, "c": [5, 6]}', "no json", None],
    }
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with two small tables."""
    home = tmp_path_factory.mktemp("home")
    made = load_settings(None, home, {"REDCLIFF_SITE": str(SITE)})
    for table, rows in ((PAID, ROWS), (SECRET, pa.table({"id": [1]}))):
        path = Path(made.lake, *table.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(str(path), rows)
    return made


def rows(settings: Settings, sql: str, seconds: float = 60) -> list[tuple[Any, ...]]:
    with query(settings, sql, seconds) as answer:
        return [r for b in answer.batches for r in zip(*map(values, b.columns), strict=True)]


def first(settings: Settings, expression: str) -> Any:
    """The value of an expression over the row with id 1."""
    return rows(settings, f"SELECT {expression} FROM {PAID} WHERE id = 1")[0][0]


def refusal(settings: Settings, sql: str, seconds: float = 60) -> str:
    with pytest.raises(UsageError) as told:
        rows(settings, sql, seconds)
    return str(told.value)


# --- Trino's answers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # division
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("id / 2", 0),
        ("CAST(1 AS decimal(18,6)) / 3", Decimal("0.333333")),
        ("CAST(-2 AS decimal(18,6)) / 3", Decimal("-0.666667")),
        ("amount_yuan / 3", Decimal("3.33")),
        ("1.0 / 8", Decimal("0.1")),
        ("CAST(id AS double) / 4", 0.25),
        ("amount_yuan / CAST(4 AS double)", 2.5),
        ("NULL / 2", None),
        ("-7 % 3", -1),
        ("mod(amount_yuan, 3)", Decimal("1.00")),
        # rounding and casts
        ("CAST(CAST(2.5 AS double) AS integer)", 3),
        ("CAST(CAST(-2.5 AS double) AS bigint)", -3),
        ("CAST(2.5 AS integer)", 3),
        ("TRY_CAST('1.5' AS integer)", None),
        ("TRY_CAST(name AS integer)", None),
        ("TRY_CAST('2025/01/02' AS date)", None),
        ("CAST('2025-01-02' AS date)", date(2025, 1, 2)),
        ("CAST(amount_yuan AS varchar)", "10.00"),
        ("CAST(paid_date AS varchar)", "2025-01-31"),
        ("CAST(name AS varchar(3))", "str"),
        ("CAST(id = 1 AS varchar)", "true"),
        ("round(2.345, 2)", Decimal("2.350")),
        ("round(CAST(2.5 AS double))", 3.0),
        # texts
        ("upper(name)", "STRAßE"),
        ("substr('abc', 0)", ""),
        ("substr('abc', -5)", ""),
        ("substr('abc', -2)", "bc"),
        ("substr('abc', 2, -1)", ""),
        ("substr(name, 2, 2)", "tr"),
        ("split_part('a-b', '-', 3)", None),
        ("split_part('a-b', '-', 2)", "b"),
        ("regexp_extract('abc', 'x')", None),
        ("regexp_extract('a1b2', '([a-z])([0-9])', 2)", "1"),
        ("regexp_replace('a1b2', '([0-9])', '<$1>')", "a<1>b<2>"),
        ("concat('a', NULL)", None),
        ("lower(to_hex(md5(to_utf8('a'))))", "0cc175b9c0f1b6a831c399e269772661"),
        ("json_extract_scalar(record, '$.a.b')", "1"),
        ("json_extract_scalar(record, '$.c[1]')", "6"),
        ("json_extract_scalar(record, '$.a')", None),
        ("json_extract_scalar('no json', '$.a')", None),
        ("json_extract(record, '$.c')", "[5,6]"),
        # dates
        ("date_add('month', 1, paid_date)", date(2025, 2, 28)),
        ("paid_date + INTERVAL '1' DAY", date(2025, 2, 1)),
        ("date_trunc('month', paid_date)", date(2025, 1, 1)),
        ("date_diff('month', DATE '2020-01-15', DATE '2020-03-14')", 1),
        ("date_diff('month', DATE '2020-01-31', DATE '2020-02-29')", 1),
        ("date_diff('year', DATE '2020-06-15', DATE '2021-06-14')", 0),
        ("date_diff('day', DATE '2025-03-02', DATE '2025-02-28')", -2),
        ("day_of_week(DATE '2025-03-02')", 7),
        ("date_format(paid_at AT TIME ZONE 'Asia/Shanghai', '%Y-%m-%d %H:%i')", "2025-03-03 07:30"),
        ("CAST(paid_at AT TIME ZONE 'Asia/Shanghai' AS date)", date(2025, 3, 3)),
        (
            "sequence(paid_date, DATE '2025-02-01', INTERVAL '1' DAY)",
            [date(2025, 1, 31), date(2025, 2, 1)],
        ),
        # NULL and lists
        ("greatest(1, NULL)", None),
        ("least(id, 2)", 1),
        ("array_sort(marks)", [1, 3, None]),
        ("contains(marks, 2)", None),
        ("contains(marks, 3)", True),
        ("array_position(marks, 7)", 0),
        ("array_max(marks)", None),
        ("array_distinct(ARRAY[2, 1, 2, NULL, NULL])", [2, 1, None]),
        ("slice(ARRAY[1, 2, 3], 2, 2)", [2, 3]),
        ("slice(ARRAY[1, 2, 3], -2, 2)", [2, 3]),
        ("element_at(marks, -1)", 1),
        ("element_at(sources, 'a')", "x"),
        ("filter(marks, m -> m > 1)", [3]),
        ("transform(ARRAY[1, 2], m -> m + 1)", [2, 3]),
        ("sources", {"a": "x"}),
    ],
)
def test_an_expression_has_trinos_value(
    settings: Settings, expression: str, expected: object
) -> None:
    found = first(settings, expression)

    assert found == expected
    assert str(found) == str(expected)  # 3 is not 3.0, and 2.35 not 2.350


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(id)", 6),
        ("sum(amount_yuan)", Decimal("30.01")),
        ("avg(id)", 2.0),
        ("avg(amount_yuan)", Decimal("15.01")),
        ("avg(amount_yuan) FILTER (WHERE id = 9)", None),
        ("sum(id) / count(*)", 2),
        ("sum(amount_yuan) / count(*)", Decimal("10.00")),
        ("100.0 * count_if(id > 1) / count(*)", Decimal("66.7")),
        ("(sum(id) / 2) / (count(*) / 1)", 1),
        ("max(paid_date) - INTERVAL '1' DAY", date(2025, 3, 1)),
        ("date_add('day', 1, max(paid_date))", date(2025, 3, 3)),
        ("max(id) - min(id)", 2),
        ("sum(DISTINCT id)", 6),
        ("count_if(id > 1)", 2),
        ("max_by(name, id)", '王"五",\n'),
        ("max_by(amount_yuan, id)", None),
        ("array_agg(id ORDER BY id DESC)", [3, 2, 1]),
        (
            "listagg(record, '|') WITHIN GROUP (ORDER BY id DESC)",
            'no json|{"a": {"b": 1}, "c": [5, 6]}',
        ),
        ("approx_distinct(id)", 3),
        ("approx_percentile(id, 0.5)", 2),
        ("stddev(id)", 1.0),
    ],
)
def test_an_aggregate_has_trinos_value(
    settings: Settings, expression: str, expected: object
) -> None:
    found = rows(settings, f"SELECT {expression} FROM {PAID}")[0][0]

    assert (found, str(found)) == (expected, str(expected))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT name FROM {PAID} WHERE id < 3 ORDER BY name DESC", [("straße",), (None,)]),
        (f"SELECT id FROM {PAID} ORDER BY paid_date, id LIMIT 1 OFFSET 2", [(3,)]),
        (
            f"SELECT id, sum(id) OVER (ORDER BY id) / 2 FROM {PAID} ORDER BY 1",
            [(1, 0), (2, 1), (3, 3)],
        ),
        (
            f"SELECT id, lag(id) OVER (ORDER BY id) FROM {PAID} ORDER BY 1",
            [(1, None), (2, 1), (3, 2)],
        ),
        (
            f"SELECT p.id, m FROM {PAID} p CROSS JOIN UNNEST(marks) AS u(m) ORDER BY 1, 2",
            [(1, 1), (1, 3), (1, None), (2, 2)],
        ),
        (
            f"WITH a AS (SELECT id FROM {PAID}) SELECT count(*) FROM a JOIN {SECRET} s USING (id)",
            [(1,)],
        ),
        (
            f"SELECT id / 2, upper('ß'), sum(amount_yuan) FROM {PAID} GROUP BY id / 2, upper('ß') "
            "HAVING sum(id) / 2 > 0 ORDER BY id / 2",
            [(1, "ß", Decimal("20.01"))],
        ),
        (
            f"SELECT CAST(id AS varchar), count(*) FROM {PAID} "
            "GROUP BY ROLLUP(CAST(id AS varchar)) ORDER BY 1",
            [("1", 1), ("2", 1), ("3", 1), (None, 3)],
        ),
        (f"SELECT DISTINCT id / 4 FROM {PAID}", [(0,)]),
        (f"SELECT count(*) FROM {PAID} WHERE id / 2 = 1 AND substr(name, 0) IS NULL", [(1,)]),
        ("SELECT 7 / 2 UNION ALL SELECT 7 / 4 ORDER BY 1", [(1,), (3,)]),
        ("SELECT x FROM (VALUES (1), (2)) AS v(x) ORDER BY x DESC", [(2,), (1,)]),
        (f"SELECT (SELECT max(id) FROM {PAID}) / 2", [(1,)]),
    ],
)
def test_a_query_has_trinos_rows(
    settings: Settings, sql: str, expected: list[tuple[object, ...]]
) -> None:
    assert rows(settings, sql) == expected


def test_columns_without_a_name_are_called_as_trino_calls_them(settings: Settings) -> None:
    with query(
        settings, f"SELECT id, count(*), max(id) AS most FROM {PAID} GROUP BY id", 9
    ) as given:
        assert given.schema.names == ["id", "_col1", "most"]


@pytest.mark.parametrize("call", DUCKDB_CALLS)
def test_every_form_that_is_allowed_is_carried_to_duckdb(call: str) -> None:
    import sqlglot

    from lake.engines.rendering import own_calls
    from lake.engines.trino_on_duckdb import as_trino

    tree = sqlglot.parse_one(f"SELECT {call} FROM t", dialect="trino")
    assert isinstance(tree, sqlglot.exp.Query)
    text = own_calls(as_trino(tree), "duckdb").sql("duckdb")

    with pytest.raises(duckdb.CatalogException, match="Table with name t does not exist"):
        duckdb.connect().execute(text)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM read_parquet('x')", "read_parquet(…) is no table"),
        ("SELECT * FROM read_csv('x')", "read_csv(…) is no table"),
        ("SELECT * FROM read_text('/etc/hostname')", "read_text(…) is no table"),
        ("SELECT * FROM glob('*')", "not SQL"),
        ("SELECT * FROM delta_scan('x')", "delta_scan(…) is no table"),
        ("SELECT * FROM query('SELECT 1')", "query(…) is no table"),
        ("SELECT * FROM query_table('x')", "query_table(…) is no table"),
        ("SELECT * FROM TABLE(sequence(1, 2))", "table(…) is no table"),
        ("SELECT getenv('HOME')", "getenv is none of the functions"),
        ("SELECT current_setting('x')", "current_setting is none of the functions"),
        ("SELECT read_text('x')", "read_text is none of the functions"),
        ("SELECT trino_divide(1, 2)", "trino_divide is none of the functions"),
        ("SELECT current_user", "current_user is none of the functions"),
        ("SELECT random()", "rand is none of the functions"),
        ("SELECT is_uscx('x')", "did you mean 'is_uscc'?"),
        ("SELECT business_date()", "business_date() is for rules and models"),
        ("COPY (SELECT 1) TO 'x'", "give one SELECT"),
        ("ATTACH 'x' AS y", "not SQL"),
        ("PRAGMA database_list", "give one SELECT"),
        ("SET threads = 1", "give one SELECT"),
        ("EXPLAIN SELECT 1", "give one SELECT"),
        ("INSERT INTO t SELECT 1", "give one SELECT"),
        ("SELECT 1; SELECT 2", "expected one statement, found 2"),
        ("", "expected one statement, found 0"),
        ("SELECT FROM WHERE", "not SQL"),
        ("SELECT * FROM system.runtime.queries", "no table system.runtime.queries"),
        ("SELECT * FROM information_schema.tables", "no table information_schema.tables"),
        ("SELECT * FROM duckdb_settings", "no table duckdb_settings"),
        ("SELECT * FROM sqlite_master", "no table sqlite_master"),
        ("SELECT * FROM raws.x__y", "no table raws.x__y"),
        ("SELECT * FROM curated.benefit__payments", f"did you mean {PAID}?"),
        ("SELECT * FROM 'x.parquet'", "no table x.parquet"),
        ('SELECT * FROM "/etc/passwd.csv"', "no table /etc/passwd.csv"),
        (
            'SELECT * FROM (WITH "x.csv" AS (SELECT 1 AS a) SELECT a FROM "x.csv"), "x.csv"',
            "no table x.csv",
        ),
        (f"SELECT * FROM {PAID} FOR VERSION AS OF 0", "FOR VERSION AS OF 0 is not answered"),
        (f"SELECT * FROM {PAID} TABLESAMPLE BERNOULLI (10)", "is not answered here"),
        ("WITH RECURSIVE r AS (SELECT 1 AS n) SELECT * FROM r", "WITH RECURSIVE is not answered"),
        ("SELECT TRY(1 / 0)", "write TRY_CAST, or x / NULLIF(y, 0)"),
        (f"SELECT marks[1] FROM {PAID}", "write element_at(x, i)"),
        (f"SELECT max(id, 2) FROM {PAID}", "with a number of rows is not answered"),
        ("SELECT CAST('{}' AS json)", "the type json is not answered"),
        (f"SELECT paid_at AT TIME ZONE 'Asia/Shanghai' FROM {PAID}", "within date_format"),
        ("SELECT 1 / 1 / 1 / 1 / 1", "compute the inner ones in a WITH"),
        (f"SELECT regexp_replace(name, 'a', name) FROM {PAID}", "takes its replacement as a text"),
        # told by the engine
        ("SELECT 1 / 0", "division by zero"),
        (f"SELECT id % (id - id) FROM {PAID}", "division by zero"),
        (f"SELECT sum(id) / sum(id - id) FROM {PAID}", "division by zero"),
        (f"SELECT CAST(paid_at AS varchar) FROM {PAID}", "write date_format"),
        (f"SELECT CAST(CAST(id AS double) AS varchar) FROM {PAID}", "write date_format"),
        (f"SELECT paid_date - paid_date FROM {PAID}", "write date_diff"),
        (f"SELECT CAST(name AS integer) FROM {PAID}", "TRY_CAST gives NULL instead"),
        ("SELECT CAST('1.5' AS integer)", "TRY_CAST gives NULL instead"),
        (f"SELECT nam FROM {PAID}", 'referenced column "nam" not found'),
        (f"SELECT avg(nam) / 2 FROM {PAID}", 'referenced column "nam" not found'),
        (f"SELECT nam / 2 FROM {PAID}", 'referenced column "nam" not found'),
        (f"SELECT name / 2 FROM {PAID}", "no function matches"),
        (f"SELECT id FROM {PAID} WHERE paid_date > 5", "cannot compare"),
        (f"SELECT id, count(*) FROM {PAID}", "must appear in the GROUP BY"),
        (f"SELECT sum(name) FROM {PAID}", "sum"),
    ],
)
def test_what_is_not_answered_is_told_why(settings: Settings, sql: str, reason: str) -> None:
    told = refusal(settings, sql)

    assert reason in told
    assert "LINE 1" not in told
    assert "Error:" not in told
    assert "benefit__payment__" not in told


# --- the lock --------------------------------------------------------------------------------


@pytest.fixture
def locked(settings: Settings, tmp_path: Path) -> Any:
    """The connection of an engine for a query that names `PAID` alone, past every check of ours."""
    folder = str(Path(settings.lake, *PAID.split(".")))
    engine = EmbeddedEngine(tmp_path, only=[folder])
    with engine.workspace() as workspace:
        yield workspace._connection
    engine.close()


def test_a_table_that_is_named_is_read(settings: Settings, locked: Any) -> None:
    named = Path(settings.lake, *PAID.split("."))

    assert locked.execute(f"SELECT count(*) FROM delta_scan('{named}')").fetchall() == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM delta_scan('{other}')",
        "SELECT * FROM delta_scan('{named}/../population__secret')",
        "SELECT * FROM delta_scan('{named}2')",
        "SELECT * FROM read_parquet('{other}/*.parquet')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '{other}/x.csv'",
        "ATTACH '{other}/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "SET threads = 1",
        "RESET memory_limit",
        "SELECT * FROM settings",
    ],
)
def test_the_database_reads_nothing_else_and_cannot_be_opened(
    settings: Settings, locked: Any, statement: str
) -> None:
    named, other = (Path(settings.lake, *table.split(".")) for table in (PAID, SECRET))

    with pytest.raises(duckdb.Error):
        locked.execute(statement.format(named=named, other=other)).fetchall()


def test_without_the_lock_the_other_table_is_read(settings: Settings, tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    with engine.workspace() as workspace:
        other = Path(settings.lake, *SECRET.split("."))
        found = workspace._connection.execute(f"SELECT id FROM delta_scan('{other}')").fetchall()
    engine.close()

    assert found == [(1,)]


# --- time ------------------------------------------------------------------------------------

NUMBERS = "UNNEST(sequence(1, 2000000))"
ENDLESS = f"SELECT count(*) FROM {NUMBERS} AS a(x), {NUMBERS} AS b(y) WHERE (x + y) % 7 = 9"


def test_a_query_that_takes_too_long_is_stopped(settings: Settings) -> None:
    started = time.monotonic()

    told = refusal(settings, ENDLESS, seconds=1)

    assert "stopped after 1 s" in told
    assert "--seconds" in told
    assert time.monotonic() - started < 30
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


def read_slowly(answer: Answer) -> None:
    for _ in answer.batches:
        time.sleep(5)


def test_a_query_that_is_read_slowly_is_stopped_too(settings: Settings) -> None:
    sql = f"SELECT x, 'some text' || CAST(x AS varchar) FROM {NUMBERS} AS a(x)"

    with query(settings, sql, 5) as answer, pytest.raises(UsageError, match="stopped after 5 s"):
        read_slowly(answer)


# --- formats ---------------------------------------------------------------------------------


def written(writer: Any, settings: Settings, sql: str) -> bytes:
    out = io.BytesIO()
    with query(settings, sql, 60) as answer:
        writer(answer, out)
    return out.getvalue()


def test_csv_tells_null_from_empty_and_keeps_every_digit(settings: Settings) -> None:
    sql = f"""SELECT id, name, amount_yuan, paid_date, marks, sources, '' AS empty, id = 1 AS "a,b"
              FROM {PAID} ORDER BY id"""

    assert written(write_csv, settings, sql).decode() == (
        'id,name,amount_yuan,paid_date,marks,sources,empty,"a,b"\r\n'
        '1,straße,10.00,2025-01-31,"[3, null, 1]","{""a"": ""x""}","",true\r\n'
        '2,,20.01,2025-03-02,[2],{},"",false\r\n'
        '3,"王""五"",\n",,,,,"",false\r\n'
    )


def test_json_is_one_document(settings: Settings) -> None:
    sql = f"SELECT id, amount_yuan, paid_date, sources FROM {PAID} ORDER BY id"

    assert json.loads(written(write_json, settings, sql)) == {
        "columns": ["id", "amount_yuan", "paid_date", "sources"],
        "rows": [
            [1, "10.00", "2025-01-31", {"a": "x"}],
            [2, "20.01", "2025-03-02", {}],
            [3, None, None, None],
        ],
    }


def test_arrow_is_a_stream_with_the_types_of_the_lake(settings: Settings) -> None:
    sql = f"SELECT id, amount_yuan, paid_date FROM {PAID} ORDER BY id"

    table = pa.ipc.open_stream(written(write_arrow, settings, sql)).read_all()

    assert table.equals(ROWS.select(["id", "amount_yuan", "paid_date"]))


def test_batches_come_while_the_query_runs(settings: Settings) -> None:
    sql = f"SELECT x, CAST(x AS varchar) FROM {NUMBERS} AS a(x)"
    before = pa.total_allocated_bytes()

    with query(settings, sql, 60) as answer:
        batch = next(answer.batches)
        held = pa.total_allocated_bytes() - before

    assert batch.num_rows <= 20_000
    assert held < 8 * 1024**2


# --- the command -----------------------------------------------------------------------------


def redcliff(settings: Settings, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "sql", *words, "--home", str(settings.home)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        cwd=SITE,
        timeout=120,
    )


def test_the_command_answers_in_every_format(settings: Settings, tmp_path: Path) -> None:
    sql = f"SELECT id, name FROM {PAID} WHERE id < 3 ORDER BY id"
    document = {"columns": ["id", "name"], "rows": [[1, "straße"], [2, None]]}

    table = redcliff(settings, sql, "--limit", "1").stdout.decode()
    assert "straße" in table
    assert table.endswith("2 rows, 1 shown\n")
    assert (
        redcliff(settings, sql, "--format", "csv").stdout
        == "id,name\r\n1,straße\r\n2,\r\n".encode()
    )
    assert json.loads(redcliff(settings, sql, "--json").stdout) == document
    assert json.loads(redcliff(settings, sql, "--format", "json").stdout) == document
    stream = redcliff(settings, sql, "--format=arrow").stdout
    assert pa.ipc.open_stream(stream).read_all().to_pydict() == {
        "id": [1, 2],
        "name": ["straße", None],
    }
    redcliff(settings, sql, "--format", "csv", "--out", str(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_bytes() == "id,name\r\n1,straße\r\n2,\r\n".encode()


def test_a_wrong_query_ends_with_2_and_one_document(settings: Settings, tmp_path: Path) -> None:
    wrong = f"SELECT nam FROM {PAID}"

    done = redcliff(settings, wrong, "--format", "json")
    filed = redcliff(settings, wrong, "--format", "csv", "--out", str(tmp_path / "a.csv"))

    assert (done.returncode, filed.returncode) == (2, 2)
    assert json.loads(done.stdout)["error"]["kind"] == "usage"
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in done.stderr.decode()
