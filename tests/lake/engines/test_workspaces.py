"""What the seam promises of relations, on every engine."""

from __future__ import annotations

import pyarrow as pa
import pytest
from sqlglot import exp

from lake.engine import Engine

ENGINES = {"embedded": "engine", "spark": "spark"}
ALL = exp.select("*").from_("given")


@pytest.fixture(params=ENGINES)
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(ENGINES[request.param])
    return found


@pytest.mark.parametrize("small", [True, False])
def test_rows_behind_an_empty_batch_are_rows_too(any_engine: Engine, small: bool) -> None:
    one, none, other = (pa.table({"n": pa.array(part, pa.int64())}) for part in ([1], [], [2, 3]))

    with any_engine.workspace(small=small) as workspace:
        workspace.add_rows("given", pa.concat_tables([none, one, none, other, none]))
        found = workspace.rows(ALL)

    assert sorted(found["n"].to_pylist()) == [1, 2, 3]


def test_a_relation_without_rows_has_its_columns(any_engine: Engine) -> None:
    nothing = pa.schema([("n", pa.int64()), ("words", pa.list_(pa.string()))]).empty_table()

    with any_engine.workspace(small=True) as workspace:
        workspace.add_rows("given", nothing)
        found = workspace.rows(ALL)

    assert (found.num_rows, found.column_names) == (0, ["n", "words"])
