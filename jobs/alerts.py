"""
Alerts (告警): what asks for somebody, each told once while it stands.

An alert names datasets, deliveries, dates and counts. Why a delivery was held or refused it does
not say: a reason may quote what a department sent, and alerts travel. `redcliff status` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from catalog.calendar import closed_days, late_from
from catalog.catalog import Catalog
from jobs.notify import Notifier
from lake.deliveries import SHOWN_ZONE, DeliveryStatus, utc_now
from lake.entries import Entry
from lake.ledger import Ledger
from lake.settings import Settings
from lake.state import opened
from lake.told import Told

UNDECIDED = timedelta(days=3)
"""After so long an officer is asked again about a held delivery."""

RECENT = 1000
"""So many runs are looked at for failed ones."""


class Cause(StrEnum):
    """What an alert is about."""

    LATE = "late"
    HELD = "held"
    UNDECIDED = "undecided"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, order=True)
class Alert:
    """One thing that asks for somebody; `subject` is its identity."""

    cause: Cause
    subject: str
    text: str

    def to_json(self) -> dict[str, str]:
        """The alert for JSON."""
        return {"cause": self.cause.value, "subject": self.subject, "text": self.text}


@dataclass(frozen=True)
class AlertReport:
    """What stands, what of it is new and was told now, and the subjects that have ended."""

    standing: tuple[Alert, ...]
    new: tuple[Alert, ...]
    ended: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "standing": [alert.to_json() for alert in self.standing],
            "new": [alert.to_json() for alert in self.new],
            "ended": list(self.ended),
        }


def alert(
    settings: Settings,
    catalog: Catalog,
    notifiers: Sequence[Notifier],
    *,
    clock: Callable[[], datetime] = utc_now,
) -> AlertReport:
    """
    Look for all that asks for somebody, and tell what nobody was told of yet.

    `TryAgain` when it could not be told everywhere: then it is told again next time.
    """
    with opened(settings.state_url) as state:
        ledger, told = Ledger(state), Told(state)
        found = tuple(sorted(find_alerts(ledger, catalog, clock())))
        compared = told.compare(one.subject for one in found)
        new = tuple(one for one in found if one.subject in compared.new)
        lines = [f"{one.cause}: {one.text}" for one in new]
        lines += [f"ended: {subject}" for subject in sorted(compared.ended)]
        if lines:
            for notifier in notifiers:
                notifier.tell(lines)
        told.keep(compared)
    return AlertReport(found, new, tuple(sorted(compared.ended)))


def find_alerts(ledger: Ledger, catalog: Catalog, now: datetime) -> Iterator[Alert]:
    """All that asks for somebody at the moment `now`."""
    entries = ledger.entries()
    yield from _late(entries, catalog, now)
    yield from _held(ledger, entries, now)
    yield from _refused(entries)
    yield from _failed(ledger)


def _late(entries: Sequence[Entry], catalog: Catalog, now: datetime) -> Iterator[Alert]:
    today, closed = now.astimezone(SHOWN_ZONE).date(), closed_days(catalog.site)
    newest: dict[str, date] = {}
    for entry in entries:
        if entry.status is not DeliveryStatus.REFUSED:
            one = entry.delivery
            newest[one.dataset] = max(one.business_date, newest.get(one.dataset, date.min))
    for contract in catalog.sources():
        if contract.source is not None and contract.source.code_table is not None:
            continue  # the site's own edition stands until somebody delivers another
        came = newest.get(contract.id)
        late = late_from(contract, came, closed) if came else None
        if late is not None and late <= today:
            who = catalog.provider(contract).name
            text = f"{contract.id} ({who}): the last came for {came}, the next was due"
            yield Alert(Cause.LATE, f"late {contract.id} {came}", f"{text} before {late}")


def _held(ledger: Ledger, entries: Sequence[Entry], now: datetime) -> Iterator[Alert]:
    decided = {decision.delivery_id for decision in ledger.decisions()}
    for entry in entries:
        one = entry.delivery
        if entry.status is not DeliveryStatus.HELD or entry.ended_by is not None:
            continue
        if one.delivery_id in decided:
            continue
        text = f"{_named(entry)} is held: redcliff release {one.delivery_id}, or --keep"
        yield Alert(Cause.HELD, f"held {one.delivery_id}", text)
        if now - one.received_at > UNDECIDED:
            text = f"{_named(entry)} is held and undecided for {(now - one.received_at).days} days"
            yield Alert(Cause.UNDECIDED, f"undecided {one.delivery_id}", text)


def _refused(entries: Sequence[Entry]) -> Iterator[Alert]:
    good = {
        (entry.delivery.dataset, entry.delivery.business_date)
        for entry in entries
        if entry.status is not DeliveryStatus.REFUSED
    }
    for entry in entries:
        one = entry.delivery
        if entry.status is DeliveryStatus.REFUSED and (one.dataset, one.business_date) not in good:
            text = f"{_named(entry)} was refused: redcliff status --dataset {one.dataset}"
            yield Alert(Cause.REFUSED, f"refused {one.delivery_id}", text)


def _failed(ledger: Ledger) -> Iterator[Alert]:
    """Runs that failed after the last one that did not."""
    for run in ledger.runs(RECENT):
        if run.outcome == "ended":
            return
        if run.outcome == "failed":
            started = run.started_at.astimezone(SHOWN_ZONE)
            text = f"run {run.run_id} of {started:%Y-%m-%d %H:%M} failed, and none has ended since"
            yield Alert(Cause.FAILED, f"failed run {run.run_id}", text)


def _named(entry: Entry) -> str:
    one = entry.delivery
    return f"{one.dataset} {one.business_date} ({one.delivery_id[:12]})"
