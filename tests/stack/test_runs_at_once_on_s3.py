"""
Two processes told to write the same tables on S3: nothing is lost, and nothing is doubled.

A round is a day, on which both want to load the same deliveries.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from catalog.catalog import Catalog
from jobs.stack.component import Stack
from lake.engine import Engine
from tests.extent import ROUNDS
from tests.stack.pairs import Pair, make_pair
from tests.stories.processes import ended_well, put_to_sleep

pytestmark = pytest.mark.stack

SEED = 7

ENGINES = [
    ("embedded", "embedded"),
    ("spark", "embedded"),
    pytest.param("spark", "spark", marks=pytest.mark.nightly),
]
"""What the one works with, and the other."""

ASLEEP = [
    ("embedded", "embedded"),
    *(
        pytest.param(asleep, awake, marks=pytest.mark.nightly)
        for asleep, awake in (("spark", "embedded"), ("embedded", "spark"), ("spark", "spark"))
    ),
]
"""What the one that sleeps works with, and the other."""


@pytest.fixture
def pair(
    tmp_path: Path,
    stack: Stack,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> Pair:
    """Both homes, for loads alone; Spark works in the run's own process tree."""
    city = city_of(0.002, ROUNDS, SEED)
    return make_pair(tmp_path, stack, catalog, engine, city, "--only", "loads")


@pytest.mark.parametrize(("engine_of_one", "engine_of_other"), ENGINES)
def test_two_runs_at_once_load_every_delivery_once(
    pair: Pair, engine_of_one: str, engine_of_other: str
) -> None:
    dice = Random(SEED)
    ended = []
    for number in range(ROUNDS):
        pair.deliver(number)
        with pair.running("--engine", engine_of_one) as one:
            # An engine that starts in a second has ended before Spark has started.
            if engine_of_one != engine_of_other:
                one.waits_for("loading deliveries …")
                time.sleep(dice.uniform(0, 2))
            with pair.running("--engine", engine_of_other) as other:
                ended.append((ended_well(one), ended_well(other)))

    assert all(any(both) for both in ended), ended
    pair.end()


@pytest.mark.parametrize(("engine_asleep", "engine_awake"), ASLEEP)
def test_a_run_that_slept_through_its_leases_overwrites_nothing(
    pair: Pair, engine_asleep: str, engine_awake: str
) -> None:
    dice = Random(SEED)
    for number in range(ROUNDS):
        pair.deliver(number)
        with pair.running("--engine", engine_asleep) as asleep:
            asleep.waits_for("loading deliveries …")
            time.sleep(dice.uniform(0, 2))
            put_to_sleep(asleep, pair.home)
            with pair.running("--engine", engine_awake) as awake:
                assert ended_well(awake)
            asleep.send(signal.SIGCONT)
            ended_well(asleep)

    pair.end()
