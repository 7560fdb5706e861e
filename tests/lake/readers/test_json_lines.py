from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.vocabulary import Drift, Format
from lake.readers import REFUSED, json_template, text
from lake.readers.json_records import Mapper, NotReadable, Number, decode, to_json
from tests.lake.readers.making import Row, reading, refused, rows_of, steady, values, written

AB = reading("a", ("b", "乙", "B2"), form=Format.JSON_LINES)


def read_text(tmp_path: Path, text: str) -> list[Row]:
    return rows_of(AB, written(tmp_path / "x.jsonl", text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param('{"a":"x","b":"y"}', ("x", "y"), id="strings"),
        pytest.param('{"a":1.10,"b":-0}', ("1.10", "-0"), id="numbers-in-their-digits"),
        pytest.param('{"a":1E400,"b":12345678901234567890}', ("1E400", "12345678901234567890")),
        pytest.param('{"a":true,"b":false}', ("true", "false"), id="booleans"),
        pytest.param('{"a":null,"b":""}', (None, None), id="null-and-empty"),
        pytest.param('{"a":"null","b":"\\""}', ("null", '"'), id="the-word-null"),
        pytest.param('{"b":"y","a":"x"}', ("x", "y"), id="other-order"),
        pytest.param('{"a":"x"}', ("x", None), id="key-missing"),
        pytest.param(' { "a" : "x" , "b" : "y" } ', ("x", "y"), id="white-space"),
        pytest.param('{"A":"x","乙":"y"}', ("x", "y"), id="delivered-names"),
        pytest.param('{"a":"\\u8d64\\ud842\\udfb7","b":"䶮\\n"}', ("赤𠮷", "䶮\n"), id="escapes"),
        pytest.param('{"a":" x ","b":"1,2"}', (" x ", "1,2"), id="nothing-is-trimmed"),
    ],
)
def test_values_are_the_text_that_stands_there(
    tmp_path: Path, line: str, expected: tuple[str | None, str | None]
) -> None:
    rows = read_text(tmp_path, line + "\r\n")

    assert values(rows, "a", "b") == [expected]
    assert values(rows, "_row_number", "_fault", "_extra", "_missing") == [(1, None, None, None)]


DEEP = '{"a":"x","z":' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[1,2]", id="array"),
        pytest.param("12", id="number"),
        pytest.param('{"a":"x"', id="cut-off"),
        pytest.param("a,b", id="csv"),
        pytest.param('{"a":"x","a":"x"}', id="key-twice"),
        pytest.param('{"a":"x","\\u0061":"x"}', id="key-twice-by-escape"),
        pytest.param('{"a":"x","z":{"k":1,"k":2}}', id="key-twice-inside"),
        pytest.param('{"a" :"x","b":"y","b":"z"}', id="key-twice-behind-white-space"),
        pytest.param('{"b":"x","B2":"y"}', id="two-keys-of-one-column"),
        pytest.param('{"a":NaN}', id="nan"),
        pytest.param('{"a" : NaN}', id="nan-behind-white-space"),
        pytest.param('{"a":-Infinity}', id="infinity"),
        pytest.param('{"a":"\\ud800"}', id="lone-surrogate"),
        pytest.param('{"\\udfff":"x"}', id="lone-surrogate-in-a-key"),
        pytest.param('{"a":{"k":1}}', id="object-in-a-column"),
        pytest.param('{"a":[]}', id="array-in-a-column"),
        pytest.param('{"a":"x\ty"}', id="control-character"),
        pytest.param('{"a":01}', id="leading-zero"),
        pytest.param("{'a':'x'}", id="single-quotes"),
        pytest.param('{"a":"x"}{"a":"y"}', id="two-objects"),
        pytest.param('{"a":"x"},', id="comma-behind"),
        pytest.param('{"a":"\\x"}', id="bad-escape"),
        pytest.param(DEEP, id="too-deep"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_fault_and_its_neighbours_are_not(
    tmp_path: Path, line: str
) -> None:
    rows = read_text(tmp_path, f'{{"a":"p","b":"q"}}\n{line}\n\n{{"a":"r","b":"s"}}\n')

    assert values(rows, "a", "b") == [("p", "q"), (None, None), ("r", "s")]
    assert values(rows, "_fault") == [None, "record_readable", None]
    assert values(rows, "_row_number") == [1, 2, 3]
    assert json.loads(rows[1]["_record"]) == line[:65_536]


def test_unknown_keys_go_into_extra_with_their_literal_values(tmp_path: Path) -> None:
    line = '{"z":1.10,"a":"x","备注":"\\"","n":null,"e":"","l":[1.0,{"k":false}],"乙":"y"}'

    rows = read_text(tmp_path, line)

    assert rows[0]["_extra"] == '{"z":1.10,"备注":"\\"","l":[1.0,{"k":false}]}'
    assert values(rows, "a", "b") == [("x", "y")]


def test_lines_written_alike_give_the_same_extra(tmp_path: Path) -> None:
    line = '{"z":1.10,"a":"x","备注":"y"}\n{"z":null,"a":"w","备注":""}\n'

    assert values(read_text(tmp_path, line), "a", "_extra") == [
        ("x", '{"z":1.10,"备注":"y"}'),
        ("w", None),
    ]


def test_drift_can_refuse_unknown_keys_with_a_value(tmp_path: Path) -> None:
    how = reading("a", "b", form=Format.JSON_LINES, unknown=Drift.REFUSE)
    text = '{"a":"x","z":null}\n{"a":"y","z":0}\n'

    why = refused(rows_of(how, written(tmp_path / "x.jsonl", text)))

    assert (why["row"], why["column"]) == (2, "z")


def test_the_change_key_is_kept_beside_the_columns(tmp_path: Path) -> None:
    how = reading("a", "b", form=Format.JSON_LINES, change=["操作", "op"])
    text = '{"op":"D","a":"1"}\n{"操作":"U","a":"2","b":"x\\n"}\n{"a":"3"}\n'

    rows = rows_of(how, written(tmp_path / "x.jsonl", text))

    assert values(rows, "a", "_change", "_extra") == [
        ("1", "D", None),
        ("2", "U", None),
        ("3", None, None),
    ]


def test_gb18030_json_is_read(tmp_path: Path) -> None:
    how = reading("a", "b", form=Format.JSON_LINES, encoding="gb18030")
    path = written(tmp_path / "x", '{"a":"䶮","b":"赤壁"}\n'.encode("gb18030"))

    assert values(rows_of(how, path), "a", "b") == [("䶮", "赤壁")]


def test_a_csv_file_where_json_is_expected_is_refused(tmp_path: Path) -> None:
    why = refused(rows_of(AB, written(tmp_path / "x.csv", "a,b\n1,2\n")))

    assert why["reason"] == "the contract expects jsonl, but the bytes are a table, not JSON"


def test_records_are_numbered_through_both_paths(tmp_path: Path) -> None:
    lines = []
    for i in range(1, 60_001):
        lines.append(
            "oops"
            if i % 7_001 == 0
            else f'{{"b":"\\u0041","a":{i}}}'
            if i % 5_003 == 0
            else f'{{"a":"{i}","b":null}}'
        )
    rows = read_text(tmp_path, "\n".join(lines))

    assert values(rows, "_row_number") == list(range(1, 60_001))
    assert [row["_row_number"] for row in rows if row["_fault"]] == list(
        range(7_001, 60_001, 7_001)
    )
    assert all(row["a"] == str(row["_row_number"]) for row in rows if not row["_fault"])


# Both paths.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["null", "true", "1", ""]),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False).map(float),
    st.text(alphabet='ax":,{}[]\\\n\r\x00\x7f\u2028赤𠮷\ufeff ', max_size=4),
)
NAMES = st.sampled_from(["a", "b", "乙", "z", "é赤", "n u"])
OBJECTS = st.dictionaries(NAMES, SCALARS, max_size=4)
LINES = st.lists(
    st.one_of(
        st.builds(
            json.dumps,
            OBJECTS,
            ensure_ascii=st.booleans(),
            separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :")]),
        ),
        st.text(alphabet='{}"ab:, \r\\', max_size=12),
        st.sampled_from(['{"a":"x","b":"y"}', '{"a":1,"b":null}', '{"a":"","b":"q"}', "", " "]),
    ),
    max_size=8,
)


def _read(text: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(AB, written(Path(folder) / "x", text))
    return rows[-1:] if rows and rows[-1]["_fault"] == REFUSED else rows


def _read_exactly(text: str) -> list[Row]:
    def none(*_: Any) -> None:
        return None

    with mock.patch.object(json_template.Template, "of", none):
        return _read(text)


@steady
@given(lines=LINES)
@example(lines=['{"a":"x","b":"y"}', 'x {"a":"x","b":"y"}'])
@example(lines=['{"a":"x","b":"y"}', '{"a":"\\"","b":"y"}', '{"a":"","b":null}'])
@example(lines=['{"a":"x","b":"y","z":"1"}', '{"a":"x","b":"y","z":1}'])
def test_both_paths_give_the_same_rows_of_any_lines(lines: list[str]) -> None:
    text = "\n".join(lines)

    assert _read(text) == _read_exactly(text)


@steady
@given(
    keys=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    rows=st.lists(st.lists(SCALARS, min_size=4, max_size=4), min_size=1, max_size=6),
)
@example(keys=["a", "b"], rows=[["null", "", None, None]])
def test_both_paths_give_the_same_rows_of_lines_written_alike(
    keys: list[str], rows: list[list[Any]]
) -> None:
    text = "\n".join(
        json.dumps(dict(zip(keys, row, strict=False)), ensure_ascii=False) for row in rows
    )

    assert _read(text) == _read_exactly(text)


def test_the_fast_path_is_the_one_that_reads_lines_written_alike(tmp_path: Path) -> None:
    text = '{"a":"x","b":1}\n{"a": null, "b":"2"}\n'

    with mock.patch("lake.readers.json_lines.JsonLines._mixed", side_effect=AssertionError):
        rows = read_text(tmp_path, text)

    assert values(rows, "a", "b") == [("x", "1"), (None, "2")]


def test_the_fast_path_learns_what_most_lines_are_like(tmp_path: Path) -> None:
    usual = '{"a":"x","b":1}\n' * 1_000

    with (
        mock.patch.object(text, "BLOCK_BYTES", 4_000),
        mock.patch.object(Mapper, "record", autospec=True, side_effect=Mapper.record) as looked_at,
    ):
        rows = read_text(tmp_path, '{"b":1,"a":"x"}\n' + usual)

    assert values(rows, "a") == ["x"] * 1_001
    assert 1 < looked_at.call_count < 300


@pytest.mark.parametrize(
    "text", ['{"a":1.10,"b":[true,null,"x\\"y",{"c":-0.0}],"d":1E5}', "[]", '"赤"', "null"]
)
def test_json_is_written_as_it_was_read(text: str) -> None:
    assert to_json(decode(text)) == text


def test_numbers_are_not_strings() -> None:
    number, text = decode('[1.0,"1.0"]')

    assert type(number) is Number
    assert type(text) is str


@pytest.mark.parametrize("depth", [100, 101])
def test_depth_is_counted_outside_of_strings(depth: int) -> None:
    text = "[" * depth + '"[[[]{\\"{"' + "]" * depth

    if depth == 100:
        assert to_json(decode(text)) == text
    else:
        with pytest.raises(NotReadable, match="nested deeper than 100"):
            decode(text)
