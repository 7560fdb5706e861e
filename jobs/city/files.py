"""
Files as departments send them, written column-wise: CSV, XLSX, JSON lines, GeoJSON, and archives.

Every writer takes batches of text columns and gives the same bytes for the same text: nothing in
a file tells when it was written.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.city.dice import Bools
from jobs.city.text import Text, join, where

LEVEL = 1
"""Fast compression: a city is written often and kept for short."""


@dataclass(frozen=True)
class WrittenFile:
    """What a manifest says of a file."""

    name: str
    rows: int
    bytes: int
    sha256: str


class TableWriter(Protocol):
    """Takes the rows of one file in batches."""

    def write(self, columns: Sequence[Text], unreadable: Bools) -> None:
        """Add rows; those that are `unreadable` are written so that nobody can read them."""

    def close(self) -> None:
        """Write what comes last."""


def written(path: Path, rows: int) -> WrittenFile:
    """Look at a finished file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return WrittenFile(path.name, rows, path.stat().st_size, digest)


def bytes_of(lines: Text) -> bytes:
    """The values one after the other."""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)
    start, end = int(offsets[lines.offset]), int(offsets[lines.offset + len(lines)])
    return bytes(memoryview(lines.buffers()[2])[start:end])


def holds_any(values: Text, characters: bytes) -> bool:
    """Whether one of these ASCII characters occurs in the column at all."""
    if values.null_count == len(values):
        return False
    data = bytes_of(values)
    return any(data.find(character) >= 0 for character in characters)


def plain(column: Text) -> Text:
    """One contiguous array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


class CsvWriter:
    """
    CSV with quotes where a value needs them.

    An unreadable record has lost its last two fields, or has two that nobody asked for.
    """

    def __init__(
        self,
        stream: BinaryIO,
        headers: Sequence[str],
        *,
        encoding: str = "utf-8",
        delimiter: str = ",",
        mark: bool = False,
        line_end: str = "\n",
    ) -> None:
        self._stream = stream
        self._encoding = encoding
        self._delimiter = delimiter
        self._line_end = line_end
        head = delimiter.join(headers) + line_end
        stream.write((("\ufeff" if mark else "") + head).encode(encoding))

    def write(self, columns: Sequence[Text], unreadable: Bools) -> None:
        """Add records."""
        cells = [self._quoted(plain(c)) for c in columns]
        lines = self._joined(cells)
        if unreadable.any():
            long = join(lines, f"{self._delimiter}见附件{self._delimiter}待核")
            lines = where(
                unreadable,
                where(np.arange(len(lines)) % 2 == 0, long, self._joined(cells[:-2])),
                lines,
            )
        data = bytes_of(plain(join(lines, self._line_end)))
        self._stream.write(
            data if self._encoding == "utf-8" else data.decode().encode(self._encoding)
        )

    def close(self) -> None:
        """Nothing comes last."""

    def _joined(self, cells: Sequence[Text]) -> Text:
        return pc.binary_join_element_wise(
            *cells, self._delimiter, null_handling="replace", null_replacement=""
        )

    def _quoted(self, values: Text) -> Text:
        special = f'"\r\n{self._delimiter}'
        if not holds_any(values, special.encode()):
            return values
        needs = pc.fill_null(pc.match_substring_regex(values, f"[{special}]"), fill_value=False)
        quoted = join('"', pc.replace_substring(values, '"', '""'), '"')
        return pc.if_else(needs, quoted, values)


def _json_text(values: Text) -> Text:
    """Values as JSON strings, absent ones as null."""
    if holds_any(values, b'\\"\n\r\t'):
        for character, escaped in (
            ("\\", "\\\\"),
            ('"', '\\"'),
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
        ):
            values = pc.replace_substring(values, character, escaped)
    return pc.fill_null(join('"', values, '"'), "null")


class JsonLinesWriter:
    """JSON lines: one object per line, every field in it; an unreadable line breaks off."""

    def __init__(self, stream: BinaryIO, headers: Sequence[str]) -> None:
        self._stream = stream
        self._names = [json.dumps(h, ensure_ascii=False) for h in headers]

    def write(self, columns: Sequence[Text], unreadable: Bools) -> None:
        """Add objects."""
        parts: list[Text | str] = []
        for place, (name, column) in enumerate(zip(self._names, columns, strict=True)):
            parts += ["{" if place == 0 else ",", f"{name}:", _json_text(plain(column))]
        lines = join(*parts, "}")
        if unreadable.any():
            lines = where(unreadable, pc.utf8_slice_codeunits(lines, 0, 40), lines)
        self._stream.write(bytes_of(plain(join(lines, "\n"))))

    def close(self) -> None:
        """Nothing comes last."""


class GeoJsonWriter:
    """A FeatureCollection; the last column is the geometry, the others are properties."""

    def __init__(self, stream: BinaryIO, headers: Sequence[str]) -> None:
        self._stream = stream
        self._names = [json.dumps(h, ensure_ascii=False) for h in headers[:-1]]
        self._rows = 0
        crs = '"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4490"}}'
        stream.write(f'{{"type":"FeatureCollection",{crs},"features":[\n'.encode())

    def write(self, columns: Sequence[Text], unreadable: Bools) -> None:
        """Add features."""
        parts: list[Text | str] = ['{"type":"Feature","properties":{']
        for place, (name, column) in enumerate(zip(self._names, columns, strict=False)):
            parts += ["" if place == 0 else ",", f"{name}:", _json_text(plain(column))]
        geometry = pc.fill_null(plain(columns[-1]), "null")
        features = join(*parts, '},"geometry":', geometry, "}")
        first = np.zeros(len(features), dtype=bool)
        first[:1] = self._rows == 0
        self._rows += len(features)
        self._stream.write(bytes_of(plain(join(where(first, "", ",\n"), features))))

    def close(self) -> None:
        """Close the collection."""
        self._stream.write(b"\n]}\n")


class Archive:
    """A zip archive of which one member is written at a time."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)

    def member(self, name: str) -> BinaryIO:
        """A stream into a new member; to be closed before the next one is opened."""
        return io.BufferedWriter(self._zip.open(name, "w", force_zip64=True), 1 << 20)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
