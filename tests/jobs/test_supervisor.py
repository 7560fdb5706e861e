from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jobs.stack.component import Service
from jobs.stack.record import Record, State, log_path, read, run_folder
from jobs.stack.supervisor import Supervisor

# Listens on its port and says so; `deaf` listens only after a second.
SERVER = """
import socket, sys, time
time.sleep(float(sys.argv[2]))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    print("listening", flush=True)
    while True:
        server.accept()[0].close()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def gone(pid: int) -> bool:
    """Whether the process has ended; who inherits it may not have taken note yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def server(
    name: str, *, deaf: float = 0, after: tuple[str, ...] = (), patient: float = 20
) -> Service:
    """A small server; asking it means to connect."""
    port = free_port()
    return Service(
        name=name,
        argv=(sys.executable, "-c", SERVER, str(port), str(deaf)),
        probe=lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(),
        after=after,
        ports={"port": port},
        start_seconds=patient,
    )


class Running:
    """A supervisor at work in a thread."""

    def __init__(self, stack: Path, *services: Service) -> None:
        self.stack = stack
        for folder in (run_folder(stack), log_path(stack, "any").parent):
            folder.mkdir(parents=True, exist_ok=True)
        supervisor = Supervisor(services, stack, os.environ, patience=(0.2, 0.2), look=0.2)
        self._stop = threading.Event()
        self.ended: list[str | None] = []
        self._thread = threading.Thread(
            target=lambda: self.ended.append(supervisor.run(self._stop.is_set))
        )
        self._thread.start()

    def until(self, holds: Callable[[Record], bool], seconds: float = 20) -> Record:
        """Wait for a record that holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            record = read(self.stack)
            if record is not None and holds(record):
                return record
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {read(self.stack)}")

    def stop(self) -> None:
        """Stop it, and wait."""
        self._stop.set()
        self._thread.join(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def starting(*services: Service) -> Running:
        started.append(Running(tmp_path, *services))
        return started[-1]

    yield starting
    for one in started:
        one.stop()


def test_what_waits_for_another_starts_when_that_answers(start: Callable[..., Running]) -> None:
    first, second = server("first", deaf=1), server("second", after=("first",))

    running = start(first, second)
    early = running.until(lambda r: r.services[0].state is State.STARTING)
    record = running.until(lambda r: r.healthy)

    assert early.services[1].state is State.WAITING
    assert [one.restarts for one in record.services] == [0, 0]
    assert record.services[0].seconds is not None
    assert record.services[0].seconds >= 1
    assert record.services[1].ports == second.ports


def test_down_leaves_no_process_and_no_port(start: Callable[..., Running]) -> None:
    services = server("first"), server("second")
    running = start(*services)
    pids = [one.pid for one in running.until(lambda r: r.healthy).services]

    running.stop()

    assert running.ended == [None]
    assert not any(answers(service.ports["port"]) for service in services)
    assert all(pid is not None and gone(pid) for pid in pids)


def test_a_process_that_dies_is_started_again(start: Callable[..., Running]) -> None:
    service = server("only")
    running = start(service)
    before = running.until(lambda r: r.healthy).services[0].pid
    assert before is not None

    os.kill(before, signal.SIGKILL)
    lost = running.until(lambda r: r.services[0].restarts == 1)
    after = running.until(lambda r: r.healthy).services[0]

    assert lost.services[0].reason == "it ended by signal 9"
    assert after.pid != before
    assert answers(service.ports["port"])
    assert log_path(running.stack, "only").read_text().count("listening") == 2


def test_a_process_that_keeps_dying_is_reported_and_the_others_live_on(
    start: Callable[..., Running],
) -> None:
    running = start(server("steady"), server("frail"))
    running.until(lambda r: r.healthy)
    for restarts in (1, 2, 3):
        pid = running.until(lambda r: r.services[1].state is State.HEALTHY).services[1].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        if restarts < 3:
            running.until(lambda r, n=restarts: r.services[1].restarts == n)  # type: ignore[misc]

    record = running.until(lambda r: r.services[1].state is State.FAILED)

    assert record.services[0].state is State.HEALTHY
    assert record.services[1].pid is None
    assert record.ended is None


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param(
            Service(name="bad", argv=(sys.executable, "-c", "exit(3)"), probe=lambda: None),
            "bad: it ended with exit code 3",
            id="it-ends",
        ),
        pytest.param(
            Service(name="bad", argv=("/there/is/no/such/program",), probe=lambda: None),
            "bad: it cannot be started: No such file or directory",
            id="it-is-not-there",
        ),
        pytest.param(
            server("bad", deaf=60, patient=0.5), "bad did not answer within 0 s", id="it-is-silent"
        ),
    ],
)
def test_when_one_does_not_start_nothing_stays(
    start: Callable[..., Running], broken: Service, reason: str
) -> None:
    good = server("good")
    running = start(good, broken)

    record = running.until(lambda r: r.ended is not None and r.services[0].pid is None)

    assert record.ended is not None
    assert record.ended.startswith(reason)
    assert [one.state for one in record.services] == [State.STOPPED, State.FAILED]
    assert not answers(good.ports["port"])


def test_children_of_a_process_end_with_it(start: Callable[..., Running], tmp_path: Path) -> None:
    port = free_port()
    child = tmp_path / "child"
    shell = f"sleep 600 & echo $! > {child}; exec {sys.executable} -c '{SERVER}' {port} 0"
    running = start(
        Service(
            name="parent",
            argv=("/bin/sh", "-c", shell),
            probe=lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(),
        )
    )
    running.until(lambda r: r.healthy)

    running.stop()

    assert gone(int(child.read_text()))


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    for name in ("run", "logs"):
        (tmp_path / name).mkdir()
    code = (
        "import os, socket, sys\n"
        "from pathlib import Path\n"
        "from jobs.stack.component import Service\n"
        "from jobs.stack.supervisor import Supervisor\n"
        f"probe = lambda: socket.create_connection(('127.0.0.1', {port}), timeout=1).close()\n"
        f"argv = (sys.executable, '-c', {SERVER!r}, '{port}', '0')\n"
        f"one = Service(name='one', argv=argv, probe=probe)\n"
        f"Supervisor([one], Path({str(tmp_path)!r}), os.environ).run(lambda: False)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    end = time.monotonic() + 30
    while not answers(port) and time.monotonic() < end:
        time.sleep(0.05)
    assert answers(port)

    supervisor.kill()
    supervisor.wait()

    while answers(port) and time.monotonic() < end:
        time.sleep(0.05)
    assert not answers(port)
