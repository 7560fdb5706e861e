"""
The relations of one delivery: its files, the tables it meets at the plan's versions, its outcomes.

Everything a delivery computes reads these relations, and these read tables only at the versions
of the plan; that is why a rerun after a crash computes the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa
from sqlglot import exp

from catalog import shapes
from catalog.contract import Contract
from catalog.errors import RedcliffError
from catalog.naming import table_name
from catalog.vocabulary import Layer, Mode
from jobs.context import Context
from lake.deliveries import Delivery
from lake.engine import LandedFile, Workspace
from lake.readers import Reading
from lake.tables import no_rows
from pipelines import late
from pipelines.difference import (
    Base,
    Moment,
    classified,
    contested,
    contested_rows,
    current_rows,
    open_quarantine,
    outcomes,
    placed,
    received_hashes,
    recognised,
    tally,
    tally_recognised,
    tombstones,
    unrecognised,
    vanished,
)
from pipelines.outputs import Stamp, bad_rows, changed_keys
from pipelines.rules import INLINE_CODES, Codes, judge, row_rules
from pipelines.standardize import standardize

SMALL_BYTES = 8 * 1024 * 1024
"""A delivery up to this size is worth no preparation of the engine."""


def open_workspace(context: Context, delivery: Delivery) -> AbstractContextManager[Workspace]:
    """The workspace in which a delivery is judged."""
    small = sum(f.bytes for f in delivery.files) <= SMALL_BYTES
    return context.engine.workspace(delivery.business_date, small=small)


class Relations:
    """
    Names the relations of one delivery in its workspace.

    `base` is the version of every table the delivery meets, None where there is no table yet.
    `later` are the deliveries of the dataset that have settled although they come after this one.
    """

    def __init__(
        self, context: Context, contract: Contract, delivery: Delivery, workspace: Workspace
    ) -> None:
        assert contract.source is not None
        self.context = context
        self.contract = contract
        self.source = contract.source
        self.delivery = delivery
        self.workspace = workspace
        self.raw = shapes.raw_shape(contract)
        self.curated = shapes.curated_shape(contract)
        self.quarantine = shapes.quarantine_shape(contract)
        self.history = shapes.history_shape(contract) if contract.history else None
        self.moment = Moment(delivery.business_date, delivery.revision)
        self.stamp = _stamp(contract, delivery)
        self.settled = context.ledger.settled(contract.id)
        self.later = [d for d in self.settled if d.order > delivery.order]
        self.base: Mapping[str, int | None] = {}
        self._codes: Mapping[str, Codes] = {}

    @property
    def is_snapshot(self) -> bool:
        """Whether the delivery is the whole truth at its date."""
        return self.source.mode is Mode.SNAPSHOT

    @property
    def successor(self) -> Stamp:
        """The next delivery of the dataset that has settled already; only for late ones."""
        return _stamp(self.contract, min(self.later, key=lambda d: d.order))

    @property
    def has_raw(self) -> bool:
        """Whether anything of the dataset was received before."""
        return self.base[self.raw.table] is not None

    @property
    def has_curated(self) -> bool:
        """Whether there are current rows to compare with."""
        return self.base[self.curated.table] is not None

    @property
    def has_quarantine(self) -> bool:
        """Whether any row of the dataset was ever bad."""
        return self.base[self.quarantine.table] is not None

    @property
    def has_vanished(self) -> bool:
        """Whether keys can have vanished: a snapshot that meets rows which were current then."""
        return self.is_snapshot and bool(self.has_curated or self.later)

    @property
    def has_recognised(self) -> bool:
        """Whether rows may be known by their hash: what came late is judged against the past."""
        return self.has_vanished and not self.later

    def shapes(self) -> list[shapes.Shape]:
        """The tables that the delivery may write."""
        written = [self.raw, self.curated, self.quarantine]
        return [*written, self.history] if self.history else written

    def newest_versions(self) -> dict[str, int | None]:
        """The versions as they stand now of all tables that the delivery writes or looks up."""
        names = [s.table for s in self.shapes()]
        names += [table_name(d, Layer.CURATED) for d in sorted(self.contract.looked_up)]
        return {name: self.context.tables.version(name) for name in names}

    def prepare(self, base: Mapping[str, int | None]) -> None:
        """Name all relations that judging reads, then judge: every query reads `base` alone."""
        self.base = base
        workspace, contract = self.workspace, self.contract
        # What meets current rows is looked at several times: as text, as fresh, as contested.
        workspace.read_files(
            "delivered", Reading.of(contract), self._files(), keep=self.has_recognised
        )
        workspace.add_rows("known", self._known())
        for name, shape in (
            ("raw", self.raw),
            ("curated", self.curated),
            ("quarantine", self.quarantine),
            ("history", self.history),
        ):
            if shape is not None and base[shape.table] is not None:
                path = self.context.tables.path(shape.table)
                workspace.add_table(name, path, base[shape.table])
            elif shape is not None and self.later:
                # Those that came in time brought nothing that would have made the table.
                workspace.add_rows(name, no_rows(shape))
        if self.has_quarantine:
            workspace.add_query("open_bad", open_quarantine("quarantine"), keep=True)
        self._codes = self._code_values()
        self._judge()
        if self.has_recognised:
            workspace.release("delivered")

    def bad_alone(self, base: Mapping[str, int | None]) -> pa.Table:
        """The bad rows of the delivery as quarantine would hold them, judged by itself."""
        self.base = base
        workspace, contract = self.workspace, self.contract
        workspace.read_files("delivered", Reading.of(contract), self._files())
        self._codes = self._code_values()
        self._add_judged("judged", "delivered")
        workspace.add_query("outcomes", outcomes(contract, "judged", Base()), keep=True)
        workspace.add_query("classified", classified(contract, "judged", "outcomes"))
        return workspace.rows(bad_rows(contract, self.stamp, "classified"))

    def add_successor_bad(self, name: str) -> None:
        """Relation `name` holds the bad rows of the next delivery that has settled already."""
        after = min(self.later, key=lambda d: d.order)
        with open_workspace(self.context, after) as workspace:
            next_ = Relations(self.context, self.contract, after, workspace)
            rows = next_.bad_alone(self.base)
        self.workspace.add_rows(name, rows)

    def _files(self) -> list[LandedFile]:
        landing = self.context.landing
        return [
            LandedFile(landing.place(f.sha256), f.name, f.bytes, f.split)
            for f in self.delivery.files
        ]

    # --- judging -----------------------------------------------------------------------------

    def _judge(self) -> None:
        """
        Name `judged`, `outcomes` and `classified`, and in a snapshot that meets current rows
        `recognised`, `contested` and `vanished`.
        """
        workspace, contract = self.workspace, self.contract
        if self.has_recognised:
            workspace.add_query("current", current_rows(contract, "curated"))
            known = recognised(contract, "delivered", "current")
            workspace.add_query("recognised", known, keep=True)
            workspace.add_query("fresh", unrecognised("delivered", "recognised"))
            self._add_judged("judged_fresh", "fresh")
            rivals = contested(contract, "recognised", "judged_fresh")
            workspace.add_query("contested", rivals, keep=True)
            both: exp.Query = exp.select("*").from_("judged_fresh")
            if self.count("contested"):
                workspace.add_query("contested_rows", contested_rows("delivered", "contested"))
                self._add_judged("judged_again", "contested_rows")
                both = exp.union(both, exp.select("*").from_("judged_again"), distinct=False)
            workspace.add_query("judged", both)
        else:
            self._add_judged("judged", "delivered")
        found = outcomes(contract, "judged", self._compared_with())
        workspace.add_query("outcomes", found, keep=True)
        workspace.add_query("classified", classified(contract, "judged", "outcomes"))
        if self.has_vanished:
            known_ = "recognised" if self.has_recognised else None
            gone = vanished(contract, "outcomes", known_, "current")
            workspace.add_query("vanished", gone, keep=True)

    def _add_judged(self, name: str, delivered: str) -> None:
        """Relation `name` holds the rows of `delivered`, typed and judged by every rule."""
        contract = self.contract
        received_at = self.delivery.received_at.replace(tzinfo=None)
        rules = row_rules(contract, self._codes, received_at)
        judged = judge(contract, standardize(contract, delivered), rules, self._codes)
        self.workspace.add_query(name, placed(contract, judged, self.moment), keep=True)

    def tallies(self) -> list[dict[str, Any]]:
        """How many delivered rows had which outcome and broke which rules."""
        rows: list[dict[str, Any]] = self.workspace.rows(tally("outcomes")).to_pylist()
        if self.has_recognised:
            known = self.workspace.rows(tally_recognised("recognised", "contested")).to_pylist()
            nothing = {"_delete": False, "_broken_rules": [], "_warned_rules": []}
            rows += [nothing | row for row in known]
        return rows

    def count(self, relation: str) -> int:
        """How many rows a relation has."""
        rows = self.workspace.rows(exp.select("count(*) AS n").from_(relation))
        return int(rows["n"][0].as_py())

    def ended_keys(self) -> exp.Query:
        """The keys whose current row is replaced or taken away."""
        return changed_keys(self.contract, "classified", "vanished" if self.has_vanished else None)

    def _compared_with(self) -> Base:
        workspace, contract = self.workspace, self.contract
        if self.later:
            workspace.add_query("spans", late.bad_spans("quarantine"))
            workspace.add_query("events", late.good_events(contract, "raw", "spans"), keep=True)
        base = Base()
        if self.later and self.is_snapshot:
            before = late.state_before(contract, "events", self.moment)
            workspace.add_query("current", before)
            base = Base(current="current")
        elif self.has_curated:
            if not self.has_recognised:
                rows = current_rows(contract, "curated", touched="judged")
                workspace.add_query("current", rows)
            base = Base(current="current")
        if self.is_snapshot or not self.has_raw:
            return base
        open_bad = "open_bad" if self.has_quarantine else None
        received = received_hashes("raw", "judged", open_bad)
        workspace.add_query("received", received, keep=True)
        if self.source.mode is Mode.APPEND:
            return Base(base.current, "received")
        workspace.add_query("tombstones", tombstones(contract, "raw"))
        return Base(base.current, "received", "tombstones")

    def _known(self) -> pa.Table:
        """The moment of every delivery of the dataset, this one included."""
        known = {d.delivery_id: d for d in [*self.settled, self.delivery]}.values()
        return pa.table(
            {
                "_delivery_id": [d.delivery_id for d in known],
                "_business_date": pa.array([d.business_date for d in known], pa.date32()),
                "_revision": pa.array([d.revision for d in known], pa.int32()),
                "_received_at": pa.array([d.received_at for d in known], pa.timestamp("us", "UTC")),
            }
        )

    def _code_values(self) -> dict[str, Codes]:
        codes: dict[str, Codes] = {}
        for c in self.contract.columns:
            if c.code_table:
                target = self.context.catalog.get(c.code_table).key[0]
                codes[c.name] = self._values(c.name, c.code_table, target)
            for r in c.references:
                codes[f"{c.name}->{r.dataset}"] = self._values(c.name, r.dataset, r.column)
        return codes

    def _values(self, name: str, dataset: str, column: str) -> Codes:
        """The values that column `name` may hold: those of `column` in `dataset`."""
        table = table_name(dataset, Layer.CURATED)
        version = self.base.get(table)
        if version is None:
            raise RedcliffError(
                f"{self.contract.id}: {name} is looked up in {table}, which does not exist yet; "
                f"deliver {dataset} first"
            )
        values = self.context.tables.values(table, column, version)
        if len(values) <= INLINE_CODES:
            return Codes(listed=tuple(sorted(str(v) for v in values.to_pylist())))
        relation = f"values_of_{name}_in_{dataset.replace('.', '_')}"
        self.workspace.add_rows(relation, pa.table({"_value": values}))
        return Codes(relation=relation)


def _stamp(contract: Contract, delivery: Delivery) -> Stamp:
    return Stamp(
        delivery.delivery_id, delivery.business_date, delivery.received_at, contract.version
    )
