"""How records come, change and go from day to day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.city.dice import Bools, Dice, Ints, Numbers

NEVER = np.iinfo(np.int16).max

UPDATED_PER_DAY = 0.007
NEW_PER_DAY = 0.002
CANCELLED_PER_DAY = 0.0005
VANISHED_PER_DAY = 0.0005


@dataclass
class Life:
    """When each record of a kind appears, was last touched, is cancelled and vanishes; in days."""

    appears: Numbers
    cancelled: Numbers
    vanishes: Numbers
    touched: Numbers
    _dice: Dice

    def present(self, day: int) -> Ints:
        """The records that a full register holds on the day."""
        return np.flatnonzero((self.appears <= day) & (self.vanishes > day)).astype(np.int64)

    def touched_on(self, day: int) -> Ints:
        """The records that are updated on the day, in order."""
        there = self.present(day)
        there = there[(self.appears[there] < day) & (self.cancelled[there] > day)]
        return there[self._dice.of(f"touched on {day}").chance(there, UPDATED_PER_DAY)]

    def cancelled_on(self, day: int) -> Ints:
        """The records that are cancelled on the day and stay."""
        return np.flatnonzero((self.cancelled == day) & (self.vanishes > day)).astype(np.int64)

    def vanished_on(self, day: int) -> Ints:
        """The records that are missing from the day on."""
        return np.flatnonzero(self.vanishes == day).astype(np.int64)

    def new_on(self, day: int) -> Ints:
        """The records that are there for the first time."""
        return np.flatnonzero(self.appears == day).astype(np.int64)


def live(dice: Dice, appears: Numbers, days: int, may_vanish: Bools | None = None) -> Life:
    """A life for each record; on every day something ends, and nothing on its first."""
    records = np.arange(len(appears))
    life = Life(
        appears=appears.astype(np.int16),
        cancelled=np.full(len(appears), NEVER, dtype=np.int16),
        vanishes=np.full(len(appears), NEVER, dtype=np.int16),
        touched=np.full(len(appears), -1, dtype=np.int16),
        _dice=dice,
    )
    base = int(np.count_nonzero(appears == 0))
    for day in range(1, days):
        fate = dice.of(f"fate on {day}").uniform(records)
        free = (appears < day) & (life.cancelled > day) & (life.vanishes > day)
        order = np.argsort(np.where(free, fate, 2.0), kind="stable")
        ending = order[: max(1, round(CANCELLED_PER_DAY * base))]
        rest = order[len(ending) :]
        rest = rest if may_vanish is None else rest[may_vanish[rest]]
        leaving = rest[: max(1, round(VANISHED_PER_DAY * base))]
        life.cancelled[ending[free[ending]]] = day
        life.vanishes[leaving[free[leaving]]] = day
    return life
