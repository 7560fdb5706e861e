"""What CSV and XLSX share: a header, then records of as many cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Drift
from lake.readers.batches import Batches, Records, text_array
from lake.readers.headers import (
    HEADER_DEPTH,
    Layout,
    header_refused,
    is_header,
    lay_out,
    unknown_refused,
)
from lake.readers.reading import Reading


@dataclass(frozen=True)
class Grid:
    """A table whose header is known: turns its cells into batches."""

    reading: Reading
    file: str
    layout: Layout

    @classmethod
    def under_header(cls, reading: Reading, file: str, records: Iterator[Sequence[str]]) -> Grid:
        """
        Take records up to and with the header.

        Refused when none of the first records is the header, or there is none at all.
        """
        passed: list[Sequence[str]] = []
        for cells in islice(records, HEADER_DEPTH):
            if is_header(reading, cells):
                return cls(reading, file, lay_out(reading, cells, file))
            passed.append(cells)
        if not passed:
            raise DeliveryRefused(
                "the file is empty",
                file=file,
                remedy="deliver the file again; with no records, deliver its header alone",
            )
        raise header_refused(reading, passed[0], file)

    def rows(
        self, rows: Sequence[Sequence[str]], numbers: Sequence[int], faults: Mapping[int, str]
    ) -> Iterator[pa.RecordBatch]:
        """Batches of records of the header's width, by their cells, and of faults."""
        cells = [text_array(column) for column in zip(*rows, strict=True)]
        return self.columns(cells, pa.array(numbers, pa.int64()), faults)

    def columns(
        self, cells: Sequence[pa.Array], numbers: pa.Array, faults: Mapping[int, str]
    ) -> Iterator[pa.RecordBatch]:
        """Batches of records given as columns in the header's order, and of faults."""
        batches = Batches(self.reading, self.file, self.layout.missing)
        if not cells:
            return batches.of([], faults)
        nulls = pa.nulls(len(numbers), pa.string())

        def at(place: int | None) -> pa.Array:
            return nulls if place is None else cells[place]

        records = Records(
            columns=[at(place) for place in self.layout.positions],
            extra=self._extra(cells, numbers),
            change=at(self.layout.change),
            numbers=numbers,
        )
        return batches.of([records], faults)

    def _extra(self, cells: Sequence[pa.Array], numbers: pa.Array) -> pa.Array:
        """JSON of the unknown columns, for the rows that have a value in one of them."""
        filled = [
            (json.dumps(name, ensure_ascii=False), cells[place])
            for place, name in self.layout.unknown
            if cells[place].null_count < len(numbers)
        ]
        if not filled:
            return pa.nulls(len(numbers), pa.string())
        if self.reading.unknown_column is Drift.REFUSE:  # only a column without a name comes here
            row = numbers[pc.index(filled[0][1].is_valid(), True).as_py()].as_py()
            raise unknown_refused([json.loads(name) for name, _ in filled], self.file, row)
        names = [name for name, _ in filled]
        return pa.array(
            (
                _object(names, values)
                for values in zip(*(column.to_pylist() for _, column in filled), strict=True)
            ),
            pa.string(),
        )


def _object(names: Sequence[str], values: Sequence[str | None]) -> str | None:
    members = [
        f"{name}:{json.dumps(value, ensure_ascii=False)}"
        for name, value in zip(names, values, strict=True)
        if value is not None
    ]
    return "{" + ",".join(members) + "}" if members else None
