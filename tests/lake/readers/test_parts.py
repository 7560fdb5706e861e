"""A file read in parts has the rows that it has when it is read whole, whatever stands in it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.vocabulary import Drift, Format
from lake.readers import Reading, csv_files, find_split, parts_of, read_part, text
from lake.splits import Split
from tests.lake.readers.making import Row, reading, refused, rows_of, steady, written

CSV = reading("a", "b", "c")
JSON = reading("a", "b", form=Format.JSON_LINES)
GB = reading("a", "b", "姓名", encoding="gb18030")


def split_of(how: Reading, path: Path, block: int, part: int) -> Split | None:
    with mock.patch.object(text, "BLOCK_BYTES", block):
        return find_split(how, path, larger_than=0, part_bytes=part)


def rows_in_parts(how: Reading, path: Path, split: Split) -> list[list[Row]]:
    """The rows of each part."""
    return [
        [row for batch in read_part(how, str(path), path.name, part) for row in batch.to_pylist()]
        for part in parts_of(how, split, path.stat().st_size)
        if part is not None
    ]


def compare(
    how: Reading, content: bytes, blocks: Sequence[int] = (1, 3, 8, 64), name: str = "x"
) -> int:
    """Compare both ways with borders in many places; the number of parts that were read."""
    read = 0
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / name, content)
        whole = rows_of(how, path)
        for block in blocks:
            for part in (1, 2 * block, 1000):
                split = split_of(how, path, block, part)
                if split is None:
                    continue
                parts = rows_in_parts(how, path, split)
                assert [row for rows in parts for row in rows] == whole, (block, part, split)
                read += len(parts)
    return read


LINES = [
    "1,2,3",
    '1,"a\nb\r\nc\rd",3',
    '1,"say ""hi""",3',
    '1,12" pipe,3',
    '1,"a,b",3',
    "1,,",
    " 1 ,\u3000x, y",
    "",
    "  ",
    "\u3000",
    "1,王䶮𠮷,3",
    "1,2",
    "1,2,3,",
    '1,"x"y,3',
    '1,"他说"你好"的",3',
    "1,a\0b,3",
    "\ufeff1,2,3",
    '"","",""',
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_kind_of_line_is_the_same_in_parts(end: str, encoding: str, mark: str) -> None:
    how = reading("a", "b", "姓名", encoding=encoding)
    lines = [f"{mark}a,b,姓名", *LINES, *reversed(LINES), "1,2,3"]

    read = compare(how, end.join(lines).encode(encoding))

    assert read > 50


@steady
@given(body=st.text(alphabet='a",\n\r\0 赤', max_size=60))
@example(body='1,2,3\n"\n')
@example(body='1,"a"b,3\n4,5,6\n')
@example(body="\r\r\n\n1,2,3\r\r\n")
@example(body="\ufeff1,2,3\n4,5,6")
@example(body='""\n"",\n"","",""\n')
def test_any_text_gives_the_same_rows_in_parts(body: str) -> None:
    with mock.patch.object(csv_files, "_RUN_BYTES", 1):
        compare(CSV, f"a,b,c\n{body}".encode(), blocks=(1, 5, 16))


@steady
@given(body=st.text(alphabet='a" \n\r', max_size=30))
def test_one_column_gives_the_same_rows_in_parts(body: str) -> None:
    compare(reading("a"), f"a\n{body}".encode(), blocks=(1, 5))


OBJECTS = [
    '{"a":"x","b":1.10}',
    '{"b":"y","a":"x"}',
    '{"a":"x"}',
    ' { "a" : "x" ,\r "b" : "y" } ',
    '{"a":"x","备注":[1.0,{"k":false}]}',
    '{"a":"\\u8d64\\n","b":"䶮"}',
    "[1,2]",
    '{"a":"x"',
    '{"a":"x","a":"y"}',
    "",
    " \r",
    '{"a":null,"b":""}',
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_json_lines_are_the_same_in_parts(end: str, encoding: str) -> None:
    how = reading("a", "b", form=Format.JSON_LINES, encoding=encoding)
    lines = OBJECTS + OBJECTS[::-1] + OBJECTS[:1] * 5

    assert compare(how, end.join(lines).encode(encoding)) > 50


@steady
@given(body=st.lists(st.sampled_from([*OBJECTS, "\r", "\ufeff", '{"a":\r"x"}']), max_size=12))
def test_any_json_lines_are_the_same_in_parts(body: list[str]) -> None:
    compare(JSON, "\n".join(body).encode(), blocks=(1, 7, 30))


def test_a_title_above_the_header_and_a_long_header_are_read_for_every_part() -> None:
    header = "人口登记\n\n" + '"a\r\n",b,姓名,"备\n注"\n'
    body = "".join(f"{n},x,张三,{n}\n" for n in range(200))

    assert compare(GB, (header + body).encode("gb18030"), blocks=(64, 512)) > 10


def test_parts_are_large_enough_and_cover_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "a,b,c\n" + "1,2,3\n" * 5_000)

    split = split_of(CSV, path, block=100, part=4_000)

    assert split is not None
    parts = [part for part in parts_of(CSV, split, 30_006) if part is not None]
    assert (parts[0].head, parts[0].start, parts[-1].end) == (6, 6, 30_006)
    assert all(part.before == (part.start - 6) // 6 for part in parts)
    assert [len(rows) for rows in rows_in_parts(CSV, path, split)] == [
        (part.end - part.start) // 6 for part in parts
    ]
    assert all(2_000 <= part.end - part.start < 6_200 for part in parts)
    assert len(parts) in (7, 8)


REFUSING = reading("a", "b", form=Format.JSON_LINES, unknown=Drift.REFUSE)
GOOD = "1,2,3\n" * 200


@pytest.mark.parametrize(
    ("how", "content"),
    [
        pytest.param(CSV, f'a,b,c\n{GOOD}4,"5,6\n{GOOD}'.encode(), id="a-quote-never-closed"),
        pytest.param(CSV, f"a,b,c\n{GOOD}赤".encode() + b"\xff", id="not-in-the-encoding"),
        pytest.param(CSV, f"x,y\n{GOOD}".encode(), id="another-header"),
        pytest.param(GB, ("a,b,姓名\n" + "1,2,赤壁\n" * 99).encode(), id="utf-8-from-end-to-end"),
        pytest.param(REFUSING, b'{"a":1,"b":2}\n' * 99 + b'{"a":1,"z":2}\n', id="unknown-key"),
        pytest.param(CSV, b"PK\x03\x04" + GOOD.encode(), id="another-kind"),
    ],
)
def test_a_file_that_is_to_be_refused_has_no_borders(
    tmp_path: Path, how: Reading, content: bytes
) -> None:
    path = written(tmp_path / "x", content)

    assert split_of(how, path, block=64, part=1) is None
    assert refused(rows_of(how, path))["reason"]


def test_small_files_and_archives_have_no_borders(tmp_path: Path) -> None:
    body = "a,b,c\n" + GOOD
    plain, packed = written(tmp_path / "x.csv", body), written(tmp_path / "x.ZIP", body)

    assert find_split(CSV, plain) is None
    assert split_of(CSV, packed, block=64, part=1) is None


def test_borders_hold_only_for_the_reading_that_found_them(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "a,b,c\n" + GOOD)
    split = split_of(CSV, path, block=64, part=100)
    assert split is not None
    kept = Split.of(json.loads(json.dumps(split.document())))

    assert kept == split
    assert len(parts_of(CSV, kept, path.stat().st_size)) > 2
    assert parts_of(reading("a", "b", "c", delimiter=";"), kept, 9) == [None]
    assert parts_of(CSV, None, 9) == [None]
