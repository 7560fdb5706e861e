"""Every engine gives Trino's values; each rule of the rendering is there for a reason."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from catalog.functions import (
    AGGREGATES,
    OWN_FUNCTIONS,
    SCALARS,
    SYNTAX,
    WINDOWS,
    check_expression,
)
from lake.engine import Engine, Workspace
from lake.engines import rendering
from lake.engines.rendering import render
from tests.lake.engines.expressions import EXPRESSIONS, FAILING, Cases

DAY = date(2025, 3, 3)
ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "tests" / "catalog" / "vectors"
AT_ONCE = 15
ENGINES = {"embedded": "duckdb", "spark": "spark"}
RULES = [
    *((engine, "NODES", kind) for engine, rules in rendering.NODES.items() for kind in rules),
    *((engine, "CALLS", name) for engine, rules in rendering.CALLS.items() for name in rules),
]


@pytest.fixture(scope="module", params=ENGINES)
def workspace(request: pytest.FixtureRequest) -> Iterator[tuple[str, Workspace]]:
    """A workspace of each engine, with the name of its dialect."""
    fixture = "engine" if request.param == "embedded" else "spark"
    engine: Engine = request.getfixturevalue(fixture)
    with engine.workspace(DAY, small=True) as opened:
        yield ENGINES[request.param], opened


def values(workspace: Workspace, expressions: Sequence[str]) -> list[Any]:
    """The values of expressions, many to a query: Spark plans a query as long as it works on it."""
    found: list[Any] = []
    for part in batched(expressions, AT_ONCE):
        parsed = [sqlglot.parse_one(e, dialect="trino") for e in part]
        query = exp.select(*[exp.alias_(p, f"c{n}") for n, p in enumerate(parsed)])
        row = workspace.rows(query).to_pylist()[0]
        found += [row[f"c{n}"] for n in range(len(part))]
    return found


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Parts of `size` items, the last one shorter."""
    return (items[at : at + size] for at in range(0, len(items), size))


def is_same(found: Any, expected: Any) -> bool:
    """Equal as values; a truth value is no number."""
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def differing(workspace: Workspace, cases: Cases) -> list[tuple[str, Any, Any]]:
    """The expressions that have another value than Trino gives, with both values."""
    found = values(workspace, [sql for sql, _ in cases])
    return [
        (sql, value, expected)
        for (sql, expected), value in zip(cases, found, strict=True)
        if not is_same(value, expected)
    ]


def test_every_expression_has_the_value_that_trino_gives(
    workspace: tuple[str, Workspace],
) -> None:
    _, opened = workspace

    assert differing(opened, EXPRESSIONS) == []


@pytest.mark.parametrize("sql", FAILING)
def test_what_fails_in_trino_fails_on_every_engine(
    workspace: tuple[str, Workspace], sql: str
) -> None:
    _, opened = workspace

    with pytest.raises(Exception, match=r"(?i)cast|convert|read as|overflow|duplicate|unique|repr"):
        values(opened, [sql])


def test_every_function_and_every_form_that_may_be_said_is_tried() -> None:
    trees = [sqlglot.parse_one(sql, dialect="trino") for sql, _ in EXPRESSIONS]
    nodes = [node for tree in trees for node in tree.walk()]
    tried = {type(node) for node in nodes}
    called = {node.name for node in nodes if isinstance(node, exp.Anonymous)}
    inside_queries = {exp.Column, exp.Identifier}

    assert (SCALARS | AGGREGATES | WINDOWS | SYNTAX) - tried - inside_queries == set()
    assert set(OWN_FUNCTIONS) - called == set()


def test_identifiers_are_judged_as_the_vectors_say(workspace: tuple[str, Workspace]) -> None:
    _, opened = workspace
    cases: list[tuple[str, Any]] = []
    for name in ("citizen_ids", "usccs"):
        with (VECTORS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                text = exp.Literal.string(row["text"]).sql("trino")
                if name == "usccs":
                    cases.append((f"is_uscc({text})", row["valid"] == "yes"))
                else:
                    cases.append((f"is_citizen_id({text})", row["eighteen"] != ""))

    assert differing(opened, tuple(cases)) == []


def touched(dialect: str, without: list[str]) -> Cases:
    """The cases whose text for the engine is another than `without`."""
    rendered = texts(dialect)
    return tuple(
        case for case, now, then in zip(EXPRESSIONS, rendered, without, strict=True) if now != then
    )


def texts(dialect: str) -> list[str]:
    """Every expression as the engine gets it."""
    return [render(sqlglot.parse_one(sql, dialect="trino"), dialect, DAY) for sql, _ in EXPRESSIONS]


@pytest.fixture(scope="module")
def whole() -> dict[str, list[str]]:
    """Every expression as each engine gets it, with all rules."""
    return {dialect: texts(dialect) for dialect in rendering.NODES}


@pytest.mark.parametrize(
    ("dialect", "table", "rule"),
    [pytest.param(*r, id=f"{r[0]}-{getattr(r[2], '__name__', r[2])}") for r in RULES],
)
def test_without_any_one_rule_a_value_is_another_on_spark_or_duckdb(
    engine: Engine,
    spark: Engine,
    whole: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    dialect: str,
    table: str,
    rule: Any,
) -> None:
    monkeypatch.delitem(getattr(rendering, table)[dialect], rule)
    cases = touched(dialect, whole[dialect])
    assert cases

    with (engine if dialect == "duckdb" else spark).workspace(DAY, small=True) as opened:
        try:
            differences = differing(opened, cases)
        except Exception:  # the engine cannot even read it
            return

    assert differences


@pytest.mark.parametrize(
    ("dialect", "rule", "sql"),
    [
        pytest.param("duckdb", exp.Upper, "upper('straße')", id="duckdb-ß"),
        pytest.param("spark", exp.Upper, "upper('straße')", id="spark-ß"),
        pytest.param("spark", exp.Trim, "trim('\u3000a\u3000')", id="spark-ideographic-space"),
        pytest.param(
            "spark", exp.TryCast, "TRY_CAST('１２' AS decimal(5,2))", id="spark-full-width-digits"
        ),
    ],
)
def test_it_is_this_rule_that_meets_this_difference_on_spark_or_duckdb(
    engine: Engine,
    spark: Engine,
    monkeypatch: pytest.MonkeyPatch,
    dialect: str,
    rule: type[exp.Expr],
    sql: str,
) -> None:
    """The rows of STACK's table that are said otherwise; `REFUSED` has those that nobody needs."""
    monkeypatch.delitem(rendering.NODES[dialect], rule)
    cases = tuple(case for case in EXPRESSIONS if case[0] == sql)

    with (engine if dialect == "duckdb" else spark).workspace(DAY, small=True) as opened:
        assert len(differing(opened, cases)) == 1


REFUSED = (
    "7 / 2 = 3",
    "CAST(1 AS decimal(18, 6)) / 3 > 0",
    "date_add('month', 1, d) > d",
    "d + INTERVAL '1' MONTH > d",
    "greatest(1, NULL) = 1",
    "lower(to_hex(sha256(to_utf8(x)))) = x",
    "hmac_sha256(x, x) = x",
    "codepoint(x) = 1",
    "normalize(x, NFKC) = x",
    "day_of_week(d) = 7",
    "CAST(from_unixtime(0) AS varchar) = x",
    "try(CAST(x AS integer)) = 1",
    "CAST(x AS double) = 1",
    "regexp_like(x, '(?i)a')",
    "regexp_like(x, '(a)\\1')",
    "regexp_like(x, '\\bword')",
    "regexp_like(x, '[a-z&&[^b]]')",
    "regexp_like(x, x)",
    "regexp_extract(x, '(a)?b', 1) = x",
    "substr(x, 0) = x",
    "substr(x, 3, -2) = x",
    "split_part(x, '', 1) = x",
    "replace(x, '', 'y') = x",
    "lpad(x, 3, '') = x",
    "mod(7, 0) = 1",
    "CAST(x AS varchar(3)) = x",
    "CAST(x AS timestamp(0)) = d",
)
"""What engines read differently and nothing needs: of STACK's rows, and of others found here."""


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_made_alike_is_refused(sql: str) -> None:
    assert len(check_expression(sql, ("x", "d"))) == 1


def test_a_dialect_is_whole_before_any_thread_can_ask_for_it() -> None:
    code = (
        "import sys, lake.engines.rendering\n"
        "missing = [n for n in ('trino', 'duckdb', 'spark') if f'sqlglot.dialects.{n}' not in "
        "sys.modules]\n"
        "assert not missing, missing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stderr
