"""
Refreshing the thematic layer: every model whose inputs changed, inputs before readers.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from catalog import shapes
from catalog.contract import Contract
from catalog.models import model_inputs
from catalog.naming import folder_name, split_table_name
from catalog.vocabulary import Layer
from jobs.context import Context
from jobs.thematic import ThematicTable, Written, definition, relation
from lake import failpoints
from lake.leases import Lease
from lake.ledger import Computed

SMALL_ROWS = 100_000
"""Inputs of up to so many rows are worth no preparation of the engine."""


@dataclass(frozen=True)
class Refreshed:
    """
    What a refresh did to a thematic table; all zero when its inputs had not changed.

    `read` has the versions it was computed from, and is empty then; `version` is its own.
    `is_partial`: what had changed in its inputs told which rows to compute.
    """

    dataset: str
    upserted: int
    deleted: int
    seconds: float
    read: Mapping[str, int] = field(default_factory=dict)
    version: int | None = None
    is_partial: bool = False


@dataclass(frozen=True)
class _Due:
    """
    What a table is to be computed from: the digest of its definition, the versions of its inputs.

    `before` is what it was computed from last, if what has changed since tells what to compute.
    """

    definition: str
    inputs: Mapping[str, int]
    before: Computed | None


def refresh(context: Context, contract: Contract, run_date: date) -> Refreshed:
    """
    Bring one thematic table up to its inputs as they stand now.

    The result is computed and its difference merged by key, so that the table's change feed carries
    real changes only. Where it is known which rows the changes of the inputs can touch, these alone
    are computed, else all (ADR 0017). Nothing is done when neither inputs nor model have changed.
    """
    started = time.monotonic()
    written = Written(0, 0, is_partial=False)
    read: Mapping[str, int] = {}
    version = None
    if _due(context, contract):
        table = shapes.thematic_shape(contract).table
        # Inputs are looked at again under the lease: another process may have gone further.
        with context.leases.hold(table) as lease:
            if due := _due(context, contract):
                written = _write(context, contract, due, run_date, lease, started)
                read, version = due.inputs, context.tables.version(table)
    return Refreshed(
        contract.id,
        written.upserted,
        written.deleted,
        time.monotonic() - started,
        read,
        version,
        written.is_partial,
    )


def _due(context: Context, contract: Contract) -> _Due | None:
    """What the table is to be computed from; None when it was, from just this."""
    inputs = _input_versions(context, contract)
    # A table that was made anew has versions of its own, which say nothing of the old one's.
    identities = [context.tables.identity(table) for table in inputs]
    follows_from = [definition(context.catalog, contract), identities]
    digest = hashlib.sha256(json.dumps(follows_from).encode()).hexdigest()
    before = context.ledger.refreshed(contract.id)
    if before is None or before.definition != digest or before.inputs.keys() != inputs.keys():
        return _Due(digest, inputs, None)
    if before.inputs == inputs:
        return None
    # Who restores a table from a backup sets its versions back, or its own: all is computed then.
    is_later = all(inputs[table] >= version for table, version in before.inputs.items())
    own = context.tables.version(shapes.thematic_shape(contract).table)
    return _Due(digest, inputs, before if is_later and own == before.version else None)


def _write(
    context: Context, contract: Contract, due: _Due, run_date: date, lease: Lease, started: float
) -> Written:
    inputs = due.inputs
    rows = sum(context.tables.rows(table, version) for table, version in inputs.items())
    with context.engine.workspace(run_date, small=rows <= SMALL_ROWS) as workspace:
        for table, version in inputs.items():
            workspace.add_table(relation(table), context.tables.path(table), version)
        made = ThematicTable(context, contract, workspace, lease.check)
        written = made.write(inputs, due.before)
    version = context.tables.version(made.shape.table) or 0
    failpoints.reach("refreshed")
    lease.check()
    seconds = time.monotonic() - started
    computed = Computed(due.definition, inputs, version)
    context.ledger.record_refresh(contract.id, computed, seconds)
    return written


def _input_versions(context: Context, contract: Contract) -> dict[str, int]:
    """The version of every input; an input that nobody has delivered yet is an empty table."""
    versions: dict[str, int] = {}
    for table in sorted(model_inputs(context.catalog, contract)):
        layer, dataset = split_table_name(table)
        version = context.tables.version(table)
        if version is None:
            # Whoever delivers it, or reads it as well, may make it at the same time.
            with context.leases.hold(folder_name(dataset) if layer is Layer.CURATED else table):
                version = context.tables.ensure(shapes.main_shape(context.catalog.get(dataset)))
        versions[table] = version
    return versions
