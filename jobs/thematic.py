"""
Writing one thematic table: the difference of a model's result, or a register's new assignments.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from catalog import shapes
from catalog.contract import Contract
from catalog.dialect import bare
from catalog.errors import ModelError
from jobs.context import Context
from lake.engine import Merge, Transaction, Workspace
from pipelines.golden import golden_select
from pipelines.keys import BY_IDENTIFIER, entity_id, unassigned
from pipelines.refresh import difference, hashed, operations, soundness


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

    def write(self) -> tuple[int, int]:
        """Bring the table up to its inputs; says how many rows it upserted and deleted."""
        return self._assign_keys() if self.contract.key_register else self._merge_difference()

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

    def _merge_difference(self) -> tuple[int, int]:
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

    def _assign_keys(self) -> tuple[int, int]:
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
