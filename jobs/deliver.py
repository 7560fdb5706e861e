"""
Deliver: look through an inbox and land what departments have laid down there.

Safe to kill at any moment and to call again: first the bytes land, then the delivery's record,
then its row in the ledger, and each step is skipped where it stands. What is wrong is refused
with the reason and never half-loaded; one refusal stops nobody else. The bytes of a refused
delivery land too, as evidence.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from catalog.errors import UsageError
from jobs import inbox
from jobs.door import DeliverRow, Door, Outcome
from jobs.progress import Progress
from lake.deliveries import Delivery, utc_now
from lake.landing import Landing
from lake.leases import PATIENCE, Leases
from lake.ledger import Ledger, Verdict
from lake.settings import Settings
from lake.state import opened

LEASE = "landing"


@dataclass(frozen=True)
class DeliverReport:
    """What became of every folder of the inbox, in the order of the inbox."""

    rows: tuple[DeliverRow, ...]

    def count(self, outcome: Outcome) -> int:
        """How many folders ended so."""
        return sum(row.outcome is outcome for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "outcomes": {outcome.value: self.count(outcome) for outcome in Outcome},
            "folders": [row.to_json() for row in self.rows],
        }


def deliver(
    settings: Settings,
    catalog: Catalog,
    folder: Path,
    progress: Progress,
    *,
    clock: Callable[[], datetime] = utc_now,
    patience: float = PATIENCE,
) -> DeliverReport:
    """
    Land every complete delivery of the inbox `folder`; the inbox stays as it is.

    `UsageError` when there is no such folder. Another process that delivers into the same home
    right now is waited for; `LeaseLost` when that takes longer than `patience` seconds.
    What is wrong with a delivery stands in its row of the report.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name the inbox that holds <department>/…")
    with opened(settings.state_url) as state:
        ledger, landing = Ledger(state), Landing.at(settings.landing, settings.store)
        waiting = Leases(state, owner("deliver"), patience=patience, tell=progress.note)
        with waiting.hold(LEASE) as lease:
            landing.sweep()
            door = Door(settings, catalog, ledger, landing, lease, clock)
            folders = list(inbox.scan(folder))
            rows = []
            with progress.step("receiving deliveries", len(folders)) as advance:
                for found in folders:
                    rows.append(door.receive(found))
                    advance()
    return DeliverReport(tuple(rows))


def decide(settings: Settings, delivery_id: str, verdict: Verdict, by: str) -> Delivery:
    """Let the next run apply a held delivery, although many keys vanish; or keep it held."""
    with opened(settings.state_url) as state:
        return Ledger(state).decide(delivery_id, verdict, by)


def land_code_tables(
    settings: Settings, catalog: Catalog, ledger: Ledger, landing: Landing, leases: Leases
) -> list[Delivery]:
    """
    Land the site's own edition of every code table that nobody has delivered as new; returns those.

    So a new home judges codes from its first run on; what a department delivers comes after it.
    """
    due = [
        contract
        for contract in catalog.sources()
        if contract.source is not None
        and contract.source.code_table is not None
        and contract.source.edition is not None
        and all(
            entry.delivery.business_date < contract.source.edition
            for entry in ledger.entries(contract.id)
            if entry.delivery.revision > 0
        )
    ]
    if not due:
        return []
    with leases.hold(LEASE) as lease:
        door = Door(settings, catalog, ledger, landing, lease, utc_now)
        return [door.land_edition(contract) for contract in due]


def owner(command: str) -> str:
    """What people are told of this process when it holds a lease that they wait for."""
    return f"redcliff {command} on {socket.gethostname()} (process {os.getpid()})"
