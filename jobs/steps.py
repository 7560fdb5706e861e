"""
The commits of one delivery, in order: raw, quarantine, history, curated.

Each step is at most one commit to one table and carries the delivery as its transaction, so that
a rerun skips the steps that stand. A step with nothing to say writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from sqlglot import exp

from catalog.errors import LedgerBroken
from catalog.shapes import Shape
from jobs.relations import Relations
from lake.deliveries import Counts
from lake.engine import Append, Merge, Transaction
from pipelines import bad_runs, late, outputs
from pipelines.refresh import operations


class Steps:
    """
    The commits of a delivery that comes after all others of its dataset.

    `resumed` says that the delivery had a plan already, so that some of them may stand.
    """

    def __init__(
        self,
        relations: Relations,
        counts: Counts,
        check_lease: Callable[[], None],
        *,
        resumed: bool,
    ) -> None:
        self.relations = relations
        self.workspace = relations.workspace
        self.contract = relations.contract
        self.stamp = relations.stamp
        self.counts = counts
        self._check_lease = check_lease
        self._resumed = resumed
        self._gathered: list[Append] = []

    def in_order(self) -> dict[str, Callable[[], None]]:
        """The steps by name, in the order in which they must stand."""
        steps = {"raw": self.raw, "quarantine": self.quarantine}
        if self.relations.history is not None:
            steps["history"] = self.history
        return {**steps, "curated": self.curated}

    def take(self) -> Iterator[str]:
        """Take the steps, and say each when it stands."""
        if not self._is_first:
            for name, step in self.in_order().items():
                step()
                yield name
            return
        appends_after: dict[str, int] = {}
        for name, step in self.in_order().items():
            step()
            appends_after[name] = len(self._gathered)
        with closing(self.workspace.append_each(self._gathered)) as commits:
            made = 0
            for name, wanted in appends_after.items():
                if made < wanted:
                    self._check_lease()
                    next(commits)
                    made = wanted
                yield name

    @property
    def _is_first(self) -> bool:
        """
        Whether nothing is there yet, nor can any step stand: then all they do is to append, and
        what they append is gathered, to be computed at once.
        """
        relations = self.relations
        there = [relations.base[s.table] for s in relations.shapes()]
        return not self._resumed and not relations.later and there.count(None) == len(there)

    @property
    def changes_rows(self) -> bool:
        """Whether any current row is replaced, added or taken away."""
        return bool(self.counts.applied or self.counts.deleted)

    @property
    def brings_events(self) -> bool:
        """Whether raw is to hear of anything."""
        counts = self.counts
        return counts.received > counts.unchanged + counts.duplicates or bool(counts.deleted)

    def raw(self) -> None:
        """New, changed and vanished rows as they came."""
        if self.brings_events:
            self._append(self.relations.raw, self._raw_rows())

    def quarantine(self) -> None:
        """Bad rows that are new, that came again, and that are bad no longer."""
        relations = self.relations
        known = "open_bad" if relations.has_quarantine else None
        bad = outputs.bad_rows(self.contract, self.stamp, "classified", known)
        if not relations.has_quarantine:
            if self.counts.quarantined:
                self._append(relations.quarantine, bad)
            return
        closed = outputs.closed_rows(self.contract, self.stamp, "classified", "open_bad")
        merge = Merge(
            on=("_row_hash",),
            updates=("_last_delivery_id", "_closed_by"),
            target="t._closed_by IS NULL",
        )
        self._merge(relations.quarantine, exp.union(bad, closed, distinct=False), merge)

    def history(self) -> None:
        """Intervals that begin and end on the business date."""
        relations = self.relations
        assert relations.history is not None
        if not self.changes_rows:
            return
        opened = outputs.opened_intervals(self.contract, self.stamp, "classified")
        if relations.base[relations.history.table] is None:
            self._append(relations.history, opened)
            return
        self.workspace.add_query("open_intervals", outputs.open_intervals("history"))
        ended = outputs.ended_intervals(
            self.contract, self.stamp, relations.ended_keys(), "open_intervals"
        )
        merge = Merge(
            on=(*self.contract.key, "_valid_from", "_delivery_id", "_row_hash"),
            updates=("_valid_to", "_replaced_by"),
        )
        self._merge(relations.history, exp.union(opened, ended, distinct=False), merge)

    def curated(self) -> None:
        """The rows that become current, and those that no longer are."""
        relations = self.relations
        if not self.changes_rows:
            return
        rows = outputs.curated_rows(self.contract, self.stamp, "classified")
        if not relations.has_curated:
            self._append(relations.curated, rows.where("NOT _delete"))
            return
        if relations.has_vanished:
            gone = outputs.deleted_rows(self.contract, "vanished")
            rows = exp.union(rows, gone, distinct=False)
        self._merge(relations.curated, rows, Merge(on=self.contract.key))

    def _raw_rows(self) -> exp.Query:
        relations = self.relations
        open_bad = "open_bad" if relations.has_quarantine else None
        rows = outputs.raw_rows(self.contract, self.stamp, "classified", open_bad=open_bad)
        if not relations.has_vanished:
            return rows
        gone = outputs.vanished_rows(self.contract, self.stamp, "vanished")
        return exp.union(rows, gone, distinct=False)

    # --- one commit --------------------------------------------------------------------------

    def _stands(self, shape: Shape) -> bool:
        """
        Whether an earlier attempt has done the step: none has where the plan is new.

        It saves the work alone: each commit asks for its transaction once more.
        """
        if not self._resumed:
            return False
        app = self._transaction.app
        return self.relations.context.tables.has_transaction(shape.table, app, 1)

    @property
    def _transaction(self) -> Transaction:
        return Transaction(f"redcliff/{self.stamp.delivery_id}")

    def _append(self, shape: Shape, rows: exp.Query) -> None:
        if self._stands(shape):
            return
        tables = self.relations.context.tables
        tables.ensure(shape)
        path = tables.path(shape.table)
        if self._is_first:
            assert isinstance(rows, exp.Select)
            values = {e.alias_or_name: e for e in rows.selects}
            chosen = rows.select(*[values[n] for n in shape.column_names], append=False)
            self._gathered.append(Append(path, chosen, self._transaction))
            return
        names = [exp.column(n, quoted=True) for n in shape.column_names]
        self._check_lease()
        chosen = exp.select(*names).from_(rows.subquery("rows"))
        self.workspace.append(path, chosen, self._transaction)

    def _merge(self, shape: Shape, rows: exp.Query, merge: Merge) -> None:
        """
        Merge `rows` unless there are none: an empty commit would be a version of nothing.

        Where nothing but new rows comes they are appended, which reads and rewrites no file.
        """
        if self._stands(shape):
            return
        tables = self.relations.context.tables
        name = f"{shape.table.rpartition('__')[2]}_rows"
        self.workspace.add_query(name, rows, keep=True)
        found = {row["_op"] for row in self.workspace.rows(operations(name)).to_pylist()}
        if found == {"insert"}:
            self._append(shape, exp.select("*").from_(name))
        elif found:
            tables.ensure(shape)
            self._check_lease()
            self.workspace.merge(
                tables.path(shape.table), exp.select("*").from_(name), merge, self._transaction
            )


class LateSteps(Steps):
    """The commits of a delivery that belongs before others that have settled (`pipelines.late`)."""

    def raw(self) -> None:
        """The late events, and what its successor left unsaid."""
        rows = self._raw_rows()
        if self.relations.is_snapshot:
            self.workspace.add_query("changed", self.relations.ended_keys())
            silences = late.silences("changed", "events", "spans", self.relations.moment)
            self.workspace.add_query("silences", silences, keep=True)
            said = late.restated(self.contract, "silences", "current", "raw")
            rows = exp.union(rows, said, distinct=False)
        self.workspace.add_query("late_raw", rows, keep=True)
        if self.relations.count("late_raw"):
            self._append(self.relations.raw, exp.select("*").from_("late_raw"))
        self._fold()

    def quarantine(self) -> None:
        """Bad rows as they would stand had the delivery come in time."""
        relations, workspace, contract = self.relations, self.workspace, self.contract
        if self._stands(relations.quarantine):
            return
        if relations.is_snapshot:
            closers = bad_runs.closed_by_next("classified", relations.successor.delivery_id)
            closes = "TRUE"
        else:
            closers = bad_runs.closed_by_good("classified", "events", relations.moment)
            closes = "r._key IN (SELECT _key FROM affected)"
        workspace.add_query("closers", closers, keep=True)
        bad = outputs.bad_rows(contract, self.stamp, "classified")
        workspace.add_query("late_bad", bad, keep=True)
        placed = bad_runs.placed_runs(contract, "quarantine", "closers", self.stamp)
        workspace.add_query("runs", placed, keep=True)
        rows = bad_runs.late_runs(contract, self.stamp, "late_bad", "runs", "closers", closes)
        if relations.is_snapshot:
            workspace.add_query("runs_over", bad_runs.runs_over("late_bad", "runs"), keep=True)
            if relations.count("runs_over"):
                relations.add_successor_bad("successor_bad")
                parts = bad_runs.parted_runs(contract, self.stamp, "runs_over", "successor_bad")
                rows = exp.union(rows, parts, distinct=False)
        self._merge(relations.quarantine, rows, Merge(on=("_row_hash", "_delivery_id")))

    def history(self) -> None:
        """Intervals that the late delivery corrects: marked as replaced, and told anew."""
        relations = self.relations
        assert relations.history is not None
        if relations.base[relations.history.table] is None and relations.has_curated:
            raise LedgerBroken(
                f"{relations.history.table} does not exist, but later deliveries have settled; "
                "restore it from a backup"
            )
        believed = late.believed(self.contract, "history", "affected")
        self.workspace.add_query("believed", believed, keep=True)
        rows = late.corrections(self.contract, self.stamp, "folded", "believed", "classified")
        merge = Merge(
            on=(*self.contract.key, "_valid_from", "_delivery_id", "_row_hash"),
            updates=("_replaced_by",),
            target="t._replaced_by IS NULL",
        )
        self._merge(relations.history, rows, merge)

    def curated(self) -> None:
        """Snapshots: what the fold says is current. Changes are ordered by their sequence."""
        relations = self.relations
        if not relations.is_snapshot:
            super().curated()
            return
        rows = late.current_after(self.contract, "folded", "affected", "curated", "classified")
        self._merge(relations.curated, rows, Merge(on=self.contract.key))

    def _fold(self) -> None:
        """Fold the events of every key that the delivery touches, its own events included."""
        relations, workspace = self.relations, self.workspace
        workspace.add_query("bad_now", late.bad_now("classified", relations.moment))
        own = late.good_events(self.contract, "late_raw", "bad_now")
        events = exp.union(exp.select("*").from_("events"), own, distinct=False)
        workspace.add_query("events_after", events)
        vanished = "vanished" if relations.has_vanished else None
        workspace.add_query("affected", outputs.accepted_keys("classified", vanished))
        workspace.add_query("folded", late.intervals("events_after", "affected"), keep=True)
