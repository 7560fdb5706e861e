from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lake.readers import REFUSED, csv_files
from tests.lake.readers.making import Row, reading, refused, rows_of, steady, values, written

ABC = reading("a", "b", "c")


def read_text(tmp_path: Path, text: str) -> list[Row]:
    return rows_of(ABC, written(tmp_path / "x.csv", text))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("1,2,3\n", [("1", "2", "3")], id="plain"),
        pytest.param("1,2,3", [("1", "2", "3")], id="last-line-without-end"),
        pytest.param("1,2,3\r\n4,5,6\r\n", [("1", "2", "3"), ("4", "5", "6")], id="crlf"),
        pytest.param("1,2,3\r4,5,6\r", [("1", "2", "3"), ("4", "5", "6")], id="cr-alone"),
        pytest.param('1,"a\nb\r\nc\rd",3\n', [("1", "a\nb\r\nc\rd", "3")], id="newlines-in-quotes"),
        pytest.param('1,"say ""hi""",3\n', [("1", 'say "hi"', "3")], id="doubled-quotes"),
        pytest.param('1,12" pipe,3\n', [("1", '12" pipe', "3")], id="quote-inside-unquoted"),
        pytest.param('1,"a,b",3\n', [("1", "a,b", "3")], id="comma-in-quotes"),
        pytest.param('1,,""\n', [("1", None, None)], id="empty-is-null-quoted-or-not"),
        pytest.param(" 1 ,\u3000x, y\n", [(" 1 ", "\u3000x", " y")], id="nothing-is-trimmed"),
        pytest.param(
            "1,2,3\n\n  \n\u3000\n4,5,6\n", [("1", "2", "3"), ("4", "5", "6")], id="blank"
        ),
        pytest.param("1,王䶮𠮷𬱖,3\n", [("1", "王䶮𠮷𬱖", "3")], id="rare-names"),
        pytest.param("1,null,NA\n", [("1", "null", "NA")], id="null-words-are-text"),
        pytest.param(",,\n", [(None, None, None)], id="a-line-of-commas-is-a-record"),
    ],
)
def test_records_come_as_they_were_written(
    tmp_path: Path, body: str, expected: list[tuple[str | None, ...]]
) -> None:
    rows = read_text(tmp_path, "a,b,c\n" + body)

    assert values(rows, "a", "b", "c") == expected
    assert values(rows, "_row_number") == list(range(1, len(expected) + 1))
    assert values(rows, "_fault", "_record", "_missing", "_extra") == [(None,) * 4] * len(expected)
    assert set(values(rows, "_file")) == {"x.csv"}


@pytest.mark.parametrize(
    ("line", "stood"),
    [
        pytest.param("1,2\n", ["1", "2"], id="too-few"),
        pytest.param("1,2,3,\n", ["1", "2", "3", ""], id="too-many"),
        pytest.param('1,"x"y,3\n', '1,"x"y,3\n', id="text-after-a-closing-quote"),
        pytest.param('1,"他说"你好"的",3\n', '1,"他说"你好"的",3\n', id="quotes-not-doubled"),
        pytest.param("1,a\0b,3\n", ["1", "a\0b", "3"], id="nul"),
    ],
)
def test_a_record_that_cannot_be_read_is_a_fault_and_its_neighbours_are_not(
    tmp_path: Path, line: str, stood: object
) -> None:
    rows = read_text(tmp_path, f"a,b,c\nx,y,z\n{line}p,q,r\n")

    assert values(rows, "a") == ["x", None, "p"]
    assert values(rows, "_row_number") == [1, 2, 3]
    assert values(rows, "_fault") == [None, "record_readable", None]
    assert json.loads(rows[1]["_record"]) == stood
    assert values(rows[1:2], "b", "c", "_extra", "_change") == [(None,) * 4]


def test_what_is_kept_of_an_unreadable_record_is_bounded(tmp_path: Path) -> None:
    rows = read_text(tmp_path, "a,b,c\n" + "x" * 200_000 + ",2\n")

    assert json.loads(rows[0]["_record"]) == ["x" * 65_536]


def test_a_quote_that_is_never_closed_refuses_the_file_and_names_the_row(tmp_path: Path) -> None:
    why = refused(read_text(tmp_path, 'a,b,c\n1,2,3\n\n4,"5,6\n7,8,9\n'))

    assert why["row"] == 2
    assert "still open at the end of the file" in why["reason"]
    assert "double every quote" in why["remedy"]


def test_a_record_longer_than_the_limit_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    with mock.patch.object(csv_files, "RECORD_CHARACTERS", 50_000):
        why = refused(read_text(tmp_path, 'a,b,c\n1,2,3\n4,"' + "x,y,z\n" * 20_000))

    assert why["row"] == 2
    assert "still open after 50000 characters" in why["reason"]


def test_a_long_field_is_no_fault(tmp_path: Path) -> None:
    shape = "POLYGON((" + "114.1 29.7," * 40_000 + "))"  # longer than the csv module's own limit

    rows = read_text(tmp_path, f'a,b,c\n1,"{shape}",x"\n')

    assert values(rows, "b", "c") == [(shape, 'x"')]


@pytest.mark.parametrize("content", ["a,b,c\n", "a,b,c", "a,b,c\r\n\r\n  \n"])
def test_a_header_alone_is_no_record_and_no_fault(tmp_path: Path, content: str) -> None:
    assert read_text(tmp_path, content) == []


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "  \r\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    assert "the file is empty" in refused(read_text(tmp_path, content))["reason"]


@pytest.mark.parametrize("delimiter", ["\t", "|", ";"])
def test_another_delimiter_is_read_by_the_contract(tmp_path: Path, delimiter: str) -> None:
    text = "a,b,c\n1,,3\n,,\n4,'5,6\n".replace(",", delimiter) + f'7{delimiter}"8,9"{delimiter}0\n'

    rows = rows_of(reading("a", "b", "c", delimiter=delimiter), written(tmp_path / "x", text))

    assert values(rows, "a", "b", "c") == [
        ("1", None, "3"),
        (None, None, None),
        ("4", "'5", "6"),
        ("7", "8,9", "0"),
    ]


def test_rows_are_numbered_through_blocks_paths_and_batches(tmp_path: Path) -> None:
    lines = []
    for i in range(1, 120_001):
        bad = i % 10_007 == 0
        lines.append(f'{i},"x"y,z' if bad else f"{i},q" if i % 9_973 == 0 else f'{i},"a\nb",{i}')
    text = "a,b,c\n" + "\n".join(lines) + "\n"

    rows = read_text(tmp_path, text)

    assert values(rows, "_row_number") == list(range(1, 120_001))
    assert [row["_row_number"] for row in rows if row["_fault"]] == sorted(
        [*range(10_007, 120_001, 10_007), *range(9_973, 120_001, 9_973)]
    )
    assert all(row["a"] == str(row["_row_number"]) for row in rows if not row["_fault"])


# The two paths, and the standard library beside them.

CELLS = st.text(alphabet=' ax",\n\r\0赤𠮷\u3000\ufeff', max_size=4)
REGULAR = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8)


def _as_csv(rows: list[list[str]], quoting: bool, end: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(
        out, quoting=csv.QUOTE_ALL if quoting else csv.QUOTE_MINIMAL, lineterminator=end
    ).writerows(rows)
    return out.getvalue()


def _by_path(text: str, run_bytes: int, columns: tuple[str, ...]) -> list[Row]:
    with (
        mock.patch.object(csv_files, "_RUN_BYTES", run_bytes),
        tempfile.TemporaryDirectory() as folder,
    ):
        path = written(Path(folder) / "x.csv", ",".join(columns) + "\n" + text)
        rows = rows_of(reading(*columns), path)
    return rows[-1:] if rows and rows[-1]["_fault"] == REFUSED else rows


def _exactly(text: str, columns: tuple[str, ...] = ("a", "b", "c")) -> list[Row]:
    def nothing(body: csv_files.CsvRecords) -> int:
        return -1

    with mock.patch.object(csv_files.CsvRecords, "_end_of_run", nothing):
        return _by_path(text, 1, columns)


@steady
@given(text=st.text(alphabet='a",\n\r\0 赤', max_size=60))
@example(text='1,2,3\n"\n')
@example(text='1,"a"b,3\n4,5,6\n')
@example(text="\r\r\n\n1,2,3\r\r\n")
@example(text="\ufeff1,2,3\n")
@example(text='""\n"",\n"","",""\n')
def test_both_paths_give_the_same_rows_of_any_text(text: str) -> None:
    assert _by_path(text, 1, ("a", "b", "c")) == _exactly(text)


@steady
@given(rows=REGULAR, quoting=st.booleans(), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_both_paths_give_the_same_rows_of_well_formed_text(
    rows: list[list[str]], quoting: bool, end: str
) -> None:
    text = _as_csv(rows, quoting, end)

    assert _by_path(text, 1, ("a", "b", "c")) == _exactly(text)


@steady
@given(text=st.text(alphabet='a" \n\r', max_size=20))
def test_one_column_has_no_second_meaning_for_a_blank_line(text: str) -> None:
    assert _by_path(text, 1, ("a",)) == _exactly(text, ("a",))


@steady
@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6), quoting=st.booleans())
def test_what_the_standard_library_writes_is_read_back(
    rows: list[list[str]], quoting: bool
) -> None:
    read_back = _by_path(_as_csv(rows, quoting, "\r\n"), 1, ("a", "b", "c"))

    assert [
        row["_fault"] == "record_readable"
        if any("\0" in cell for cell in cells)
        else [row["a"] or "", row["b"] or "", row["c"] or ""] == cells
        for row, cells in zip(read_back, rows, strict=True)
    ] == [True] * len(rows)


@given(st.text(alphabet='a,"\r\n\0', max_size=24), st.integers(0, 3), st.integers(1, 30))
@example('a,"b\n""c",\r\n"d', 0, 30)
@example('"",""""\na"b\n', 0, 3)
@steady
def test_regular_records_are_those_that_a_pattern_finds(text: str, lines: int, reach: int) -> None:
    block = f"{text}\n".encode()
    starts = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", block))]
    at = starts[min(lines, len(starts) - 1)]
    opens, closes = rb'(?<![^,\r\n])"', rb'"(?![^,\r\n])'
    quoted = opens + rb'[^"\0]*+(?:""[^"\0]*+)*+' + closes
    records = re.compile(rb'(?:(?:[^"\r\n\0]++|' + quoted + rb")*+(?:\r\n|\r|\n))*+")

    found = records.match(block, at)
    with mock.patch.object(csv_files, "_RUN_BYTES", reach):
        end = csv_files.end_of_regular(block, at, ",")

    assert found is not None
    assert end == found.end()


def test_the_fast_path_is_the_one_that_reads_regular_text(tmp_path: Path) -> None:
    def never(body: csv_files.CsvRecords, records: int) -> None:
        raise AssertionError("the exact path was taken")

    with mock.patch.object(csv_files.CsvRecords, "_exactly", never):
        rows = read_text(tmp_path, 'a,b,c\n1,"2,\n",3\r\n4,5\n6,7,8\n')

    assert values(rows, "a", "_fault") == [
        ("1", None),
        (None, "record_readable"),
        ("6", None),
    ]
