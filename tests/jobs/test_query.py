from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
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
from tests.trino_answers import AGGREGATES, EXPRESSIONS, PAYMENT, QUERIES, SECRET, over

SITE = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'redcliff'; from jobs.cli import main; main()"
PAID = "curated.benefit__payment"
OTHER = "curated.population__secret"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with two small tables."""
    home = tmp_path_factory.mktemp("home")
    made = load_settings(None, home, {"REDCLIFF_SITE": str(SITE)})
    for table, rows in ((PAID, PAYMENT), (OTHER, SECRET)):
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


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_an_expression_has_trinos_value(
    settings: Settings, expression: str, expected: object
) -> None:
    found = first(settings, expression)

    assert found == expected
    assert str(found) == str(expected)


@pytest.mark.parametrize(("expression", "expected"), AGGREGATES)
def test_an_aggregate_has_trinos_value(
    settings: Settings, expression: str, expected: object
) -> None:
    found = rows(settings, f"SELECT {expression} FROM {PAID}")[0][0]

    assert (found, str(found)) == (expected, str(expected))


@pytest.mark.parametrize(("sql", "expected"), QUERIES)
def test_a_query_has_trinos_rows(
    settings: Settings, sql: str, expected: list[tuple[object, ...]]
) -> None:
    assert rows(settings, over(sql, payment=PAID, secret=OTHER)) == expected


def test_a_sample_is_some_of_the_rows(settings: Settings) -> None:
    numbers = "(SELECT x FROM UNNEST(sequence(1, 10000)) AS n(x)) AS n TABLESAMPLE BERNOULLI (10)"

    assert 0 < rows(settings, f"SELECT count(*) FROM {numbers}")[0][0] < 3000
    assert rows(settings, f"SELECT count(*) FROM {PAID} TABLESAMPLE SYSTEM (100)") == [(3,)]


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
        ("SELECT typeof(1)", "typeof is none of the functions"),
        ("SELECT histogram(1, 2)", "histogram takes 1 argument(s), found 2"),
        ("SELECT histogran(1)", "did you mean 'histogram'?"),
        ("SELECT is_uscx('x')", "did you mean 'is_uscc'?"),
        ("SELECT business_date()", "business_date() is for rules and models"),
        ("COPY (SELECT 1) TO 'x'", "give one SELECT, SHOW or DESCRIBE"),
        ("ATTACH 'x' AS y", "not SQL"),
        ("PRAGMA database_list", "give one SELECT, SHOW or DESCRIBE"),
        ("SET threads = 1", "give one SELECT, SHOW or DESCRIBE"),
        ("EXPLAIN SELECT 1", "give one SELECT, SHOW or DESCRIBE"),
        ("INSERT INTO t SELECT 1", "give one SELECT, SHOW or DESCRIBE"),
        ("SELECT 1; SELECT 2", "expected one statement, found 2"),
        ("", "expected one statement, found 0"),
        ("SELECT FROM WHERE", "not SQL"),
        ("SELECT * FROM system.runtime.queries", "no table system.runtime.queries"),
        ("SELECT * FROM information_schema.tables", "no table information_schema.tables"),
        ("SELECT * FROM duckdb_settings", "no table duckdb_settings"),
        ("SELECT * FROM sqlite_master", "no table sqlite_master"),
        ("SELECT * FROM raws.x__y", "no table raws.x__y"),
        ("SELECT * FROM curated.benefit__payments", f"did you mean {PAID!r}?"),
        ("SELECT * FROM 'x.parquet'", "no table x.parquet"),
        ('SELECT * FROM "/etc/passwd.csv"', "no table /etc/passwd.csv"),
        (
            'SELECT * FROM (WITH "x.csv" AS (SELECT 1 AS a) SELECT a FROM "x.csv"), "x.csv"',
            "no table x.csv",
        ),
        ("SELECT e FROM UNNEST(ARRAY[1], ARRAY[2]) AS u(e, f)", "UNNEST takes one array here"),
        (f"SELECT date_format(paid_at, name) FROM {PAID}", "the format must be written there"),
        (f"SELECT date_parse(name, name) FROM {PAID}", "the format must be written there"),
        (f"SELECT truncate(amount_yuan, 1) FROM {PAID}", "truncate with digits is not answered"),
        (f"SELECT CAST(paid_at AS timestamp(9)) FROM {PAID}", "write timestamp(0), (3) or (6)"),
        (f"SELECT id FROM {PAID} WHERE name LIKE 'a/b' ESCAPE '/'", "must be followed by %, _"),
        (f"SELECT id, count(*) FROM {PAID} GROUP BY ALL", "GROUP BY ALL is not Trino's"),
        (f"SELECT 1 FROM {PAID} AS a NATURAL JOIN {PAID} AS b", "JOIN is not Trino's"),
        ("SELECT INTERVAL '1' DAY", "add it to a date"),
        ("SELECT 1_000", "1_000: write a number without _"),
        (
            f"SELECT sequence(paid_date, paid_date, INTERVAL '0' MONTH) FROM {PAID}",
            "as a whole number of units",
        ),
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
        (f"SELECT replace(name, '', 'a') FROM {PAID}", "the text to look for is empty"),
        (
            "SELECT levenshtein_distance(array_join(transform(sequence(19968, 20100), "
            "c -> chr(c)), ''), 'a')",
            "more than 127 different characters",
        ),
        (f"SELECT CAST(amount_yuan AS varchar(4)) FROM {PAID}", "represented as varchar(4)"),
        (f"SELECT to_iso8601(paid_at) FROM {PAID}", "write date_format"),
        (f"SELECT codepoint(name) FROM {PAID}", "codepoint takes one character"),
        (f"SELECT map_agg(1, id) FROM {PAID}", "keys must be unique"),
        (f"SELECT CAST(name AS decimal(9,2)) FROM {PAID}", "TRY_CAST gives NULL instead"),
        ("SELECT CAST(' 1' AS decimal(9,2))", "TRY_CAST gives NULL instead"),
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
    named, other = (Path(settings.lake, *table.split(".")) for table in (PAID, OTHER))

    with pytest.raises(duckdb.Error):
        locked.execute(statement.format(named=named, other=other)).fetchall()


def test_without_the_lock_the_other_table_is_read(settings: Settings, tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    with engine.workspace() as workspace:
        other = Path(settings.lake, *OTHER.split("."))
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

    assert table.equals(PAYMENT.select(["id", "amount_yuan", "paid_date"]))


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
