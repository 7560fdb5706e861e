from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import xlsxwriter

from catalog.vocabulary import Format
from lake.readers import REFUSED, archives, zip_archives
from tests.lake.readers.making import Row, reading, refused, rows_of, values, written

AB = reading("a", "b")
CSV = "a,b\n1,2\n3,4\n"


def packed(path: Path, members: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read_members(tmp_path: Path, members: dict[str, bytes | str]) -> list[Row]:
    return rows_of(AB, packed(tmp_path / "处罚.zip", members))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_members_are_read_by_name_each_with_its_own_numbers(tmp_path: Path, method: int) -> None:
    members: dict[str, bytes | str] = {
        "乙/2.csv": "b,a\n6,5\n",
        "1.CSV": CSV,
        "说明.pdf": b"%PDF-1.4",
        "readme.txt": "a,b\nno,no\n",
        "__MACOSX/1.csv": b"\0\5\x16\7",
        "乙/._2.csv": b"\0\5\x16\7",
        "乙/.DS_Store": b"\0",
    }

    rows = rows_of(AB, packed(tmp_path / "处罚.zip", members, method))

    assert values(rows, "_file", "_row_number", "a", "b") == [
        ("处罚.zip/1.CSV", 1, "1", "2"),
        ("处罚.zip/1.CSV", 2, "3", "4"),
        ("处罚.zip/乙/2.csv", 1, "5", "6"),
    ]


def test_a_text_alone_may_be_the_table(tmp_path: Path) -> None:
    assert values(read_members(tmp_path, {"data.txt": CSV}), "a") == ["1", "3"]


def test_a_workbook_inside_an_archive_is_read(tmp_path: Path) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as made:
        sheet = made.add_worksheet("s")
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_row(1, 0, ["x", 1])
    how = reading("a", "b", form=Format.XLSX)

    rows = rows_of(how, packed(tmp_path / "x.zip", {"表.xlsx": book.getvalue()}))

    assert values(rows, "_file", "a", "b") == [("x.zip/表.xlsx", "x", "1")]


def test_json_lines_inside_an_archive_are_read(tmp_path: Path) -> None:
    how = reading("a", "b", form=Format.JSON_LINES)

    rows = rows_of(how, packed(tmp_path / "x.zip", {"x.json": '{"a":1,"b":2}\nno\n'}))

    assert values(rows, "_file", "a", "_fault") == [
        ("x.zip/x.json", "1", None),
        ("x.zip/x.json", None, "record_readable"),
    ]


def test_names_in_gbk_are_read(tmp_path: Path) -> None:
    plain = packed(tmp_path / "x.zip", {"AAAA.csv": CSV}).read_bytes()
    path = written(tmp_path / "x.zip", plain.replace(b"AAAA", "赤壁".encode("gbk")))

    assert set(values(rows_of(AB, path), "_file")) == {"x.zip/赤壁.csv"}


def test_names_in_utf_8_without_the_flag_are_read(tmp_path: Path) -> None:
    plain = packed(tmp_path / "x.zip", {"AAAAAA.csv": CSV}).read_bytes()
    path = written(tmp_path / "x.zip", plain.replace(b"AAAAAA", "赤壁".encode()))

    assert set(values(rows_of(AB, path), "_file")) == {"x.zip/赤壁.csv"}


def test_a_refused_member_refuses_the_delivery_and_is_named(tmp_path: Path) -> None:
    rows = read_members(tmp_path, {"1.csv": CSV, "2.csv": "x,y\n1,2\n"})

    assert [row["_fault"] for row in rows] == [None, None, REFUSED]
    assert refused(rows)["file"] == rows[-1]["_file"] == "处罚.zip/2.csv"


@pytest.mark.parametrize(
    ("members", "file", "reason"),
    [
        pytest.param({"x.zip": b"PK"}, "/x.zip", "another archive", id="nested"),
        pytest.param({"a.csv": CSV, "x.7z": b""}, "/x.7z", "another archive", id="nested-7z"),
        pytest.param({"a.csv": b"PK\3\4"}, "/a.csv", "a zip archive or an XLSX", id="disguised"),
        pytest.param({"../a.csv": CSV}, "/../a.csv", "leads out of", id="parent"),
        pytest.param({"x/../../a.csv": CSV}, "/x/../../a.csv", "leads out of", id="parent-inside"),
        pytest.param({"..\\a.csv": CSV}, "/../a.csv", "leads out of", id="backslash"),
        pytest.param({"/a.csv": CSV}, "//a.csv", "leads out of", id="absolute"),
        pytest.param({"C:\\a.csv": CSV}, "/C:/a.csv", "leads out of", id="drive"),
        pytest.param({"../readme.md": ""}, "/../readme.md", "leads out of", id="unread-member"),
        pytest.param({"a.csv": CSV, "b.xlsx": b""}, "/b.xlsx", "holds a .xlsx file", id="table"),
        pytest.param({"a.csv": ""}, "/a.csv", "the file is empty", id="empty-member"),
        pytest.param({"readme.md": "x"}, "", "no csv file, but 'readme.md'", id="none"),
        pytest.param({}, "", "no csv file, but nothing", id="empty"),
        pytest.param({"a.csv": b"0" * 3_000_000}, "/a.csv", "more than 200 times", id="bomb"),
    ],
)
def test_what_no_archive_of_ours_holds_is_refused(
    tmp_path: Path, members: dict[str, bytes | str], file: str, reason: str
) -> None:
    why = refused(read_members(tmp_path, members))

    assert why["file"] == f"处罚.zip{file}"
    assert reason in why["reason"]


def test_a_small_member_may_shrink_as_much_as_it_likes(tmp_path: Path) -> None:
    rows = read_members(tmp_path, {"a.csv": "a,b\n" + "1,2\n" * 200_000})

    assert len(rows) == 200_000


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")

    assert "a link or a device" in refused(rows_of(AB, tmp_path / "x.zip"))["reason"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("a.csv", CSV)

    assert "its name stands twice" in refused(rows_of(AB, tmp_path / "x.zip"))["reason"]


def test_too_many_entries_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.zip", {f"{i}.csv": CSV for i in range(20)})

    with (
        mock.patch.object(zip_archives, "MAX_ENTRIES", 10),
        mock.patch.object(zipfile, "ZipFile", side_effect=AssertionError),
    ):
        assert "more than 10 entries" in refused(rows_of(AB, path))["reason"]


def test_an_archive_that_inflates_too_far_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.zip", {f"{i}.csv": CSV for i in range(20)})

    with mock.patch.object(archives, "MAX_BYTES", 200):
        assert "more than 200" in refused(rows_of(AB, path))["reason"]


def directory_entry(content: bytearray, entry: int = 0) -> int:
    """Where an entry of the directory begins."""
    at = -1
    for _ in range(entry + 1):
        at = content.index(b"PK\x01\x02", at + 1)
    return at


def encrypted(content: bytearray) -> None:
    content[directory_entry(content) + 8] |= 1


def other_method(content: bytearray) -> None:
    struct.pack_into("<H", content, directory_entry(content) + 10, 9)


def wrong_checksum(content: bytearray) -> None:
    content[directory_entry(content) + 16] ^= 0xFF


def claims_less_with_its_checksum(content: bytearray) -> None:
    at = directory_entry(content)
    struct.pack_into("<I", content, at + 16, zlib.crc32(CSV[:8].encode()))
    struct.pack_into("<I", content, at + 24, 8)


def claims_more(content: bytearray) -> None:
    struct.pack_into("<I", content, directory_entry(content) + 24, len(CSV) + 1)


def overlapping(content: bytearray) -> None:
    struct.pack_into("<I", content, directory_entry(content, 1) + 42, 0)


def elsewhere(content: bytearray) -> None:
    struct.pack_into("<I", content, directory_entry(content) + 42, 1)


def damaged_data(content: bytearray) -> None:
    content[content.index(b"a.csv") + 5 : content.index(b"a.csv") + 9] = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (encrypted, "it is encrypted"),
        (other_method, "its compression method 9 is not deflate"),
        (wrong_checksum, "its bytes are not those that were packed"),
        (claims_less_with_its_checksum, "it is larger than the archive claims"),
        (claims_more, "its bytes are not those that were packed"),
        (overlapping, "its entries overlap"),
        (elsewhere, "it is not where the archive says"),
        (damaged_data, "it is damaged"),
    ],
)
def test_an_archive_that_lies_is_refused(
    tmp_path: Path, change: Callable[[bytearray], None], reason: str
) -> None:
    content = bytearray(packed(tmp_path / "x.zip", {"a.csv": CSV, "b.csv": CSV}).read_bytes())
    change(content)

    why = refused(rows_of(AB, written(tmp_path / "x.zip", bytes(content))))

    assert reason in why["reason"]
    assert why["file"].startswith("x.zip")


def deflated_as(path: Path, packed_bytes: bytes) -> Path:
    """An archive whose member claims to be CSV, deflated to these bytes."""
    content = bytearray(packed(path, {"a.csv": packed_bytes}, zipfile.ZIP_STORED).read_bytes())
    at = directory_entry(content)
    struct.pack_into("<H", content, at + 10, zipfile.ZIP_DEFLATED)
    struct.pack_into("<I", content, at + 16, zlib.crc32(CSV.encode()))
    struct.pack_into("<I", content, at + 24, len(CSV))
    return written(path, bytes(content))


def test_the_end_of_a_member_is_where_its_compression_ends(tmp_path: Path) -> None:
    deflater = zlib.compressobj(wbits=-15)
    open_end = deflater.compress(CSV.encode()) + deflater.flush(zlib.Z_SYNC_FLUSH)
    whole = open_end + deflater.flush()

    rows = rows_of(AB, deflated_as(tmp_path / "x.zip", whole))
    cut = refused(rows_of(AB, deflated_as(tmp_path / "x.zip", open_end)))
    more = refused(rows_of(AB, deflated_as(tmp_path / "x.zip", whole + b"more")))

    assert values(rows, "a") == ["1", "3"]
    assert "it is cut off" in cut["reason"]
    assert "more was packed than its end says" in more["reason"]


def test_every_truncation_of_an_archive_is_refused(tmp_path: Path) -> None:
    whole = packed(tmp_path / "x.zip", {"a.csv": CSV, "b.csv": CSV}).read_bytes()

    for length in range(1, len(whole)):
        refused(rows_of(AB, written(tmp_path / "y.zip", whole[:length])))


def test_a_flipped_byte_is_refused_or_changes_no_value(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.zip", {"a.csv": CSV})
    whole = path.read_bytes()

    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 0x41
        rows = rows_of(AB, written(tmp_path / "y.zip", bytes(flipped)))
        assert values(rows, "a", "b") == [("1", "2"), ("3", "4")] or refused(rows), place


def test_bytes_that_are_no_archive_are_refused(tmp_path: Path) -> None:
    why = refused(rows_of(AB, written(tmp_path / "x.zip", CSV)))

    assert "cut off, damaged or not a zip archive" in why["reason"]
    assert why["remedy"]


def test_a_quine_is_no_way_in(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", {"a.csv": CSV}).read_bytes()

    assert "another archive" in refused(read_members(tmp_path, {"r/r.zip": inner}))["reason"]
