"""
What must hold of an XLSX workbook before it is opened, and what its parser does not tell.

calamine lays a sheet out as a full grid, so that one cell in the last corner of an otherwise empty
sheet would fill the memory; it gives error cells as empty ones, and 60, the 29 February 1900 that
Excel believes in, as the day before. The sheets' XML is looked through for all of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from catalog.errors import DeliveryRefused
from lake.readers.contents import Content
from lake.readers.zip_archives import Member, open_archive

MAX_BYTES = 1 << 30
"""What all parts of a workbook may inflate to."""

MAX_CELLS = 40_000_000
"""Rows × columns of a sheet, empty cells included; each costs 24 bytes while it is read."""

Literals = Mapping[int, Mapping[int, str]]
"""Texts of cells, by row and column from 0."""

_BLOCK_BYTES = 1 << 20
_MAX_TAG_BYTES = 8 << 20

_DECLARATION = re.compile(rb"<!(?!--|\[CDATA\[)")
_DIMENSION = re.compile(rb'<dimension ref="(?:[A-Z]{1,3}\d{1,7}:)?([A-Z]{1,3})(\d{1,7})"')
_CELL = re.compile(rb'<c r="([A-Z]{1,3})(\d{1,7})"')
_CELL_WRITTEN_ELSEWISE = re.compile(rb'<c(?=[\s/>])(?! r="[A-Z]{1,3}\d{1,7}")')
_PREFIXED = re.compile(rb":c[\s/>]")
_ERROR_CELLS = (b't="e"', b"t='e'")

_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_FEBRUARY_29 = re.compile(r"60(?:\.\d+)?")


class Workbook:
    """
    A checked workbook.

    Refused: what is not one, what `open_archive` refuses, parts with a document type (entities),
    and sheets of more than `MAX_CELLS`.
    """

    def __init__(self, content: Content) -> None:
        self._archive = open_archive(content, MAX_BYTES)
        self._parts = {member.name: member for member in self._archive.members}
        self._odd: dict[str, Literals] = {}
        if not {"[Content_Types].xml", "xl/workbook.xml"} <= self._parts.keys():
            raise DeliveryRefused(
                "the bytes are a zip archive, but no XLSX workbook",
                file=content.name,
                remedy="save the table as .xlsx; pack it into an archive named .zip, if at all",
            )
        for member in self._archive.members:
            if _needs_exact_look(member):
                self._odd[member.name] = _odd_cells(member)

    def odd_cells(self, sheet: str, *, look: bool = False) -> Literals:
        """
        The text of the sheet's error cells, and of its numbers from 60 to 61.

        Found already when the sheet has error cells; otherwise looked for only when asked to.
        """
        if not self._odd and not look:
            return {}
        part = self._part_of(sheet)
        if look and part.name not in self._odd:
            self._odd[part.name] = _odd_cells(part)
        return self._odd.get(part.name, {})

    def _part_of(self, sheet: str) -> Member:
        try:
            targets = {
                element.get("Id"): element.get("Target", "")
                for element in self._xml("xl/_rels/workbook.xml.rels")
            }
            ids = next(
                [value for key, value in element.items() if key.endswith("}id")]
                for element in self._xml("xl/workbook.xml").iter()
                if element.tag.endswith("}sheet") and element.get("name") == sheet
            )
            target = targets[ids[0]].lstrip("/")
            return self._parts[target if target.startswith("xl/") else f"xl/{target}"]
        except (KeyError, IndexError, StopIteration, ElementTree.ParseError):
            raise DeliveryRefused(
                f"the workbook does not say where its sheet {sheet!r} is",
                file=self._archive.content.name,
                remedy="open it in a spreadsheet program and save it again",
            ) from None

    def _xml(self, name: str) -> ElementTree.Element:
        with self._parts[name].content.open() as stream:
            return ElementTree.fromstring(stream.read())


def _xml_blocks(member: Member) -> Iterator[bytes]:
    """
    The part in blocks that end with a tag, when it is XML; nothing when it is not.

    The whole part is inflated, and so proven to be as large as the archive claims.
    """
    with member.content.open() as stream:
        rest = stream.read(_BLOCK_BYTES)
        is_xml = rest.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
        if not is_xml and PurePosixPath(member.name).suffix in {".xml", ".rels"}:
            raise _refused(member, "a part is not XML in UTF-8")
        while more := stream.read(_BLOCK_BYTES):
            if not is_xml:
                continue
            end = rest.rfind(b">") + 1
            if end:
                yield rest[:end]
            rest = rest[end:] + more
            if len(rest) > _MAX_TAG_BYTES:
                raise _refused(member, "a part has a tag or text that does not end")
    if is_xml:
        yield rest


def _needs_exact_look(member: Member) -> bool:
    """
    Whether the part has error cells, or cells written in a way that a quick look cannot judge.

    A cell is judged quickly when it is written as all common programs write it. Refused: cells
    that span too large a grid.
    """
    needed = False
    rows = columns = 0
    outside: re.Pattern[bytes] | None = None
    for block in _xml_blocks(member):
        if _DECLARATION.search(block):
            raise _refused(member, "a part declares a document type or entities")
        if outside is None:
            rows, columns = _stated_dimension(block)
            outside = _outside(rows, columns)
        if outside.search(block):  # many programs state no dimension, or a wrong one
            found = set(_CELL.findall(block))
            rows = max([rows, *(int(row) for _, row in found)])
            columns = max([columns, *{_column(letters) for letters, _ in found}])
            _check_size(member, rows, columns)
            rows = min(2 * rows, MAX_CELLS // max(columns, 1))  # so that few blocks reach beyond
            outside = _outside(rows, columns)
        needed = (
            needed
            or any(mark in block for mark in _ERROR_CELLS)
            or _CELL_WRITTEN_ELSEWISE.search(block) is not None
            or _PREFIXED.search(block) is not None
        )
    return needed


def _stated_dimension(block: bytes) -> tuple[int, int]:
    """Rows and columns of a sheet as its beginning states them; 0 where that is of no use."""
    stated = _DIMENSION.search(block)
    if stated is None:
        return 0, 0
    rows, columns = int(stated[2]), _column(stated[1])
    return (rows, columns) if rows * columns <= MAX_CELLS else (0, 0)


def _outside(rows: int, columns: int) -> re.Pattern[bytes]:
    """What matches the beginning of a cell that lies outside of so many rows and columns."""
    if rows == 0:
        return _CELL
    beyond_columns = rb"(?:" + _greater(_letters(columns), "A", "Z") + rb")\d"
    beyond_rows = rb"[A-Z]+(?:" + _greater(str(rows), "0", "9") + rb')"'
    return re.compile(rb'<c r="(?:' + beyond_columns + rb"|" + beyond_rows + rb")")


def _check_size(member: Member, rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        raise _refused(
            member, f"a sheet spans {rows} rows × {columns} columns, more than {MAX_CELLS} cells"
        )


def _greater(limit: str, first: str, last: str) -> bytes:
    """A pattern of the words over [first-last] that are longer than the limit, or greater."""
    digits = f"[{first}-{last}]"
    words = [f"{digits}{{{len(limit) + 1},}}"]
    for place, char in enumerate(limit):
        if char < last:
            rest = len(limit) - place - 1
            words.append(f"{limit[:place]}[{chr(ord(char) + 1)}-{last}]{digits}{{{rest}}}")
    return "|".join(words).encode()


@cache
def _column(letters: bytes) -> int:
    """The number of a column, from 1."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _letters(column: int) -> str:
    """The letters of a column, from 1."""
    letters = ""
    while column:
        column, place = divmod(column - 1, 26)
        letters = chr(ord("A") + place) + letters
    return letters


@dataclass
class _ExactLook:
    """Places every cell as calamine does, and keeps the literals that it loses."""

    literals: dict[int, dict[int, str]] = field(default_factory=dict)
    rows: int = 0
    columns: int = 0
    _row: int = 0
    _column: int = 0
    _is_error: bool = False
    _in_value: bool = False
    _text: str = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif name == "c":
            self._column += 1
            if place := _REFERENCE.fullmatch(attributes.get("r", "")):
                self._column, self._row = _column(place[1].encode()), int(place[2])
            self.rows = max(self.rows, self._row)
            self.columns = max(self.columns, self._column)
            self._is_error = attributes.get("t") == "e"
        elif name == "v":
            self._in_value, self._text = True, ""

    def end(self, tag: str) -> None:
        if tag.rpartition(" ")[2] == "v":
            self._in_value = False
            if self._is_error or _FEBRUARY_29.fullmatch(self._text):
                self.literals.setdefault(self._row - 1, {})[self._column - 1] = self._text

    def characters(self, text: str) -> None:
        if self._in_value:
            self._text += text


def _odd_cells(member: Member) -> Literals:
    look = _ExactLook()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = look.start
    parser.EndElementHandler = look.end
    parser.CharacterDataHandler = look.characters
    try:
        for block in _xml_blocks(member):
            parser.Parse(block)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError):
        raise _refused(member, "a part is not well-formed XML") from None
    _check_size(member, look.rows, look.columns)
    return look.literals


def _refused(member: Member, reason: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"the workbook cannot be taken: {reason} ({member.name})",
        file=member.archive.name,
        remedy="copy the values alone into a new workbook and save it as .xlsx",
    )
