"""Two processes on one home: one waits for the other or says to try again, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.extent import SEEDS
from tests.stories.conftest import DAYS
from tests.stories.homes import Home
from tests.stories.processes import Running, assert_same, copied, running

ONE_DAY = ("--date", DAYS[0].isoformat())


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, landed: Home) -> Home:
    """A home where one run has loaded one day."""
    home = copied(landed, tmp_path_factory.mktemp("twin") / "home")
    with running(home, *ONE_DAY) as run:
        assert run.end() == 0, run.told
    return home


def ended_well(run: Running) -> bool:
    """Whether it did all its work; if not, it has said to try again."""
    code = run.end()
    assert code == 0 or (code == 3 and "try again" in run.told), (code, run.told)
    return code == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [(), ("--dataset", "population.household_register")])
def test_two_runs_at_once_end_in_the_tables_of_one(
    tmp_path: Path, landed: Home, twin: Home, options: tuple[str, ...], seed: int
) -> None:
    home = copied(landed, tmp_path / "home")
    dice = random.Random(f"{options} {seed}")

    with running(home, *ONE_DAY) as one:
        time.sleep(dice.uniform(0, 2))
        with running(home, *ONE_DAY, *options) as other:
            ended = [ended_well(one), ended_well(other)]

    assert any(ended)
    assert_same(home, twin)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_slept_through_its_leases_commits_nothing_more(
    tmp_path: Path, landed: Home, twin: Home, seed: int
) -> None:
    home = copied(landed, tmp_path / "home")
    dice = random.Random(seed)

    with running(home, *ONE_DAY) as asleep:
        asleep.waits_for(dice.choice(["loading deliveries …", "refreshing models …"]))
        time.sleep(dice.uniform(0, 2))
        put_to_sleep(asleep, home)
        with running(home, *ONE_DAY) as awake:
            assert ended_well(awake)
        os.kill(asleep.process.pid, signal.SIGCONT)
        ended_well(asleep)

    assert_same(home, twin)


def put_to_sleep(run: Running, home: Home) -> None:
    """Stop the process and let its leases run out, as they do in a minute."""
    state = sqlite3.connect(home.settings.home / "state.db", timeout=0.1)
    while True:
        os.kill(run.process.pid, signal.SIGSTOP)
        try:
            with state:
                state.execute("UPDATE leases SET expires_at = 0")
            break
        except sqlite3.OperationalError:
            # It was writing to the state store, and would stop everybody else.
            os.kill(run.process.pid, signal.SIGCONT)
            time.sleep(0.05)
    state.close()
