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
from jobs.thematic import ThematicTable, relation
from lake import failpoints
from lake.leases import Lease

SMALL_ROWS = 100_000
"""Inputs of up to so many rows are worth no preparation of the engine."""


@dataclass(frozen=True)
class Refreshed:
    """
    What a refresh did to a thematic table; all zero when its inputs had not changed.

    `read` has the versions it was computed from, and is empty then; `version` is its own.
    """

    dataset: str
    upserted: int
    deleted: int
    seconds: float
    read: Mapping[str, int] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True)
class _Due:
    """The versions of a model's inputs, and the name of all that its result follows from."""

    inputs: Mapping[str, int]
    fingerprint: str


def refresh(context: Context, contract: Contract, run_date: date) -> Refreshed:
    """
    Bring one thematic table up to its inputs as they stand now.

    The whole result is computed and its difference merged by key, so that the table's change feed
    carries real changes only. Nothing is done when neither inputs nor model have changed.
    """
    started = time.monotonic()
    upserted = deleted = 0
    read: Mapping[str, int] = {}
    version = None
    if _due(context, contract):
        table = shapes.thematic_shape(contract).table
        # Inputs are looked at again under the lease: another process may have gone further.
        with context.leases.hold(table) as lease:
            if due := _due(context, contract):
                upserted, deleted = _write(context, contract, due, run_date, lease, started)
                read, version = due.inputs, context.tables.version(table)
    seconds = time.monotonic() - started
    return Refreshed(contract.id, upserted, deleted, seconds, read, version)


def _due(context: Context, contract: Contract) -> _Due | None:
    """What the model is to be computed from; None when it was, from just this."""
    inputs = _input_versions(context, contract)
    due = _Due(inputs, _fingerprint(context, contract, inputs))
    return None if context.ledger.refreshed(contract.id) == due.fingerprint else due


def _write(
    context: Context, contract: Contract, due: _Due, run_date: date, lease: Lease, started: float
) -> tuple[int, int]:
    inputs = due.inputs
    rows = sum(context.tables.rows(table, version) for table, version in inputs.items())
    with context.engine.workspace(run_date, small=rows <= SMALL_ROWS) as workspace:
        for table, version in inputs.items():
            workspace.add_table(relation(table), context.tables.path(table), version)
        made = ThematicTable(context, contract, workspace, lease.check)
        changed = made.write()
    written = context.tables.version(made.shape.table)
    failpoints.reach("refreshed")
    lease.check()
    seconds = time.monotonic() - started
    context.ledger.record_refresh(contract.id, due.fingerprint, written or 0, seconds)
    return changed


def _input_versions(context: Context, contract: Contract) -> dict[str, int]:
    """The version of every input; an input that nobody has delivered yet is an empty table."""
    versions: dict[str, int] = {}
    for table in sorted(model_inputs(context.catalog, contract)):
        layer, dataset = split_table_name(table)
        source = context.catalog.get(dataset)
        shape = (
            shapes.curated_shape(source)
            if layer is Layer.CURATED
            else shapes.thematic_shape(source)
        )
        version = context.tables.version(table)
        if version is None:
            # Whoever delivers it, or reads it as well, may make it at the same time.
            with context.leases.hold(folder_name(dataset) if layer is Layer.CURATED else table):
                version = context.tables.ensure(shape)
        versions[table] = version
    return versions


def _fingerprint(context: Context, contract: Contract, inputs: Mapping[str, int]) -> str:
    parts = [dict(inputs), contract.content_hash, context.catalog.model_sql(contract)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
