from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from catalog.lineage import origins
from catalog.queries import read_query

TABLES = {
    "curated.a__person": ["id", "name", "day", "city"],
    "thematic.b__fact": ["id", "value", "city"],
}


def slips(sql: str) -> list[tuple[int, str]]:
    return [(slip.line, slip.message) for slip in read_query(sql, TABLES).slips]


def test_a_query_tells_its_tables_and_columns() -> None:
    query = read_query(
        """
        WITH facts AS (SELECT id, sum(value) AS total FROM thematic.b__fact GROUP BY id)
        SELECT p.id, p.name AS person_name, f.total
        FROM curated.a__person AS p
        LEFT JOIN facts AS f ON f.id = p.id
        WHERE p.day <= DATE '2025-01-01'
        """,
        TABLES,
    )

    assert query.slips == ()
    assert query.inputs == ("thematic.b__fact", "curated.a__person")
    assert query.outputs == ("id", "person_name", "total")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM curated.a__person UNION ALL SELECT id FROM thematic.b__fact",
        "SELECT id FROM curated.a__person JOIN thematic.b__fact USING (id)",
        "SELECT count(*) AS n, count(DISTINCT id) AS m FROM curated.a__person",
        "SELECT id, row_number() OVER (PARTITION BY name ORDER BY day) AS n FROM curated.a__person",
        "SELECT p.id FROM curated.a__person AS p WHERE EXISTS "
        "(SELECT 1 AS n FROM thematic.b__fact AS f WHERE f.id = p.id AND value > 1 AND name = '')",
        "SELECT (SELECT max(f.value) FROM thematic.b__fact AS f WHERE f.id = p.id) AS most "
        "FROM curated.a__person AS p",
        "SELECT array_join(array_sort(array_agg(name)), ',') AS names FROM curated.a__person",
        "SELECT t.n FROM (SELECT id AS n FROM curated.a__person) AS t ORDER BY n",
        "SELECT id AS key FROM curated.a__person ORDER BY key",
        "SELECT sum(value) FILTER (WHERE value > 1) AS total FROM thematic.b__fact",
        "WITH a AS (SELECT id FROM curated.a__person), b AS (SELECT id FROM thematic.b__fact) "
        "SELECT id FROM a",
    ],
)
def test_what_every_engine_computes_alike_is_allowed(sql: str) -> None:
    assert slips(sql) == []


@pytest.mark.parametrize(
    ("sql", "line", "told"),
    [
        (
            "SELECT id\nFROM curated.a__persons",
            2,
            "unknown table 'curated.a__persons'; did you mean 'curated.a__person'?",
        ),
        (
            "SELECT id FROM raw.a__person",
            1,
            "unknown table 'raw.a__person'; did you mean 'curated.a__person'?",
        ),
        (
            "SELECT\n  id,\n  nam\nFROM curated.a__person",
            3,
            "unknown column 'nam'; did you mean 'name'?",
        ),
        (
            "SELECT p.nam FROM curated.a__person AS p",
            1,
            "unknown column 'p.nam'; did you mean 'name'?",
        ),
        ("SELECT q.id FROM curated.a__person AS p", 1, "unknown table 'q' in q.id"),
        (
            "SELECT city FROM curated.a__person AS p\nJOIN thematic.b__fact AS f ON p.id = f.id",
            1,
            "'city' stands in p and f; write which",
        ),
        ("SELECT id AS n FROM curated.a__person GROUP BY n", 1, "unknown column 'n'"),
        ("SELECT * FROM curated.a__person", 1, "* is not allowed; name the columns"),
        ("SELECT p.* FROM curated.a__person AS p", 1, "* is not allowed; name the columns"),
        (
            "SELECT count(*) FROM curated.a__person",
            1,
            "column 1 of the SELECT has no name; write AS",
        ),
        ("SELECT id FROM curated.a__person LIMIT 3", 1, "LIMIT 3 is not allowed"),
        (
            "SELECT id / 2 AS half FROM thematic.b__fact",
            1,
            "/ is not allowed, engines divide differently; write ratio(a, b, scale)",
        ),
        (
            "SELECT row_number() OVER (PARTITION BY id) AS n FROM curated.a__person",
            1,
            "row_number needs OVER (… ORDER BY …), or two runs may differ",
        ),
        (
            "SELECT array_agg(name ORDER BY name) AS names FROM curated.a__person",
            1,
            "array_agg has no order on every engine; write array_sort(array_agg(x))",
        ),
        (
            "SELECT id FROM curated.a__person\nUNION\nSELECT id, value FROM thematic.b__fact",
            3,
            "UNION of 1 columns and 2 columns",
        ),
        (
            "WITH RECURSIVE a AS (SELECT id FROM curated.a__person) SELECT id FROM a",
            1,
            "WITH RECURSIVE is not allowed",
        ),
        (
            "SELECT day FROM curated.a__person NATURAL JOIN thematic.b__fact",
            1,
            "a NATURAL JOIN hides its columns; write ON or USING",
        ),
        (
            "SELECT n FROM (SELECT id AS n FROM curated.a__person) AS t(n)",
            1,
            "name the columns in the SELECT, not beside the alias",
        ),
        (
            "SELECT id FROM curated.a__person FOR VERSION AS OF 3",
            1,
            "FOR VERSION AS OF 3 is not allowed",
        ),
        ("INSERT INTO t SELECT 1 AS a", 1, "expected one SELECT"),
        ("SELECT 1 AS a; SELECT 2 AS b", 1, "expected one statement, found 2"),
        ("SELECT id\nFROM\nWHERE", 3, "not SQL: Expected table name near 'WHERE'"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_on_its_line(sql: str, line: int, told: str) -> None:
    assert slips(sql) == [(line, told)]


def test_an_unknown_table_is_told_once_and_not_for_each_of_its_columns() -> None:
    told = slips("SELECT a, b FROM foo WHERE c = 1")

    assert told == [(1, "unknown table 'foo'")]


def test_a_star_is_told_once_and_not_for_each_of_its_columns() -> None:
    told = slips("WITH a AS (SELECT * FROM curated.a__person) SELECT id, foo FROM a")

    assert told == [(1, "* is not allowed; name the columns")]


def lineage(sql: str) -> dict[str, set[str]]:
    tree = sqlglot.parse_one(sql, dialect="trino")
    assert isinstance(tree, exp.Query)
    return {
        name: {f"{table.partition('__')[2]}.{column}" for table, column in made_from}
        for name, made_from in origins(tree, TABLES).items()
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param(
            "SELECT name, 1 AS one FROM curated.a__person WHERE day IS NULL",
            {"name": {"person.name"}, "one": set()},
            id="a-filter-is-no-origin",
        ),
        pytest.param(
            "WITH a AS (SELECT id, name AS n FROM curated.a__person), "
            "b AS (SELECT n, id FROM a) SELECT n AS x FROM b",
            {"x": {"person.name"}},
            id="through-two-ctes",
        ),
        pytest.param(
            "SELECT name AS x FROM curated.a__person UNION ALL SELECT value FROM thematic.b__fact",
            {"x": {"person.name", "fact.value"}},
            id="both-sides-of-a-union",
        ),
        pytest.param(
            "SELECT CASE WHEN p.day IS NULL THEN f.value END AS x "
            "FROM curated.a__person AS p JOIN thematic.b__fact AS f ON p.id = f.id",
            {"x": {"person.day", "fact.value"}},
            id="a-condition-within-the-value-is-an-origin",
        ),
        pytest.param(
            "SELECT row_number() OVER (PARTITION BY city ORDER BY day) AS x FROM curated.a__person",
            {"x": {"person.city", "person.day"}},
            id="a-window-is-an-origin",
        ),
        pytest.param(
            "SELECT (SELECT max(value) FROM thematic.b__fact AS f WHERE f.id = p.id) AS x "
            "FROM curated.a__person AS p",
            {"x": {"fact.value"}},
            id="a-scalar-subquery",
        ),
        pytest.param(
            "SELECT t.x FROM (SELECT concat(name, city) AS x FROM curated.a__person) AS t",
            {"x": {"person.name", "person.city"}},
            id="a-derived-table",
        ),
    ],
)
def test_a_column_is_traced_to_what_it_is_computed_from(
    sql: str, expected: dict[str, set[str]]
) -> None:
    assert lineage(sql) == expected
