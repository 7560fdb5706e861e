"""From columns of text to the batches that a reader gives: numbered, in order, never too long."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import DeliveryRefused
from lake.readers.reading import BATCH_ROWS, REFUSED, UNREADABLE, Reading

RECORD_CHARACTERS = 65_536
"""What is kept in `_record` of a record that cannot be read is cut at this many characters."""


def record_json(stood: str | Sequence[str]) -> str:
    """
    JSON of what stood where a record should be: its cells, or its text when it has no cells.

    Both are cut at `RECORD_CHARACTERS`, so that one bad record cannot fill a table.
    """
    if isinstance(stood, str):
        return json.dumps(stood[:RECORD_CHARACTERS], ensure_ascii=False)
    left = RECORD_CHARACTERS
    cells = []
    for cell in stood:
        if left <= 0:
            break
        cells.append(cell[:left])
        left -= max(len(cell), 1)
    return json.dumps(cells, ensure_ascii=False)


def text_array(values: Sequence[str | None]) -> pa.Array:
    """The values as text; the empty text is null, as everywhere in raw."""
    return empty_to_null(pa.array(values, pa.string()))


def empty_to_null(values: pa.Array) -> pa.Array:
    """The same texts with null for the empty one: no format tells the two apart reliably."""
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


@dataclass(frozen=True)
class Records:
    """Records of one file that could be read, as columns in the order of the contract."""

    columns: Sequence[pa.Array]
    extra: pa.Array
    change: pa.Array
    numbers: pa.Array

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class Batches:
    """Makes the batches of one file; `missing` is what its header lacks, as JSON, or None."""

    reading: Reading
    file: str
    missing: str | None = None

    def of(
        self, records: Sequence[Records], faults: Mapping[int, str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """
        Batches of the records and faults (`_record` by row number), together in file order.

        Each part is in order by itself, so only several parts need sorting.
        """
        parts = [self._readable(part) for part in records if len(part)]
        if faults:
            parts.append(self._unreadable(faults))
        if not parts:
            return
        batch = parts[0]
        if len(parts) > 1:
            together = pa.concat_batches(parts)
            batch = together.take(pc.sort_indices(together.column("_row_number")))
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)

    def _readable(self, records: Records) -> pa.RecordBatch:
        rows = len(records)
        nulls = pa.nulls(rows, pa.string())
        return pa.record_batch(
            [
                *records.columns,
                records.extra,
                records.change,
                self._constant(self.file, rows),
                records.numbers,
                self._constant(self.missing, rows),
                nulls,
                nulls,
            ],
            schema=self.reading.schema,
        )

    def _unreadable(self, faults: Mapping[int, str]) -> pa.RecordBatch:
        rows = len(faults)
        nulls = pa.nulls(rows, pa.string())
        return pa.record_batch(
            [
                *([nulls] * (len(self.reading.fields) + 2)),
                self._constant(self.file, rows),
                pa.array(faults.keys(), pa.int64()),
                self._constant(self.missing, rows),
                self._constant(UNREADABLE, rows),
                pa.array(faults.values(), pa.string()),
            ],
            schema=self.reading.schema,
        )

    @staticmethod
    def _constant(value: str | None, rows: int) -> pa.Array:
        return pa.nulls(rows, pa.string()) if value is None else pa.repeat(value, rows)


def refusal(reading: Reading, file: str, refused: DeliveryRefused) -> pa.RecordBatch:
    """The one row that says that the file is refused, where, why, and what to do."""
    why = {
        "reason": refused.reason,
        "file": refused.file or file,
        "row": refused.row,
        "column": refused.column,
        "remedy": refused.remedy,
    }
    row: dict[str, str | int | None] = dict.fromkeys(reading.schema.names)
    row.update(
        _file=refused.file or file,
        _row_number=0,
        _fault=REFUSED,
        _record=json.dumps(why, ensure_ascii=False),
    )
    return pa.RecordBatch.from_pylist([row], schema=reading.schema)
