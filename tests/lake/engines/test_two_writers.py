"""Two processes write one Delta table at the seam, without leases: what holds all by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from sqlglot import exp

from catalog.errors import TryAgain
from lake.engine import Engine, Merge, Transaction
from lake.engines import delta_rs
from lake.engines.spark import SparkWorkspace
from lake.handles import Handles
from lake.store import LOCAL, Store

WRITER = """
import sys
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from catalog.errors import TryAgain
from lake.engine import Merge, Transaction
from lake.engines.embedded import EmbeddedEngine

path, name, action, scratch = sys.argv[1:]
engine = EmbeddedEngine(Path(scratch), memory="100MB")
print("ready", flush=True)
sys.stdin.read()
for number in range(ROUNDS):
    shared = action == "same"
    app = f"shared {number}" if shared else f"{name} {number}"
    keys = [f"{app} {i}" for i in range(3)]
    rows = pa.table({"k": [*keys, "all"], "v": [name] * 4, "_op": ["upsert"] * 4})
    while True:
        try:
            with engine.workspace(small=True) as workspace:
                workspace.add_rows("given", rows if action == "merge" else rows.slice(0, 3))
                query = exp.select("*").from_("given")
                if action == "merge":
                    workspace.merge(path, query, Merge(on=("k",)), Transaction(app))
                else:
                    workspace.append(path, query, Transaction(app))
            break
        except TryAgain as error:
            assert "try again" in str(error)
engine.close()
"""
ROUNDS = 8


def overtaken(table: str) -> Callable[[str], str]:
    """A function of SQL that lets another commit come first, while the row that it gets is read."""

    def commit_first(value: str) -> str:
        first = pa.table({"k": ["all"], "v": ["first"], "_op": ["upsert"]})
        delta_rs.merge(Handles(LOCAL), table, first, Merge(on=("k",)), Transaction("first"))
        return value

    return commit_first


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A table with the row that both writers want."""
    path = str(tmp_path / "table")
    write_deltalake(path, pa.table({"k": ["all"], "v": ["nobody"]}))
    return path


def write_at_once(tmp_path: Path, table: str, action: str) -> list[dict[str, str]]:
    """Let two processes write at once, each its rounds; returns the rows of the table then."""
    code = WRITER.replace("ROUNDS", str(ROUNDS))
    writers = []
    try:
        for name in ("one", "other"):
            command = [sys.executable, "-c", code, table, name, action, str(tmp_path / name)]
            pipe = subprocess.PIPE
            writers.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
        for writer in writers:
            assert writer.stdout is not None
            assert any(line == b"ready\n" for line in writer.stdout)
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.close()
            writer.stdin = None
        for writer in writers:
            _, complaint = writer.communicate(timeout=120)
            assert writer.returncode == 0, complaint.decode()
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    rows: list[dict[str, str]] = DeltaTable(table).to_pyarrow_table().to_pylist()
    return rows


@pytest.mark.parametrize("action", ["append", "merge"])
def test_two_writers_lose_nothing_and_double_nothing(
    tmp_path: Path, table: str, action: str
) -> None:
    rows = write_at_once(tmp_path, table, action)

    own = [f"{name} {n} {i}" for name in ("one", "other") for n in range(ROUNDS) for i in range(3)]
    assert sorted(row["k"] for row in rows) == sorted([*own, "all"])
    if action == "merge":
        assert {row["v"] for row in rows if row["k"] == "all"} <= {"one", "other"}


def test_one_transaction_of_two_writers_commits_once(tmp_path: Path, table: str) -> None:
    rows = write_at_once(tmp_path, table, "same")

    shared = [f"shared {n} {i}" for n in range(ROUNDS) for i in range(3)]
    assert sorted(row["k"] for row in rows) == sorted([*shared, "all"])


def test_what_builds_on_an_older_state_than_another_commit_is_not_committed(
    table: str, engine: Engine
) -> None:
    newest = DeltaTable(table).version()
    query = exp.select("*").from_("given")
    with engine.workspace(small=True) as workspace:
        for name, base in (("fresh", newest + 1), ("stale", newest)):
            rows = pa.table({"k": ["all"], "v": [name], "_op": ["upsert"]})
            workspace.add_rows("given", rows)
            workspace.append(table, query, Transaction("refresh", base))
            workspace.merge(table, query, Merge(on=("k",)), Transaction("refresh", base))

    rows = DeltaTable(table).to_pyarrow_table()
    assert sorted(rows["v"].to_pylist()) == ["fresh", "nobody"]


def test_a_commit_that_another_one_overtakes_says_to_try_again(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pa.table({"k": ["all"], "v": ["late"], "_op": ["upsert"]})
    first = pa.table({"k": ["all"], "v": ["first"], "_op": ["upsert"]})
    opened = DeltaTable(table)
    delta_rs.merge(Handles(LOCAL), table, first, Merge(on=("k",)), Transaction("first"))
    monkeypatch.setattr(Store, "delta", lambda *_: opened)

    with pytest.raises(TryAgain, match=r"nothing was committed \(.*concurrent.*\); try again"):
        delta_rs.merge(Handles(LOCAL), table, rows, Merge(on=("k",)), Transaction("late"))

    assert DeltaTable(table).to_pyarrow_table()["v"].to_pylist() == ["first"]


def test_a_large_commit_of_spark_that_another_one_overtakes_says_to_try_again(
    table: str, spark: Engine
) -> None:
    with spark.workspace() as workspace:
        rows = pa.table({"k": ["all"], "v": ["late"], "_op": ["upsert"]})
        workspace.add_rows("given", rows)
        assert isinstance(workspace, SparkWorkspace)
        workspace._session.udf.register("overtaken", overtaken(table))
        query = exp.select("k", "overtaken(v) AS v", "_op").from_("given")
        with pytest.raises(TryAgain, match=r"nothing was committed \(Concurrent\w+\); try again"):
            workspace.merge(table, query, Merge(on=("k",)), Transaction("late"))

    assert DeltaTable(table).to_pyarrow_table()["v"].to_pylist() == ["first"]
