"""
`redcliff run --watch`: one machine without a scheduler.

Looks at the inbox, lands what is whole, runs what is due.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType

from catalog.catalog import Catalog
from catalog.errors import RedcliffError
from jobs import inbox
from jobs.deliver import deliver
from jobs.door import Outcome
from jobs.progress import Progress
from jobs.run import RunReport, run
from lake.ledger import Ledger
from lake.settings import Settings
from lake.state import opened

LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class WatchReport:
    """How often it looked, and what it did: runs, deliveries loaded, rounds that failed."""

    rounds: int
    runs: int
    deliveries: int
    failures: int

    def to_json(self) -> dict[str, int]:
        """The report for JSON."""
        return {
            "rounds": self.rounds,
            "runs": self.runs,
            "deliveries": self.deliveries,
            "failures": self.failures,
        }


def watch(
    settings: Settings,
    progress: Progress,
    stopped: Event,
    *,
    look_seconds: float = LOOK_SECONDS,
    load_catalog: Callable[[Path], Catalog] = Catalog.load,
) -> WatchReport:
    """
    Look, land and run until `stopped`; a run that is at work is finished first.

    Contracts are read anew before each run. What fails is told and tried again at the next look:
    a wrong contract, another process at work, a department that sends nonsense.
    """
    rounds = runs = deliveries = failures = 0
    looked: str | None = None
    while not stopped.is_set():
        rounds += 1
        try:
            seen = _look(settings.inbox)
            incomplete = False
            if seen != looked:
                catalog = load_catalog(settings.site)
                report = deliver(settings, catalog, settings.inbox, progress)
                incomplete = bool(report.count(Outcome.INCOMPLETE))
            if _pending(settings):
                done = run(settings, load_catalog(settings.site), through=None, progress=progress)
                runs, deliveries = runs + 1, deliveries + len(done.deliveries)
                progress.note(_said(done))
            # A folder without a marker becomes whole by lying still: it is looked at again.
            looked = None if incomplete else seen
        except RedcliffError as error:
            failures += 1
            progress.note(f"{error}; looking again in {look_seconds:.0f} s")
        stopped.wait(look_seconds)
    return WatchReport(rounds, runs, deliveries, failures)


@contextmanager
def until_signalled() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set; the earlier handlers are put back at the end."""
    stopped = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _look(folder: Path) -> str:
    """A text that changes when anything in the inbox does."""
    told = []
    for found in inbox.scan(folder) if folder.is_dir() else ():
        if found.problem is None:
            told.append(f"{found.place} {inbox.list_folder(found.path)}")
        else:
            told.append(f"{found.place} {found.problem}")
    return "\n".join(told)


def _pending(settings: Settings) -> bool:
    with opened(settings.state_url) as state:
        return bool(Ledger(state).pending())


def _said(done: RunReport) -> str:
    changed = sum(1 for model in done.models if model.upserted or model.deleted)
    return (
        f"{len(done.deliveries)} deliveries loaded, {changed} models changed, {done.seconds:.1f} s"
    )
