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
from tests.stories.processes import put_to_sleep

pytestmark = pytest.mark.stack

SEED = 7
SECONDS_APART = 2.0
SECONDS_AT_WORK = {"embedded": 0.5, "spark": 5.0}
"""Less than an engine that is open needs for a round."""

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
    with pair.standing(engine_of_one) as one, pair.standing(engine_of_other) as other:
        for number in range(ROUNDS):
            pair.deliver(number)
            later = dice.uniform(-SECONDS_APART, SECONDS_APART)
            one.go(max(later, 0))
            other.go(max(-later, 0))
            ended = [one.ended_well(), other.ended_well()]
            assert any(ended), number
    pair.end()


@pytest.mark.parametrize(("engine_asleep", "engine_awake"), ASLEEP)
def test_a_run_that_slept_through_its_leases_overwrites_nothing(
    pair: Pair, engine_asleep: str, engine_awake: str
) -> None:
    dice = Random(SEED)
    slept = 0
    with pair.standing(engine_asleep) as asleep, pair.standing(engine_awake) as awake:
        for number in range(ROUNDS):
            pair.deliver(number)
            asleep.go(0)
            time.sleep(dice.uniform(0, SECONDS_AT_WORK[engine_asleep]))
            put_to_sleep(asleep, pair.home)
            slept += asleep.is_at_work
            awake.go(0)
            assert awake.ended_well(), number
            asleep.send(signal.SIGCONT)
            asleep.ended_well()

    assert slept, "every run had ended before it was stopped"
    pair.end()
