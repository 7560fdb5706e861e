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
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.city.dice import Bools
from jobs.city.text import Text, join, number, where

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


def _bytes(lines: Text) -> bytes:
    """The values one after the other."""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)
    start, end = int(offsets[lines.offset]), int(offsets[lines.offset + len(lines)])
    return bytes(memoryview(lines.buffers()[2])[start:end])


def _holds_any(values: Text, characters: bytes) -> bool:
    """Whether one of these ASCII characters occurs in the column at all."""
    if values.null_count == len(values):
        return False
    data = _bytes(values)
    return any(data.find(character) >= 0 for character in characters)


def _plain(column: Text) -> Text:
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
        cells = [self._quoted(_plain(c)) for c in columns]
        lines = self._joined(cells)
        if unreadable.any():
            long = join(lines, f"{self._delimiter}见附件{self._delimiter}待核")
            lines = where(
                unreadable,
                where(np.arange(len(lines)) % 2 == 0, long, self._joined(cells[:-2])),
                lines,
            )
        data = _bytes(_plain(join(lines, self._line_end)))
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
        if not _holds_any(values, special.encode()):
            return values
        needs = pc.fill_null(pc.match_substring_regex(values, f"[{special}]"), fill_value=False)
        quoted = join('"', pc.replace_substring(values, '"', '""'), '"')
        return pc.if_else(needs, quoted, values)


def _json_text(values: Text) -> Text:
    """Values as JSON strings, absent ones as null."""
    if _holds_any(values, b'\\"\n\r\t'):
        for plain, escaped in (
            ("\\", "\\\\"),
            ('"', '\\"'),
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
        ):
            values = pc.replace_substring(values, plain, escaped)
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
            parts += ["{" if place == 0 else ",", f"{name}:", _json_text(_plain(column))]
        lines = join(*parts, "}")
        if unreadable.any():
            lines = where(unreadable, pc.utf8_slice_codeunits(lines, 0, 40), lines)
        self._stream.write(_bytes(_plain(join(lines, "\n"))))

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
            parts += ["" if place == 0 else ",", f"{name}:", _json_text(_plain(column))]
        geometry = pc.fill_null(_plain(columns[-1]), "null")
        features = join(*parts, '},"geometry":', geometry, "}")
        first = np.zeros(len(features), dtype=bool)
        first[:1] = self._rows == 0
        self._rows += len(features)
        self._stream.write(_bytes(_plain(join(where(first, "", ",\n"), features))))

    def close(self) -> None:
        """Close the collection."""
        self._stream.write(b"\n]}\n")


_FORMATS = "http://schemas.openxmlformats.org"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XLSX_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_FORMATS}/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    f'ContentType="{_CONTENT}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_FORMATS}/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_FORMATS}/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_FORMATS}/spreadsheetml/2006/main" '
    f'xmlns:r="{_FORMATS}/officeDocument/2006/relationships"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/styles.xml": f'<styleSheet xmlns="{_FORMATS}/spreadsheetml/2006/main">'
    "<fonts><font/></fonts><fills><fill/></fills><borders><border/></borders>"
    '<cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14" applyNumberFormat="1"/>'
    "</cellXfs></styleSheet>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_FORMATS}/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_FORMATS}/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_FORMATS}/officeDocument/2006/relationships/styles" '
    'Target="styles.xml"/></Relationships>',
}
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def column_letters(place: int) -> str:
    """
    The name of a spreadsheet's column, counted from 0.

    >>> column_letters(0), column_letters(25), column_letters(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class CellKind(StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"


_IS_NUMBER = r"^-?(0|[1-9][0-9]{0,13})([.][0-9]{1,6})?$"
_IS_DATE = r"^(19[1-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])$"
_FIRST_SERIAL = 25_569  # the serial of 1970-01-01


def _cell(letters: str, numbers: Text, values: Text, kind: CellKind) -> Text:
    """The cells of a column; none where there is no value."""
    plain = values
    if _holds_any(values, b"&<>"):
        for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            plain = pc.replace_substring(plain, character, escaped)
    opening = '" t="inlineStr"><is><t xml:space="preserve">'
    cells = join(f'<c r="{letters}', numbers, opening, plain, "</t></is></c>")
    if kind is CellKind.TEXT or values.null_count == len(values):
        return cells
    pattern = _IS_NUMBER if kind is CellKind.NUMBER else _IS_DATE
    fits = pc.fill_null(pc.match_substring_regex(values, pattern), fill_value=False)
    content, style = values, ""
    if kind is CellKind.DATE:
        days = pc.if_else(fits, values, pa.scalar(None, pa.string())).cast(pa.date32())
        content = number(pc.fill_null(days.cast(pa.int32()), 0).to_numpy() + _FIRST_SERIAL)
        style = ' s="1"'
    typed = join(f'<c r="{letters}', numbers, f'"{style}><v>', content, "</v></c>")
    return pc.if_else(fits, typed, cells)


class XlsxWriter:
    """
    A workbook of one sheet with inline strings, as database tools export it.

    Columns of the kind `number` or `date` hold cells of that kind wherever the text is one.

    Written here because a hundred thousand rows a day take a library of cells a minute, and
    because such a library writes down when it did so.
    """

    def __init__(
        self, stream: BinaryIO, headers: Sequence[str], kinds: Sequence[CellKind] = ()
    ) -> None:
        self._kinds: Sequence[CellKind] = ()
        self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        for name, part in _XLSX_PARTS.items():
            with self._archive.open(name, "w") as target:
                target.write((_XML + part).encode())
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        head = f'<worksheet xmlns="{_FORMATS}/spreadsheetml/2006/main"><sheetData>'
        self._sheet.write((_XML + head).encode())
        self._rows = 0
        self.write([pa.array([h], pa.string()) for h in headers], np.zeros(1, dtype=bool))
        self._kinds = kinds

    def write(self, columns: Sequence[Text], unreadable: Bools) -> None:
        """Add rows; every row of a sheet can be read."""
        count = len(columns[0])
        numbers = number(np.arange(self._rows + 1, self._rows + 1 + count))
        self._rows += count
        parts: list[Text | str] = ['<row r="', numbers, '">']
        for place, column in enumerate(columns):
            kind = self._kinds[place] if self._kinds else CellKind.TEXT
            parts.append(_cell(column_letters(place), numbers, _plain(column), kind))
        rows = pc.binary_join_element_wise(
            *[pa.scalar(p) if isinstance(p, str) else p for p in (*parts, "</row>")],
            "",
            null_handling="skip",
        )
        self._sheet.write(_bytes(_plain(rows)))

    def close(self) -> None:
        """Close sheet and workbook."""
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._archive.close()


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
