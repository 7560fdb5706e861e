"""`redcliff sql --on trino`: the forms of the embedded engine, Trino's words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.errors import EnvironmentProblem, UsageError
from jobs.export import write_arrow, write_csv, write_json
from jobs.profile import settle
from jobs.query import query_on_trino
from jobs.stack.component import Stack
from lake.settings import Settings
from lake.trino import BATCH_ROWS
from tests.stack.conftest import MAIN, REPOSITORY, Cluster

pytestmark = pytest.mark.stack


@pytest.fixture
def settings(cluster: Cluster, stack: Stack) -> Settings:
    return settle(
        str(cluster.profile), cluster.home, {**os.environ, "REDCLIFF_SITE": str(REPOSITORY)}
    )


EVERY_TYPE = """
SELECT true AS a, TINYINT '1' AS b, SMALLINT '2' AS c, 3 AS d, BIGINT '4' AS e,
       REAL '1.5' AS f, 2.5e0 AS g, DECIMAL '12345678901234567890.12' AS h, '赤壁' AS i,
       CAST('a' AS char(2)) AS j, X'00FF' AS k, DATE '1912-01-01' AS l,
       TIMESTAMP '2025-03-03 08:00:00.123456' AS m,
       TIMESTAMP '2025-03-03 08:00:00.123 Asia/Shanghai' AS n, TIME '08:00:00.5' AS o,
       JSON '{"a": 1}' AS p, ARRAY[1.5, NULL] AS q,
       MAP(ARRAY['赤', '壁'], ARRAY[DATE '2025-03-03', NULL]) AS r,
       CAST(ROW(1, 'x') AS ROW(one bigint, other varchar)) AS s, NULL AS t,
       UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS u, INTERVAL '2' DAY AS v,
       ARRAY[MAP(ARRAY['a'], ARRAY[ARRAY[1]])] AS w
"""


def test_every_type_has_its_like_in_arrow(settings: Settings) -> None:
    with query_on_trino(settings, EVERY_TYPE, 60) as answer:
        (batch,) = answer.batches

    assert dict(zip(batch.schema.names, map(str, batch.schema.types), strict=True)) == {
        **{"a": "bool", "b": "int8", "c": "int16", "d": "int32", "e": "int64", "f": "float"},
        **{"g": "double", "h": "decimal128(22, 2)", "i": "string", "j": "string", "k": "binary"},
        **{"l": "date32[day]", "m": "timestamp[us]", "n": "timestamp[us, tz=UTC]"},
        **{"o": "time64[us]", "p": "string", "q": "list<item: decimal128(2, 1)>"},
        **{"r": "map<string, date32[day]>", "s": "struct<one: int64, other: string>"},
        **{
            "t": "null",
            "u": "string",
            "v": "string",
            "w": "list<item: map<string, list<item: int32>>>",
        },
    }
    (row,) = batch.to_pylist()
    assert row["h"] == Decimal("12345678901234567890.12")
    assert (row["i"], row["j"], row["k"], row["l"]) == ("赤壁", "a ", b"\0\xff", date(1912, 1, 1))
    assert row["m"] == datetime(2025, 3, 3, 8, 0, 0, 123456)
    assert row["n"] == datetime(2025, 3, 3, 0, 0, 0, 123000, UTC)
    assert (row["q"], row["r"]) == (
        [Decimal("1.5"), None],
        [("赤", date(2025, 3, 3)), ("壁", None)],
    )
    assert (row["s"], row["t"], row["v"]) == ({"one": 1, "other": "x"}, None, "2 days, 0:00:00")
    assert row["u"] == "12151fd2-7586-11e9-8f9e-2a86e4085a59"


def test_the_forms_are_those_of_the_embedded_engine(settings: Settings) -> None:
    statement = (
        "SELECT * FROM (VALUES (1, '赤, \"壁\"', DECIMAL '1.10', DATE '2025-03-03', "
        "MAP(ARRAY['a'], ARRAY['b'])), (2, NULL, NULL, NULL, NULL)) AS t (n, a, b, c, d) "
        "ORDER BY n;"
    )
    written = {}
    for write in (write_csv, write_json, write_arrow):
        out = io.BytesIO()
        with query_on_trino(settings, statement, 60) as answer:
            write(answer, out)
        written[write] = out.getvalue()

    assert written[write_csv].decode() == (
        'n,a,b,c,d\r\n1,"赤, ""壁""",1.10,2025-03-03,"{""a"": ""b""}"\r\n2,,,,\r\n'
    )
    assert json.loads(written[write_json]) == {
        "columns": ["n", "a", "b", "c", "d"],
        "rows": [[1, '赤, "壁"', "1.10", "2025-03-03", {"a": "b"}], [2, None, None, None, None]],
    }
    assert pa.ipc.open_stream(written[write_arrow]).read_all().num_rows == 2


def test_rows_come_in_batches_and_no_rows_have_columns(settings: Settings) -> None:
    with query_on_trino(
        settings, "SELECT * FROM UNNEST(sequence(1, 10000)) CROSS JOIN UNNEST(sequence(1, 5))", 60
    ) as answer:
        sizes = [batch.num_rows for batch in answer.batches]
    with query_on_trino(settings, "SELECT 1 AS a, '' AS b WHERE false", 60) as answer:
        assert (answer.schema.names, list(answer.batches)) == (["a", "b"], [])

    assert (sum(sizes), max(sizes)) == (50_000, BATCH_ROWS)


ENDLESS = (
    "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a (x), UNNEST(sequence(1, 10000)) b (y), "
    "UNNEST(sequence(1, 10000)) c (z) WHERE x * y * z % 7 = 3"
)


def test_a_query_is_stopped_in_time(settings: Settings) -> None:
    started = time.monotonic()

    with (
        pytest.raises(UsageError, match="stopped after 2 s; ask for less"),
        query_on_trino(settings, ENDLESS, 2) as answer,
    ):
        list(answer.batches)

    assert time.monotonic() - started < 60


def test_a_query_that_nobody_reads_on_is_cancelled(settings: Settings) -> None:
    many = (
        "SELECT x /* nobody */ FROM UNNEST(sequence(1, 10000)) a (x), UNNEST(sequence(1, 10000)) b"
    )

    with query_on_trino(settings, many, 60) as answer:
        next(answer.batches)

    asked = (
        "SELECT state FROM system.runtime.queries WHERE query LIKE '%nobody%' "
        "AND query NOT LIKE '%runtime%'"
    )
    end = time.monotonic() + 30
    while True:
        with query_on_trino(settings, asked, 60) as answer:
            states = {row["state"] for batch in answer.batches for row in batch.to_pylist()}
        if states <= {"FINISHED", "FAILED"}:
            break
        assert time.monotonic() < end, states


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        pytest.param("SELEC 1", "line 1:1: mismatched input 'SELEC'", id="no-select"),
        pytest.param("SELECT 1,\n nope", "line 2:2: Column 'nope' cannot be resolved", id="column"),
        pytest.param("SELECT * FROM curated.x", "line 1:15: ", id="no-such-table"),
        pytest.param("SELECT 1 / 0", "Division by zero", id="in-the-middle"),
        pytest.param("SELECT CAST('x' AS date)", "Value cannot be cast to date: x", id="a-value"),
        pytest.param("CREATE TABLE curated.x (a integer)", "Access Denied", id="a-write"),
    ],
)
def test_what_is_wrong_is_told_in_trino_s_words(
    settings: Settings, statement: str, told: str
) -> None:
    with (
        pytest.raises(UsageError, match=f"^{told}"),
        query_on_trino(settings, statement, 60) as answer,
    ):
        list(answer.batches)


def test_without_an_address_or_a_server_it_says_what_to_do(settings: Settings) -> None:
    assert settings.trino is not None
    gone = replace(settings.trino, port=1)

    with pytest.raises(UsageError, match=r"does not say where Trino is; .*--profile cluster"):
        query_on_trino(replace(settings, trino=None), "SELECT 1", 60).__enter__()
    with pytest.raises(EnvironmentProblem, match=r"cannot be reached .connection refused.; start"):
        query_on_trino(replace(settings, trino=gone), "SELECT 1", 60).__enter__()


def test_the_command_line_answers_and_ends_as_always(cluster: Cluster, tmp_path: Path) -> None:
    words = ("--on", "trino", "--profile", str(cluster.profile))

    assert cluster("sql", "SELECT '赤壁' AS a", *words) == {"columns": ["a"], "rows": [["赤壁"]]}
    error = cluster("sql", "SELECT nope", *words, code=2)["error"]
    assert error == {"kind": "usage", "message": "line 1:8: Column 'nope' cannot be resolved"}
    assert (
        cluster("sql", "SELECT 1", *words, "--engine", "spark", code=2)["error"]["kind"] == "usage"
    )
    shown = subprocess.run(
        [sys.executable, "-c", MAIN, "sql", "SHOW SCHEMAS", *words, "--home", str(cluster.home)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    ).stdout
    assert "information_schema" in shown
