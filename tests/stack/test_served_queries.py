"""The same rows in Spark and in Trino, over the same Delta tables on S3; or a named difference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from trino.dbapi import Connection

from catalog.errors import UsageError
from jobs.stack.component import Stack
from lake.trino import connect, rows
from tests.stack.conftest import REPOSITORY
from tests.stack.served_queries import QUERIES, Query
from tests.stack.served_tables import TABLES, plain
from tests.stack.sparks import told_by

pytestmark = pytest.mark.stack

NAMES = {
    "types": "served.types",
    "people": "served.people",
    "people$history": 'served."people$history"',
    "people$properties": 'served."people$properties"',
    "thinned": "served.thinned",
    "changes": "TABLE(lake_owner.system.table_changes('served', 'people', 0))",
    "thinned_changes": "TABLE(lake_owner.system.table_changes('served', 'thinned', 0))",
}


@pytest.fixture(scope="module")
def in_spark(stack: Stack) -> dict[str, Any]:
    """Every answer of Spark, which has changed the tables before."""
    bucket = stack.component("s3").bucket
    answers: dict[str, Any] = told_by("served_tables", stack, f"s3://{bucket}/served")
    return answers


@pytest.fixture(scope="module")
def trino(stack: Stack, in_spark: dict[str, Any]) -> Iterator[Connection]:
    """Trino, which knows the tables for as long as these tests run."""
    address, bucket = stack.component("trino").address(stack), stack.component("s3").bucket
    with closing(connect(address)) as connection:

        def say(statement: str) -> None:
            rows(connection, address, statement)

        say(f"CREATE SCHEMA lake_owner.served WITH (location = 's3://{bucket}/served')")
        for name in TABLES:
            place = f"s3://{bucket}/served/{name}"
            say(f"CALL lake_owner.system.register_table('served', '{name}', '{place}')")
        yield connection
        for name in TABLES:
            say(f"CALL lake_owner.system.unregister_table('served', '{name}')")
        say("DROP SCHEMA lake_owner.served")


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_spark_and_trino_answer_alike_or_differ_as_documented(
    query: Query, in_spark: dict[str, Any], trino: Connection, stack: Stack
) -> None:
    address = stack.component("trino").address(stack)
    statement = re.sub(r"\{([a-z_$]+)\}", lambda found: NAMES[found[1]], query.trino)

    expected = in_spark[query.name]

    if query.refused:
        with pytest.raises(UsageError, match=query.refused):
            rows(trino, address, statement)
        return
    found = [plain(row) for row in rows(trino, address, statement)]

    if not query.ordered:
        found, expected = sorted(found, key=repr), sorted(expected, key=repr)
    if query.differs:
        assert found != expected
    else:
        assert found == expected


def test_the_rows_were_deleted_by_vectors(in_spark: dict[str, Any]) -> None:
    assert in_spark["vectors"] >= 3


def test_there_are_sixty_and_every_difference_stands_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "reference" / "sql.md").read_text(encoding="utf-8")

    assert len(QUERIES) >= 60
    assert len({query.name for query in QUERIES}) == len(QUERIES)
    assert [q.name for q in QUERIES if q.differs and q.differs not in " ".join(page.split())] == []
