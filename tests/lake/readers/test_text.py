from __future__ import annotations

import io
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DeliveryRefused
from lake.readers import Reading, text
from lake.readers.contents import Content
from lake.readers.text import Utf8Blocks
from tests.lake.readers.making import reading, refused, rows_of, steady, values, written

GB = reading("a", ("b", "姓名"), encoding="gb18030")
UTF8 = reading("a", ("b", "姓名"))


def blocks(content: bytes, encoding: str, block_bytes: int = 1 << 20) -> list[bytes]:
    with mock.patch.object(text, "BLOCK_BYTES", block_bytes):
        return list(Utf8Blocks(Content("x", lambda: io.BytesIO(content)), encoding))


def test_four_byte_characters_of_gb18030_survive(tmp_path: Path) -> None:
    names = "䶮𠮷𬱖㛃"
    path = written(tmp_path / "x.csv", f"a,姓名\n1,{names}\n".encode("gb18030"))

    assert values(rows_of(GB, path), "b") == [names]


@pytest.mark.parametrize("encoding", ["gbk", "gb2312"])
def test_gbk_and_gb2312_are_read_as_gb18030(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "x.csv", "a,姓名\n1,赤壁市\n".encode(encoding))

    assert values(rows_of(GB, path), "b") == ["赤壁市"]


@pytest.mark.parametrize("how", [UTF8, GB], ids=["utf-8", "gb18030"])
def test_a_byte_order_mark_of_the_encoding_is_dropped(tmp_path: Path, how: Reading) -> None:
    path = written(tmp_path / "x.csv", "\ufeffa,姓名\n1,王\n".encode(how.encoding))

    rows = rows_of(how, path)

    assert values(rows, "a", "b", "_missing") == [("1", "王", None)]


@pytest.mark.parametrize(
    ("mark", "name"), [("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32", "UTF-32")]
)
def test_a_byte_order_mark_of_utf_16_is_refused_with_what_to_do(
    tmp_path: Path, mark: str, name: str
) -> None:
    content = "\ufeff" * mark.endswith("be") + "a,姓名\n1,王\n"

    why = refused(rows_of(UTF8, written(tmp_path / "x.csv", content.encode(mark))))

    assert f"byte order mark of {name}" in why["reason"]
    assert "save it as utf-8" in why["remedy"]


def test_undecodable_bytes_are_named_by_offset_and_line(tmp_path: Path) -> None:
    content = "a,姓名\n1,王\n2,".encode() + b"\xff\xfe\n3,x\n"

    why = refused(rows_of(UTF8, written(tmp_path / "x.csv", content)))

    assert f"offset {content.index(0xFF)} (line 3), ff, are not utf-8" in why["reason"]
    assert "valid" not in why["reason"]
    assert why["file"] == "x.csv"


def test_offset_and_line_are_counted_through_blocks() -> None:
    content = b"abc\n" * 1000 + b"\x81\n"

    with (
        mock.patch.object(text, "BLOCK_BYTES", 64),
        pytest.raises(DeliveryRefused, match=r"offset 4000 \(line 1001\)"),
    ):
        list(Utf8Blocks(Content("x", lambda: io.BytesIO(content)), "gb18030"))


def test_gb18030_where_utf_8_is_expected_is_refused_and_said(tmp_path: Path) -> None:
    content = "a,姓名\n1,张三丰\n".encode("gb18030")

    why = refused(rows_of(UTF8, written(tmp_path / "x.csv", content)))

    assert "are not utf-8" in why["reason"]
    assert "every byte of the file is valid gb18030" in why["reason"]


def test_utf_8_where_gb18030_is_expected_is_refused_and_said(tmp_path: Path) -> None:
    content = "a,姓名\n1,张三丰\n".encode()

    why = refused(rows_of(GB, written(tmp_path / "x.csv", content)))

    assert "are not gb18030" in why["reason"]
    assert "every byte of the file is valid utf-8" in why["reason"]


def test_utf_8_that_gb18030_would_read_as_rubbish_is_refused(tmp_path: Path) -> None:
    content = ("a,b\n" + "1,张三\n" * 10).encode()
    assert content.decode("gb18030")  # readable, but as something else

    why = refused(rows_of(GB, written(tmp_path / "x.csv", content)))

    assert "the bytes are UTF-8 from beginning to end" in why["reason"]


def test_utf_8_with_its_mark_where_gb18030_is_expected_is_refused(tmp_path: Path) -> None:
    why = refused(rows_of(GB, written(tmp_path / "x.csv", "\ufeffa,b\n1,2\n")))

    assert "byte order mark of UTF-8; the contract expects gb18030" in why["reason"]


def test_a_file_cut_inside_a_character_is_refused(tmp_path: Path) -> None:
    content = "a,姓名\n1,王".encode("gb18030")[:-1]

    why = refused(rows_of(GB, written(tmp_path / "x.csv", content)))

    assert f"offset {len(content) - 1} (line 2)" in why["reason"]


def test_rows_before_the_undecodable_bytes_do_not_hide_the_refusal(tmp_path: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * 2_000 + b"\xff\n"

    with mock.patch.object(text, "BLOCK_BYTES", 100):
        rows = rows_of(UTF8, written(tmp_path / "x.csv", content))

    assert len(rows) > 1
    assert "(line 2002)" in refused(rows)["reason"]


def test_a_line_that_never_ends_is_refused() -> None:
    with (
        mock.patch.object(text, "LINE_BYTES", 1000),
        pytest.raises(DeliveryRefused, match="line 2 is longer than 1000 bytes"),
    ):
        blocks(b"a\n" + b"x" * 5000, "utf-8", 64)


@steady
@given(
    lines=st.lists(st.text(alphabet="a赤𠮷é\u3000,", max_size=5), max_size=8),
    ends=st.sampled_from(["\n", "\r", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
    block_bytes=st.integers(1, 12),
)
def test_blocks_hold_whole_lines_and_lose_nothing(
    lines: list[str], ends: str, encoding: str, block_bytes: int
) -> None:
    whole = "".join(line + ends for line in lines)

    with mock.patch.object(text, "_TELLING_BYTES", 1 << 30):
        got = blocks(whole.encode(encoding), encoding, block_bytes)

    assert b"".join(got).decode() == whole
    assert all(block.endswith((b"\n", b"\r")) for block in got)
    assert not any(block.startswith(b"\n") and ends == "\r\n" for block in got)


def test_surrogates_and_overlong_forms_are_not_utf_8() -> None:
    for bad in (b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe8\xb5"):
        with pytest.raises(DeliveryRefused, match=r"offset 2 \(line 2\)"):
            blocks(b"a\n" + bad + b"\n", "utf-8")
