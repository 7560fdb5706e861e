"""What a register is to the generator: which records it delivers when, and how it writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from jobs.city.dice import Bools, Ints, Numbers
from jobs.city.lives import Life
from jobs.city.text import Text, iso_time
from jobs.city.world import World

Columns: TypeAlias = Mapping[str, Text]
"""Values by contract column in canonical form: codes, ISO dates, plain decimals."""

INSERT, UPDATE, DELETE = range(3)


@dataclass(frozen=True)
class Batch:
    """
    Records that go into one file.

    `changes` tells for each record of a `changes` dataset what became of it. `headers` names
    the columns of the file where a dataset has several forms; `member` tells such files apart.
    """

    records: Ints
    changes: Numbers | None = None
    headers: Mapping[str, str] | None = None
    member: str = ""


@dataclass(frozen=True)
class Subject:
    """
    The person or entity that a record is about.

    `of` gives the true one for each record, -1 where the record is about none; `identified` tells
    whether the record carries the right number.
    """

    kind: str
    of: Callable[[World, Ints], Ints]
    identified: Callable[[World, Ints], Bools]
    role: str = "subject"


@dataclass(frozen=True)
class Style:
    """How the department writes: Chinese headers and words or codes, its dates, its file."""

    chinese: bool = False
    date_form: str = "yyyy-MM-dd"
    byte_order_mark: bool = False
    line_end: str = "\n"
    archive: bool = False
    typed_cells: bool = False
    """Workbooks hold numbers and dates as such, not as text."""
    done_marker: bool = False
    """Finish the folder with `_DONE` instead of a manifest."""
    extra: tuple[str, tuple[str, ...]] | None = None
    """A column that the contract does not know, with the words it holds."""


@dataclass(frozen=True)
class Register:
    """One source dataset."""

    dataset: str
    due: Callable[[World], Iterable[Batch]]
    """What is delivered on the world's day; called on days on which the cycle is due."""
    write: Callable[[World, Ints], Columns]
    subjects: tuple[Subject, ...] = ()
    style: Style = field(default_factory=Style)


class Stream:
    """
    Records that are only ever added: a backlog before the first day, then some every day.

    `happened` tells the day of each record, counted from 1970.
    """

    def __init__(self, name: str, base: int, per_day: int, years: float) -> None:
        self.name = name
        self._base = base
        self._per_day = per_day
        self._span = int(years * 365)

    def count(self, world: World) -> int:
        """How many records there are up to the world's last day."""
        return self.base(world) + self.per_day(world) * (world.days - 1)

    def base(self, world: World) -> int:
        """How many records the backlog has."""
        return world.count_at(self._base, 4)

    def per_day(self, world: World) -> int:
        """How many records a day adds."""
        return world.count_at(self._per_day, 3)

    def new(self, world: World) -> Ints:
        """The records of the world's day; on the first day the whole backlog."""
        if world.today == 0:
            return np.arange(self.base(world))
        first = self.base(world) + self.per_day(world) * (world.today - 1)
        return np.arange(first, first + self.per_day(world))

    def happened(self, world: World, records: Numbers) -> Ints:
        """The day on which each happened: the one before it is told, or long before the backlog."""
        dice = world.dice.of(self.name).of("happened")
        base, per_day = self.base(world), self.per_day(world)
        told = world.start + 1 + (np.asarray(records) - base) // per_day
        back = (dice.uniform(records) ** 1.4 * self._span).astype(np.int64)
        return np.where(np.asarray(records) < base, world.start - 1 - back, told - 1)


def changes_of(life: Life, day: int, chosen: Bools | None = None) -> Batch:
    """
    What became of a register's records on a day: all of them on the first, then its changes.

    `chosen` tells which records belong to the register at all.
    """
    if day == 0:
        there = life.present(0)
        events = [(there, INSERT)]
    else:
        updated = np.concatenate([life.touched_on(day), life.cancelled_on(day)])
        events = [(life.new_on(day), INSERT), (updated, UPDATE), (life.vanished_on(day), DELETE)]
    records = np.concatenate([which for which, _ in events])
    kinds = np.concatenate([np.full(len(which), kind) for which, kind in events])
    if chosen is not None:
        records, kinds = records[chosen[records]], kinds[chosen[records]]
    return Batch(records, kinds)


def updated_at(world: World, life: Life, name: str, records: Ints, since: Ints) -> Text:
    """When each record was changed last, not before the day `since`, as yyyy-MM-dd HH:mm:ss."""
    day, second = world.updated_at(life, world.dice.of(name).of("updated"), records)
    leaves = life.vanishes[records] == world.today
    return iso_time(np.where(leaves, world.date, np.maximum(day, since)), second)


def cancellation(world: World, life: Life, records: Ints) -> tuple[Bools, Ints]:
    """Whether each record has been cancelled, and on which day (counted from 1970)."""
    ended = life.cancelled[records] <= world.today
    return ended, np.where(ended, world.start + life.cancelled[records].astype(np.int64) - 1, 0)
