"""`redcliff run` in processes of their own, which tests may stop and kill, and what they leave."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from catalog.errors import RedcliffError
from lake.deliveries import Delivery
from lake.landing import Landing
from lake.ledger import Ledger
from lake.state import open_state
from tests.stories.homes import REPOSITORY, SECRET, Home, make_home

PATIENCE = 300.0
"""Seconds after which a process counts as hanging."""


@dataclass(frozen=True)
class Running:
    """A run that has been started; what it says goes into two files."""

    process: subprocess.Popen[bytes]
    out: Path
    log: Path

    @property
    def code(self) -> int | None:
        """The exit code, None as long as it runs."""
        return self.process.poll()

    @property
    def told(self) -> str:
        """What it has said on stderr so far."""
        return self.log.read_text()

    def waits_for(self, word: str) -> bool:
        """Wait until it has said `word`; False when it ended without."""
        until = time.monotonic() + PATIENCE
        while word not in self.told:
            if self.code is not None:
                return word in self.told
            assert time.monotonic() < until, self.told
            time.sleep(0.01)
        return True

    def end(self) -> int:
        """Wait for its end; returns the exit code."""
        return self.process.wait(PATIENCE)

    def send(self, number: signal.Signals) -> None:
        """A signal to the process and to those it started (`send_to_tree`)."""
        send_to_tree(self.process, number)

    def kill(self) -> bool:
        """SIGKILL; False when it had ended before."""
        self.process.kill()
        return self.end() == -signal.SIGKILL


@contextmanager
def running(home: Home, *options: str) -> Iterator[Running]:
    """`redcliff run` on the home with these options; whatever happens, it does not outlive this."""
    command = [sys.executable, "-c", "from jobs.cli import main; main()", "run", "--json"]
    place = home.settings.home
    out, log = files_beside(place, "out", "log")
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--home", str(place), *options],
            env=run_environ(),
            cwd=REPOSITORY,
            stdout=stdout,
            stderr=stderr,
        )
    run = Running(process, out, log)
    try:
        yield run
    finally:
        run.send(signal.SIGKILL)  # a JVM that sleeps would not see that its Python has gone
        process.wait()


def run_environ() -> dict[str, str]:
    """The environment of a run on one of the tests' homes."""
    return {**os.environ, "REDCLIFF_SITE": str(REPOSITORY), "REDCLIFF_SITE_SECRET": SECRET}


def files_beside(home: Path, *kinds: str) -> list[Path]:
    """Files beside the home for what the next process says."""
    number = len(list(home.parent.glob(f"{home.name}.*.log")))
    return [home.with_name(f"{home.name}.{number}.{kind}") for kind in kinds]


def send_to_tree(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """A signal to the process, unless it has ended, and to those it started: Spark's JVM."""
    if process.poll() is not None:
        return
    own = psutil.Process(process.pid)
    for one in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)


def ended_well(run: Running) -> bool:
    """Whether it did all its work; if not, it has said to try again."""
    code = run.end()
    assert code == 0 or (code == 3 and "try again" in run.told), (code, run.told)
    return code == 0


class Stoppable(Protocol):
    """What takes signals."""

    def send(self, number: signal.Signals) -> None:
        """A signal to all that it is."""


def put_to_sleep(run: Stoppable, home: Home) -> None:
    """Stop all that the run is and let its leases run out, as they do in a minute."""
    state = sqlite3.connect(home.settings.home / "state.db", timeout=0.1)
    while True:
        run.send(signal.SIGSTOP)
        try:
            with state:
                state.execute("UPDATE leases SET expires_at = 0")
            break
        except sqlite3.OperationalError:
            # It was writing to the state store, and would stop everybody else.
            run.send(signal.SIGCONT)
            time.sleep(0.05)
    state.close()


def copied(home: Home, folder: Path) -> Home:
    """The same home in another place."""
    shutil.copytree(home.settings.home, folder)
    return make_home(folder, home.catalog, home.engine, home.city)


def assert_same(home: Home, twin: Home, *, landed_apart: bool = False) -> None:
    """
    Both homes hold the same tables, ledger and receipts, and raw holds no row twice.

    The site's code tables land when a run begins, hence at different moments; all else has landed
    once for both, unless it has `landed_apart`.
    """
    assert home.tables.names() == twin.tables.names()
    for table in twin.tables.names():
        apart = landed_apart or table.startswith("raw.reference__")
        without = ("_received_at",) if apart else ()
        assert home.rows(table, *without) == twin.rows(table, *without), table
        if table.startswith("raw."):
            places = [
                (row["_delivery_id"], row["_file"], row["_row_number"])
                for row in home.rows(table)
                if row["_row_number"] is not None
            ]
            assert len(places) == len(set(places)), table
    assert _ledger(home) == _ledger(twin)


def _ledger(home: Home) -> dict[str, tuple[Any, ...]]:
    """Status, reason and counts of every delivery, and its receipt without moments and versions."""
    state = open_state(home.settings.state_url)
    landing = Landing.at(home.settings.landing, home.settings.store)
    try:
        return {
            entry.delivery.delivery_id: (
                entry.status,
                entry.reason,
                entry.counts,
                _receipt(landing, entry.delivery),
            )
            for entry in Ledger(state).entries()
        }
    finally:
        state.dispose()


def _receipt(landing: Landing, delivery: Delivery) -> dict[str, Any] | None:
    try:
        found = landing.receipt(delivery)
    except RedcliffError:
        return None
    if found is None:
        return None
    plan = {k: v for k, v in found["plan"].items() if k != "base_versions"}
    return {"status": found["status"], "plan": plan, "tables": sorted(found["versions"])}
