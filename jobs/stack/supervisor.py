"""
Keeps the processes of the stack alive: started when what they wait for answers, asked whether they
answer, started again when they die, stopped in reverse order.

Known supervisors were looked at (ADR 0008): what is special here is that a process counts as
started when it answers a real question, and that nothing outlives the supervisor, whatever
happens to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jobs.stack.component import Service
from jobs.stack.record import Record, Standing, State, log_path, write

TICK_SECONDS = 0.1
PROBE_SECONDS = 0.5
"""Between two questions to a server that has not answered yet."""

LOOK_SECONDS = 10.0
"""Between two questions to one that has."""

PATIENCE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""How long to wait before a dead process is started again; after the last it is left alone."""

STEADY_SECONDS = 300.0
"""Who lived so long starts with full patience again."""

LOG_BYTES = 20_000_000
"""A larger log is put aside when its process starts."""

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class _Kept:
    """A service and its process."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.process: subprocess.Popen[bytes] | None = None
        self.state = State.WAITING
        self.restarts = 0
        self.deaths = 0
        self.started = 0.0
        self.due = 0.0  # for the next question, or the next start
        self.seconds: float | None = None
        self.reason: str | None = None

    def standing(self) -> Standing:
        """What is told of it."""
        return Standing(
            name=self.service.name,
            state=self.state,
            pid=self.process.pid if self.process else None,
            ports=self.service.ports,
            restarts=self.restarts,
            seconds=self.seconds,
            reason=self.reason,
        )


class Supervisor:
    """
    The processes of `services`.

    Until all have answered once, any failure ends the whole: a stack is up, or nothing of it is.
    """

    def __init__(
        self,
        services: Sequence[Service],
        stack: Path,
        environ: Mapping[str, str],
        *,
        chosen: Sequence[str] = (),
        patience: Sequence[float] = PATIENCE_SECONDS,
        look: float = LOOK_SECONDS,
    ) -> None:
        self._kept = [_Kept(service) for service in services]
        self._stack = stack
        self._environ = environ
        self._chosen = tuple(chosen)
        self._patience = tuple(patience)
        self._look = look
        self._up = False
        self._told: Record | None = None
        self._ended: str | None = None

    def run(self, stopped: Callable[[], bool]) -> str | None:
        """Work until `stopped`; returns why it ended before, with everything stopped again."""
        try:
            while not stopped() and self._ended is None:
                self._tick()
                self._tell()
                time.sleep(TICK_SECONDS)
        finally:
            for kept in reversed(self._kept):
                self._stop(kept)
            self._tell()
        return self._ended

    def _tick(self) -> None:
        healthy = {kept.service.name for kept in self._kept if kept.state is State.HEALTHY}
        for kept in self._kept:
            now = time.monotonic()
            if kept.process is not None and kept.process.poll() is not None:
                self._died(kept, now)
            if kept.state is State.WAITING:
                if healthy.issuperset(kept.service.after):
                    self._start(kept, now)
            elif kept.state is State.RESTARTING:
                if now >= kept.due:
                    self._start(kept, now)
            elif kept.process is not None and now >= kept.due:
                self._ask(kept, now)
            if self._ended is not None:
                return
        self._up = self._up or all(kept.state is State.HEALTHY for kept in self._kept)

    def _start(self, kept: _Kept, now: float) -> None:
        service = kept.service
        log = log_path(self._stack, service.name)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        try:
            log.touch(mode=0o600)
            with log.open("ab") as output:
                kept.process = subprocess.Popen(
                    service.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._stack,
                    env={**self._environ, **service.environ},
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                )
        except OSError as error:
            self._lost(kept, f"it cannot be started: {error.strerror}", now)
            return
        kept.state, kept.started, kept.due = State.STARTING, now, now + PROBE_SECONDS

    def _ask(self, kept: _Kept, now: float) -> None:
        try:
            kept.service.probe()
        except Exception as error:  # a probe may meet whatever its client raises
            kept.reason = f"no answer: {type(error).__name__}: {_first_line(error)}"
            if kept.state is State.STARTING:
                if not self._up and now - kept.started > kept.service.start_seconds:
                    kept.state = State.FAILED
                    self._ended = (
                        f"{kept.service.name} did not answer within "
                        f"{kept.service.start_seconds:.0f} s ({kept.reason})"
                    )
            else:
                kept.state = State.SILENT
            kept.due = time.monotonic() + PROBE_SECONDS
            return
        answered = time.monotonic()
        if kept.state is State.STARTING:
            kept.seconds = round(answered - kept.started, 1)
        kept.state, kept.reason = State.HEALTHY, None
        kept.due = answered + self._look

    def _died(self, kept: _Kept, now: float) -> None:
        assert kept.process is not None
        status = kept.process.returncode
        _end_group(kept.process.pid)
        kept.process = None
        how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
        self._lost(kept, f"it ended {how}", now)

    def _lost(self, kept: _Kept, reason: str, now: float) -> None:
        kept.reason = reason
        if not self._up:
            kept.state = State.FAILED
            self._ended = f"{kept.service.name}: {reason}"
            return
        if now - kept.started > STEADY_SECONDS:
            kept.deaths = 0
        if kept.deaths == len(self._patience):
            kept.state = State.FAILED
            return
        kept.state, kept.due = State.RESTARTING, now + self._patience[kept.deaths]
        kept.deaths += 1
        kept.restarts += 1

    def _stop(self, kept: _Kept) -> None:
        """End a process with its children, kindly first."""
        process, kept.process = kept.process, None
        if kept.state is not State.FAILED:
            kept.state = State.STOPPED
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(kept.service.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(kept.service.stop_seconds)
        _end_group(process.pid)
        process.wait()

    def _tell(self) -> None:
        standing = tuple(kept.standing() for kept in self._kept)
        record = Record(os.getpid(), self._chosen, standing, self._ended)
        if record != self._told:
            write(self._stack, record)
            self._told = record


def _end_group(leader: int) -> None:
    """Kill what is left of a process group, such as the executors of Spark's worker."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
