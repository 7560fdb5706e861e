from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog.contract import DataType, TypeName
from catalog.shapes import Shape, ShapeColumn
from lake.engine import Merge, Transaction
from lake.engines.delta_rs import append, merge
from lake.handles import Handles
from lake.store import LOCAL
from lake.tables import Tables


@pytest.mark.parametrize(
    ("type_name", "features"),
    [
        (TypeName.TIMESTAMP, ["appendOnly", "changeDataFeed", "invariants", "timestampNtz"]),
        (TypeName.DATE, None),  # they follow from the protocol's number
    ],
)
def test_a_table_has_the_features_of_its_columns_from_its_first_version(
    tmp_path: Path, type_name: TypeName, features: list[str] | None
) -> None:
    columns = (
        ShapeColumn("id", DataType(TypeName.STRING), "标识", required=True),
        ShapeColumn("moment", DataType(type_name), "时间"),
    )
    shape = Shape("curated.one__table", "表", columns, {"delta.enableChangeDataFeed": "true"})
    tables = Tables(str(tmp_path))

    assert tables.ensure(shape) == tables.ensure(shape) == 0

    found = DeltaTable(tables.path(shape.table), version=0).protocol().writer_features
    assert (found and sorted(found)) == features


def fed(tmp_path: Path) -> tuple[Tables, Path]:
    """A table of two versions: three rows, then one of them changed, one gone, and one new."""
    shape = Shape(
        "curated.one__table",
        "表",
        (
            ShapeColumn("id", DataType(TypeName.STRING), "标识", required=True),
            ShapeColumn("name", DataType(TypeName.STRING), "姓名"),
        ),
        {"delta.enableChangeDataFeed": "true"},
    )
    tables = Tables(str(tmp_path))
    tables.ensure(shape)
    handles, path = Handles(LOCAL), tables.path(shape.table)
    first = pa.table({"id": ["1", "2", "3"], "name": ["a", "b", "c"]})
    append(handles, path, first, Transaction("first"))
    changes = pa.table(
        {
            "id": ["1", "2", "4"],
            "name": ["A", None, "d"],
            "_op": ["upsert", "delete", "upsert"],
        }
    )
    merge(handles, path, changes, Merge(on=("id",)), Transaction("second"))
    return tables, Path(path)


def test_a_change_feed_tells_rows_before_and_after(tmp_path: Path) -> None:
    tables, _ = fed(tmp_path)

    def told(since: int, until: int, at_most: int = 9) -> list[tuple[Any, ...]] | None:
        found = tables.changes("curated.one__table", ("name", "id"), since, until, at_most)
        return found and sorted((row["id"], row["name"]) for row in found.to_pylist())

    assert told(0, 1) == [("1", "a"), ("2", "b"), ("3", "c")]
    assert told(1, 2) == [("1", "A"), ("1", "a"), ("2", "b"), ("4", "d")]
    assert told(1, 2, at_most=4) is not None
    assert told(1, 2, at_most=3) is None


@pytest.mark.parametrize("lost", ["_change_data/*", "_delta_log/*1.json"])
def test_a_change_feed_that_was_cleaned_tells_nothing(tmp_path: Path, lost: str) -> None:
    tables, path = fed(tmp_path)
    DeltaTable(path).create_checkpoint()
    for file in path.glob(lost):
        file.unlink()

    assert tables.changes("curated.one__table", ("id",), 0, 2, 9) is None


def test_a_table_that_does_not_exist_tells_of_no_changes(tmp_path: Path) -> None:
    assert Tables(str(tmp_path)).changes("curated.one__table", ("id",), 0, 2, 9) is None
