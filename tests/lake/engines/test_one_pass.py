"""Several tables get their rows of one relation: each its own, in turn, all or none of a commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from sqlglot import exp

from catalog.dialect import query
from catalog.errors import EnvironmentProblem
from lake.engine import Append, Engine, Transaction, Workspace
from lake.engines.embedded import EmbeddedEngine
from lake.engines.one_pass import OnePass

ROWS = 100_000
GIVEN = pa.table({"n": range(ROWS), "text": [str(n) if n % 3 else None for n in range(ROWS)]})
SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])


def append(path: Path | str, where: str, *, text: str = "g.text", app: str = "all") -> Append:
    rows = query(f"SELECT g.n, {text} AS text FROM given AS g WHERE {where}")
    assert isinstance(rows, exp.Select)
    return Append(str(path), rows, Transaction(app))


def tables(folder: Path, count: int) -> list[str]:
    paths = [str(folder / f"table_{n}") for n in range(count)]
    for path in paths:
        DeltaTable.create(path, SCHEMA)
    return paths


def taken(workspace: Workspace, appends: Sequence[Append]) -> list[str]:
    with closing(workspace.append_each(appends)) as commits:
        return [made.path for made in commits]


def numbers(path: str) -> list[int]:
    found: list[int] = DeltaTable(path).to_pyarrow_table()["n"].to_pylist()
    return sorted(found)


@pytest.mark.parametrize("small", [True, False])
def test_each_table_gets_the_rows_of_its_condition(
    any_engine: Engine, tmp_path: Path, small: bool
) -> None:
    even, texts, none, all_ = paths = tables(tmp_path, 4)
    with any_engine.workspace(small=small) as workspace:
        workspace.add_rows("given", GIVEN)
        made = taken(
            workspace,
            [
                append(even, "n % 2 = 0"),
                append(texts, "g.text <> '7'"),  # NULL where there is no text: none of them
                append(none, "n < 0"),
                append(all_, "TRUE", text="concat('no. ', g.text)"),
            ],
        )

    assert made == paths
    assert numbers(even) == list(range(0, ROWS, 2))
    assert numbers(texts) == [n for n in range(ROWS) if n % 3 and n != 7]
    assert numbers(none) == []
    told = DeltaTable(all_).to_pyarrow_table().sort_by("n").slice(0, 3)
    assert told.to_pylist() == [
        {"n": 0, "text": None},
        {"n": 1, "text": "no. 1"},
        {"n": 2, "text": "no. 2"},
    ]


def test_a_commit_is_made_when_it_is_asked_for(any_engine: Engine, tmp_path: Path) -> None:
    paths = tables(tmp_path, 3)
    seen = []
    with any_engine.workspace(small=True) as workspace:
        workspace.add_rows("given", GIVEN)
        with closing(workspace.append_each([append(p, "TRUE") for p in paths])) as commits:
            for _ in range(2):
                next(commits)
                seen.append([DeltaTable(p).version() for p in paths])

    assert seen == [[1, 0, 0], [1, 1, 0]]
    assert [DeltaTable(p).version() for p in paths] == [1, 1, 0]


def test_what_stands_is_not_written_again(any_engine: Engine, tmp_path: Path) -> None:
    first, second = tables(tmp_path, 2)
    with any_engine.workspace(small=True) as workspace:
        workspace.add_rows("given", GIVEN)
        workspace.append(first, append(first, "n < 5").rows, Transaction("all"))
        made = taken(workspace, [append(first, "n < 5"), append(second, "n < 5")])

    assert made == [first, second]
    assert numbers(first) == numbers(second) == [0, 1, 2, 3, 4]


def test_a_value_is_computed_for_the_rows_that_want_it(any_engine: Engine, tmp_path: Path) -> None:
    digits, words = tables(tmp_path, 2)
    given = pa.table({"n": [1, 2], "text": ["12", "no number"]})
    with any_engine.workspace(small=True) as workspace:
        workspace.add_rows("given", given)
        taken(
            workspace,
            [
                append(digits, "n = 1", text="CAST(CAST(g.text AS bigint) + 1 AS varchar)"),
                append(words, "n = 2"),
            ],
        )

    assert DeltaTable(digits).to_pyarrow_table().to_pylist() == [{"n": 1, "text": "13"}]
    assert DeltaTable(words).to_pyarrow_table().to_pylist() == [{"n": 2, "text": "no number"}]


def test_a_query_that_fails_on_its_way_commits_nothing(engine: Engine, tmp_path: Path) -> None:
    paths = tables(tmp_path, 2)
    given = pa.concat_tables([GIVEN, pa.table({"n": [ROWS], "text": ["no number"]})])
    broken = "CAST(CAST(g.text AS bigint) AS varchar)"
    with engine.workspace() as workspace:
        workspace.add_rows("given", given)
        appends = [append(paths[0], "TRUE"), append(paths[1], "TRUE", text=broken)]
        with pytest.raises(Exception, match="no number"):
            taken(workspace, appends)

    assert [DeltaTable(p).version() for p in paths] == [0, 0]


def test_a_writer_that_fails_ends_the_others(engine: Engine, tmp_path: Path) -> None:
    (good,) = tables(tmp_path, 1)
    with engine.workspace() as workspace:
        workspace.add_rows("given", GIVEN)
        with pytest.raises(Exception, match="nowhere"):
            taken(workspace, [append(good, "TRUE"), append(tmp_path / "nowhere", "TRUE")])

    assert DeltaTable(good).version() == 0


def test_what_cannot_be_spilled_is_told_with_what_to_do(tmp_path: Path) -> None:
    (path,) = tables(tmp_path, 1)
    engine = EmbeddedEngine(tmp_path / "scratch", memory="30MB")
    whole = "(SELECT array_join(array_agg(o.text), '') FROM other AS o)"
    with engine.workspace() as workspace:
        workspace.add_rows("given", GIVEN)
        workspace.add_rows("other", pa.table({"text": [f"{n:0100}" for n in range(400_000)]}))
        with pytest.raises(EnvironmentProblem, match="REDCLIFF_MEMORY"):
            taken(workspace, [append(path, "TRUE", text=whole)])
    engine.close()


def test_every_column_and_condition_is_computed_once() -> None:
    one_pass = OnePass.of(
        [
            append("a", "n > 1", text="upper(g.text)"),
            append("b", "n > 1", text="upper(g.text)"),
            append("c", "TRUE"),
        ]
    )

    assert one_pass.query.sql("trino") == (
        'SELECT n AS "c0", CASE WHEN n > 1 THEN UPPER(text) END AS "c1", text AS "c2", '
        'n > 1 AS "w0", TRUE AS "w1" FROM given'
    )


@pytest.mark.parametrize(
    "second",
    [
        "SELECT n, text FROM other",
        "SELECT n, text FROM given JOIN other USING (n)",
        "SELECT DISTINCT n, text FROM given",
        "SELECT n, text FROM given LIMIT 1",
        "SELECT n, text FROM (SELECT * FROM given)",
    ],
)
def test_rows_are_columns_and_a_condition_of_one_relation(second: str) -> None:
    rows = query(second)
    assert isinstance(rows, exp.Select)

    with pytest.raises(ValueError, match="one relation"):
        OnePass.of([append("a", "TRUE"), Append("b", rows, Transaction("all"))])


BEGUN_WITH_ONE_THREAD = """
import os, sys
from contextlib import closing
from pathlib import Path

os.environ["TOKIO_WORKER_THREADS"] = "1"
from deltalake import DeltaTable
DeltaTable(sys.argv[1]).version()

from lake.engines import one_pass
from lake.engines.embedded import EmbeddedEngine
from tests.lake.engines.test_one_pass import GIVEN, append

one_pass.PATIENCE = 0.5
with EmbeddedEngine(Path(sys.argv[2])).workspace(small=True) as workspace:
    workspace.add_rows("given", GIVEN)
    with closing(workspace.append_each([append(p, "n < 9") for p in sys.argv[3:]])) as commits:
        print(len(list(commits)))
"""


def test_where_delta_rs_has_too_few_threads_tables_follow_each_other(tmp_path: Path) -> None:
    paths = tables(tmp_path, 3)
    scratch = str(tmp_path / "scratch")

    ended = subprocess.run(
        [sys.executable, "-c", BEGUN_WITH_ONE_THREAD, paths[0], scratch, *paths],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.stdout.strip(), ended.returncode) == ("3", 0), ended.stderr
    assert [numbers(p) for p in paths] == [list(range(9))] * 3
