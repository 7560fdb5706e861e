"""
`redcliff sql`: one SELECT in Trino's dialect over the lake's tables.
"""

from __future__ import annotations

import difflib

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from catalog.catalog import Catalog
from catalog.errors import UsageError
from jobs.engines import open_engine
from jobs.refresh import localized, relation
from lake.settings import Settings
from lake.tables import Tables


def query(settings: Settings, catalog: Catalog, sql: str) -> pa.Table:
    """
    The rows of one SELECT; tables are named `<layer>.<theme>__<dataset>`.

    `UsageError` when it cannot be parsed, is not one SELECT, or names a table that is not there.
    Until the policy exists this is a tool of the platform's owner: it sees every column.
    """
    try:
        parsed = sqlglot.parse(sql, dialect="trino")
    except ParseError as error:
        raise UsageError(f"this is not SQL that Trino would take: {error}") from error
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise UsageError("give one SELECT; nothing else is run here")
    tables = Tables(settings.lake)
    named = _tables(parsed[0])
    known = tables.names()
    if missing := sorted(named - set(known)):
        near = [n for m in missing for n in difflib.get_close_matches(m, known, 3, 0.5)]
        hint = f"; did you mean {', '.join(near)}?" if near else "; see `redcliff status`"
        raise UsageError(f"there is no table {', '.join(missing)}{hint}")
    with open_engine(settings) as engine, engine.workspace() as workspace:
        for name in named:
            workspace.add_table(relation(name), tables.path(name))
        return workspace.rows(localized(parsed[0]))


def _tables(query: exp.Query) -> set[str]:
    """The tables of the lake that a query names; names of its own WITH are none."""
    own = {cte.alias for cte in query.find_all(exp.CTE)}
    return {
        f"{t.db}.{t.name}" if t.db else t.name
        for t in query.find_all(exp.Table)
        if t.db or t.name not in own
    }
