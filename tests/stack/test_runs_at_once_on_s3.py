"""Two processes told to write the same tables on S3: nothing is lost, and nothing is doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from catalog.catalog import Catalog
from jobs.stack.component import Stack
from lake.engine import Engine
from tests.stack.pairs import Pair, make_pair
from tests.stories.processes import ended_well, put_to_sleep

pytestmark = pytest.mark.stack

ROUNDS = int(os.environ.get("REDCLIFF_ROUNDS", "4"))
"""A day each, on which both want to load the same deliveries."""

SEED = 7


@pytest.fixture
def pair(
    tmp_path: Path,
    stack: Stack,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> Pair:
    """Both homes, for loads alone."""
    city = city_of(0.002, ROUNDS, SEED)
    return make_pair(tmp_path, stack, catalog, engine, city, "--only", "loads")


def test_two_runs_at_once_load_every_delivery_once(pair: Pair) -> None:
    ended = []
    for number in range(ROUNDS):
        pair.deliver(number)
        with pair.running() as one, pair.running() as other:
            ended.append((ended_well(one), ended_well(other)))

    assert all(any(both) for both in ended), ended
    pair.end()


def test_a_run_that_slept_through_its_leases_overwrites_nothing(pair: Pair) -> None:
    dice = Random(SEED)
    for number in range(ROUNDS):
        pair.deliver(number)
        with pair.running() as asleep:
            asleep.waits_for("loading deliveries …")
            time.sleep(dice.uniform(0, 2))
            put_to_sleep(asleep, pair.home)
            with pair.running() as awake:
                assert ended_well(awake)
            os.kill(asleep.process.pid, signal.SIGCONT)
            ended_well(asleep)

    pair.end()
