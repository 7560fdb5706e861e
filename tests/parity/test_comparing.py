"""What the comparison of two homes sees, and how it tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.catalog import Catalog
from catalog.contract import DataType, TypeName
from catalog.shapes import Shape, ShapeColumn
from lake.engine import Engine
from tests.parity.comparing import differences, of_rows
from tests.stories.homes import make_home

NAME = ShapeColumn("name", DataType(TypeName.STRING), "姓名")
SHAPE = Shape("curated.one__table", "表", (NAME,), {"delta.enableChangeDataFeed": "true"})
ROWS = pa.table({"id": ["1", "2"], "name": ["a", "b"], "words": [["x"], None]})


def told(one: pa.Table, other: pa.Table) -> list[str]:
    return list(of_rows("t", one, other, ("here", "there")))


def test_a_row_that_differs_is_told_by_its_columns() -> None:
    other = pa.table({"id": ["1", "2"], "name": ["a", "B"], "words": [["x"], None]})

    assert told(ROWS, other) == [
        "t: 1 rows stand in here alone, 1 in there",
        "  name: 'b' in here, 'B' in there",
        "    of id='2', name='b'",
    ]


def test_a_row_that_is_missing_is_told_whole() -> None:
    assert told(ROWS, ROWS.slice(1)) == [
        "t: 1 rows stand in here alone, 0 in there",
        "  in here alone: id='1', name='a', words=('x',)",
    ]
    assert told(ROWS.slice(1), ROWS)[1:] == ["  in there alone: id='1', name='a', words=('x',)"]


def test_the_same_row_twice_is_not_the_same_row_once() -> None:
    assert told(pa.concat_tables([ROWS, ROWS.slice(1)]), ROWS) != []


def test_rows_have_no_order() -> None:
    assert told(pa.concat_tables([ROWS.slice(1), ROWS.slice(0, 1)]), ROWS) == []


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        (replace(SHAPE, description="另一张表"), "comment"),
        (replace(SHAPE, columns=(replace(NAME, comment="名"),)), "column name"),
        (replace(SHAPE, columns=(replace(NAME, required=True),)), "column name"),
        (replace(SHAPE, columns=(replace(NAME, type=DataType(TypeName.DATE)),)), "column name"),
        (replace(SHAPE, columns=(NAME, replace(NAME, name="more"))), "columns"),
        (
            replace(SHAPE, properties={**SHAPE.properties, "redcliff.contract": "a.b"}),
            "property redcliff.contract",
        ),
        (replace(SHAPE, columns=(replace(NAME, type=DataType(TypeName.TIMESTAMP)),)), "writers"),
        (replace(SHAPE, table="curated.another__table"), "is in one alone"),
    ],
)
def test_all_that_a_table_is_beside_its_rows_is_compared(
    tmp_path: Path, catalog: Catalog, engine: Engine, shape: Shape, seen: str
) -> None:
    one, other = (make_home(tmp_path / n, catalog, engine, tmp_path) for n in ("one", "other"))
    one.tables.ensure(SHAPE)
    other.tables.ensure(shape)

    assert seen in differences(one, other)
    assert differences(one, one) == ""
