from __future__ import annotations

import numpy as np
import pytest

from jobs.city.dice import Dice

RECORDS = np.arange(200_000)


def test_a_record_gets_the_same_answer_in_any_company() -> None:
    dice = Dice(7).of("phones")
    picked = np.array([150_000, 3, 3, 77])

    alone = dice.uniform(picked)

    assert alone.tolist() == dice.uniform(RECORDS)[picked].tolist()


@pytest.mark.parametrize("other", [Dice(8).of("phones"), Dice(7).of("names"), Dice(7)])
def test_another_seed_or_name_gives_another_answer(other: Dice) -> None:
    agreement = np.corrcoef(Dice(7).of("phones").uniform(RECORDS), other.uniform(RECORDS))[0, 1]

    assert abs(agreement) < 0.01


def test_the_answers_are_fixed_for_all_time() -> None:
    # Whoever changes this changes every city: raise `generate.EDITION` then.
    assert Dice(1).of("a").bits(np.arange(3)).tolist() == [
        4723472804917003817,
        17153961991216820455,
        9563595765066130982,
    ]


def test_chances_come_true_as_often_as_told() -> None:
    dice = Dice(3).of("share")

    assert dice.chance(RECORDS, 0.2).mean() == pytest.approx(0.2, abs=0.004)
    assert np.bincount(dice.pick(RECORDS, (1, 2, 7))) / len(RECORDS) == pytest.approx(
        [0.1, 0.2, 0.7], abs=0.005
    )
    assert np.bincount(dice.below(RECORDS, 4)).min() > 49_000


def test_bounds_are_kept_for_each_record() -> None:
    bounds = np.array([1, 2, 3, 0])

    drawn = Dice(2).below(np.arange(4), bounds)

    assert (drawn < np.maximum(bounds, 1)).all()
    assert set(Dice(2).between(RECORDS, 5, 7).tolist()) == {5, 6, 7}
