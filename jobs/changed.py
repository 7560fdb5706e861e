"""
Which records have changed since a key register or a golden table was computed from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from sqlglot import exp

from catalog.contract import Contract
from catalog.naming import folder_name, split_table_name
from jobs.context import Context
from lake.engine import Workspace
from lake.ledger import Computed
from pipelines.keys import RECORD, record_keys

CHANGED = "changed"
"""The relation of their `source_dataset` and `source_key`."""

FEW = 1000
"""So many changed rows are always few; else less than a quarter of the table that they change."""


def add_changed(
    context: Context,
    workspace: Workspace,
    table: str,
    before: Computed,
    inputs: Mapping[str, int],
) -> Collection[str]:
    """
    Name relation `changed`: the records that the inputs' change feeds tell of since `before`, from
    which `table` was computed. Says which datasets have changed.

    Empty, and without such a relation, where a feed does not reach back so far, or tells of so many
    that to compute everything again is less work.
    """
    left = max(FEW, context.tables.rows(table) // 4)
    told: dict[str, exp.Query] = {}
    for name, version in inputs.items():
        since = before.inputs[name]
        if version == since:
            continue
        source = context.catalog.get(split_table_name(name)[1])
        rows = context.tables.changes(name, _record_columns(source), since, version, left)
        if rows is None:
            return ()
        left -= rows.num_rows
        relation = f"changes_of_{folder_name(source.id)}"
        workspace.add_rows(relation, rows)
        told[source.id] = _records(source, relation)
    if told:
        every = reduce(lambda one, other: exp.union(one, other, distinct=True), told.values())
        workspace.add_query(CHANGED, every, keep=True)
    return told.keys()


def _record_columns(source: Contract) -> tuple[str, ...]:
    return source.key if source.key_register is None else RECORD


def _records(source: Contract, rows: str) -> exp.Query:
    if source.key_register is None:
        return record_keys(source, rows)
    return exp.select(*RECORD).distinct().from_(rows)
