"""
JSON lines: one object on each line.

Two paths give the same rows. The *exact* path decodes each line by itself. The *fast* path is for
lines that are written alike (`Template`); lines between them that are not take the exact path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from lake.readers.batches import Batches, record_json
from lake.readers.contents import Content
from lake.readers.json_records import JsonRecord, Mapper, NotReadable, decode, in_columns
from lake.readers.json_template import Template
from lake.readers.reading import Reading
from lake.readers.text import Utf8Blocks
from lake.splits import Part


class JsonLines:
    """
    The records of a file of JSON lines; a line of white space is no record.

    A line that is no object, that `json_records.decode` does not read, or that nests a value in a
    column cannot be read. Values are the text that stands there; null and `""` are null.

    With `part` the content is that part of the file.
    """

    def __init__(self, reading: Reading, content: Content, part: Part | None = None) -> None:
        self._reading = reading
        start = part.start if part else None
        self._blocks = Utf8Blocks(content, reading.encoding, start=start, cr=False)
        self._mapper = Mapper(reading, content.name)
        self._batches = Batches(reading, content.name)
        self._template: Template | None = None
        self._number = part.before if part else 0
        self._exact: dict[int, JsonRecord] = {}
        self._faults: dict[int, str] = {}

    @property
    def border(self) -> tuple[int, int]:
        """Where a part may begin: byte offset of the next line, and how many records before it."""
        return self._blocks.end, self._number

    def steps(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The batches of some lines, then of the next ones."""
        return map(self._alike, self._blocks)

    def _alike(self, block: bytes) -> Iterator[pa.RecordBatch]:
        """The batches of a block of whole lines."""
        if self._template is None:
            self._learn(block.partition(b"\n")[0])
        rows = self._template.pattern.findall(block) if self._template else []
        first = self._number + 1
        if self._template and len(rows) == block.count(b"\n"):  # a match is one whole line
            self._number += len(rows)
            numbers = range(first, self._number + 1)
            return self._batches.of([self._template.records(rows, numbers)])
        return self._mixed(block)

    def _mixed(self, block: bytes) -> Iterator[pa.RecordBatch]:
        """The batches of a block in which some lines, or all, are not like the template."""
        rows: list[tuple[bytes, ...]] = []
        numbers: list[int] = []
        self._exact.clear()
        self._faults.clear()
        at = 0
        for match in self._template.pattern.finditer(block) if self._template else ():
            self._exactly(block[at : match.start()])
            self._number += 1
            rows.append(match.groups())
            numbers.append(self._number)
            at = match.end()
        self._exactly(block[at:])
        records = [in_columns(list(self._exact.values()), list(self._exact))] if self._exact else []
        if self._template and rows:
            records.append(self._template.records(rows, numbers))
        if len(self._exact) > len(rows):
            self._learn(block[block.rfind(b"\n", 0, -1) + 1 :])
        return self._batches.of(records, self._faults)

    def _exactly(self, lines: bytes) -> None:
        for line in lines.decode().split("\n"):
            if not line.strip():
                continue
            self._number += 1
            try:
                record = self._mapper.record(_object(line), self._number)
            except NotReadable:
                self._faults[self._number] = record_json(line.rstrip("\r"))
            else:
                self._exact[self._number] = record

    def _learn(self, line: bytes) -> None:
        """Expect lines like this one from now on; with a line that is no object, like none."""
        try:
            fields = _object(line.decode())
        except NotReadable:
            self._template = None
        else:
            self._template = Template.of(self._reading, self._mapper.keys, fields)


def _object(line: str) -> Mapping[str, Any]:
    value = decode(line)
    if not isinstance(value, dict):
        raise NotReadable("not an object")
    return value
