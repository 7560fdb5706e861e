"""
Leases: one writer per table, fenced (one process at a time, and each later one knows it is later).

A lease runs by the clock of the database. Its holder renews it every 20 seconds and right before
each commit; who cannot renew does not commit. Each holder has a higher number than the one before,
so that a holder that slept too long finds out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from os import getpid
from pathlib import Path
from threading import Event, Thread
from typing import Any

import sqlalchemy as sa

from catalog.errors import LeaseLost, TryAgain
from lake.deliveries import SHOWN_ZONE
from lake.state import database_clock, leases, said, writing

LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0

PATIENCE = 90.0
"""Seconds that a run waits for a lease: longer than one lives whose holder died elsewhere."""

POLL_SECONDS = 0.25

UNTOLD_SECONDS = 2.0
"""So short a wait is not worth a word."""


@dataclass(frozen=True)
class Lease:
    """The right to write `name`, until it is given back or lost; `number` only grows."""

    name: str
    owner: str
    number: int
    _renew: Callable[[Lease], None]

    def check(self) -> None:
        """Renew the lease, right before a commit; `LeaseLost` when somebody else has it now."""
        self._renew(self)


def _unheard(_: str) -> None:
    """What is told to nobody."""


class Leases:
    """
    The leases of one owner, a text that tells people who it is (host, command, process).

    It waits up to `patience` seconds for a lease that somebody else has, and soon tells so, once.
    """

    def __init__(
        self,
        state_engine: sa.Engine,
        owner: str,
        *,
        seconds: float = LEASE_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        patience: float = 0.0,
        tell: Callable[[str], None] = _unheard,
        clock: Callable[[sa.Connection], float] = database_clock,
    ) -> None:
        self.owner = owner
        self._engine = state_engine
        self._seconds = seconds
        self._renew_seconds = renew_seconds
        self._patience = patience
        self._tell = tell
        self._clock = clock
        self._hurried = Event()

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease]:
        """
        Hold the lease of `name` and keep it alive; given back at the end.

        `LeaseLost` when somebody else has it for longer than the owner is patient. A lease that
        has expired, or whose process is known to be dead, is taken over.
        """
        lease = Lease(name, self.owner, self._wait_for(name), self._renew)
        ended = Event()
        keeper = Thread(target=self._keep, args=(lease, ended), name=f"lease {name}", daemon=True)
        keeper.start()
        try:
            yield lease
        finally:
            ended.set()
            keeper.join()
            self._give_back(lease)

    def stop_waiting(self) -> None:
        """Let whoever waits for a lease, or will, fail at once: the work has ended otherwise."""
        self._hurried.set()

    def _wait_for(self, name: str) -> int:
        since = time.monotonic()
        told = False
        while True:
            try:
                return self._take(name)
            except LeaseLost as taken:
                waited = time.monotonic() - since
                if waited >= self._patience or self._hurried.wait(POLL_SECONDS):
                    raise
                if not told and waited >= UNTOLD_SECONDS:
                    told = True
                    self._tell(f"waiting: {str(taken).removesuffix('; try again')}")

    def _take(self, name: str) -> int:
        with writing(self._engine, durable=False) as connection:
            query = sa.select(leases).where(leases.c.name == name)
            kept = connection.execute(query).one_or_none()
            now = self._clock(connection)
            if kept is not None and _is_running(kept, now):
                raise LeaseLost(
                    f"{name} is being written by {kept.owner} until "
                    f"{datetime.fromtimestamp(kept.expires_at, SHOWN_ZONE):%H:%M:%S %Z}; "
                    "try again"
                )
            number = 1 if kept is None else int(kept.number) + 1
            row = {
                "number": number,
                "owner": self.owner,
                "process": _this_process(),
                "expires_at": now + self._seconds,
            }
            if kept is not None:
                connection.execute(leases.update().where(leases.c.name == name).values(row))
                return number
            try:
                connection.execute(leases.insert().values({"name": name, **row}))
            except sa.exc.IntegrityError as error:
                raise LeaseLost(f"{name} is being written by another process; try again") from error
            return number

    def _renew(self, lease: Lease) -> None:
        try:
            with writing(self._engine, durable=False) as connection:
                renewed = connection.execute(
                    leases.update()
                    .where(_held(lease))
                    .values(expires_at=self._clock(connection) + self._seconds)
                )
        except sa.exc.DBAPIError as error:
            raise LeaseLost(
                f"{lease.name}: the lease cannot be renewed ({said(error)}); nothing was "
                "committed, try again"
            ) from error
        if renewed.rowcount == 0:
            raise LeaseLost(
                f"{lease.name}: {lease.owner} has lost the lease number {lease.number} to another "
                "process; nothing was committed, try again"
            )

    def _keep(self, lease: Lease, ended: Event) -> None:
        while not ended.wait(self._renew_seconds):
            # The holder learns of a loss by its own check, before it commits.
            with suppress(TryAgain):
                self._renew(lease)

    def _give_back(self, lease: Lease) -> None:
        # What cannot be given back expires.
        with (
            suppress(sa.exc.DBAPIError, TryAgain),
            writing(self._engine, durable=False) as connection,
        ):
            connection.execute(leases.update().where(_held(lease)).values(owner=None))


def _is_running(kept: sa.Row[Any], now: float) -> bool:
    return kept.owner is not None and kept.expires_at > now and not _is_dead(kept.process)


def _held(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        leases.c.name == lease.name,
        leases.c.number == lease.number,
        leases.c.owner.is_not(None),
    )


def _this_process() -> str | None:
    """Machine, process and its start: one text per process; None where the system tells none."""
    try:
        return f"{_machine()} {getpid()} {_started(getpid())}"
    except OSError:
        return None


def _is_dead(process: str | None) -> bool:
    """Whether this process of this machine is surely gone; of others nothing can be said."""
    if process is None:
        return False
    machine, pid, started = process.rsplit(" ", 2)
    try:
        return machine == _machine() and started != _started(int(pid))
    except OSError:
        return False


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> str:
    """When the process started, in ticks since boot; `gone` for one that has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "gone"
    # proc(5): after the name in brackets come the state and, 19 fields on, the start time.
    state, *rest = text.rpartition(")")[2].split()
    return "gone" if state in "ZX" else rest[18]
