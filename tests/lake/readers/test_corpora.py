"""Files that others wrote to break parsers; skipped, saying so, where they are not at hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from catalog.vocabulary import Format
from lake.readers.json_records import NotReadable, decode
from tests.lake.readers.making import reading, refused, rewritten, rows_of, values, written

CORPORA = Path(__file__).parents[4] / "shared" / "corpora"

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="no corpora beside the repository")

GB18030_DIFFERENCES = 20  # two-byte codes that got characters after the codec's edition


def _gb18030_index() -> list[tuple[bytes, str]]:
    """Every two-byte code with its character, as the Encoding Standard lists them."""
    codes = []
    for line in (CORPORA / "gb18030" / "index-gb18030.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pointer, point = line.split()[:2]
            lead, trail = divmod(int(pointer), 190)
            code = bytes([0x81 + lead, trail + (0x40 if trail < 0x3F else 0x41)])
            codes.append((code, chr(int(point, 16))))
    return codes


def test_every_two_byte_code_of_gb18030_is_read(tmp_path: Path) -> None:
    index = _gb18030_index()
    lines = b"".join(b"%d,%b\n" % (i, code) for i, (code, _) in enumerate(index))
    how = reading("a", "b", encoding="gb18030")

    rows = rows_of(how, written(tmp_path / "x.csv", b"a,b\n" + lines))

    assert len(rows) == len(index) == 23_940
    assert values(rows, "_fault") == [None] * len(index)
    differing = [row["b"] for row, (_, char) in zip(rows, index, strict=True) if row["b"] != char]
    assert len(differing) == len(set(differing)) == GB18030_DIFFERENCES
    assert all("\ue000" <= char <= "\uf8ff" for char in differing)  # private use


def test_every_range_of_four_byte_codes_of_gb18030_is_read(tmp_path: Path) -> None:
    ranges = (CORPORA / "gb18030" / "index-gb18030-ranges.txt").read_text("utf-8").splitlines()
    starts = [line.split() for line in ranges if line and not line.startswith("#")]
    expected = [chr(int(point, 16)) for _, point in starts]
    codes = []
    for pointer, _ in starts:
        rest, fourth = divmod(int(pointer), 10)
        rest, third = divmod(rest, 126)
        first, second = divmod(rest, 10)
        codes.append(bytes([0x81 + first, 0x30 + second, 0x81 + third, 0x30 + fourth]))
    lines = b"".join(b"1,%b\n" % code for code in codes)

    rows = rows_of(
        reading("a", "b", encoding="gb18030"), written(tmp_path / "x.csv", b"a,b\n" + lines)
    )

    assert values(rows, "b") == expected


# The truth of location_coordinates gives another telephone number than its CSV.
SPECTRUM = [
    path.stem
    for path in sorted((CORPORA / "csv-spectrum" / "csvs").glob("*.csv"))
    if path.stem != "location_coordinates"
]


@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum_is_read_as_its_authors_say(name: str) -> None:
    path = CORPORA / "csv-spectrum" / "csvs" / f"{name}.csv"
    truth = json.loads((CORPORA / "csv-spectrum" / "json" / f"{name}.json").read_text("utf-8"))

    rows = rows_of(reading(*truth[0]), path)

    got = [{column: row[column] or "" for column in truth[0]} for row in rows]
    assert got == truth
    assert values(rows, "_row_number") == list(range(1, len(truth) + 1))


def _csvkit(name: str) -> Path:
    return CORPORA / "csvkit" / name


def test_csvkit_ragged_rows_are_faults() -> None:
    rows = rows_of(reading("column_a", "column_b", "column_c"), _csvkit("bad.csv"))

    assert values(rows, "_fault") == ["record_readable", "record_readable", None]
    assert json.loads(rows[0]["_record"]) == ["1", "27", "", "I'm too long!"]
    assert rows[2]["column_b"] == "mixed types.... uh oh"


def test_csvkit_nul_is_a_fault() -> None:
    rows = rows_of(reading("a", "b", "c"), _csvkit("null_byte.csv"))

    assert values(rows, "_fault") == ["record_readable"]
    assert json.loads(rows[0]["_record"]) == ["\0", "2", "3"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mac_newlines.csv", [("1", "2", "3"), ("Once upon\ra time", "5", "6")]),
        ("optional_quote_characters.csv", [("1", "2", "3")]),
        ("test_skip_lines.csv", [("1", "2", "3")]),
        ("dummy_col_shuffled.csv", [("1", "2", "3")]),
        ("test_empty_columns_long_row.csv", [(None, None, None)]),
    ],
)
def test_csvkit_oddities_are_read(name: str, expected: list[tuple[str | None, ...]]) -> None:
    rows = rows_of(reading("a", "b", "c"), _csvkit(name))

    assert values(rows, "a", "b", "c") == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_utf16_big.csv", "byte order mark of UTF-16"),
        ("test_utf16_little.csv", "byte order mark of UTF-16"),
        ("test_latin1.csv", "(line 3)"),
        ("no_header_row.csv", "the header does not match"),
        ("empty.csv", "the file is empty"),
        ("test.xls", "an old Excel workbook"),
        ("test.xlsx", "a zip archive or an XLSX workbook"),
    ],
)
def test_csvkit_files_that_are_no_csv_of_ours_are_refused(name: str, reason: str) -> None:
    assert reason in refused(rows_of(reading("a", "b", "c"), _csvkit(name)))["reason"]


def test_every_csv_of_csvkit_ends_without_an_exception() -> None:
    for path in sorted((CORPORA / "csvkit").glob("*.csv")):
        header = next(csv.reader([path.read_text("latin-1").partition("\n")[0]]), ["a"]) or ["a"]
        rows = rows_of(reading(*dict.fromkeys(header)), path)
        assert {row["_fault"] for row in rows} <= {None, "record_readable", "refused"}, path.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dummy.xlsx", [("1", "2", "3")]),
        ("sheets.xlsx", [("1", "2", "3")]),
    ],
)
def test_csvkit_workbooks_are_read(name: str, expected: list[tuple[str | None, ...]]) -> None:
    rows = rows_of(reading("a", "b", "c", form=Format.XLSX), _csvkit(name))

    assert values(rows, "a", "b", "c") == expected


@pytest.mark.parametrize("name", ["test.xlsx", "test_skip_lines.xlsx"])
def test_csvkit_cells_are_the_text_that_stands_there(name: str) -> None:
    columns = ("text", "date", "integer", "boolean", "float", "datetime")

    rows = rows_of(reading(*columns, "empty_column", form=Format.XLSX), _csvkit(name))

    assert values(rows, *columns) == [
        ("Chicago Reader", "1971-01-01", "40", "true", "1", "1971-01-01 04:14:00"),
        ("Chicago Sun-Times", "1948-01-01", "63", "true", "1.27", "1948-01-01 14:57:13"),
        ("Chicago Tribune", "1920-01-01", "164", "false", "41800000.01", "1920-01-01"),
        ("This row has blanks", None, None, None, None, None),
        ("Unicode! Σ", None, None, None, None, None),
    ]
    assert rows[1]["_extra"] == '{"#8":"Extra data beyond headers will be trimmed"}'


def test_csvkit_features_are_read() -> None:
    how = reading("prop0", "geometry", form=Format.GEOJSON)

    rows = rows_of(how, _csvkit("test_geojson.json"))

    assert values(rows, "prop0", "geometry", "_extra") == [
        ("value0", "POINT (102.0 0.5)", None),
        ("value0", "LINESTRING (102.0 0.0, 103.0 1.0, 104.0 0.0, 105.0 1.0)", '{"prop1":0.0}'),
        (
            "value0",
            "POLYGON ((100.0 0.0, 101.0 0.0, 101.0 1.0, 100.0 1.0, 100.0 0.0))",
            '{"prop1":{"this":"that"}}',
        ),
    ]


@pytest.mark.parametrize("name", ["quadratic", "cyclic", "dtd", "external", "xmlbomb", "xmlbomb2"])
def test_entities_are_refused_in_a_workbook(tmp_path: Path, name: str) -> None:
    xml = (CORPORA / "defusedxml" / "xmltestdata" / f"{name}.xml").read_text("utf-8")
    path = rewritten(tmp_path / "x.xlsx", "xl/worksheets/sheet1.xml", lambda _: xml)

    why = refused(rows_of(reading("a", "b", form=Format.XLSX), path))

    assert "a part declares a document type or entities" in why["reason"]


def test_naughty_strings_survive_in_every_encoding(tmp_path: Path) -> None:
    strings = json.loads((CORPORA / "naughty-strings" / "blns.json").read_text("utf-8"))
    for encoding in ("utf-8", "gb18030"):
        path = tmp_path / f"{encoding}.csv"
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file).writerows([["a", "b"], *enumerate(strings)])

        rows = rows_of(reading("a", "b", encoding=encoding), path)

        assert [row["b"] or "" for row in rows] == strings


JSON_SUITE = sorted((CORPORA / "JSONTestSuite").rglob("*.json"))


def _suite(kind: str) -> list[Path]:
    return [path for path in JSON_SUITE if path.name.startswith(kind)]


def _decoded(path: Path) -> object:
    try:
        return decode(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise NotReadable("not UTF-8") from None


def test_json_that_must_load_loads_but_for_keys_that_stand_twice() -> None:
    not_read = []
    for path in _suite("y_"):
        try:
            _decoded(path)
        except NotReadable:
            not_read.append(path.stem)

    assert not_read == ["y_object_duplicated_key", "y_object_duplicated_key_and_value"]


def test_json_that_must_not_load_does_not() -> None:
    files = _suite("n_")
    assert len(files) > 180

    read = []
    for path in files:
        try:
            _decoded(path)
        except NotReadable:
            continue
        read.append(path.stem)

    assert read == []


def test_every_file_of_the_json_suite_ends_in_rows() -> None:
    how = reading("a", "b", form=Format.JSON_LINES)
    for path in JSON_SUITE:
        rows = rows_of(how, path)
        assert {row["_fault"] for row in rows} <= {None, "record_readable", "refused"}, path.name
        if path.name.startswith("n_"):
            assert None not in {row["_fault"] for row in rows}, path.name
