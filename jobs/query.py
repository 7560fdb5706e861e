"""
`redcliff sql`: one SELECT in Trino's dialect over the lake's tables.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from catalog.errors import UsageError
from catalog.functions import Slip, parse
from catalog.queries import full_name
from jobs.engines import choose, open_engine
from jobs.thematic import localized, relation
from lake.engine import Answer
from lake.engines.analyst import check
from lake.settings import Settings
from lake.tables import Tables
from lake.trino import ask


@contextmanager
def query(settings: Settings, sql: str, seconds: float) -> Iterator[Answer]:
    """
    The rows of one SELECT; tables are named `<layer>.<theme>__<dataset>`.

    `UsageError` when it cannot be parsed, is not one SELECT, names a table that is not there,
    calls what is not answered as Trino does, does not fit the tables, or takes too long. Until
    the policy exists this is a tool of the platform's owner: it sees every column.
    """
    choose(settings.engine)
    tree = _select(sql)
    check(tree, settings.engine)
    tables = Tables(settings.lake, settings.store)
    named = _tables(tree)
    known = tables.names()
    if missing := sorted(named - set(known)):
        near = [n for m in missing for n in difflib.get_close_matches(m, known, 3, 0.5)]
        hint = f"; did you mean {', '.join(near)}?" if near else "; see `redcliff status`"
        raise UsageError(f"there is no table {', '.join(missing)}{hint}")
    paths = {name: tables.path(name) for name in sorted(named)}
    with (
        open_engine(settings, only=list(paths.values())) as engine,
        engine.workspace() as workspace,
    ):
        for name, path in paths.items():
            workspace.add_table(relation(name), path)
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


def _select(sql: str) -> exp.Query:
    # It warns on stderr of what it cannot parse, which is told below.
    logging.getLogger("sqlglot").disabled = True
    tree = parse(sql)
    if isinstance(tree, Slip):
        raise UsageError(f"line {tree.line}: {tree.message}")
    if not isinstance(tree, exp.Query):
        raise UsageError("give one SELECT; nothing else is run here")
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
