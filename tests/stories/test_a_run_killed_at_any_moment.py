"""SIGKILL at random moments of a run, again and again: it ends in the tables of its twin."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.extent import ALL_KILLS
from tests.stories.homes import Home
from tests.stories.processes import assert_same, copied, running

KILLS = 10
"""Kills of one home, before it may run to its end."""

STARTING, LOADING, MODELS = "", "loading deliveries …", "refreshing models …"
"""What a run says when its parts begin."""


@dataclass(frozen=True)
class Undisturbed:
    """A home whose run nobody disturbed, and how many seconds each part of the run took."""

    home: Home
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, landed: Home) -> Undisturbed:
    home = copied(landed, tmp_path_factory.mktemp("twin") / "home")
    with running(home) as run:
        began = [time.monotonic()]
        for word in (LOADING, MODELS):
            assert run.waits_for(word), run.told
            began.append(time.monotonic())
        assert run.end() == 0, run.told
    ends = [*began[1:], time.monotonic()]
    lasted = (end - begin for begin, end in zip(began, ends, strict=True))
    return Undisturbed(home, dict(zip((STARTING, LOADING, MODELS), lasted, strict=True)))


def moments(seconds: dict[str, float], dice: random.Random) -> list[tuple[str, float]]:
    """
    When to kill: so long after the run has said that word.

    Once while it starts, six times while it loads, three times while it refreshes models. A run
    goes on where the one before was killed, so that each gets a part of the way only.
    """
    parts = [(STARTING, 1, 1.0), (LOADING, 6, 0.35), (MODELS, 3, 0.5)]
    return [
        (word, dice.uniform(0, seconds[word] * part))
        for word, times, part in parts
        for _ in range(times)
    ]


@pytest.mark.parametrize("seed", range(ALL_KILLS // KILLS))
def test_a_run_killed_at_random_moments_ends_in_the_tables_of_its_twin(
    tmp_path: Path, landed: Home, twin: Undisturbed, seed: int
) -> None:
    names = map(str, count())
    home = copied(landed, tmp_path / next(names))
    kills = 0

    for word, seconds in moments(twin.seconds, random.Random(seed)):
        before = home
        home = copied(before, tmp_path / next(names))
        while not killed(home, word, seconds):
            # It was done before: that is one more to compare, and the kill is to come sooner.
            assert_same(home, twin.home)
            home = copied(before, tmp_path / next(names))
            seconds /= 2
        kills += 1
    with running(home) as run:
        assert run.end() == 0, run.told

    assert kills == KILLS
    assert_same(home, twin.home)
    assert home.versions() == twin.home.versions()


def killed(home: Home, word: str, seconds: float) -> bool:
    """Whether a run of the home was killed so long after it had said that word, or had ended."""
    with running(home) as run:
        if run.waits_for(word):
            time.sleep(seconds)
        if run.kill():
            return True
        assert run.code == 0, run.told
        return False
