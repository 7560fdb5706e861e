"""Two processes on one home: one waits for the other or says to try again, and nothing is lost."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.extent import SEEDS
from tests.stories.conftest import DAYS
from tests.stories.homes import Home
from tests.stories.processes import assert_same, copied, ended_well, put_to_sleep, running

ONE_DAY = ("--date", DAYS[0].isoformat())


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, landed: Home) -> Home:
    """A home where one run has loaded one day."""
    home = copied(landed, tmp_path_factory.mktemp("twin") / "home")
    with running(home, *ONE_DAY) as run:
        assert run.end() == 0, run.told
    return home


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
        asleep.send(signal.SIGCONT)
        ended_well(asleep)

    assert_same(home, twin)
