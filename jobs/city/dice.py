"""
Chance that depends on nothing but the seed, a name and a number.

A `Dice` gives the same answer for the same record however rows are cut into chunks, in whatever
order datasets are written, and on whichever day it is asked: what is wrong with a record stays
wrong with it until somebody mends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[Any]
"""Whole numbers of any width."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finisher of splitmix64: every input bit moves every output bit."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))


class Dice:
    """Named, stateless chance over record numbers."""

    def __init__(self, seed: int, name: str = "") -> None:
        self._seed = seed
        self._name = name
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self._key = np.uint64(int.from_bytes(digest, "big"))

    def of(self, name: object) -> Dice:
        """Another dice, independent of this one."""
        return Dice(self._seed, f"{self._name}/{name}")

    def bits(self, records: Numbers) -> NDArray[np.uint64]:
        """64 even bits for each record."""
        with np.errstate(over="ignore"):
            spread = (records.astype(np.uint64) + np.uint64(1)) * _GOLDEN
            return _mixed(_mixed(spread ^ self._key) + self._key)

    def uniform(self, records: Numbers) -> Floats:
        """A number in [0, 1) for each record."""
        return (self.bits(records) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, records: Numbers, bound: int | Numbers) -> Ints:
        """A whole number in [0, bound) for each record; 0 where the bound is 0."""
        drawn = (self.uniform(records) * bound).astype(np.int64)
        highest: Ints = np.maximum(np.asarray(bound, dtype=np.int64) - 1, 0)
        return np.minimum(drawn, highest)

    def between(self, records: Numbers, low: int | Numbers, high: int | Numbers) -> Ints:
        """A whole number in [low, high] for each record."""
        drawn: Ints = low + self.below(records, np.asarray(high) - low + 1)
        return drawn

    def chance(self, records: Numbers, probability: float | Floats) -> Bools:
        """Whether it happens to each record."""
        return np.asarray(self.uniform(records) < probability)

    def pick(self, records: Numbers, weights: Sequence[float]) -> Ints:
        """The place of a weighted choice for each record."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        found = np.searchsorted(edges / edges[-1], self.uniform(records), side="right")
        return np.minimum(found, len(weights) - 1).astype(np.int64)

    def bell(self, records: Numbers, low: float, high: float) -> Floats:
        """A number in [low, high), most often near the middle."""
        half = self.of("half").uniform(records)
        return low + (high - low) * (self.uniform(records) + half) / 2
