"""
Large text files in parts, each read by a task of its own: together they give the same rows.

Borders are found by the reader itself, in one pass over the whole file, so that no two parsers can
differ about where a record ends. A file that must be refused has none: it is read whole, and
refused for the same reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Format
from lake.readers.contents import Content, check_kind
from lake.readers.csv_files import CsvRecords, open_csv, open_csv_part
from lake.readers.json_lines import JsonLines
from lake.readers.reading import Reading
from lake.splits import PART_BYTES, SPLIT_BYTES, Part, Split
from lake.store import LOCAL, Store

EDITION = 1
"""Counts up when readers come to see other records in the same bytes: older borders are void."""


def find_split(
    reading: Reading,
    path: Path,
    *,
    larger_than: int = SPLIT_BYTES,
    part_bytes: int = PART_BYTES,
) -> Split | None:
    """
    Where the delivered file at `path` may be parted, into parts of at least `part_bytes`.

    None when it is not larger than `larger_than` bytes, no plain text file, or to be refused.
    """
    size = path.stat().st_size
    if size <= larger_than or PurePosixPath(path.name.lower()).suffix == ".zip":
        return None
    content = Content.of_file(path, path.name)
    try:
        check_kind(content, reading.format)
        if reading.format is Format.CSV:
            borders = _borders(open_csv(reading, content), size, part_bytes)
        elif reading.format is Format.JSON_LINES:
            borders = _borders(JsonLines(reading, content), size, part_bytes)
        else:
            return None
    except DeliveryRefused:
        return None
    return Split(fingerprint(reading), borders) if len(borders) > 1 else None


def fingerprint(reading: Reading) -> str:
    """What stands for the reading beside borders that were found by it."""
    said = json.dumps([EDITION, dataclasses.asdict(reading)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def parts_of(reading: Reading, split: Split | None, size: int) -> list[Part | None]:
    """The parts to read; one None, the whole file, when its borders do not hold for `reading`."""
    if split is None or split.reading != fingerprint(reading):
        return [None]
    return [*split.parts(size)]


def read_part(
    reading: Reading, path: str, name: str, part: Part, store: Store = LOCAL
) -> Iterator[pa.RecordBatch]:
    """Read one part of a landed file, as `lake.readers.read` reads the whole of it."""
    with (
        store.range_at_hand(path, 0, part.head) as (above, _),
        store.range_at_hand(path, part.start, part.end) as (body, start),
    ):
        content = Content.of_range(body, name, start, part.end - part.start)
        if reading.format is Format.CSV:
            head = Content.of_range(above, name, 0, part.head)
            records: CsvRecords | JsonLines = open_csv_part(reading, head, content, part)
        else:
            records = JsonLines(reading, content, part)
        for batches in records.steps():
            yield from batches


def _borders(
    records: CsvRecords | JsonLines, size: int, part_bytes: int
) -> tuple[tuple[int, int], ...]:
    found = [border for border in (records.border,) if border]
    for _ in records.steps():
        border = records.border
        # What is left at the end joins the part before it when it would make a small one.
        if border and min(border[0] - found[-1][0], 2 * (size - border[0])) >= part_bytes:
            found.append(border)
    return tuple(found)
