"""
What the supervisor tells about itself: one small file in the home, and a lock while it lives.

The lock is the kernel's and goes with the process, however it ends: a file that lies there without
the lock is what a crash left.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from catalog.errors import TryAgain

TRIES, TRY_SECONDS = 20, 0.1


class State(StrEnum):
    """How one service stands."""

    WAITING = "waiting"  # for those before it
    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "silent"  # it runs and does not answer
    RESTARTING = "restarting"  # it died
    FAILED = "failed"  # it died too often; it is left alone
    STOPPED = "stopped"


@dataclass(frozen=True)
class Standing:
    """One service: its process, how often it was started again, and what was last wrong."""

    name: str
    state: State
    pid: int | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    seconds: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The service for JSON; `seconds` is how long it took until it answered."""
        return asdict(self)


@dataclass(frozen=True)
class Record:
    """The supervisor, its services, and why it ended, if it did by itself."""

    pid: int
    chosen: tuple[str, ...]
    services: tuple[Standing, ...]
    ended: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether all services answer."""
        return all(one.state is State.HEALTHY for one in self.services)


def stack_folder(home: Path) -> Path:
    """Where the stack of a home lies."""
    return home / "stack"


def standing(home: Path) -> tuple[Standing, ...]:
    """The services of a home's stack; none when it is down."""
    found = running(stack_folder(home))
    return found.services if found else ()


def run_folder(stack: Path) -> Path:
    """What lies here goes when the stack goes down."""
    return stack / "run"


def log_path(stack: Path, name: str) -> Path:
    """The log of one service, or of the supervisor."""
    return stack / "logs" / f"{name}.log"


def hold(stack: Path) -> IO[str] | None:
    """Take the lock of the stack, for as long as the file is open; None when another has it."""
    run_folder(stack).mkdir(mode=0o700, exist_ok=True)
    lock = (run_folder(stack) / "lock").open("w")
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Who only asks whether the stack runs holds it for a moment.
            time.sleep(TRY_SECONDS)
        else:
            return lock
    lock.close()
    return None


def write(stack: Path, record: Record) -> None:
    """Replace what is told."""
    path = run_folder(stack) / "state.json"
    aside = path.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(asdict(record)), encoding="utf-8")
    aside.replace(path)


def read(stack: Path) -> Record | None:
    """What was last told, whether the supervisor lives or not; None when nothing was."""
    try:
        document = json.loads((run_folder(stack) / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    services = [Standing(**{**one, "state": State(one["state"])}) for one in document["services"]]
    chosen = tuple(document["chosen"])
    return Record(document["pid"], chosen, tuple(services), document["ended"])


def running(stack: Path) -> Record | None:
    """What a living supervisor tells; None when none lives. `TryAgain`: it tells nothing yet."""
    path = run_folder(stack) / "lock"
    if not path.exists():
        return None
    with path.open("r+") as lock:
        for _ in range(TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if (told := read(stack)) is not None:
                    return told
                time.sleep(TRY_SECONDS)
            else:
                return None
    raise TryAgain(f"{stack}: the supervisor is just starting or stopping; ask again")


def forget(stack: Path) -> None:
    """Remove what goes with the processes."""
    shutil.rmtree(run_folder(stack), ignore_errors=True)
    shutil.rmtree(stack / "tmp", ignore_errors=True)
