from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import xlsxwriter

from catalog.vocabulary import Format
from lake.readers import workbooks
from tests.lake.readers.making import Row, reading, refused, rewritten, rows_of, values, written

AB = reading("a", ("b", "乙"), form=Format.XLSX)
FORMATS = {
    date: "yyyy-mm-dd",
    datetime: "yyyy-mm-dd hh:mm:ss",
    time: "hh:mm:ss",
    timedelta: "[h]:mm:ss",
}


def workbook(
    path: Path,
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    hidden: Sequence[str] = (),
    **options: Any,
) -> Path:
    """A workbook with these rows; (serial, number format) writes a number as it is shown."""
    with xlsxwriter.Workbook(path, options) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if isinstance(cell, tuple):
                        sheet.write_number(r, c, cell[0], book.add_format({"num_format": cell[1]}))
                    elif type(cell) in FORMATS:
                        shown = book.add_format({"num_format": FORMATS[type(cell)]})
                        sheet.write_datetime(r, c, cell, shown)
                    elif isinstance(cell, str) and cell.startswith("#"):
                        sheet.write_formula(r, c, "=NA()", None, cell)
                    elif isinstance(cell, str):
                        sheet.write_string(r, c, cell)
                    else:
                        sheet.write(r, c, cell)
    return path


def read_cells(tmp_path: Path, cells: Sequence[Any], **options: Any) -> list[Any]:
    rows: list[list[Any]] = [["a", "b"], *(["k", cell] for cell in cells)]
    return values(rows_of(AB, workbook(tmp_path / "x.xlsx", {"s": rows}, **options)), "b")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(3, "3", id="whole-number"),
        pytest.param(-0.0, "0", id="minus-zero"),
        pytest.param(1.5, "1.5", id="fraction"),
        pytest.param(0.1, "0.1", id="shortest"),
        pytest.param(1.5e-7, "0.00000015", id="small-without-exponent"),
        pytest.param(20200105, "20200105", id="date-as-number"),
        pytest.param(13907240000, "13907240000", id="telephone"),
        pytest.param(999_999_999_999_999, "999999999999999", id="15-digits"),
        pytest.param(10**15, "1E+15", id="16-digits"),
        pytest.param(421281199001011234, "4.212811990010113E+17", id="id-mangled-by-excel"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param("007", "007", id="leading-zeros"),
        pytest.param(" x\n赤壁䶮𠮷 ", " x\n赤壁䶮𠮷 ", id="text"),
        pytest.param("2020年1月5日", "2020年1月5日", id="date-as-text"),
        pytest.param(date(2020, 1, 5), "2020-01-05", id="date"),
        pytest.param(datetime(2020, 1, 5, 10, 11, 12), "2020-01-05 10:11:12", id="date-and-time"),
        pytest.param(
            datetime(2020, 1, 5, 23, 59, 59, 999_000), "2020-01-06 00:00:00", id="rounded"
        ),
        pytest.param((43835.0, 'yyyy"年"m"月"d"日"'), "2020-01-05", id="chinese-date-format"),
        pytest.param((1.0, "yyyy-mm-dd"), "1900-01-01", id="serial-1"),
        pytest.param((59.0, "yyyy-mm-dd"), "1900-02-28", id="serial-59"),
        pytest.param((60.0, "yyyy-mm-dd"), "1900-02-29", id="serial-60"),
        pytest.param((60.5, "yyyy-mm-dd hh:mm"), "1900-02-29 12:00:00", id="serial-60-noon"),
        pytest.param((61.0, "yyyy-mm-dd"), "1900-03-01", id="serial-61"),
        pytest.param((2958465.0, "yyyy-mm-dd"), "9999-12-31", id="last-day"),
        pytest.param((2958466.0, "yyyy-mm-dd"), "2958466", id="after-the-last-day"),
        pytest.param(time(10, 11, 12), "10:11:12", id="time"),
        pytest.param(timedelta(hours=30, minutes=1), "30:01:00", id="duration"),
        pytest.param("#N/A", "#N/A", id="error"),
        pytest.param("#DIV/0!", "#DIV/0!", id="another-error"),
        pytest.param(None, None, id="empty"),
        pytest.param("", None, id="empty-text"),
    ],
)
def test_a_cell_is_the_text_a_person_would_read(
    tmp_path: Path, cell: Any, text: str | None
) -> None:
    assert read_cells(tmp_path, [cell]) == [text]


def test_dates_of_the_1904_system_are_the_same_days(tmp_path: Path) -> None:
    cells = [date(2020, 1, 5), datetime(2020, 1, 5, 6), (60.0, "yyyy-mm-dd")]

    assert read_cells(tmp_path, cells, date_1904=True) == [
        "2020-01-05",
        "2020-01-05 06:00:00",
        "1904-03-01",
    ]


def test_mixed_columns_keep_what_each_cell_is(tmp_path: Path) -> None:
    cells = ["x", 1, 1.5, True, date(2020, 1, 5), "#N/A", None, (60.0, "yyyy-mm-dd"), 60]

    assert read_cells(tmp_path, cells) == [
        *("x", "1", "1.5", "true", "2020-01-05", "#N/A", None, "1900-02-29", "60"),
    ]


def test_empty_rows_are_no_records_wherever_they_stand(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[], ["a", "b"], [], ["1", "2"], ["", ""], ["3", 4], [None, ""], [""]]

    got = rows_of(AB, workbook(tmp_path / "x.xlsx", {"s": rows}))

    assert values(got, "_row_number", "a", "b") == [(1, "1", "2"), (2, "3", "4")]


def test_a_table_need_not_begin_in_the_first_corner(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [],
        [None, None, "登记表"],
        [None, None, "乙", "A", "note"],
        [None, None, "#N/A", "1", 0],
        [None, None, (60.0, "yyyy-mm-dd"), "2"],
    ]

    got = rows_of(AB, workbook(tmp_path / "x.xlsx", {"s": rows}))

    assert values(got, "_row_number", "a", "b", "_extra") == [
        (1, "1", "#N/A", '{"note":"0"}'),
        (2, "2", "1900-02-29", None),
    ]


def test_the_first_visible_sheet_whose_header_matches_is_read(tmp_path: Path) -> None:
    sheets: Mapping[str, Sequence[Sequence[Any]]] = {
        "说明": [["填表说明"], ["请勿改动表头"]],
        "代码": [["a", "b"], ["hidden", "x"]],
        "空": [],
        "数据": [["a", "b"], ["1", "2"]],
        "模板": [["a", "b"]],
    }

    got = rows_of(AB, workbook(tmp_path / "x.xlsx", sheets, hidden=["代码"]))

    assert values(got, "a", "_file") == [("1", "x.xlsx")]


def test_records_in_a_second_sheet_are_not_lost_in_silence(tmp_path: Path) -> None:
    sheets = {"一": [["a", "b"], ["1", "2"]], "二": [["a", "b"], ["3", "4"]]}

    why = refused(rows_of(AB, workbook(tmp_path / "x.xlsx", sheets)))

    assert why["reason"] == "the sheets '一' and '二' both hold the table"


@pytest.mark.parametrize(
    ("sheets", "reason"),
    [
        ({"s": [["x", "y"], ["1", "2"]]}, "found 'x', 'y'; expected 'a', 'b or 乙'"),
        ({"s": []}, "the workbook is empty"),
    ],
)
def test_a_workbook_without_the_table_is_refused(
    tmp_path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]], reason: str
) -> None:
    assert reason in refused(rows_of(AB, workbook(tmp_path / "x.xlsx", sheets)))["reason"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "the contract expects xlsx, but the bytes are text, such as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old Excel workbook (.xls)"),
        (b"<html><table><tr><td>a</td></tr></table>", "the bytes are HTML or XML"),
        (b"", "the file is empty (0 bytes)"),
        (b"PK\x03\x04" + b"\0" * 100, "cut off, damaged or not a zip archive"),
    ],
)
def test_other_bytes_under_the_name_of_a_workbook_are_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    assert reason in refused(rows_of(AB, written(tmp_path / "x.xlsx", content)))["reason"]


def test_a_zip_archive_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("a.csv", "a,b\n")

    why = refused(rows_of(AB, tmp_path / "x.xlsx"))

    assert why["reason"] == "the bytes are a zip archive, but no XLSX workbook"


# Workbooks made by hand.

SHEET = (
    '<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/'
    'spreadsheetml/2006/main">{before}<sheetData>{rows}</sheetData></worksheet>'
)
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
    '<c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'
)


def with_rows(path: Path, rows: str, before: str = "") -> Path:
    return rewritten(
        path,
        "xl/worksheets/sheet1.xml",
        lambda _: SHEET.format(before=before, rows=HEADER + rows),
    )


def read_rows(tmp_path: Path, rows: str, before: str = "") -> list[Row]:
    return rows_of(AB, with_rows(tmp_path / "x.xlsx", rows, before))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', id="corner"),
        pytest.param('<row r="2"><c  r="XFD9000"><v>1</v></c></row>', id="two-spaces"),
        pytest.param("<row r=\"2\"><c r='XFD9000'><v>1</v></c></row>", id="single-quotes"),
        pytest.param('<row r="2"><c s="0" r="XFD9000"><v>1</v></c></row>', id="not-first"),
        pytest.param('<row r="9000"><c r="A9000"/><c r="XFD9000"><v>1</v></c></row>', id="later"),
        pytest.param(
            '<row r="2">' + "<c/>" * 9_000 + "<c><v>1</v></c></row><row r='9000'><c/><c/></row>",
            id="without-references",
        ),
        pytest.param(
            '<x:row xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" r="2">'
            "<x:c r='XFD9000'><x:v>1</x:v></x:c></x:row>",
            id="prefixed",
        ),
    ],
)
@pytest.mark.parametrize("dimension", ["", "A1:B2", "A1:XFD1048576"])
def test_a_sheet_of_a_few_cells_far_apart_is_refused(
    tmp_path: Path, rows: str, dimension: str
) -> None:
    before = f'<dimension ref="{dimension}"/>' if dimension else ""

    why = refused(read_rows(tmp_path, rows, before))

    assert "a sheet spans" in why["reason"]
    assert f"more than {workbooks.MAX_CELLS} cells" in why["reason"]


def test_a_dimension_larger_than_the_sheet_is_no_reason(tmp_path: Path) -> None:
    rows = '<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="e"><v>#REF!</v></c></row>'

    got = read_rows(tmp_path, rows, '<dimension ref="A1:XFD1048576"/>')

    assert values(got, "a", "b") == [("1", "#REF!")]


def test_a_dimension_smaller_than_the_sheet_is_no_reason(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{i}"><c r="A{i}"><v>{i}</v></c><c r="B{i}"><v>1</v></c></row>'
        for i in range(2, 30_000)
    )

    got = read_rows(tmp_path, rows, '<dimension ref="A1"/>')  # as streaming writers state it

    assert len(got) == 29_998
    assert values(got[-1:], "a", "_row_number") == [("29999", 29_998)]


@pytest.mark.parametrize("rows", [1, 9, 10, 99, 100_001, 1_048_576])
@pytest.mark.parametrize("columns", ["A", "B", "Z", "AA", "AD", "AZ", "ZZ", "ABC"])
def test_what_lies_outside_of_a_dimension_is_seen(rows: int, columns: str) -> None:
    width = workbooks._column(columns.encode())
    outside = workbooks._outside(rows, width)

    assert workbooks._letters(width) == columns
    for letters in ("A", "B", "C", "Z", "AA", "AD", "AE", "AZ", "BA", "ZZ", "AAA", "ABC", "ABD"):
        for row in (1, 2, 9, 10, 11, 99, 100, 100_001, 100_002, 1_048_576, 1_048_577):
            found = outside.search(f'<c r="{letters}{row}" s="1">'.encode()) is not None
            expected = workbooks._column(letters.encode()) > width or row > rows
            assert found == expected, (letters, row)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_document_type_is_refused_in_every_part(
    tmp_path: Path, part: str, declaration: str
) -> None:
    path = rewritten(
        tmp_path / "x.xlsx", part, lambda text: text.replace("?>", f"?>{declaration}", 1)
    )

    why = refused(rows_of(AB, path))

    assert f"a part declares a document type or entities ({part})" in why["reason"]


def test_a_part_that_hides_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = rewritten(
        tmp_path / "x.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda text: "\x00<\x00?",
    )

    assert "a part is not XML in UTF-8" in refused(rows_of(AB, path))["reason"]


def test_a_workbook_that_inflates_too_far_is_refused_before_it_does(tmp_path: Path) -> None:
    bomb = with_rows(tmp_path / "x.xlsx", " " * 50_000_000)

    assert "inflates to more than 200 times its size" in refused(rows_of(AB, bomb))["reason"]
    with mock.patch.object(workbooks, "MAX_BYTES", 1000):
        why = refused(rows_of(AB, with_rows(tmp_path / "y.xlsx", "")))
        assert "more than 1000" in why["reason"]


def test_broken_xml_is_refused(tmp_path: Path) -> None:
    why = refused(read_rows(tmp_path, '<row r="2"><c r="A2"><v>1</row>'))

    assert "the workbook" in why["reason"]


def test_every_truncation_of_a_workbook_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "x.xlsx", {"s": [["a", "b"], ["1", "2"]]}).read_bytes()

    for length in range(1, len(whole), 97):
        rows = rows_of(AB, written(tmp_path / "y.xlsx", whole[:length]))
        refused(rows)


def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"s": [["a", "b"], ["1", "2"], ["3", 4.5]]})
    whole = path.read_bytes()
    expected = rows_of(AB, path)

    for place in range(0, len(whole), 61):
        flipped = bytearray(whole)
        flipped[place] ^= 0x55
        rows = rows_of(AB, written(tmp_path / "y.xlsx", bytes(flipped)), "x.xlsx")
        assert rows == expected or refused(rows), place
