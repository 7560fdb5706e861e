"""The embedded engine keeps within its memory: it spills, and says so where that cannot help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from catalog.dialect import query
from catalog.errors import EnvironmentProblem
from lake.engine import Transaction, Workspace
from lake.engines.embedded import EmbeddedEngine

ROWS = 400_000


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with 40 MB of rows, of an engine that may hold 30 MB."""
    engine = EmbeddedEngine(tmp_path, memory="30MB")
    with engine.workspace() as opened:
        opened.add_rows(
            "rows", pa.table({"n": range(ROWS), "text": [f"{n:0100}" for n in range(ROWS)]})
        )
        yield opened
    engine.close()


def test_what_does_not_fit_is_spilled(workspace: Workspace) -> None:
    workspace.add_query("kept", query("SELECT * FROM rows ORDER BY text DESC"), keep=True)

    (row,) = workspace.rows(query("SELECT count(*) AS n, max(text) AS last FROM kept")).to_pylist()

    assert row == {"n": ROWS, "last": f"{ROWS - 1:0100}"}


NEEDED = query("SELECT array_agg(text) AS texts FROM rows")
"""One value of 40 MB, which no engine can spill."""


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda w: w.add_query("kept", NEEDED, keep=True), id="keep"),
        pytest.param(lambda w: w.rows(NEEDED), id="rows"),
        pytest.param(lambda w: w.append("nowhere", NEEDED, Transaction("test")), id="append"),
    ],
)
def test_what_cannot_be_spilled_is_told_with_what_to_do(
    workspace: Workspace, ask: Callable[[Workspace], object]
) -> None:
    with pytest.raises(EnvironmentProblem, match=r"`memory` in the profile or REDCLIFF_MEMORY"):
        ask(workspace)


def test_what_a_released_relation_held_goes_back_to_the_machine(tmp_path: Path) -> None:
    engine, process = EmbeddedEngine(tmp_path, memory="400MB"), psutil.Process()
    long = query(
        "SELECT sha256(CAST(n AS varchar)) AS text FROM UNNEST(SEQUENCE(1, 4000000)) AS t (n)"
    )
    with engine.workspace() as workspace:
        workspace.add_query("kept", long, keep=True)
        held = process.memory_info().rss
        workspace.release("kept")
        given_back = held - process.memory_info().rss
    engine.close()

    assert given_back > 150_000_000, given_back
