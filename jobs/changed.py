"""
What has changed since a thematic table was computed, as the change feeds of its inputs tell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce

from sqlglot import exp

from catalog.contract import Contract
from catalog.naming import folder_name, split_table_name
from jobs.context import Context
from lake.engine import Workspace
from lake.ledger import Computed
from pipelines.keys import RECORD, record_keys

CHANGED = "changed"
"""The relation of the `source_dataset` and `source_key` of records."""

FEW = 1000
"""So many changed rows are always few; else a quarter of the rows of the table that they change."""

MANY = 1_000_000
"""More changed rows than these are too many for one process to hold, however large the table."""


def changed_inputs(before: Computed, inputs: Mapping[str, int]) -> dict[str, str]:
    """The inputs that have another version than they had, and relations for their changes."""
    return {
        name: f"changes_of_{folder_name(split_table_name(name)[1])}"
        for name, version in inputs.items()
        if before.inputs[name] != version
    }


def add_changes(
    context: Context,
    workspace: Workspace,
    table: str,
    before: Computed,
    inputs: Mapping[str, int],
    columns: Callable[[str], Sequence[str]],
) -> bool:
    """
    Name the relations of `changed_inputs`: these `columns` of the rows that their feeds tell of
    since `before`, from which `table` was computed.

    False where a feed does not reach back so far, or they tell of so many that to compute
    everything again is less work.
    """
    left = min(MANY, max(FEW, context.tables.rows(table) // 4))
    for name, relation in changed_inputs(before, inputs).items():
        since, until = before.inputs[name], inputs[name]
        rows = context.tables.changes(name, columns(name), since, until, left)
        if rows is None:
            return False
        left -= rows.num_rows
        workspace.add_rows(relation, rows)
    return True


def add_changed(
    context: Context,
    workspace: Workspace,
    table: str,
    before: Computed,
    inputs: Mapping[str, int],
) -> Collection[str]:
    """
    Name relation `changed`: the records that feeds of datasets and of their register tell of. Says
    which of these have changed; empty, and without such a relation, where `add_changes` is False.
    """
    relations = changed_inputs(before, inputs)
    sources = {name: context.catalog.get(split_table_name(name)[1]) for name in relations}

    def columns(name: str) -> Sequence[str]:
        source = sources[name]
        return source.key if source.key_register is None else RECORD

    if not add_changes(context, workspace, table, before, inputs, columns):
        return ()
    told = (_records(source, relations[name]) for name, source in sources.items())
    every = reduce(lambda one, other: exp.union(one, other, distinct=True), told)
    workspace.add_query(CHANGED, every, keep=True)
    return [source.id for source in sources.values()]


def _records(source: Contract, rows: str) -> exp.Query:
    if source.key_register is None:
        return record_keys(source, rows)
    return exp.select(*RECORD).distinct().from_(rows)
