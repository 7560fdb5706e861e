from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from catalog.contract import DataType, TypeName
from catalog.shapes import Shape, ShapeColumn
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
