"""
The stack of a home: up, down, how it stands, and what it logged.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from catalog.errors import EnvironmentProblem, TryAgain, UsageError
from jobs.progress import Progress
from jobs.stack import record
from jobs.stack.component import LOOPBACK, Stack
from jobs.stack.components import check_packages, load_stack
from jobs.stack.record import Record, Standing, State
from lake.settings import Settings

SUPERVISOR = "supervisor"
POLL_SECONDS = 0.2
DOWN_SECONDS = 180.0
LAST_SECONDS = 5.0
"""What a supervisor that has stopped everything may need to end itself."""

TOLD_LINES = 15
"""How much of a log is shown when its process did not start."""

LINE_BYTES = 1000


@dataclass(frozen=True)
class UpReport:
    """All services, where people find the components, and the seconds until all answered."""

    services: tuple[Standing, ...]
    endpoints: Mapping[str, str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "seconds": round(self.seconds, 1),
            "services": [one.to_json() for one in self.services],
            "endpoints": dict(self.endpoints),
        }


def fetch(stack: Stack, progress: Progress) -> None:
    """Bring what the chosen components lack into the user's cache."""
    check_packages(stack)
    for name in stack.chosen:
        component = stack.components[name]
        if missing := component.missing(stack.environ):
            with progress.step(f"Fetching {missing}"):
                component.fetch(stack.environ)
        else:
            component.fetch(stack.environ)


def up(
    settings: Settings,
    environ: Mapping[str, str],
    wanted: Sequence[str] | None,
    progress: Progress,
) -> UpReport:
    """
    Start the components and wait until each has answered a real question.

    Already up is fine when they are the same ones. `EnvironmentProblem` names every port that is
    taken, or shows why a component did not start; then nothing of the stack is left running.
    """
    started = time.monotonic()
    stack = load_stack(settings, environ, wanted)
    standing = record.running(stack.folder)
    if standing is None:
        for name in stack.chosen:
            stack.components[name].check(stack)
        check_ports(stack)
        fetch(stack, progress)
        if stack.address not in LOOPBACK:
            progress.note(f"the stack listens on {stack.address}: other machines can reach it")
        standing = _start(settings, stack, progress)
    elif set(standing.chosen) != set(stack.chosen):
        raise UsageError(
            f"the stack of {settings.home} is up with {', '.join(standing.chosen)}; "
            f"for {', '.join(stack.chosen)} take it down first: redcliff down"
        )
    else:
        standing = _await(stack, None, progress)
    endpoints = {name: stack.components[name].endpoint(stack) for name in stack.chosen}
    return UpReport(standing.services, endpoints, time.monotonic() - started)


def down(home: Path) -> bool:
    """Stop the stack of a home; returns whether it was up. Data, logs and secrets stay."""
    stack = record.stack_folder(home)
    standing = record.running(stack)
    if standing is None:
        record.forget(stack)
        return False
    _end(stack, standing.pid)
    return True


def logs(home: Path, name: str | None) -> list[Path]:
    """The logs of a component, or all; `UsageError` names those there are."""
    folder = record.log_path(record.stack_folder(home), SUPERVISOR).parent
    found = sorted(path for path in folder.glob("*.log") if not path.stem.endswith(".old"))
    if not found:
        raise UsageError(f"{folder}: no logs; the stack of this home was never up")
    if name is None:
        return found
    own = [path for path in found if path.stem == name or path.stem.startswith(f"{name}-")]
    if not own:
        names = ", ".join(path.stem for path in found)
        raise UsageError(f"there is no log of {name!r}; there are: {names}")
    return own


def read_logs(paths: Sequence[Path], lines: int, *, follow: bool = False) -> Iterator[str]:
    """
    The last lines of each log, with its name where there are several.

    With `follow` whatever is added too, for as long as somebody listens.
    """
    with ExitStack() as opened:
        files = [(path, opened.enter_context(path.open("rb"))) for path in paths]
        for path, file in files:
            yield from (_labelled(path, line, paths) for line in _tail(file, lines))
        while follow:
            added = False
            for path, file in files:
                while line := file.readline():
                    added = True
                    yield _labelled(path, _text(line).rstrip("\n"), paths)
            if not added:
                time.sleep(POLL_SECONDS)


def _tail(file: IO[bytes], lines: int) -> list[str]:
    """The last lines of a file, which then stands at its end."""
    size = file.seek(0, os.SEEK_END)
    # Longer lines are rare.
    file.seek(max(0, size - lines * LINE_BYTES))
    return _text(file.read()).splitlines()[-lines:]


def _text(logged: bytes) -> str:
    return logged.decode("utf-8", errors="replace")


def check_ports(stack: Stack) -> None:
    """`EnvironmentProblem` with every port of the chosen components that cannot be taken."""
    wanted = [
        (f"{name}.{key}", port)
        for name in stack.chosen
        for key, port in stack.components[name].ports().items()
    ]
    seen: dict[int, str] = {}
    for key, port in wanted:
        if port in seen:
            raise UsageError(f"stack.{key}: port {port} is that of stack.{seen[port]} too")
        seen[port] = key
    taken = []
    for key, port in wanted:
        if reason := _why_not(stack.address, port):
            taken.append(f"  {stack.address}:{port} ({reason}): free it, or change stack.{key}")
    if taken:
        lines = "\n".join(taken)
        raise EnvironmentProblem(
            f"{len(taken)} port(s) cannot be taken, nothing was started:\n{lines}\n"
            "if it is the stack of another home: redcliff down --home DIR"
        )


def _why_not(address: str, port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that are about to be forgotten do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return (error.strerror or str(error)).lower()
        except OverflowError:
            return "no port from 1 to 65535"
    return None


def _start(settings: Settings, stack: Stack, progress: Progress) -> Record:
    record.forget(stack.folder)
    stack.place("run")
    log = record.log_path(stack.folder, SUPERVISOR)
    stack.place(log.parent.name)
    log.touch(mode=0o600)
    command = [sys.executable, "-m", "jobs.stack.daemon", settings.profile, str(settings.home)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *stack.chosen],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _await(stack, process, progress)
    except BaseException:
        _end(stack.folder, process.pid, process)
        raise


def _await(stack: Stack, process: subprocess.Popen[bytes] | None, progress: Progress) -> Record:
    """Wait until everything answers, a step for each service."""
    while True:
        told = _tidings(stack, process)
        unsteady = next((one for one in told.services if one.state is not State.HEALTHY), None)
        if told.services and unsteady is None:
            return told
        if unsteady is None:
            time.sleep(POLL_SECONDS)
            continue
        with progress.step(f"Starting {unsteady.name}"):
            while True:
                told = _tidings(stack, process)
                now = next(one for one in told.services if one.name == unsteady.name)
                if now.state is State.HEALTHY:
                    break
                if now.state is State.FAILED:
                    raise _broken(stack, now.name, now.reason or "")
                time.sleep(POLL_SECONDS)


def _tidings(stack: Stack, process: subprocess.Popen[bytes] | None) -> Record:
    """What the supervisor tells; `EnvironmentProblem` when it has ended, or gone."""
    gone = process is not None and process.poll() is not None
    told = record.read(stack.folder)
    if told is not None and told.ended is not None:
        failed = [one.name for one in told.services if one.state is State.FAILED]
        raise _broken(stack, failed[0] if failed else SUPERVISOR, told.ended)
    if gone or (process is None and record.running(stack.folder) is None):
        raise _broken(stack, SUPERVISOR, "the supervisor ended")
    return told or Record(0, stack.chosen, ())


def _broken(stack: Stack, name: str, reason: str) -> EnvironmentProblem:
    log = record.log_path(stack.folder, name)
    last = read_logs([log], TOLD_LINES) if log.exists() else []
    shown = "".join(f"\n  {line}" for line in last)
    return EnvironmentProblem(f"the stack was not started: {reason}; {log} ends:{shown}")


def _end(stack: Path, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Tell the supervisor to stop, and wait until it has; `TryAgain` when it takes too long."""
    with suppress(ProcessLookupError):
        if process is not None:
            process.terminate()
        else:
            os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + DOWN_SECONDS
    while record.running(stack) is not None or (process is not None and process.poll() is None):
        if time.monotonic() > end:
            raise TryAgain(f"the stack's supervisor (process {pid}) has not ended yet")
        time.sleep(POLL_SECONDS)
    record.forget(stack)
    end = time.monotonic() + LAST_SECONDS
    while _lives(pid) and time.monotonic() < end:
        time.sleep(POLL_SECONDS / 10)


def _lives(pid: int) -> bool:
    """Whether the process is still there; a child that has ended is let go."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _labelled(path: Path, line: str, paths: Sequence[Path]) -> str:
    return f"{path.stem}: {line}" if len(paths) > 1 else line
