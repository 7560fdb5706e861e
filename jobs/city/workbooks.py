"""
Workbooks of one sheet, written column-wise.

Written here because a hundred thousand rows a day take a library of cells a minute, and because
such a library writes down when it did so.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from enum import StrEnum
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.city.dice import Bools
from jobs.city.files import LEVEL, bytes_of, holds_any, plain
from jobs.city.text import Text, join, number

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
    '<fonts count="1"><font><sz val="11"/><name val="宋体"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
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
    safe = values
    if holds_any(values, b"&<>"):
        for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            safe = pc.replace_substring(safe, character, escaped)
    opening = '" t="inlineStr"><is><t xml:space="preserve">'
    cells = join(f'<c r="{letters}', numbers, opening, safe, "</t></is></c>")
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
            parts.append(_cell(column_letters(place), numbers, plain(column), kind))
        rows = pc.binary_join_element_wise(
            *[pa.scalar(p) if isinstance(p, str) else p for p in (*parts, "</row>")],
            "",
            null_handling="skip",
        )
        self._sheet.write(bytes_of(plain(rows)))

    def close(self) -> None:
        """Close sheet and workbook."""
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._archive.close()
