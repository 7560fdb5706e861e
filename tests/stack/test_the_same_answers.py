"""What the embedded engine is held to as Trino's answers is what Trino answers."""

from __future__ import annotations

import os
from typing import Any

import pytest

from jobs.export import values
from jobs.profile import settle
from jobs.query import query_on_trino
from jobs.stack.component import Stack
from lake.settings import Settings
from tests.stack.conftest import REPOSITORY, Cluster
from tests.trino_answers import AGGREGATES, EXPRESSIONS, IN_TRINO, QUERIES, over

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(cluster: Cluster, stack: Stack) -> Settings:
    return settle(
        str(cluster.profile), cluster.home, {**os.environ, "REDCLIFF_SITE": str(REPOSITORY)}
    )


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with query_on_trino(settings, over(sql, **IN_TRINO), 60) as answer:
        return [r for b in answer.batches for r in zip(*map(values, b.columns), strict=True)]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_an_expression(settings: Settings, expression: str, expected: object) -> None:
    ((found,),) = rows(settings, f"SELECT {expression} FROM {{payment}} WHERE id = 1")

    assert (found, str(found)) == (expected, str(expected))


@pytest.mark.parametrize(("expression", "expected"), AGGREGATES)
def test_an_aggregate(settings: Settings, expression: str, expected: object) -> None:
    ((found,),) = rows(settings, f"SELECT {expression} FROM {{payment}}")

    assert (found, str(found)) == (expected, str(expected))


@pytest.mark.parametrize(("sql", "expected"), QUERIES)
def test_a_query(settings: Settings, sql: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows(settings, sql) == expected
