"""Two processes told to write the same tables on S3: nothing is lost, and nothing is doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from catalog.catalog import Catalog
from jobs.demo import FIRST_DAY
from jobs.stack.component import Stack
from lake.engine import Engine
from tests.stories.homes import Home, make_home
from tests.stories.processes import assert_same, ended_well, put_to_sleep, running

pytestmark = pytest.mark.stack

ROUNDS = int(os.environ.get("REDCLIFF_ROUNDS", "6"))
"""A day each, on which both want to load the same deliveries."""

DATASETS = ("population.household_register", "benefit.subsidy_payment")
SEED = 7
ONLY = ("--only", "loads")


@dataclass(frozen=True)
class OnS3:
    """A home whose lake and landing lie on S3, and its twin in folders."""

    home: Home
    twin: Home
    options: tuple[str, ...]

    def deliver(self, number: int) -> None:
        """The deliveries of a day land in both."""
        for home in (self.home, self.twin):
            home.deliver(*DATASETS, day=FIRST_DAY + timedelta(number))

    def end(self) -> None:
        """The twin runs undisturbed, and both are compared."""
        with running(self.twin, *ONLY) as run:
            assert run.end() == 0, run.told
        assert_same(self.home, self.twin, landed_apart=True)


@pytest.fixture
def pair(
    tmp_path: Path,
    stack: Stack,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> OnS3:
    """Both, with nothing landed."""
    store = stack.component("s3")
    login, root = store.login(stack), f"s3://{store.bucket}/{tmp_path.name}"
    profile = tmp_path / "s3.yaml"
    profile.write_text(
        f"lake: {root}/lake\nlanding: {root}/landing\n"
        f"s3: {{endpoint: '{login.endpoint}', access_key: {login.access_key}, "
        f"secret_file: '{stack.secret_file('s3')}', region: {login.region}}}\n"
    )
    city = city_of(0.002, ROUNDS, SEED)
    home = make_home(tmp_path / "home", catalog, engine, city, profile=str(profile))
    twin = make_home(tmp_path / "twin", catalog, engine, city)
    return OnS3(home, twin, ("--profile", str(profile), *ONLY))


def test_two_runs_at_once_load_every_delivery_once(pair: OnS3) -> None:
    ended = []
    for number in range(ROUNDS):
        pair.deliver(number)
        with running(pair.home, *pair.options) as one, running(pair.home, *pair.options) as other:
            ended.append((ended_well(one), ended_well(other)))

    assert all(any(both) for both in ended), ended
    pair.end()


def test_a_run_that_slept_through_its_leases_overwrites_nothing(pair: OnS3) -> None:
    dice = Random(SEED)
    for number in range(ROUNDS):
        pair.deliver(number)
        with running(pair.home, *pair.options) as asleep:
            asleep.waits_for("loading deliveries …")
            time.sleep(dice.uniform(0, 2))
            put_to_sleep(asleep, pair.home)
            with running(pair.home, *pair.options) as awake:
                assert ended_well(awake)
            os.kill(asleep.process.pid, signal.SIGCONT)
            ended_well(asleep)

    pair.end()
