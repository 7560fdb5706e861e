"""
Writing one thematic table: the difference of a model's result, or a register's new assignments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

import pipelines
from catalog import shapes
from catalog.catalog import Catalog
from catalog.compile.manifest import files_hash
from catalog.contract import Contract
from catalog.dialect import bare
from catalog.errors import ModelError
from catalog.naming import split_table_name
from jobs.changed import CHANGED, add_changed, add_changes, changed_inputs
from jobs.context import Context
from lake.engine import Merge, Transaction, Workspace
from lake.ledger import Computed
from pipelines.affected import columns_read, keys_touched, within
from pipelines.golden import affected, golden_select
from pipelines.keys import BY_IDENTIFIER, entity_id, unassigned
from pipelines.refresh import difference, hashed, operations, soundness

AFFECTED = "affected"
"""The relation of the keys of rows that changes of the inputs can touch."""


def relation(table: str) -> str:
    """The name of a table's relation in a workspace: one word."""
    return table.replace(".", "__")


def localized(query: exp.Query) -> exp.Query:
    """`query` with `<layer>.<table>` read from the workspace's relations."""
    renamed = query.copy()
    for table in renamed.find_all(exp.Table):
        if table.db:
            name = relation(f"{table.db}.{table.name}")
            local = exp.table_(name, alias=table.name)
            for part in ("alias", "sample"):
                if table.args.get(part):
                    local.set(part, table.args[part])
            table.replace(local)
    return renamed


def definition(catalog: Catalog, contract: Contract) -> list[str]:
    """
    What the table's rows follow from besides its inputs: hashes of our code and of the contracts,
    and the SQL of a model. Generated SQL follows from these, and takes long to write.
    """
    generated = contract.key_register or contract.golden
    made_of = [] if generated is None else [*generated.sources]
    if contract.golden is not None:
        made_of.append(contract.golden.key_register)
    hashes = [catalog.get(dataset).content_hash for dataset in (contract.id, *made_of)]
    return [_code_hash(), *hashes, catalog.model_sql(contract) or ""]


@cache
def _code_hash() -> str:
    return files_hash(Path(pipelines.__path__[0]), ("*.py",))


@dataclass(frozen=True)
class Written:
    """How many rows were upserted and deleted; `is_partial` when not all had to be computed."""

    upserted: int
    deleted: int
    is_partial: bool


class ThematicTable:
    """The table of one contract, computed in a workspace that has its inputs as relations."""

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

    def write(self, inputs: Mapping[str, int], before: Computed | None) -> Written:
        """
        Bring the table up to these versions of its inputs; `before` is from what it was computed
        last, if that is to go on from.
        """
        if self.contract.key_register is not None:
            changed = self._changed(inputs, before)
            return Written(self._assign_keys(changed), 0, is_partial=bool(changed))
        is_partial = before is not None and self._add_affected(inputs, before)
        return Written(*self._merge_difference(is_partial=is_partial), is_partial)

    def _changed(self, inputs: Mapping[str, int], before: Computed | None) -> Collection[str]:
        """The datasets of whose records relation `changed` tells; none where there is none."""
        if before is None:
            return ()
        return add_changed(self.context, self.workspace, self.shape.table, before, inputs)

    def _transaction(self, base: int) -> Transaction:
        """Of all commits that build on this version of the table, or an older one, one stands."""
        return Transaction(f"redcliff/refresh/{self.contract.id}", base + 1)

    # --- models ------------------------------------------------------------------------------

    def _add_affected(self, inputs: Mapping[str, int], before: Computed) -> bool:
        """
        Name relation `affected`: the keys of the rows that changes of the inputs can touch.

        False where that is not known; then all rows are computed.
        """
        contract, catalog = self.contract, self.context.catalog
        if contract.golden is not None:
            if not self._changed(inputs, before):
                return False
            register = catalog.get(contract.golden.key_register)
            keys = affected(contract, register, CHANGED)
        else:
            model = self._model
            touched = keys_touched(contract, model, changed_inputs(before, inputs))
            if touched is None or not self._add_changes_of(model, inputs, before):
                return False
            keys = touched
        self.workspace.add_query(AFFECTED, localized(keys), keep=True)
        return True

    def _add_changes_of(
        self, model: exp.Query, inputs: Mapping[str, int], before: Computed
    ) -> bool:
        def columns(table: str) -> Sequence[str]:
            held = shapes.main_shape(self.context.catalog.get(split_table_name(table)[1]))
            return columns_read(model, held.column_names)

        table = self.shape.table
        return add_changes(self.context, self.workspace, table, before, inputs, columns)

    @cached_property
    def _model(self) -> exp.Query:
        """The query of all rows."""
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

    def _affected_rows(self) -> exp.Query:
        """The query of the rows whose keys relation `affected` holds."""
        if self.contract.golden is not None:
            return golden_select(self.context.catalog, self.contract, AFFECTED)
        return within(self._model, self.contract.key, AFFECTED)

    def _merge_difference(self, *, is_partial: bool) -> tuple[int, int]:
        contract, workspace, tables = self.contract, self.workspace, self.context.tables
        before = tables.version(self.shape.table)
        model = self._affected_rows() if is_partial else self._model
        workspace.add_query("computed", hashed(contract, localized(model)), keep=True)
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
        workspace.add_table("standing", path, before)
        standing: exp.Query = exp.select("*").from_("standing")
        if is_partial:
            standing = within(standing, contract.key, AFFECTED)
        workspace.add_query("existing", standing)
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

    def _assign_keys(self, changed: Collection[str]) -> int:
        """
        Append an assignment for every record whose identifier the register does not know yet: of
        all, or of `changed` datasets those that have changed.
        """
        register = self.contract.key_register
        assert register is not None
        tables = self.context.tables
        path, base = tables.path(self.shape.table), tables.ensure(self.shape)
        self.workspace.add_table(relation(self.shape.table), path, base)
        among = CHANGED if changed else None
        sources = [dataset for dataset in register.sources if not changed or dataset in changed]
        rows = pa.concat_tables([self._assigned(dataset, among) for dataset in sources])
        if rows.num_rows == 0:
            return 0
        self.workspace.add_rows("assigned_rows", rows)
        new = hashed(self.contract, exp.select("*").from_("assigned_rows"))
        self._check_lease()
        self.workspace.append(path, new, self._transaction(base))
        return int(rows.num_rows)

    def _assigned(self, dataset: str, among: str | None) -> pa.Table:
        register = self.contract.key_register
        assert register is not None
        secret = self.context.settings.site_secret
        source = self.context.catalog.get(dataset)
        found = self.workspace.rows(localized(unassigned(self.contract, source, among)))
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
