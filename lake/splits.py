"""
Where a large text file may be parted, so that several tasks read it at once.

It is found once, when the file is delivered (`lake.readers.parts`), and kept with the delivery's
record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

SPLIT_BYTES = 256 << 20
"""A text file larger than this is parted."""

PART_BYTES = 64 << 20
"""A part has at least so many bytes."""


@dataclass(frozen=True)
class Part:
    """
    The records from byte `start` up to byte `end` of a file, which come after `before` others.

    What lies before byte `head` is the header.
    """

    head: int
    start: int
    end: int
    before: int


@dataclass(frozen=True)
class Split:
    """
    The borders of the parts: byte offset, and number of records before it, in order.

    The first is where the header ends. `reading` is the fingerprint of how the file was read: for
    whom the contract says otherwise today, the borders may lie elsewhere.
    """

    reading: str
    borders: tuple[tuple[int, int], ...]

    def parts(self, size: int) -> list[Part]:
        """The parts of the file of `size` bytes, in order."""
        head = self.borders[0][0]
        ends = [*self.borders, (size, 0)]
        return [Part(head, start, end, before) for (start, before), (end, _) in pairwise(ends)]

    def document(self) -> dict[str, Any]:
        """The split for JSON."""
        return {"reading": self.reading, "borders": [list(border) for border in self.borders]}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Split:
        """The split that `document` tells of."""
        borders = tuple((offset, before) for offset, before in document["borders"])
        return cls(document["reading"], borders)
