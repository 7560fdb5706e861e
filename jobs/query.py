"""
`redcliff sql`: one SELECT in Trino's dialect over the lake's tables, or what tables there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from catalog.errors import UsageError
from catalog.functions import Slip, parse
from catalog.queries import full_name
from jobs.engines import choose, open_engine
from jobs.listing import listing, no_table
from jobs.thematic import localized, relation
from jobs.versions import at_versions
from lake.engine import Answer
from lake.engines.analyst import check
from lake.settings import Settings
from lake.tables import Tables
from lake.trino import ask

CATALOG = "lake"
"""What Trino calls the lake; a query may say it, so that it can be asked on both."""


@contextmanager
def query(settings: Settings, sql: str, seconds: float) -> Iterator[Answer]:
    """
    The rows of one SELECT, SHOW or DESCRIBE; tables are named `<layer>.<theme>__<dataset>`.

    `UsageError` when it cannot be parsed, is none of these, names a table that is not there,
    calls what is not answered as Trino does, does not fit the tables, or takes too long. Until
    the policy exists this is a tool of the platform's owner: it sees every column.
    """
    choose(settings.engine)
    tables = Tables(settings.lake, settings.store)
    tree = _statement(sql)
    for table in tree.find_all(exp.Table):
        if table.catalog == CATALOG:
            table.set("catalog", None)
    if (listed := listing(tree, tables)) is not None:
        yield listed
        return
    if not isinstance(tree, exp.Query):
        raise UsageError("give one SELECT, SHOW or DESCRIBE; nothing else is run here")
    check(tree, settings.engine)
    known = tables.names()
    if missing := sorted(_tables(tree) - set(known)):
        raise no_table(missing, known)
    versions = at_versions(tree, tables)
    read = {name: versions.get(name, (name, None)) for name in sorted(_tables(tree))}
    paths = {name: tables.path(table) for name, (table, _) in read.items()}
    with (
        open_engine(settings, only=sorted(set(paths.values()))) as engine,
        engine.workspace() as workspace,
    ):
        for name, path in paths.items():
            workspace.add_table(relation(name), path, read[name][1])
        yield workspace.ask(localized(tree), seconds)


@contextmanager
def query_on_trino(settings: Settings, statement: str, seconds: float) -> Iterator[Answer]:
    """
    The rows of one statement that the profile's Trino answers, in its readers' catalog.

    It goes there as it is. `UsageError` in Trino's words; `EnvironmentProblem` or `TryAgain` when
    Trino cannot be asked.
    """
    if settings.trino is None:
        raise UsageError(
            f"the profile {settings.profile} does not say where Trino is; name one that does: "
            "--profile cluster"
        )
    # The semicolon is the client's in Trino, and habit everywhere.
    with ask(settings.trino, statement.rstrip().removesuffix(";"), seconds) as given:
        yield given


def _statement(sql: str) -> exp.Expr:
    # It warns on stderr of what it cannot parse, which is told below.
    logging.getLogger("sqlglot").disabled = True
    tree = parse(sql)
    if isinstance(tree, Slip):
        raise UsageError(f"line {tree.line}: {tree.message}")
    return tree


def _tables(query: exp.Query) -> set[str]:
    """The tables of the lake that a query names; what a WITH in sight defines is none."""
    return {
        full_name(table)
        for table in query.find_all(exp.Table)
        if table.db or not _is_defined(table)
    }


def _is_defined(table: exp.Table) -> bool:
    at: exp.Expr | None = table.parent
    while at is not None:
        if isinstance(at, exp.Query) and any(cte.alias == table.name for cte in at.ctes):
            return True
        at = at.parent
    return False
