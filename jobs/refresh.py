"""
Refreshing the thematic layer: every model whose inputs changed, inputs before readers.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from catalog import shapes
from catalog.contract import Contract
from catalog.dialect import bare
from catalog.errors import ModelError
from catalog.models import model_inputs
from catalog.naming import folder_name, split_table_name
from catalog.vocabulary import Layer
from jobs.context import Context
from lake import failpoints
from lake.engine import Merge, Transaction, Workspace
from lake.leases import Lease
from pipelines.golden import golden_select
from pipelines.keys import BY_IDENTIFIER, entity_id, unassigned
from pipelines.refresh import difference, hashed, operations, soundness

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
        made = _Refresh(context, contract, workspace, lease.check)
        changed = made.assign_keys() if contract.key_register else made.merge_difference()
    written = context.tables.version(made.shape.table)
    failpoints.reach("refreshed")
    lease.check()
    seconds = time.monotonic() - started
    context.ledger.record_refresh(contract.id, due.fingerprint, written or 0, seconds)
    return changed


def relation(table: str) -> str:
    """The name of a table's relation in a workspace: one word."""
    return table.replace(".", "__")


def localized(query: exp.Query) -> exp.Query:
    """`query` with `<layer>.<table>` read from the workspace's relations."""
    renamed = query.copy()
    for table in renamed.find_all(exp.Table):
        if table.db:
            name = relation(f"{table.db}.{table.name}")
            alias = table.alias or table.name
            table.replace(exp.to_table(name).as_(alias))
    return renamed


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


class _Refresh:
    def __init__(
        self,
        context: Context,
        contract: Contract,
        workspace: Workspace,
        check_lease: Callable[[], None],
    ) -> None:
        self.context = context
        self.contract = contract
        self.shape = shapes.thematic_shape(contract)
        self.workspace = workspace
        self._check_lease = check_lease

    def _transaction(self, base: int) -> Transaction:
        """Of all commits that build on this version of the table, or an older one, one stands."""
        return Transaction(f"redcliff/refresh/{self.contract.id}", base + 1)

    # --- models ------------------------------------------------------------------------------

    def _model(self) -> exp.Query:
        if self.contract.golden is not None:
            return golden_select(self.context.catalog, self.contract)
        text = self.context.catalog.model_sql(self.contract)
        if text is None:
            raise ModelError(
                f"{self.contract.id} has neither a golden declaration nor a model; write "
                f"pipelines/thematic/{self.contract.theme}/{self.contract.dataset}.sql"
            )
        parsed = bare(sqlglot.parse_one(text, dialect="trino"))
        assert isinstance(parsed, exp.Query)
        return parsed

    def merge_difference(self) -> tuple[int, int]:
        contract, workspace, tables = self.contract, self.workspace, self.context.tables
        before = tables.version(self.shape.table)
        computed = hashed(contract, localized(self._model()))
        workspace.add_query("computed", computed, keep=True)
        rows = self._check_sound()
        path = tables.path(self.shape.table)
        if before is None or tables.rows(self.shape.table) == 0:
            base = tables.ensure(self.shape)
            if rows:
                self._check_lease()
                names = [exp.column(n, quoted=True) for n in self.shape.column_names]
                new = exp.select(*names).from_("computed")
                workspace.append(path, new, self._transaction(base))
            return rows, 0
        workspace.add_table("existing", path, before)
        workspace.add_query("changes", difference(contract, "computed", "existing"), keep=True)
        workspace.release("computed")
        counted = {r["_op"]: r["n"] for r in workspace.rows(operations("changes")).to_pylist()}
        if counted:
            self._check_lease()
            changes = exp.select("*").from_("changes")
            merge = Merge(on=contract.key)
            workspace.merge(path, changes, merge, self._transaction(before))
        return counted.get("upsert", 0), counted.get("delete", 0)

    def _check_sound(self) -> int:
        """A model whose key repeats, or that leaves a required column empty, writes nothing."""
        found = self.workspace.rows(soundness(self.contract, "computed")).to_pylist()[0]
        problems = [
            f"{n} row(s) have no {name.removeprefix('no_')}"
            for name, n in found.items()
            if name.startswith("no_") and n
        ]
        if found["rows"] != found["keys"]:
            problems.append(
                f"{found['rows']} rows have only {found['keys']} different keys "
                f"({', '.join(self.contract.key)})"
            )
        if problems:
            raise ModelError(
                f"{self.contract.id}: {'; '.join(problems)}; nothing was written, mend "
                f"pipelines/thematic/{self.contract.theme}/{self.contract.dataset}.sql"
            )
        return int(found["rows"])

    # --- key registers -----------------------------------------------------------------------

    def assign_keys(self) -> tuple[int, int]:
        """Append an assignment for every record whose identifier the register does not know yet."""
        register = self.contract.key_register
        assert register is not None
        tables = self.context.tables
        path, base = tables.path(self.shape.table), tables.ensure(self.shape)
        self.workspace.add_table(relation(self.shape.table), path, base)
        assigned = [self._assigned(dataset) for dataset in register.sources]
        rows = pa.concat_tables(assigned)
        if rows.num_rows == 0:
            return 0, 0
        self.workspace.add_rows("assigned_rows", rows)
        new = hashed(self.contract, exp.select("*").from_("assigned_rows"))
        self._check_lease()
        self.workspace.append(path, new, self._transaction(base))
        return rows.num_rows, 0

    def _assigned(self, dataset: str) -> pa.Table:
        register = self.contract.key_register
        assert register is not None
        secret = self.context.settings.site_secret
        source = self.context.catalog.get(dataset)
        found = self.workspace.rows(localized(unassigned(self.contract, source)))
        # Millions of assignments stay in Arrow's columns; only identifiers become Python's.
        new_ids = [
            pa.array(
                [entity_id(secret, register.identity, v) for v in batch["identity"].to_pylist()],
                pa.string(),
            )
            for batch in found.to_batches()
        ]
        count = found.num_rows
        rows = pa.table(
            {
                "source_dataset": pa.repeat(dataset, count),
                "source_key": found["source_key"],
                "ordinal": pc.add(pc.fill_null(found["ordinal"], 0), 1).cast(pa.int32()),
                register.entity: pa.chunked_array(new_ids, pa.string()),
                "delivery_id": found["delivery_id"],
                "reason": pa.repeat(BY_IDENTIFIER, count),
            }
        )
        is_known = pc.fill_null(pc.equal(rows[register.entity], found["entity_id"]), False)
        return rows.filter(pc.invert(is_known)).sort_by([("source_key", "ascending")])
