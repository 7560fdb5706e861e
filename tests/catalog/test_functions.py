from __future__ import annotations

import pytest
from sqlglot import exp

from catalog.functions import (
    AGGREGATE_CALLS,
    OWN_FUNCTIONS,
    SCALAR_CALLS,
    WINDOW_CALLS,
    Slip,
    check_expression,
    line_of,
    parse,
)

COLUMNS = ("a", "b", "name", "day", "m", "x", "y", "z")


@pytest.mark.parametrize(
    "sql",
    [
        *(f"{call} IS NOT NULL" for call in SCALAR_CALLS),
        "is_citizen_id(name)",
        "is_uscc(name)",
        "day <= business_date()",
        "ratio(a, b, 2) <= 1",
        "a + b * 2 - 1 > mod(a, 3)",
        "name LIKE 'x%' ESCAPE '!'",
        "a IN (1, 2) AND NOT (b BETWEEN 1 AND 2 OR a IS DISTINCT FROM b)",
        "CASE WHEN a > 1 THEN b > 1 ELSE TRUE END",
        "coalesce(a > 1, FALSE)",
        "day >= DATE '2025-01-01'",
        "CAST(a AS decimal(20, 2)) = -1.5",
        "element_at(m, 'k') = 'v'",
        "\"name\" = '甲'",
        "TRUE",
    ],
)
def test_a_condition_over_the_columns_is_allowed(sql: str) -> None:
    assert check_expression(sql, COLUMNS) == []


CLOCK = "the clock is not allowed; write business_date() in a rule, run_date() in a model"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("a / b > 1", "/ is not allowed, engines divide differently; write ratio(a, b, scale)"),
        ("greatest(a, b) > 1", "the function greatest is not allowed"),
        ("sha256(name) = name", "the function sha256 is not allowed"),
        (
            "is_citizenid(name)",
            "the function is_citizenid is not allowed; did you mean 'is_citizen_id'?",
        ),
        ("is_citizen_id()", "is_citizen_id takes 1 argument(s), found 0"),
        ("ratio(a, b, a) > 1", "ratio(a, b, scale) takes the scale as a whole number"),
        ("day < current_date", CLOCK),
        ("day < CURRENT_TIMESTAMP", CLOCK),
        ("day < now()", CLOCK),
        ("random() > 1", "the function rand is not allowed; did you mean 'rank'?"),
        ("a > 1e3", "1e3 is a floating-point number; write it out"),
        ("CAST(a AS double) > 1", "the type double is not allowed"),
        ("m['k'] = 'v'", "m['k'] is not allowed; write element_at(map, key)"),
        (
            "date_diff('month', day, day) > 1",
            "date_diff counts days only; engines count months and years differently",
        ),
        ("date_trunc('hour', day) = day", "date_trunc to hour is not allowed"),
        ("day + INTERVAL '1' DAY > day", "INTERVAL '1' DAY is not allowed"),
        ("count(a) > 1", "COUNT(a) looks beyond the row, which a rule may not"),
        ("a IN (SELECT 1 AS b)", "(SELECT 1 AS b) looks beyond the row, which a rule may not"),
        ("A > 1", "unknown column 'A'; did you mean 'a'?"),
        ("t.a > 1", "t.a: write the column without its table"),
        ("names > 'a'", "unknown column 'names'; did you mean 'name'?"),
        ("a + b", "a + b is no condition"),
        ("name", None),
        ("'text'", "'text' is no condition"),
        ("a >", "not SQL: something is missing near '>'"),
        ("a > 1; b > 1", "expected one statement, found 2"),
        ("", "expected one statement, found 0"),
        ("DROP TABLE t", "DROP TABLE t is not allowed"),
        ("name = ?", "? is not allowed"),
        ("(a, b) = (1, 2)", "(a, b) is not allowed"),
        ("try(a) > 1", "the function try is not allowed"),
        ("substr(name, 0) = 'a'", "substr takes its start as a whole number other than 0"),
        ("substr(name, 1, a) = 'a'", "substr takes its length as a number"),
        (
            "split_part(name, ';', a) = 'a'",
            "split_part takes a text that is not empty and a whole number from 1",
        ),
        (
            "replace(name, '', 'a') = 'a'",
            "replace takes what is replaced as a text that is not empty",
        ),
        ("lpad(name, 3, '') = 'a'", "lpad takes a whole number and a text that is not empty"),
        ("strpos(name, 'a', 2) = 1", "strpos takes two arguments"),
        ("mod(a, b) = 1", "mod takes its divisor as a whole number other than 0"),
        ("round(a, b) = 1", "round takes its digits as a whole number"),
        ("regexp_like(name, name)", "a regular expression is written out, in quotes"),
        (
            "regexp_like(name, '(?i)a')",
            "groups that begin with (? are not read alike by every engine: '(?i)a'",
        ),
        (
            "regexp_extract(name, '(a)|b', 1) = 'a'",
            "regexp_extract takes a group only from a pattern whose groups are always there",
        ),
        (
            "regexp_extract(name, '(a)', b) = 'a'",
            "regexp_extract takes the group as a whole number",
        ),
        (
            "CAST(name AS varchar(3)) = 'a'",
            "the type varchar(3) is not allowed; write it without its length or precision",
        ),
        ("(" * 3000 + "a", "not SQL: nested too deeply"),
    ],
)
def test_what_engines_read_differently_is_refused(sql: str, told: str | None) -> None:
    assert check_expression(sql, COLUMNS)[:1] == ([] if told is None else [told])


def test_everything_wrong_with_a_condition_is_told_at_once() -> None:
    told = check_expression("a / c > greatest(b, 1)", COLUMNS)

    assert len(told) == 3
    assert told[0].startswith("unknown column 'c'")


def test_no_function_is_listed_twice() -> None:
    names = [c.partition("(")[0] for c in (*SCALAR_CALLS, *AGGREGATE_CALLS, *WINDOW_CALLS)]
    names += OWN_FUNCTIONS

    assert len(names) == len(set(names))


def test_a_node_knows_the_line_it_stands_on() -> None:
    tree = parse("SELECT\n  a,\n  b / c AS d\nFROM t")

    assert not isinstance(tree, Slip)
    lines = {node.name: line_of(node) for node in tree.find_all(exp.Column, exp.Table)}
    assert (lines["a"], lines["b"], lines["c"], lines["t"]) == (2, 3, 3, 4)
