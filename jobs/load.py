"""
Loading one delivery: judge it, plan it, then commit raw, quarantine, history, curated, receipt.

Delta has no transaction over several tables. So a plan with the base version of every table is
kept before the first commit, every commit carries the delivery as a Delta transaction, and all
queries read their tables at the plan's versions: a rerun after a crash at any point computes the
same rows again and skips the steps that stand.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from catalog import shapes
from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import DeliveryRefused, LedgerBroken, RedcliffError
from catalog.naming import folder_name, table_name
from catalog.vocabulary import Drift, Layer, Mode
from lake import failpoints
from lake.deliveries import Counts, Delivery, DeliveryStatus, Plan, receipt
from lake.engine import Engine, LandedFile, Merge, Transaction, Workspace
from lake.landing import Landing
from lake.leases import Leases
from lake.ledger import Ledger
from lake.readers import Reading
from lake.settings import Settings
from lake.tables import Tables
from pipelines import gates, late, outputs
from pipelines.difference import (
    Base,
    Moment,
    Outcome,
    classify,
    current_rows,
    open_quarantine,
    received_hashes,
    tally,
    tombstones,
    vanished,
)
from pipelines.rules import INLINE_CODES, Codes, judge, row_rules
from pipelines.standardize import standardize

HOLD_AT_LEAST = 100
"""Fewer vanished keys than this never hold a snapshot."""

QUARANTINE_MERGE = Merge(
    on=("_row_hash",), updates=("_last_delivery_id", "_closed_by"), target="t._closed_by IS NULL"
)


@dataclass(frozen=True)
class Context:
    """What a run works with; made once, passed down."""

    settings: Settings
    catalog: Catalog
    engine: Engine
    tables: Tables
    ledger: Ledger
    landing: Landing
    leases: Leases


@dataclass(frozen=True)
class Loaded:
    """What became of a delivery in this run."""

    delivery: Delivery
    status: DeliveryStatus
    reason: str | None
    counts: Counts | None
    seconds: float


@dataclass(frozen=True)
class _Judged:
    """What judging found before anything is written."""

    counts: Counts
    base_rows: int
    vanished: int


def load(context: Context, delivery: Delivery) -> Loaded:
    """
    Load a landed delivery, or say why not: settled, held or refused, and recorded as such.

    `LeaseLost` when another process writes the dataset; nothing is lost, a later run loads it.
    """
    started = time.monotonic()
    contract = context.catalog.get(delivery.dataset)
    with (
        context.leases.hold(folder_name(contract.id)) as lease,
        context.engine.workspace(delivery.business_date) as workspace,
    ):
        step = _Load(context, contract, delivery, workspace, lease.check)
        try:
            status, reason, counts = step.run(started)
        except DeliveryRefused as refusal:
            context.ledger.refuse(delivery.delivery_id, str(refusal))
            status, reason, counts = DeliveryStatus.REFUSED, str(refusal), None
    return Loaded(delivery, status, reason, counts, time.monotonic() - started)


class _Load:
    def __init__(
        self,
        context: Context,
        contract: Contract,
        delivery: Delivery,
        workspace: Workspace,
        check_lease: Callable[[], None],
    ) -> None:
        assert contract.source is not None
        self.context = context
        self.contract = contract
        self.source = contract.source
        self.delivery = delivery
        self.workspace = workspace
        self.check_lease = check_lease
        self.raw = shapes.raw_shape(contract)
        self.curated = shapes.curated_shape(contract)
        self.quarantine = shapes.quarantine_shape(contract)
        self.history = shapes.history_shape(contract) if contract.history else None
        self.moment = Moment(delivery.business_date, delivery.revision)
        self.stamp = outputs.Stamp(
            delivery.delivery_id, delivery.business_date, delivery.received_at, contract.version
        )
        settled = context.ledger.settled(contract.id)
        self.later = [d for d in settled if d.order > delivery.order]
        self.base: Mapping[str, int | None] = {}
        self.counts = Counts(0, 0, 0, 0, 0, 0, 0, 0)

    # --- the order of things -----------------------------------------------------------------

    def run(self, started: float) -> tuple[DeliveryStatus, str | None, Counts | None]:
        ledger = self.context.ledger
        delivery_id = self.delivery.delivery_id
        plan = ledger.plan(delivery_id)
        self.base = plan.base_versions if plan else self._versions()
        self._prepare()
        judged = self._judge()
        failpoints.reach("judged")
        if plan is None:
            if reason := self._reason_to_hold(judged):
                ledger.hold(delivery_id, reason, judged.counts)
                return DeliveryStatus.HELD, reason, judged.counts
            plan = Plan(
                delivery_id,
                self.contract.content_hash,
                self.base,
                judged.counts,
                False,
                tuple(self._steps()),
            )
            self.check_lease()
            ledger.save_plan(plan)
        elif plan.counts != judged.counts:
            raise LedgerBroken(
                f"{self.contract.id}: delivery {delivery_id} was planned with {plan.counts}, but "
                f"now counts {judged.counts}; its landed bytes, contract or base tables have changed"
            )
        self.counts = plan.counts
        failpoints.reach("planned")
        for name, write in self._steps().items():
            write()
            failpoints.reach(name)
        versions = self._written_versions()
        self.context.landing.write_receipt(delivery_id, receipt(self.delivery, plan, versions))
        failpoints.reach("receipt")
        ledger.settle(delivery_id, plan.counts, versions, time.monotonic() - started)
        return DeliveryStatus.SETTLED, None, plan.counts

    def _steps(self) -> dict[str, Callable[[], None]]:
        steps = {"raw": self._write_raw, "quarantine": self._write_quarantine}
        if self.history is not None:
            steps["history"] = self._write_history
        return {**steps, "curated": self._write_curated}

    # --- judging -----------------------------------------------------------------------------

    def _versions(self) -> dict[str, int | None]:
        names = [self.raw.table, self.curated.table, self.quarantine.table]
        if self.history is not None:
            names.append(self.history.table)
        names += [table_name(d, Layer.CURATED) for d in self._read_datasets()]
        return {name: self.context.tables.version(name) for name in names}

    def _read_datasets(self) -> list[str]:
        """The code tables and referenced datasets that rules look things up in."""
        named = {c.code_table for c in self.contract.columns if c.code_table}
        named |= {r.dataset for c in self.contract.columns for r in c.references}
        return sorted(named - {self.contract.id})

    def _add(self, name: str, table: str) -> str | None:
        """Relation `name` over `table` at the plan's version; None when there was no table."""
        version = self.base[table]
        if version is None:
            return None
        self.workspace.add_table(name, self.context.tables.path(table), version)
        return name

    def _known(self) -> pa.Table:
        """The moment of every delivery of the dataset, this one included."""
        known = {d.delivery_id: d for d in self.context.ledger.settled(self.contract.id)}
        known[self.delivery.delivery_id] = self.delivery
        return pa.table(
            {
                "_delivery_id": list(known),
                "_business_date": pa.array([d.business_date for d in known.values()], pa.date32()),
                "_revision": pa.array([d.revision for d in known.values()], pa.int32()),
            }
        )

    def _codes(self) -> dict[str, Codes]:
        codes: dict[str, Codes] = {}
        for c in self.contract.columns:
            targets = [(c.name, c.code_table, None)] if c.code_table else []
            targets += [(f"{c.name}->{r.dataset}", r.dataset, r.column) for r in c.references]
            for name, dataset, target in targets:
                codes[name] = self._values(name, str(dataset), target)
        return codes

    def _values(self, name: str, dataset: str, target: str | None) -> Codes:
        """The values of a code table's key, or of a referenced column."""
        table = table_name(dataset, Layer.CURATED)
        version = self.base.get(table)
        if version is None:
            raise RedcliffError(
                f"{self.contract.id}: {name} is looked up in {table}, which does not exist yet; "
                f"deliver {dataset} first"
            )
        column = target or self.context.catalog.get(dataset).key[0]
        values = self.context.tables.values(table, column, version)
        if len(values) <= INLINE_CODES:
            return Codes(listed=tuple(sorted(values.to_pylist())))
        relation = f"codes_{len(values)}_{abs(hash((table, column, version)))}"
        self.workspace.add_rows(relation, pa.table({"_value": values}))
        return Codes(relation=relation)

    def _prepare(self) -> None:
        """Name every relation that the steps read, each at the plan's version."""
        workspace, contract = self.workspace, self.contract
        landing = self.context.landing
        files = [LandedFile(str(landing.path(f.sha256)), f.name) for f in self.delivery.files]
        workspace.read_files("delivered", Reading.of(contract), files)
        workspace.add_rows("known", self._known())
        self.has_curated = self._add("curated", self.curated.table) is not None
        self.has_open = self._add("quarantine", self.quarantine.table) is not None
        if self.has_open:
            workspace.add_query("open_bad", open_quarantine("quarantine"), keep=True)
        has_raw = self._add("raw", self.raw.table) is not None
        if self.later and has_raw:
            spans = "spans" if self.has_open else None
            if spans:
                workspace.add_query("spans", late.bad_spans("quarantine"))
            workspace.add_query("events", late.good_events(contract, "raw", spans), keep=True)
        base = Base()
        if self.has_curated:
            current = current_rows(contract, "curated")
            if self._is_late_snapshot:
                current = late.state_before(contract, "events", self.moment)
            workspace.add_query("current", current)
            base = Base(current="current")
        if self.source.mode is not Mode.SNAPSHOT and has_raw:
            open_bad = "open_bad" if self.has_open else None
            workspace.add_query("received", received_hashes("raw", open_bad))
            base = Base(base.current, "received")
            if self.source.mode is Mode.CHANGES:
                workspace.add_query("tombstones", tombstones(contract, "raw"))
                base = Base(base.current, "received", "tombstones")
        codes = self._codes()
        received_at = self.delivery.received_at.replace(tzinfo=None)
        rules = row_rules(contract, codes, received_at)
        judged = judge(contract, standardize(contract, "delivered"), rules, codes)
        workspace.add_query("classified", classify(contract, judged, self.moment, base), keep=True)

    def _judge(self) -> _Judged:
        outcomes: Counter[str] = Counter()
        broken: Counter[str] = Counter()
        warned: Counter[str] = Counter()
        deletes = 0
        for row in self.workspace.rows(tally("classified")).to_pylist():
            if row["_outcome"] is None:
                raise self._refusal()
            outcomes[row["_outcome"]] += row["n"]
            deletes += row["n"] if row["_delete"] and row["_outcome"] == Outcome.APPLIED else 0
            for rule in row["_broken_rules"]:
                broken[rule] += row["n"]
            if row["_outcome"] != Outcome.QUARANTINED:
                for rule in row["_warned_rules"]:
                    warned[rule] += row["n"]
        received = sum(outcomes.values())
        self._check_received(received, broken)
        gone = base_rows = 0
        if self.has_curated and self.source.mode is Mode.SNAPSHOT:
            self.workspace.add_query(
                "vanished", vanished(self.contract, "classified", "current"), keep=True
            )
            gone = self._count("vanished")
            base_rows = self._count("current")
        accepted = [outcomes[o] for o in (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.SUPERSEDED)]
        counts = Counts(
            received=received,
            accepted=sum(accepted),
            quarantined=outcomes[Outcome.QUARANTINED],
            duplicates=outcomes[Outcome.DUPLICATE],
            deleted=gone + deletes,
            applied=accepted[0],
            unchanged=accepted[1],
            superseded=accepted[2],
            warned=dict(sorted(warned.items())),
            broken=dict(sorted(broken.items())),
        )
        return _Judged(counts, base_rows, gone)

    def _count(self, relation: str) -> int:
        rows = self.workspace.rows(exp.select("count(*) AS n").from_(relation))
        return int(rows["n"][0].as_py())

    def _refusal(self) -> DeliveryRefused:
        """What the reader said of the file that must be refused."""
        found = exp.select("_record").from_("classified").where("_fault = 'refused'").limit(1)
        told = json.loads(self.workspace.rows(found)["_record"][0].as_py())
        return DeliveryRefused(**told)

    def _check_received(self, received: int, broken: Mapping[str, int]) -> None:
        told = [f.rows for f in self.delivery.files]
        if None not in told and sum(n for n in told if n is not None) != received:
            raise DeliveryRefused(
                f"the manifest tells of {sum(n for n in told if n is not None)} rows, "
                f"but {received} were read",
                file=", ".join(f.name for f in self.delivery.files),
                remedy="send the complete files with a manifest that counts their records",
            )
        untyped = [r for r in broken if r.endswith("_type")]
        if untyped and self.source.drift.untypable_value is Drift.REFUSE:
            raise DeliveryRefused(
                f"{broken[untyped[0]]} row(s) break {untyped[0]}",
                column=untyped[0].removesuffix("_type"),
                remedy="this dataset takes no value that its contract cannot type; mend and send again",
            )

    # --- holding -----------------------------------------------------------------------------

    def _reason_to_hold(self, judged: _Judged) -> str | None:
        if self.context.ledger.entry(self.delivery.delivery_id).released:
            return None
        share = judged.vanished / judged.base_rows if judged.base_rows else 0.0
        if judged.vanished >= HOLD_AT_LEAST and share > self.source.max_vanished:
            return (
                f"{judged.vanished} of {judged.base_rows} keys vanish ({share:.1%}, "
                f"allowed {self.source.max_vanished:.1%}); if this is right, run "
                f"`redcliff release {self.delivery.delivery_id}`"
            )
        return self._failed_gate()

    def _failed_gate(self) -> str | None:
        """A table rule with `block: load`, judged on the table as it would stand."""
        rules = gates.load_blocking(self.contract)
        if not rules:
            return None
        after = gates.table_after(
            self.contract,
            "classified",
            "curated" if self.has_curated else None,
            self._ended_keys(),
        )
        self.workspace.add_query("table_after", after)
        for rule in rules:
            row = self.workspace.rows(
                gates.measure(self.contract, rule, "table_after")
            ).to_pylist()[0]
            if not gates.holds(rule, row["measured"], row["total"]):
                return (
                    f"rule {rule.name} ({rule.description}) blocks the load: measured "
                    f"{row['measured']}, wanted {rule.operator} {rule.operand}"
                )
        return None

    def _ended_keys(self) -> exp.Query:
        return outputs.changed_keys("classified", "vanished" if self._has_vanished else None)

    @property
    def _is_late_snapshot(self) -> bool:
        return bool(self.later) and self.source.mode is Mode.SNAPSHOT

    @property
    def _has_vanished(self) -> bool:
        return self.has_curated and self.source.mode is Mode.SNAPSHOT

    # --- writing -----------------------------------------------------------------------------

    def _transaction(self) -> Transaction:
        return Transaction(f"redcliff/{self.delivery.delivery_id}")

    def _write(self, shape: shapes.Shape, query: exp.Query, merge: Merge | None) -> None:
        """One commit, unless it stands already; a table's first rows are appended."""
        transaction, tables = self._transaction(), self.context.tables
        if tables.has_transaction(shape.table, transaction.app, transaction.version):
            return
        tables.ensure(shape)
        self.check_lease()
        path = tables.path(shape.table)
        if merge is None:
            self.workspace.append(path, query, transaction)
        else:
            self.workspace.merge(path, query, merge, transaction)

    def _write_raw(self) -> None:
        counts = self.counts
        if counts.received == counts.unchanged + counts.duplicates and not counts.deleted:
            return
        open_bad = "open_bad" if self.has_open else None
        rows = outputs.raw_rows(self.contract, self.stamp, "classified", open_bad=open_bad)
        if self._has_vanished and counts.deleted:
            gone = outputs.vanished_rows(self.contract, self.stamp, "vanished")
            rows = exp.union(rows, gone, distinct=False)
        if self._is_late_snapshot:
            self.workspace.add_query("changed", self._ended_keys())
            rows = exp.union(
                rows,
                late.restated(
                    self.contract, self._successor(), "changed", "current", "raw", "events"
                ),
                distinct=False,
            )
        self.workspace.add_query("raw_rows", rows, keep=bool(self.later))
        self._write(self.raw, exp.select("*").from_("raw_rows"), None)

    def _successor(self) -> outputs.Stamp:
        """The next delivery that has settled already."""
        d = min(self.later, key=lambda later: later.order)
        return outputs.Stamp(d.delivery_id, d.business_date, d.received_at, self.contract.version)

    def _write_quarantine(self) -> None:
        counts = self.counts
        if self.later:
            self._write_late_quarantine()
            return
        bad = outputs.bad_rows(self.contract, self.stamp, "classified")
        if not self.has_open:
            if counts.quarantined:
                self._write(self.quarantine, _without_op(bad, self.quarantine), None)
            return
        closed = outputs.closed_rows(self.contract, self.stamp, "classified", "open_bad")
        rows = exp.union(bad, closed, distinct=False)
        self.workspace.add_query("quarantine_rows", rows, keep=True)
        if self._count("quarantine_rows"):
            self._write(self.quarantine, exp.select("*").from_("quarantine_rows"), QUARANTINE_MERGE)

    def _write_late_quarantine(self) -> None:
        if not self.counts.quarantined:
            return
        if self.source.mode is Mode.SNAPSHOT:
            closers = late.closed_by_successor("classified", self._successor().delivery_id)
        else:
            closers = late.closed_by_next("classified", "events", self.moment)
        known = "quarantine" if self.has_open else None
        rows = late.late_bad_rows(self.contract, self.stamp, closers, known)
        self.workspace.add_query("quarantine_rows", rows, keep=True)
        merge = Merge(
            on=("_row_hash",), updates=("_delivery_id", "_last_delivery_id", "_closed_by")
        )
        self._write(self.quarantine, exp.select("*").from_("quarantine_rows"), merge)

    def _fold(self) -> None:
        """Fold the events of every key that a late delivery touches, its own events included."""
        raw = exp.union(
            exp.select("*").from_("raw"), exp.select("*").from_("raw_rows"), distinct=False
        )
        self.workspace.add_query("raw_after", raw)
        spans = late.bad_now("classified", self.moment)
        if self.has_open:
            spans = exp.union(spans, late.bad_spans("quarantine"), distinct=True)
        self.workspace.add_query("spans_after", spans)
        self.workspace.add_query(
            "events_after", late.good_events(self.contract, "raw_after", "spans_after")
        )
        affected = outputs.accepted_keys("classified", "vanished" if self._has_vanished else None)
        self.workspace.add_query("affected", affected)
        self.workspace.add_query("folded", late.intervals("events_after", "affected"), keep=True)

    def _write_late_history(self) -> None:
        assert self.history is not None
        self._fold()
        if self._add("history", self.history.table) is None:
            raise LedgerBroken(
                f"{self.history.table} does not exist, but later deliveries have settled; "
                "restore it from a backup"
            )
        self.workspace.add_query(
            "believed", late.believed(self.contract, "history", "affected"), keep=True
        )
        rows = late.corrections(self.contract, self.stamp, "folded", "believed", "classified")
        self.workspace.add_query("history_rows", rows, keep=True)
        if self._count("history_rows"):
            merge = Merge(
                on=(*self.contract.key, "_valid_from", "_delivery_id", "_row_hash"),
                updates=("_replaced_by",),
                target="t._replaced_by IS NULL",
            )
            self._write(self.history, exp.select("*").from_("history_rows"), merge)

    def _write_late_curated(self) -> None:
        if self.history is None:
            self._fold()
        rows = late.current_after(self.contract, "folded", "curated", "classified")
        self.workspace.add_query("curated_rows", rows, keep=True)
        if self._count("curated_rows"):
            merge = Merge(on=self.contract.key)
            self._write(self.curated, exp.select("*").from_("curated_rows"), merge)

    def _write_history(self) -> None:
        assert self.history is not None
        counts = self.counts
        if self.later:
            self._write_late_history()
            return
        if not counts.applied and not counts.deleted:
            return
        opened = outputs.opened_intervals(self.contract, self.stamp, "classified")
        if self._add("history", self.history.table) is None:
            self._write(self.history, _without_op(opened, self.history), None)
            return
        self.workspace.add_query("open_intervals", outputs.open_intervals(self.contract, "history"))
        ended = outputs.ended_intervals(
            self.contract, self.stamp, self._ended_keys(), "open_intervals"
        )
        self.workspace.add_query(
            "history_rows", exp.union(opened, ended, distinct=False), keep=True
        )
        merge = Merge(
            on=(*self.contract.key, "_valid_from", "_delivery_id", "_row_hash"),
            updates=("_valid_to", "_replaced_by"),
        )
        self._write(self.history, exp.select("*").from_("history_rows"), merge)

    def _write_curated(self) -> None:
        counts = self.counts
        if self._is_late_snapshot:
            self._write_late_curated()
            return
        if not counts.applied and not counts.deleted:
            return
        rows = outputs.curated_rows(self.contract, self.stamp, "classified")
        if not self.has_curated:
            kept = rows.where("NOT _delete")
            self._write(self.curated, _without_op(kept, self.curated), None)
            return
        if self._has_vanished and counts.deleted:
            gone = outputs.deleted_rows(self.contract, "vanished")
            rows = exp.union(rows, gone, distinct=False)
        self.workspace.add_query("curated_rows", rows, keep=True)
        self._write(
            self.curated, exp.select("*").from_("curated_rows"), Merge(on=self.contract.key)
        )

    def _written_versions(self) -> dict[str, int]:
        shapes_ = [
            self.raw,
            self.quarantine,
            self.curated,
            *([self.history] if self.history else []),
        ]
        found = {s.table: self.context.tables.version(s.table) for s in shapes_}
        return {table: version for table, version in found.items() if version is not None}


def _without_op(query: exp.Query, shape: shapes.Shape) -> exp.Query:
    return exp.select(*[exp.column(n, quoted=True) for n in shape.column_names]).from_(
        query.subquery("rows")
    )
