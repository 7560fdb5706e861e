"""
Writing one thematic table: the difference of a model's result, or a register's new assignments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from catalog import shapes
from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.dialect import bare
from catalog.errors import ModelError
from jobs.changed import CHANGED, add_changed
from jobs.context import Context
from lake.engine import Merge, Transaction, Workspace
from lake.ledger import Computed
from pipelines.golden import affected, golden_select
from pipelines.keys import BY_IDENTIFIER, entity_id, unassigned
from pipelines.refresh import difference, hashed, operations, soundness

AFFECTED = "affected"
"""The relation of persons or entities, one of whose records has changed."""


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


def defining_sql(catalog: Catalog, contract: Contract) -> list[str]:
    """The SQL that the table is computed by, as its file says or as its contract makes it."""
    if contract.key_register is not None:
        sources = [catalog.get(source) for source in contract.key_register.sources]
        return [unassigned(contract, source).sql("trino") for source in sources]
    if contract.golden is not None:
        return [golden_select(catalog, contract).sql("trino")]
    return [catalog.model_sql(contract) or ""]


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
        self._changed: Collection[str] = ()

    def write(self, inputs: Mapping[str, int], before: Computed | None) -> tuple[int, int]:
        """
        Bring the table up to these versions of its inputs; says how many rows it upserted and
        deleted. `before` is from what it was computed last, if that is to go on from.
        """
        contract = self.contract
        if before is not None and (contract.key_register or contract.golden):
            table = self.shape.table
            self._changed = add_changed(self.context, self.workspace, table, before, inputs)
        return self._assign_keys() if contract.key_register else self._merge_difference()

    def _transaction(self, base: int) -> Transaction:
        """Of all commits that build on this version of the table, or an older one, one stands."""
        return Transaction(f"redcliff/refresh/{self.contract.id}", base + 1)

    # --- models ------------------------------------------------------------------------------

    def _model(self) -> exp.Query:
        if self.contract.golden is not None:
            among = AFFECTED if self._changed else None
            return golden_select(self.context.catalog, self.contract, among)
        text = self.context.catalog.model_sql(self.contract)
        if text is None:
            raise ModelError(
                f"{self.contract.id} has neither a golden declaration nor a model; write "
                f"pipelines/thematic/{self.contract.theme}/{self.contract.dataset}.sql"
            )
        parsed = bare(sqlglot.parse_one(text, dialect="trino"))
        assert isinstance(parsed, exp.Query)
        return parsed

    def _merge_difference(self) -> tuple[int, int]:
        contract, workspace, tables = self.contract, self.workspace, self.context.tables
        before = tables.version(self.shape.table)
        if self._changed:
            self._add_affected()
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
        self._add_existing(path, before)
        workspace.add_query("changes", difference(contract, "computed", "existing"), keep=True)
        workspace.release("computed")
        counted = {r["_op"]: r["n"] for r in workspace.rows(operations("changes")).to_pylist()}
        if counted:
            self._check_lease()
            changes = exp.select("*").from_("changes")
            merge = Merge(on=contract.key)
            workspace.merge(path, changes, merge, self._transaction(before))
        return counted.get("upsert", 0), counted.get("delete", 0)

    def _add_affected(self) -> None:
        """Relation `affected` holds the persons or entities whose rows are to be computed."""
        golden = self.contract.golden
        assert golden is not None
        register = self.context.catalog.get(golden.key_register)
        self.workspace.add_query(AFFECTED, localized(affected(register, CHANGED)), keep=True)

    def _add_existing(self, path: str, version: int) -> None:
        """Relation `existing` holds the rows that stand in the place of what is computed."""
        if not self._changed:
            self.workspace.add_table("existing", path, version)
            return
        self.workspace.add_table("standing", path, version)
        key = exp.column(self.contract.key[0], quoted=True)
        is_affected = key.isin(query=exp.select("entity_id").from_(AFFECTED))
        rows = exp.select("*").from_("standing").where(is_affected)
        self.workspace.add_query("existing", rows)

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

    def _assign_keys(self) -> tuple[int, int]:
        """Append an assignment for every record whose identifier the register does not know yet."""
        register = self.contract.key_register
        assert register is not None
        tables = self.context.tables
        path, base = tables.path(self.shape.table), tables.ensure(self.shape)
        self.workspace.add_table(relation(self.shape.table), path, base)
        sources = [d for d in register.sources if d in self._changed or not self._changed]
        assigned = [self._assigned(dataset) for dataset in sources]
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
        among = CHANGED if self._changed else None
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
