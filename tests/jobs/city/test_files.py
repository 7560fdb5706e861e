from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date, datetime
from pathlib import Path

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pytest

from jobs.city.files import Archive, CsvWriter, GeoJsonWriter, JsonLinesWriter, written
from jobs.city.workbooks import CellKind, XlsxWriter, column_letters

VALUES = ["plain", 'with "quotes"', "with,comma", "two\nlines", None, "王𬱖", "back\\slash", "<&>"]
COLUMNS = [pa.array([str(n) for n in range(len(VALUES))]), pa.array(VALUES, pa.string())]
READABLE = np.zeros(len(VALUES), dtype=bool)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_csv_is_read_back_as_it_was(encoding: str) -> None:
    stream = io.BytesIO()

    writer = CsvWriter(stream, ["编号", "值"], encoding=encoding, line_end="\r\n")
    writer.write(COLUMNS, READABLE)
    writer.close()

    text = stream.getvalue().decode(encoding)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["编号", "值"]
    assert [row[1] or None for row in rows[1:]] == VALUES


def test_a_byte_order_mark_stands_where_it_was_asked_for() -> None:
    stream = io.BytesIO()

    CsvWriter(stream, ["a"], mark=True)

    assert stream.getvalue() == b"\xef\xbb\xbfa\n"


def test_unreadable_csv_records_have_too_many_or_too_few_fields() -> None:
    stream = io.BytesIO()
    columns = [pa.array(["1", "2", "3"])] * 4

    CsvWriter(stream, list("abcd")).write(columns, np.array([True, True, False]))

    widths = [len(row) for row in csv.reader(io.StringIO(stream.getvalue().decode()))]
    assert widths == [4, 6, 2, 4]


def test_json_lines_are_read_back_as_they_were() -> None:
    stream = io.BytesIO()

    JsonLinesWriter(stream, ["编号", "值"]).write(COLUMNS, READABLE)

    records = [json.loads(line) for line in stream.getvalue().decode().splitlines()]
    assert [record["值"] for record in records] == VALUES


def test_an_unreadable_json_line_breaks_off() -> None:
    stream = io.BytesIO()
    columns = [pa.array(["x" * 30, "y"]), pa.array(["a", "b"])]

    JsonLinesWriter(stream, ["first", "second"]).write(columns, np.array([True, False]))

    broken, good = stream.getvalue().decode().splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    assert json.loads(good) == {"first": "y", "second": "b"}


def test_geojson_is_one_collection_over_several_batches() -> None:
    stream = io.BytesIO()
    geometry = pa.array(['{"type":"Point","coordinates":[1,2]}', None])

    writer = GeoJsonWriter(stream, ["名称", "geometry"])
    for _ in range(2):
        writer.write([pa.array(["甲", "乙"]), geometry], np.zeros(2, dtype=bool))
    writer.close()

    document = json.loads(stream.getvalue())
    assert [f["properties"]["名称"] for f in document["features"]] == ["甲", "乙", "甲", "乙"]
    assert [f["geometry"] and f["geometry"]["type"] for f in document["features"]] == [
        "Point",
        None,
        "Point",
        None,
    ]


def _rows(data: bytes) -> list[tuple[object, ...]]:
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert sheet is not None
    return list(sheet.iter_rows(values_only=True))


def test_a_workbook_is_read_back_as_it_was() -> None:
    stream = io.BytesIO()

    writer = XlsxWriter(stream, ["编号", "值"])
    writer.write(COLUMNS, READABLE)
    writer.write(COLUMNS, READABLE)
    writer.close()

    rows = _rows(stream.getvalue())
    assert rows[0] == ("编号", "值")
    assert [row[1] for row in rows[1:]] == VALUES * 2


def test_typed_cells_hold_numbers_and_dates_and_keep_what_is_none() -> None:
    stream = io.BytesIO()
    kinds = [CellKind.TEXT, CellKind.NUMBER, CellKind.DATE]
    columns = [
        pa.array(["007", "8"]),
        pa.array(["12.50", "约5"]),
        pa.array(["2024-02-29", "2020-13-40"]),
    ]

    writer = XlsxWriter(stream, ["a", "b", "c"], kinds)
    writer.write(columns, np.zeros(2, dtype=bool))
    writer.close()

    first, second = _rows(stream.getvalue())[1:]
    assert first == ("007", 12.5, datetime(2024, 2, 29))
    assert second == ("8", "约5", "2020-13-40")


def test_columns_of_a_sheet_are_named_as_spreadsheets_do() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
    ]


def test_files_tell_nothing_of_when_they_were_written(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        with Archive(tmp_path / name) as archive:
            for member in ("a.csv", "b.csv"):
                with archive.member(member) as stream:
                    CsvWriter(stream, ["编号", "值"]).write(COLUMNS, READABLE)

    one, two = written(tmp_path / "one.zip", 16), written(tmp_path / "two.zip", 16)

    assert one.sha256 == two.sha256
    with zipfile.ZipFile(tmp_path / "one.zip") as archived:
        assert {info.date_time[0] for info in archived.infolist()} == {1980}
        assert archived.namelist() == ["a.csv", "b.csv"]
    assert date.today().year > 1980
