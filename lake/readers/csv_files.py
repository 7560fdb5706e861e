"""
CSV as RFC 4180 describes it and as departments write it.

Two paths give the same rows. The *exact* path is the standard library's strict parser, line by
line. The *fast* path is Arrow's, on runs of text in which every quote opens, closes or doubles by
the book, so that no two parsers could differ; a ragged record inside such a run is handed back by
Arrow as text. Where a run ends, the exact path takes some records, then the fast one tries again.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from catalog.errors import DeliveryRefused
from lake.readers.batches import record_json
from lake.readers.contents import Content
from lake.readers.reading import BATCH_ROWS, Reading
from lake.readers.tabular import Grid
from lake.readers.text import Utf8Blocks
from lake.splits import Part

RECORD_CHARACTERS = 16 << 20
"""A record longer than this is refused: a quote was opened and never closed."""

_RUN_BYTES = 32 << 10  # a shorter regular run is not worth starting Arrow for
_EXACT_RECORDS = 64  # taken exactly after an irregular one before Arrow is tried again

Quotes = npt.NDArray[np.intp]
"""Where quotes stand in a block, in order."""

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)")


def open_csv(reading: Reading, content: Content) -> CsvRecords:
    """
    The records of a CSV file.

    A record with more or fewer fields than the header, with a NUL, or with text after a closing
    quote cannot be read. A line of white space is no record. Refused: a quote that is still open
    at the end of the file, a header that does not match, text that is not in the encoding.
    """
    exact = _ExactReader(Utf8Blocks(content, reading.encoding), reading, content.name)
    grid = _under_header(reading, content, exact)
    exact.number = 0
    return CsvRecords(grid, exact)


def open_csv_part(reading: Reading, head: Content, content: Content, part: Part) -> CsvRecords:
    """The records of one part of a CSV file, whose header `head` is."""
    above = _ExactReader(Utf8Blocks(head, reading.encoding, start=0), reading, head.name)
    grid = _under_header(reading, head, above)
    blocks = Utf8Blocks(content, reading.encoding, start=part.start)
    exact = _ExactReader(blocks, reading, content.name)
    exact.number = part.before
    return CsvRecords(grid, exact)


def _under_header(reading: Reading, content: Content, exact: _ExactReader) -> Grid:
    header = (record.cells or [record.text] for record in exact)
    return Grid.under_header(reading, content.name, header)


class _Lines:
    """The physical lines of a text; `taken` are those since the last `begin`."""

    def __init__(self, blocks: Utf8Blocks) -> None:
        self.block = b""
        self.at = 0
        self.taken: list[str] = []
        self.stopped: Literal["", "end", "length"] = ""
        self._blocks = blocks
        self._length = 0

    def more(self) -> bool:
        """Whether a line is left; afterwards `block` has it at `at`."""
        while self.is_at_end_of_block:
            block = next(self._blocks, None)
            if block is None:
                return False
            self.block, self.at = block, 0
        return True

    @property
    def is_at_end_of_block(self) -> bool:
        """Whether the next line is the first of a block, or there is none."""
        return self.at == len(self.block)

    @property
    def offset(self) -> int:
        """Where the next line begins in the file, in bytes."""
        return self._blocks.offset(self.block, self.at)

    def begin(self) -> None:
        """Start a record."""
        self.taken.clear()
        self._length = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._length > RECORD_CHARACTERS:
            self.stopped = "length"
            raise StopIteration
        if not self.more() or (match := _LINE.match(self.block, self.at)) is None:
            self.stopped = "end"
            raise StopIteration
        self.at = match.end()
        line = match[0].decode()
        self.taken.append(line)
        self._length += len(line)
        return line


@dataclass(frozen=True)
class _Record:
    """A record as the exact parser sees it; `cells` is None where its quotes are broken."""

    cells: list[str] | None
    text: str

    @property
    def is_blank(self) -> bool:
        """Whether it is a line of white space only, which is no record."""
        return self.cells is not None and len(self.cells) <= 1 and not self.text.strip()

    def fault(self, width: int) -> str | None:
        """JSON of what stood there when it cannot be a record of this width, else None."""
        if self.cells is None:
            return record_json(self.text)
        return record_json(self.cells) if len(self.cells) != width or "\0" in self.text else None


class _ExactReader:
    """Records one by one, as the standard library parses them; `number` counts them."""

    def __init__(self, blocks: Utf8Blocks, reading: Reading, file: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_CHARACTERS))
        self.lines = _Lines(blocks)
        self.number = 0
        self._delimiter = reading.delimiter
        self._file = file
        self._parser = csv.reader(self.lines, delimiter=reading.delimiter, strict=True)

    def __iter__(self) -> _ExactReader:
        return self

    def __next__(self) -> _Record:
        while self.lines.more():
            self.lines.begin()
            cells: list[str] | None
            try:
                cells = next(self._parser)
            except csv.Error:
                cells = None
            text = "".join(self.lines.taken)
            record = _Record(cells, text)
            if record.is_blank:
                continue
            self.number += 1
            if self.lines.stopped:
                raise self._never_closed()
            return record
        raise StopIteration

    def of_text(self, text: str) -> _Record:
        """The one record that stands in the text."""
        lines = io.StringIO(text, newline="")
        return _Record(next(csv.reader(lines, delimiter=self._delimiter, strict=True), []), text)

    def _never_closed(self) -> DeliveryRefused:
        where = (
            "at the end of the file"
            if self.lines.stopped == "end"
            else f"after {RECORD_CHARACTERS} characters"
        )
        return DeliveryRefused(
            f"a quoted field of this record is still open {where}",
            file=self._file,
            row=self.number,
            remedy="close the quote, and double every quote inside a quoted field",
        )


class CsvRecords:
    """The records after the header."""

    def __init__(self, grid: Grid, exact: _ExactReader) -> None:
        self._grid = grid
        self._exact = exact
        self._lines = exact.lines
        self._width = grid.layout.width

    @property
    def border(self) -> tuple[int, int] | None:
        """
        Where a part may begin: byte offset of the next record, and how many come before it.

        None in the middle of a block, where it would cost more to know.
        """
        if self._lines.is_at_end_of_block or not self._exact.number:
            return self._lines.offset, self._exact.number
        return None

    def steps(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The batches of some records, then of the next ones; each step ends with a record."""
        patience = _EXACT_RECORDS
        while self._lines.more():
            end = self._end_of_run()
            if end - self._lines.at >= _RUN_BYTES or end == len(self._lines.block):
                yield self._fast(end)
                patience = _EXACT_RECORDS
            else:
                yield self._exactly(patience)
                patience = min(2 * patience, BATCH_ROWS)

    def _end_of_run(self) -> int:
        """Where the regular records from here on end, in the block."""
        block, at = self._lines.block, self._lines.at
        # In one column Arrow cannot tell a line of white space from a value.
        if self._width == 1 or len(block) > RECORD_CHARACTERS:
            return at
        if block.startswith(codecs.BOM_UTF8, at):  # text here, but Arrow would drop it
            return at
        if block.find(b'"', at) < 0 and block.find(b"\0", at) < 0:
            return len(block)
        return end_of_regular(block, at, self._grid.reading.delimiter)

    def _exactly(self, records: int) -> Iterator[pa.RecordBatch]:
        """So many records by the exact path, or those up to the end of the block."""
        rows: list[list[str]] = []
        numbers: list[int] = []
        faults: dict[int, str] = {}
        block = self._lines.block
        for record in self._exact:
            fault = record.fault(self._width)
            if fault is not None:
                faults[self._exact.number] = fault
            elif record.cells is not None:
                rows.append(record.cells)
                numbers.append(self._exact.number)
            if (
                len(rows) + len(faults) >= records
                or self._lines.is_at_end_of_block
                or self._lines.block is not block
            ):
                break
        return self._grid.rows(rows, numbers, faults)

    def _fast(self, end: int) -> Iterator[pa.RecordBatch]:
        """The regular records up to `end` of the block, by Arrow."""
        start, self._lines.at = self._lines.at, end
        names = [str(place) for place in range(self._width)]
        ragged: list[arrow_csv.InvalidRow] = []

        def keep(row: arrow_csv.InvalidRow) -> Literal["skip"]:
            ragged.append(row)
            return "skip"

        table = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(self._lines.block).slice(start, end - start)),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=end - start + 1, column_names=names
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._grid.reading.delimiter,
                newlines_in_values=True,
                invalid_row_handler=keep,
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,  # the text has been decoded
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
        numbers, faults = self._number(table.num_rows, ragged)
        cells = [column.combine_chunks() for column in table.columns]
        return self._grid.columns(cells, pa.array(numbers, pa.int64()), faults)

    def _number(
        self, rows: int, ragged: Sequence[arrow_csv.InvalidRow]
    ) -> tuple[list[int], dict[int, str]]:
        """Number the rows that Arrow gave and those it handed back, lines of white space aside."""
        numbers: list[int] = []
        faults: dict[int, str] = {}
        number, at = self._exact.number, 1  # Arrow counts from 1 and passes over empty lines
        for row in ragged:
            readable = row.number - at
            numbers.extend(range(number + 1, number + 1 + readable))
            number += readable
            at = row.number + 1
            record = self._exact.of_text(row.text)
            if not record.is_blank:
                number += 1
                faults[number] = record_json(record.cells or record.text)
        left = rows - len(numbers)
        numbers.extend(range(number + 1, number + 1 + left))
        self._exact.number = number + left
        return numbers, faults


def end_of_regular(block: bytes, at: int, delimiter: str) -> int:
    """
    Where the whole records from `at` on end in which every quote opens or closes a field, or
    stands doubled in one, and that have no NUL; `at` where the first is none of these.

    `block` ends with a line's end, and a record begins at `at`.
    """
    text = np.frombuffer(block, np.uint8)
    is_border = np.zeros(256, bool)
    is_border[[*delimiter.encode(), *b'\r\n"']] = True  # a doubled quote closes and opens again
    reach = _RUN_BYTES  # no further than four times what is found, or few strays make many looks
    while True:
        until = min(at + reach, len(block))
        quotes = np.flatnonzero(text[at:until] == ord('"')) + at
        opening, closing = quotes[::2], quotes[1::2]
        stray = [
            *opening[(opening > at) & ~is_border[text[opening - 1]]][:1],
            *closing[~is_border[text[closing + 1]]][:1],
        ]
        if (nul := block.find(b"\0", at, until)) >= 0:
            stray.append(nul)
        if until == len(block):
            stray += [*opening[len(closing) :], until]  # a quote that is never closed, or the end
        if stray:
            return _end_of_record(block, at, int(min(stray)), quotes)
        reach *= 4


def _end_of_record(block: bytes, at: int, before: int, quotes: Quotes) -> int:
    """The last end of a line in `block[at:before]` that is not within quotes; `at` without one."""
    while True:
        line = max(block.rfind(b"\n", at, before), block.rfind(b"\r", at, before))
        behind = int(np.searchsorted(quotes, line))
        if line < 0 or behind % 2 == 0:
            return line + 1 or at
        before = int(quotes[behind - 1])
