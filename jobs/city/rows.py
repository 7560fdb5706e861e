"""Rows on their way into a file, and the sets of rules that they break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from catalog.contract import Contract
from catalog.errors import UsageError
from jobs.city.dice import Bools, Ints
from jobs.city.text import Text, join, nothing

BASE, RIVAL, ELDER, COPY = range(4)


class RuleBook:
    """The sets of broken rules that occur, each with a number; 0 is the empty set."""

    def __init__(self) -> None:
        self.sets: list[tuple[str, ...]] = [()]
        self._numbers: dict[tuple[str, ...], int] = {(): 0}

    def number(self, rules: Sequence[str]) -> int:
        """The number of a set of rules."""
        key = tuple(sorted(set(rules)))
        if key not in self._numbers:
            self._numbers[key] = len(self.sets)
            self.sets.append(key)
        return self._numbers[key]


@dataclass
class Rows:
    """Rows of one file, by contract column; `broken` is a number of the rule book."""

    columns: dict[str, Text]
    records: Ints
    broken: Ints
    unreadable: Bools
    kind: Ints
    """`BASE`, or why the row stands beside another one of its record."""
    keys: Text
    """The key before anything was spoilt, its parts joined with `|`."""
    change: Text | None = None
    is_delete: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: Ints) -> Rows:
        """Some of the rows, in this order."""
        places = pa.array(rows)
        return Rows(
            columns={name: values.take(places) for name, values in self.columns.items()},
            records=self.records[rows],
            broken=self.broken[rows],
            unreadable=self.unreadable[rows],
            kind=self.kind[rows],
            keys=self.keys.take(places),
            change=None if self.change is None else self.change.take(places),
            is_delete=self.is_delete[rows],
        )


def as_rows(
    columns: Mapping[str, Text], contract: Contract, records: Ints, delivered: frozenset[str]
) -> Rows:
    """
    Good rows; columns that the file does not have, or the register does not know, are empty.

    `UsageError` when the register does not know a column that the contract requires.
    """
    unknown = [c.name for c in contract.delivered_columns if c.required and c.name not in columns]
    if unknown:
        raise UsageError(
            f"{contract.id}: the city does not know the required column(s) {', '.join(unknown)}; "
            "teach its register in jobs/city/registers"
        )
    count = len(records)
    filled = {
        c.name: columns.get(c.name, nothing(count)) if c.name in delivered else nothing(count)
        for c in contract.delivered_columns
    }
    keys = filled[contract.key[0]]
    for name in contract.key[1:]:
        keys = join(keys, "|", filled[name])
    return Rows(
        columns=filled,
        records=records,
        broken=np.zeros(count, dtype=np.int64),
        unreadable=np.zeros(count, dtype=bool),
        kind=np.full(count, BASE),
        keys=keys,
        is_delete=np.zeros(count, dtype=bool),
    )
