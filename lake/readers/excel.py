"""XLSX workbooks: cells become the text that a person would read in them, without losing digits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import cast

import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum
from python_calamine import SheetVisibleEnum as Visible

from catalog.errors import DeliveryRefused
from lake.readers.batches import text_array
from lake.readers.contents import Content
from lake.readers.headers import HEADER_DEPTH, header_refused, is_header
from lake.readers.reading import BATCH_ROWS, Reading
from lake.readers.tabular import Grid
from lake.readers.workbooks import Workbook

Cell = int | float | str | bool | time | date | datetime | timedelta

_MAX_HELD_BYTES = 256 << 20  # of a workbook in an archive, where one cannot seek
_MANGLED = 1e15  # from here on Excel has lost digits, and a whole number would pretend otherwise
_AMBIGUOUS = "1900-02-28"  # calamine's answer to 59 and to 60


def read_xlsx(reading: Reading, content: Content) -> Iterator[pa.RecordBatch]:
    """
    The records of the first visible sheet whose header matches; empty rows are no records.

    Whole numbers come without `.0`, others in plain decimals, but in E notation from 1e15 on;
    dates as `yyyy-MM-dd`, with a time other than midnight as `yyyy-MM-dd HH:MM:SS`; booleans as
    `true` and `false`, errors as `#N/A`. Refused: no such sheet, records in a second one, and what
    `Workbook` refuses. A sheet is held whole: up to `MAX_CELLS` cells of 24 bytes and the
    workbook's texts.
    """
    content = content.held(_MAX_HELD_BYTES)
    workbook = Workbook(content)
    try:
        with content.open() as stream, CalamineWorkbook.from_filelike(stream) as book:
            sheet = _only_sheet(reading, content.name, book)
            yield from _Sheet(sheet, workbook).batches(reading, content.name)
    except CalamineError as error:
        raise DeliveryRefused(
            f"the workbook is damaged or is none ({error})",
            file=content.name,
            remedy="open it in a spreadsheet program and save it again as .xlsx",
        ) from None


def _only_sheet(reading: Reading, file: str, book: CalamineWorkbook) -> CalamineSheet:
    """The one visible sheet under the dataset's header."""
    found: CalamineSheet | None = None
    passed: list[list[str]] = []
    for about in book.sheets_metadata:
        if about.visible is not Visible.Visible or about.typ is not SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(about.name)
        rows = (cells for row in sheet.iter_rows() if any(cells := [_text(c) for c in row]))
        first = list(islice(rows, HEADER_DEPTH + 1))
        header = next((i for i, c in enumerate(first[:HEADER_DEPTH]) if is_header(reading, c)), -1)
        if header < 0:
            passed.extend(first[:1])
        elif found is None:
            found = sheet
        elif header + 1 < len(first):
            raise DeliveryRefused(
                f"the sheets {found.name!r} and {about.name!r} both hold the table",
                file=file,
                remedy="deliver the records in one sheet, or in one workbook each",
            )
    if found is not None:
        return found
    if passed:
        raise header_refused(reading, passed[0], file)
    raise DeliveryRefused(
        "the workbook is empty", file=file, remedy="deliver the table in a visible sheet"
    )


class _Sheet:
    """The rows of a sheet, with what calamine loses put back."""

    def __init__(self, sheet: CalamineSheet, workbook: Workbook) -> None:
        self._sheet = sheet
        self._workbook = workbook
        self._first_column = sheet.start[1] if sheet.start else 0

    def batches(self, reading: Reading, file: str) -> Iterator[pa.RecordBatch]:
        places: list[int] = []
        rows = self._filled_rows(places)
        grid = Grid.under_header(reading, file, ([_text(cell) for cell in row] for row in rows))
        number = 0
        while True:
            places.clear()
            cells = list(islice(rows, BATCH_ROWS))
            if not cells:
                return
            columns = zip(*cells, strict=True)
            texts = [self._texts(place, column, places) for place, column in enumerate(columns)]
            numbers = pa.array(range(number + 1, number + 1 + len(cells)), pa.int64())
            yield from grid.columns([text_array(column) for column in texts], numbers, {})
            number += len(cells)

    def _filled_rows(self, places: list[int]) -> Iterator[list[Cell]]:
        """Rows that are not empty; their places in the sheet are added to `places`."""
        errors = self._workbook.odd_cells(self._sheet.name)
        for index, row in enumerate(self._sheet.iter_rows()):
            for column, literal in errors.get(index, {}).items():
                if row[column - self._first_column] == "":
                    row[column - self._first_column] = literal
            if row.count("") < len(row):
                places.append(index)
                yield row

    def _texts(self, place: int, column: Sequence[Cell], places: Sequence[int]) -> Sequence[str]:
        """The texts of a column, by rows at `places`."""
        types = set(map(type, column))
        if types == {str}:
            return cast("Sequence[str]", column)
        texts = [_text(cell) for cell in column]
        if types & {date, datetime}:
            for row, text in enumerate(texts):
                if text.startswith(_AMBIGUOUS) and self._is_february_29(places[row], place):
                    texts[row] = text.replace(_AMBIGUOUS, "1900-02-29")
        return texts

    def _is_february_29(self, row: int, place: int) -> bool:
        literals = self._workbook.odd_cells(self._sheet.name, look=True)
        return literals.get(row, {}).get(place + self._first_column, "").startswith("60")


def _text(cell: Cell) -> str:
    """The text of one cell; the empty cell is the empty text."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return _second(cell).isoformat(" ", "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return _number(float(cell))
    if isinstance(cell, time):
        return cell.isoformat("seconds")
    seconds = round(cell.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _number(number: float) -> str:
    """
    The shortest decimal text of the number.

    >>> [_number(n) for n in (3.0, 0.1, 1.5e-7, 421281199001011234.0)]
    ['3', '0.1', '0.00000015', '4.2128119900101126E+17']
    """
    if abs(number) >= _MANGLED:
        return f"{Decimal(repr(number)).normalize():E}"
    if number.is_integer():
        return str(int(number))
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text else text


def _second(instant: datetime) -> datetime:
    # A serial is a binary fraction of a day: 10:11:12 may come as 10:11:11.999.
    if instant.microsecond < 500_000 or instant.year == date.max.year:
        return instant.replace(microsecond=0)
    return instant.replace(microsecond=0) + timedelta(seconds=1)
