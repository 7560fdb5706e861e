"""
Where every dataset stands: its last delivery, what waits, and its tables.

Read from the ledger and the Delta logs alone; starts no engine and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.catalog import Catalog
from catalog.naming import folder_name
from lake.deliveries import DeliveryStatus
from lake.entries import Entry
from lake.ledger import Ledger, Run
from lake.settings import Settings
from lake.state import opened
from lake.tables import Tables

RUNS = 5
"""So many runs are shown."""

COUNTS = ("received", "accepted", "quarantined", "duplicates", "deleted")


@dataclass(frozen=True)
class DatasetStatus:
    """
    One dataset: how many deliveries stand where, the last that was settled, and its tables.

    `tables` are all tables of the dataset, in every layer, with their rows and versions.
    """

    dataset: str
    business_name: str
    deliveries: dict[str, int]
    last: Entry | None
    tables: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, Any]:
        """The dataset for JSON."""
        return {
            "dataset": self.dataset,
            "business_name": self.business_name,
            "deliveries": self.deliveries,
            "last": delivery_document(self.last) if self.last else None,
            "tables": self.tables,
        }


@dataclass(frozen=True)
class StatusReport:
    """
    All datasets that have a delivery or a table, by id, and what asks for somebody's attention.

    `pending` waits for a run, `held` for an officer, `refused` for the department. `runs` are the
    last ones, the newest first.
    """

    datasets: tuple[DatasetStatus, ...]
    pending: tuple[Entry, ...]
    held: tuple[Entry, ...]
    refused: tuple[Entry, ...]
    runs: tuple[Run, ...]

    def to_json(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "pending": [delivery_document(entry) for entry in self.pending],
            "held": [delivery_document(entry) for entry in self.held],
            "refused": [delivery_document(entry) for entry in self.refused],
            "runs": [run_document(one) for one in self.runs],
        }


def status(settings: Settings, catalog: Catalog, dataset: str | None = None) -> StatusReport:
    """The status of all datasets, or of one; `ContractNotFound` when there is no such dataset."""
    contracts = [catalog.get(dataset)] if dataset else list(catalog.contracts.values())
    with opened(settings.state_url) as state:
        ledger = Ledger(state)
        entries, runs = ledger.entries(dataset), ledger.runs(RUNS)
    tables = standing(Tables(settings.lake, settings.store))
    found = []
    for contract in contracts:
        own = [entry for entry in entries if entry.delivery.dataset == contract.id]
        settled = [entry for entry in own if entry.status is DeliveryStatus.SETTLED]
        numbers = {s.value: sum(entry.status is s for entry in own) for s in DeliveryStatus}
        named = {t: at for t, at in tables.items() if _belongs(t, contract.id)}
        if own or named:
            last = max(settled, key=lambda entry: entry.delivery.order, default=None)
            name = contract.business_name
            found.append(DatasetStatus(contract.id, name, numbers, last, named))
    return StatusReport(
        tuple(found),
        _with_status(entries, DeliveryStatus.LANDED),
        _with_status((e for e in entries if e.ended_by is None), DeliveryStatus.HELD),
        _with_status(entries, DeliveryStatus.REFUSED),
        tuple(runs),
    )


def standing(tables: Tables) -> dict[str, dict[str, int]]:
    """Every table of the lake with its rows and version."""
    versions = {name: tables.version(name) or 0 for name in tables.names()}
    return {
        name: {"rows": tables.rows(name, version), "version": version}
        for name, version in versions.items()
    }


def run_document(run: Run) -> dict[str, Any]:
    """
    One run for JSON, with its record: contracts, what it read and wrote in which version, counts.

    A run that is at work, or was killed, has no end, no outcome and no record.
    """
    return {
        "run_id": run.run_id,
        "run_date": run.run_date.isoformat() if run.run_date else None,
        "engine": run.engine,
        "started_at": run.started_at.isoformat(timespec="seconds"),
        "ended_at": run.ended_at.isoformat(timespec="seconds") if run.ended_at else None,
        "outcome": run.outcome,
        "record": run.record,
    }


def delivery_document(entry: Entry) -> dict[str, Any]:
    """One delivery and what became of it, for JSON; counts are null where nothing was counted."""
    return {
        "dataset": entry.delivery.dataset,
        "delivery_id": entry.delivery.delivery_id,
        "business_date": entry.delivery.business_date.isoformat(),
        "status": entry.status.value,
        "reason": entry.reason,
        **{name: getattr(entry.counts, name) if entry.counts else None for name in COUNTS},
    }


def _belongs(table: str, dataset: str) -> bool:
    folder = table.partition(".")[2]
    return folder == folder_name(dataset) or folder.startswith(f"{folder_name(dataset)}__")


def _with_status(entries: Iterable[Entry], wanted: DeliveryStatus) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.status is wanted)
