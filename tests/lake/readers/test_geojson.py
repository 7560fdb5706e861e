from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from catalog.vocabulary import Drift, Format
from lake.readers import geojson
from lake.readers.json_records import NotReadable, decode
from lake.readers.wkt import to_wkt
from tests.lake.readers.making import Row, reading, refused, rows_of, values, written

GRID = reading(
    ("grid_cell_id", "网格编码"), ("grid_name", "名称"), ("shape", "geometry"), form=Format.GEOJSON
)
POINT = '{"type":"Point","coordinates":[113.900,29.70]}'


def feature(properties: str, geometry: str = POINT, more: str = "") -> str:
    return f'{{"type":"Feature",{more}"properties":{properties},"geometry":{geometry}}}'


def read_features(tmp_path: Path, *features: str) -> list[Row]:
    text = f'{{"type":"FeatureCollection","name":"g","features":[{", ".join(features)}]}}'
    return rows_of(GRID, written(tmp_path / "g.geojson", text))


def test_properties_are_fields_and_the_geometry_is_wkt(tmp_path: Path) -> None:
    rows = read_features(
        tmp_path,
        feature('{"网格编码":"421281001001","名称":"一格","面积":1.50}'),
        feature('{"grid_cell_id":7,"grid_name":null}', "null"),
    )

    assert values(rows, "grid_cell_id", "grid_name", "shape", "_extra", "_row_number") == [
        ("421281001001", "一格", "POINT (113.900 29.70)", '{"面积":1.50}', 1),
        ("7", None, None, None, 2),
    ]


def test_members_that_geojson_does_not_know_are_fields(tmp_path: Path) -> None:
    rows = read_features(
        tmp_path, feature('{"名称":"x"}', more='"id":5,"网格编码":"9","bbox":[1],')
    )

    assert values(rows, "grid_cell_id", "grid_name", "_extra") == [("9", "x", '{"id":5}')]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("12", id="no-object"),
        pytest.param(POINT, id="a-geometry"),
        pytest.param('{"type":"Feature","properties":{"名称":"x"}}', id="no-geometry"),
        pytest.param(feature('{"名称":{"k":1}}'), id="nested-value"),
        pytest.param(feature('{"名称":"x","名称":"y"}'), id="key-twice"),
        pytest.param(feature('{"名称":"x","grid_name":"y"}'), id="two-keys-of-one-column"),
        pytest.param(feature('{"geometry":"x"}'), id="property-named-geometry"),
        pytest.param(feature("[]").replace("[]", "[1]"), id="properties-are-a-list"),
        pytest.param(feature("{}", '{"type":"Circle","coordinates":[1,2]}'), id="circle"),
        pytest.param(feature("{}", '{"type":["Point"],"coordinates":[1,2]}'), id="type-is-a-list"),
        pytest.param(feature("{}", '{"type":"Point"}'), id="no-coordinates"),
        pytest.param(feature("{}", '{"type":"Point","coordinates":["1","2"]}'), id="text"),
        pytest.param(feature("{}", '{"type":"Point","coordinates":[true,2]}'), id="boolean"),
    ],
)
def test_a_feature_that_cannot_be_read_is_a_fault(tmp_path: Path, bad: str) -> None:
    good = feature('{"网格编码":"1"}')

    rows = read_features(tmp_path, good, bad, good)

    assert values(rows, "grid_cell_id", "_fault") == [
        ("1", None),
        (None, "record_readable"),
        ("1", None),
    ]
    assert json.loads(rows[1]["_record"]) == bad


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('{"type":"Feature","geometry":null}', "no FeatureCollection", id="feature"),
        pytest.param('{"type":"FeatureCollection"}', "it has no features", id="none"),
        pytest.param('{"features":{}}', "at character 13", id="features-are-an-object"),
        pytest.param('{"features":[{"type":"Feature"', "at character 14", id="cut-off"),
        pytest.param('{"features":[1 2]}', "at character 16", id="no-comma"),
        pytest.param('{"features":[1,]}', "at character 16", id="comma-too-many"),
        pytest.param('{"features":[]}{}', "something follows its end", id="two-documents"),
        pytest.param('{"features":[' + "[" * 100_000, "at character 14", id="too-deep"),
        pytest.param("[]", "at character 1", id="a-list"),
        pytest.param("{}", "at character 2", id="an-empty-object"),
    ],
)
def test_a_file_that_is_no_feature_collection_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    why = refused(rows_of(GRID, written(tmp_path / "g.geojson", text)))

    assert reason in why["reason"]
    assert why["remedy"] == "deliver one FeatureCollection"


def test_a_break_after_some_features_names_the_last_good_one(tmp_path: Path) -> None:
    rows = read_features(tmp_path, feature("{}"), feature("{}"), "oops")

    assert refused(rows)["row"] == 2


def test_no_features_are_no_records(tmp_path: Path) -> None:
    assert read_features(tmp_path) == []


def test_features_are_numbered_through_batches(tmp_path: Path) -> None:
    rows = read_features(tmp_path, *(feature(f'{{"网格编码":{i}}}') for i in range(1, 4_500)))

    assert values(rows, "_row_number") == list(range(1, 4_500))
    assert values(rows[-1:], "grid_cell_id") == ["4499"]


def test_drift_can_refuse_an_unknown_property(tmp_path: Path) -> None:
    how = reading("a", ("g", "geometry"), form=Format.GEOJSON, unknown=Drift.REFUSE)
    good, bad = feature("{}"), feature('{"z":1}')

    why = refused(rows_of(how, written(tmp_path / "x", f'{{"features":[{good},{bad}]}}')))

    assert (why["row"], why["column"]) == (2, "z")


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    with mock.patch.object(geojson, "MAX_BYTES", 100):
        why = refused(read_features(tmp_path, feature("{}"), feature("{}")))

    assert "larger than 100 bytes" in why["reason"]


RING = "[[0,0],[1,0],[1,1.50],[0,0]]"
HOLE = "[[0.1,0.1],[0.2,0.1],[0.2,0.2],[0.1,0.10]]"


@pytest.mark.parametrize(
    ("kind", "coordinates", "wkt"),
    [
        ("Point", "[1,2]", "POINT (1 2)"),
        ("Point", "[1,2,3.0]", "POINT Z (1 2 3.0)"),
        ("Point", "[-1e-7,2]", "POINT (-1e-7 2)"),
        ("Point", "[]", None),
        ("LineString", "[[1,2],[3,4]]", "LINESTRING (1 2, 3 4)"),
        ("Polygon", f"[{RING}]", "POLYGON ((0 0, 1 0, 1 1.50, 0 0))"),
        (
            "Polygon",
            f"[{RING},{HOLE}]",
            "POLYGON ((0 0, 1 0, 1 1.50, 0 0), (0.1 0.1, 0.2 0.1, 0.2 0.2, 0.1 0.10))",
        ),
        ("MultiPoint", "[[1,2],[3,4]]", "MULTIPOINT ((1 2), (3 4))"),
        ("MultiLineString", "[[[1,2],[3,4]]]", "MULTILINESTRING ((1 2, 3 4))"),
        (
            "MultiPolygon",
            f"[[{RING}],[{RING}]]",
            "MULTIPOLYGON (((0 0, 1 0, 1 1.50, 0 0)), ((0 0, 1 0, 1 1.50, 0 0)))",
        ),
        ("Polygon", "[]", None),
    ],
)
def test_a_geometry_is_written_in_its_own_digits(
    kind: str, coordinates: str, wkt: str | None
) -> None:
    assert to_wkt(decode(f'{{"type":"{kind}","coordinates":{coordinates}}}')) == wkt


@pytest.mark.parametrize(
    ("kind", "coordinates", "reason"),
    [
        ("Polygon", "[[[0,0],[1,0],[1,1],[0,1]]]", "a ring is not closed"),
        ("Polygon", "[[[0,0],[1,0],[0,0]]]", "fewer than 4"),
        ("Polygon", "[[]]", "fewer than 4"),
        ("LineString", "[[0,0]]", "fewer than 2"),
        ("LineString", "[[0,0],[1,2,3]]", "some positions have a height"),
        ("Point", "[1]", "not two or three numbers"),
        ("Point", "[1,2,3,4]", "not two or three numbers"),
        ("Point", "[[1,2]]", "not two or three numbers"),
        ("Polygon", "[1,2]", "fewer than 4"),
        ("MultiPolygon", "{}", "without coordinates"),
        ("GeometryCollection", "[]", "no known type"),
    ],
)
def test_a_geometry_that_is_not_sound_is_not_read(kind: str, coordinates: str, reason: str) -> None:
    geometry: Any = decode(f'{{"type":"{kind}","coordinates":{coordinates}}}')

    with pytest.raises(NotReadable, match=reason):
        to_wkt(geometry)
