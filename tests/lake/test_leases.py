from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from catalog.errors import LeaseLost, TryAgain
from lake.leases import Leases
from lake.state import database_clock, leases, reading

TABLE = "population__person"


class Clock:
    """The clock of the database, as far as the test lets it go."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self, _: sa.Connection) -> float:
        """What the store is told that the time is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def expiry(state: sa.Engine) -> float:
    with reading(state) as connection:
        return float(connection.execute(sa.select(leases.c.expires_at)).scalar_one())


def test_a_held_lease_keeps_others_out_and_tells_who_and_until_when(
    state: sa.Engine, clock: Clock
) -> None:
    clock.now = 0.0
    first = Leases(state, "run on host-1", clock=clock)
    second = Leases(state, "run on host-2", clock=clock)

    with first.hold(TABLE), pytest.raises(TryAgain) as caught, second.hold(TABLE):
        pass

    assert str(caught.value) == (
        "population__person is being written by run on host-1 until 08:01:00 Asia/Shanghai; "
        "try again"
    )


def test_a_lease_is_free_again_afterwards_and_numbers_only_grow(state: sa.Engine) -> None:
    numbers = []
    for owner in ("a", "b", "a"):
        with Leases(state, owner).hold(TABLE) as lease:
            numbers.append(lease.number)

    assert numbers == [1, 2, 3]


def test_a_lease_is_given_back_when_the_work_fails(state: sa.Engine) -> None:
    def fail() -> None:
        with Leases(state, "a").hold(TABLE):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with Leases(state, "b").hold(TABLE) as lease:
        assert lease.number == 2


def test_leases_of_different_tables_do_not_meet(state: sa.Engine) -> None:
    with Leases(state, "a").hold("one") as one, Leases(state, "b").hold("other") as other:
        one.check()
        other.check()

    assert (one.number, other.number) == (1, 1)


def test_a_check_renews_the_lease(state: sa.Engine, clock: Clock) -> None:
    with Leases(state, "a", clock=clock).hold(TABLE) as lease:
        assert expiry(state) == clock.now + 60
        clock.now += 50

        lease.check()

        assert expiry(state) == clock.now + 60


def test_an_expired_lease_is_taken_over_and_its_holder_finds_out(
    state: sa.Engine, clock: Clock
) -> None:
    with ExitStack() as stack:
        stale = stack.enter_context(Leases(state, "a", clock=clock).hold(TABLE))
        clock.now += 60.5

        fresh = stack.enter_context(Leases(state, "b", clock=clock).hold(TABLE))

        assert fresh.number == stale.number + 1
        with pytest.raises(LeaseLost, match="a has lost the lease number 1 to another process"):
            stale.check()
        fresh.check()


def test_a_stale_holder_gives_nothing_of_its_successor_back(state: sa.Engine, clock: Clock) -> None:
    with ExitStack() as outer, ExitStack() as inner:
        inner.enter_context(Leases(state, "a", clock=clock).hold(TABLE))
        clock.now += 61
        outer.enter_context(Leases(state, "b", clock=clock).hold(TABLE))

        inner.close()

        with pytest.raises(LeaseLost, match="by b until"):
            outer.enter_context(Leases(state, "c", clock=clock).hold(TABLE))


def test_an_expired_lease_that_nobody_took_may_be_renewed(state: sa.Engine, clock: Clock) -> None:
    with Leases(state, "a", clock=clock).hold(TABLE) as lease:
        clock.now += 1000

        lease.check()

        with pytest.raises(LeaseLost), Leases(state, "b", clock=clock).hold(TABLE):
            pass


def test_a_lease_is_kept_alive_while_its_holder_is_busy(state: sa.Engine, clock: Clock) -> None:
    with Leases(state, "a", renew_seconds=0.02, clock=clock).hold(TABLE):
        clock.now += 50
        deadline = time.monotonic() + 5
        while expiry(state) < clock.now + 60 and time.monotonic() < deadline:
            time.sleep(0.01)

        assert expiry(state) == clock.now + 60


def test_who_cannot_reach_the_store_does_not_commit(state: sa.Engine) -> None:
    with Leases(state, "a").hold(TABLE) as lease:
        with state.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE leases RENAME TO away")

        with pytest.raises(
            LeaseLost, match=r"cannot be renewed .*(no such table|does not exist).*try again"
        ):
            lease.check()


def test_of_many_threads_one_at_a_time_holds_the_lease(state: sa.Engine) -> None:
    numbers: list[int] = []
    holding = threading.Lock()
    overlaps = []

    def work(owner: str) -> None:
        held = 0
        while held < 3:
            try:
                with Leases(state, owner).hold(TABLE) as lease:
                    overlaps.append(not holding.acquire(blocking=False))
                    numbers.append(lease.number)
                    holding.release()
                    held += 1
            except LeaseLost:
                time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert numbers == [1, 2, 3, 4, 5, 6]
    assert overlaps == [False] * 6


HOLDER = """
import sys
from lake.leases import Leases
from lake.state import open_state
with Leases(open_state(sys.argv[1]), "the other process").hold(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_is_patient_waits_for_a_lease_and_says_so_once(
    state: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.leases.UNTOLD_SECONDS", 0.1)
    told: list[str] = []
    taken = threading.Event()

    def hold_a_while() -> None:
        with Leases(state, "run on host-1").hold(TABLE):
            taken.set()
            time.sleep(1)

    other = threading.Thread(target=hold_a_while)
    other.start()
    taken.wait()
    with Leases(state, "b", patience=30, tell=told.append).hold(TABLE) as lease:
        assert lease.number == 2
    other.join()

    (sentence,) = told
    assert sentence.startswith(f"waiting: {TABLE} is being written by run on host-1 until ")


def test_who_waits_gives_up_when_the_work_has_ended_otherwise(state: sa.Engine) -> None:
    waiting = Leases(state, "b", patience=30)
    started = time.monotonic()

    with Leases(state, "a").hold(TABLE):
        threading.Timer(0.1, waiting.stop_waiting).start()
        with pytest.raises(LeaseLost, match="by a until"):
            waiting.hold(TABLE).__enter__()

    assert time.monotonic() - started < 20


def test_another_process_is_kept_out_until_it_dies_and_not_a_moment_longer(
    state: sa.Engine,
) -> None:
    url = state.url.render_as_string(hide_password=False)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, TABLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == b"held\n"

    with pytest.raises(LeaseLost, match="by the other process until"):
        Leases(state, "a").hold(TABLE).__enter__()
    other.kill()
    # The dead child is a zombie until it is waited for: it counts as dead all the same.
    time.sleep(0.05)
    with Leases(state, "a").hold(TABLE) as lease:
        assert lease.number == 2

    other.wait()
    other.stdin.close()
    other.stdout.close()


WORKER = """
import os, sys
from lake.leases import Leases
from lake.state import open_state
url, table, place, owner = sys.argv[1:]
leases = Leases(open_state(url), owner, patience=60)
for _ in range(8):
    with leases.hold(table) as lease:
        lock = os.open(place + ".lock", os.O_CREAT | os.O_EXCL)  # fails when two hold it at once
        with open(place, "a") as file:
            file.write(f"{lease.number}\\n")
        os.close(lock)
        os.unlink(place + ".lock")
"""


def test_of_two_processes_one_at_a_time_writes_and_each_knows_it_is_later(
    state: sa.Engine, tmp_path: Path
) -> None:
    url, place = state.url.render_as_string(hide_password=False), tmp_path / "written"
    command = [sys.executable, "-c", WORKER, url, TABLE, str(place)]

    workers = [subprocess.Popen([*command, owner], stderr=subprocess.PIPE) for owner in ("a", "b")]

    assert [worker.communicate(timeout=120)[1] for worker in workers] == [b"", b""]
    assert place.read_text().split() == [str(number) for number in range(1, 17)]


SLEEPER = """
import sys
from catalog.errors import LeaseLost
from lake.leases import Leases
from lake.state import open_state
with Leases(open_state(sys.argv[1]), "a", seconds=2, renew_seconds=0.5).hold(sys.argv[2]) as lease:
    print(lease.number, flush=True)
    sys.stdin.readline()
    try:
        lease.check()
    except LeaseLost as lost:
        print(lost)
"""


def test_a_process_that_was_stopped_past_its_lease_does_not_commit(state: sa.Engine) -> None:
    url = state.url.render_as_string(hide_password=False)
    asleep = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, url, TABLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert asleep.stdout is not None
    assert asleep.stdout.readline() == b"1\n"

    try:
        asleep.send_signal(signal.SIGSTOP)
        with Leases(state, "b", patience=60).hold(TABLE) as lease:
            asleep.send_signal(signal.SIGCONT)
            told = asleep.communicate(b"go on\n", timeout=60)[0].decode()
            lease.check()
    finally:
        asleep.kill()
        asleep.communicate()

    assert lease.number == 2
    assert told.startswith(f"{TABLE}: a has lost the lease number 1 to another process")


def test_the_clock_of_the_database_goes_right(state: sa.Engine) -> None:
    before = time.time()
    with reading(state) as connection:
        now = database_clock(connection)

    assert before - 0.01 <= now <= time.time() + 0.01
