"""
Readers: original bytes in, Arrow batches of text out, the same for every engine.

They know formats and headers, never types: typing is SQL. A record that cannot be read is a row
with a `_fault`; a file that must be refused ends in one row that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import PurePosixPath

import pyarrow as pa

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Format
from lake.readers.archives import members_to_read
from lake.readers.batches import refusal
from lake.readers.contents import Content, check_kind
from lake.readers.csv_files import open_csv
from lake.readers.excel import read_xlsx
from lake.readers.geojson import read_geojson
from lake.readers.json_lines import JsonLines
from lake.readers.parts import find_split, parts_of, read_part
from lake.readers.reading import BATCH_ROWS, REFUSED, UNREADABLE, Reading
from lake.store import LOCAL, Store

__all__ = [
    "BATCH_ROWS",
    "REFUSED",
    "UNREADABLE",
    "Reading",
    "find_split",
    "parts_of",
    "read",
    "read_part",
]


def read(reading: Reading, path: str, name: str, store: Store = LOCAL) -> Iterator[pa.RecordBatch]:
    """
    Read one landed file, plain or a zip archive, in the store; `name` is as delivered.

    Gives batches of at most `BATCH_ROWS` rows of `reading.schema`, in file order, in bounded
    memory. Never raises for what the department did: where the whole file must be refused, the
    last row has the `_fault` `refused`, and the rows before it are to be ignored.
    """
    with store.at_hand(path) as local:
        try:
            for content in _contents(reading, Content.of_file(local, name)):
                check_kind(content, reading.format)
                yield from _READERS[reading.format](reading, content)
        except DeliveryRefused as refused:
            yield refusal(reading, name, refused)


def _contents(reading: Reading, delivered: Content) -> Iterable[Content]:
    if PurePosixPath(delivered.name.lower()).suffix == ".zip":
        return members_to_read(delivered, reading.format)
    return (delivered,)


def _csv(reading: Reading, content: Content) -> Iterator[pa.RecordBatch]:
    return chain.from_iterable(open_csv(reading, content).steps())


def _json_lines(reading: Reading, content: Content) -> Iterator[pa.RecordBatch]:
    return chain.from_iterable(JsonLines(reading, content).steps())


_READERS: Mapping[Format, Callable[[Reading, Content], Iterator[pa.RecordBatch]]] = {
    Format.CSV: _csv,
    Format.XLSX: read_xlsx,
    Format.JSON_LINES: _json_lines,
    Format.GEOJSON: read_geojson,
}
