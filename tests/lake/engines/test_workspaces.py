"""What the seam promises of relations, on every engine."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from sqlglot import exp

from lake.engine import Engine, LandedFile
from lake.engines import embedded
from lake.engines.spark import SparkEngine
from tests.lake.readers.making import reading, rows_of, written_in_parts

ALL = exp.select("*").from_("given")
TAGS = pa.map_(pa.string(), pa.string())


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


@pytest.mark.parametrize("small", [True, False])
def test_what_was_made_of_a_released_relation_stays(any_engine: Engine, small: bool) -> None:
    with any_engine.workspace(small=small) as workspace:
        workspace.add_rows("given", pa.table({"n": [1, 2, 3]}))
        workspace.add_query("more", exp.select("n + 1 AS n").from_("given"), keep=True)
        workspace.add_query("most", exp.select("n * 2 AS n").from_("more"), keep=True)
        workspace.release("more")
        found = workspace.rows(exp.select("n").from_("most"))

    assert sorted(found["n"].to_pylist()) == [4, 6, 8]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("small", [True, False])
def test_the_records_of_several_files_are_read_as_they_were_delivered(
    any_engine: Engine, tmp_path: Path, small: bool, keep: bool
) -> None:
    files = []
    for number, record in enumerate(("1,张三", "2,𠮷", "3,李四,more")):
        file = tmp_path / f"{number}"
        file.write_text(f"id,name\n{record}\n", encoding="utf-8")
        files.append(LandedFile(str(file), f"{number}.csv"))

    with any_engine.workspace(small=small) as workspace:
        workspace.read_files("given", reading("id", "name"), files, keep=keep)
        found = workspace.rows(ALL).select(["_file", "_row_number", "name", "_fault"])
        again = workspace.rows(ALL).select(found.column_names)

    assert sorted(map(str, again.to_pylist())) == sorted(map(str, found.to_pylist()))
    assert sorted(tuple(row.values()) for row in found.to_pylist()) == [
        ("0.csv", 1, "张三", None),
        ("1.csv", 1, "𠮷", None),
        ("2.csv", 1, None, "record_readable"),
    ]


@pytest.mark.parametrize("small", [True, False])
def test_a_file_with_borders_has_the_rows_of_the_whole(
    any_engine: Engine, tmp_path: Path, small: bool
) -> None:
    how = reading("编号", "name", encoding="gb18030")
    file = tmp_path / "register.csv"
    split = written_in_parts(file, how, 300, block_bytes=100, part_bytes=1000)

    landed = LandedFile(str(file), "人口.csv", file.stat().st_size, split)
    with any_engine.workspace(small=small) as workspace:
        workspace.read_files("given", how, [landed])
        found = workspace.rows(exp.select("*").from_("given").order_by("_row_number"))

    assert found.to_pylist() == rows_of(how, file, "人口.csv")


def test_only_a_large_workspace_shares_its_queries_among_threads(engine: Engine) -> None:
    asked = exp.select("current_setting('threads') AS n")

    with engine.workspace(small=True) as before:
        alone = before.rows(asked)["n"].to_pylist()
    with engine.workspace() as large:
        with engine.workspace():  # a late snapshot looks into its successor
            pass
        shared = large.rows(asked)["n"].to_pylist()
    with engine.workspace(small=True) as after:
        alone += after.rows(asked)["n"].to_pylist()

    assert (alone, shared) == ([1, 1], [embedded.THREADS])


@pytest.mark.parametrize("small", [True, False])
def test_rows_that_a_deletion_vector_of_spark_hides_are_gone_on_every_engine(
    any_engine: Engine, spark: SparkEngine, tmp_path: Path, small: bool
) -> None:
    table = str(tmp_path / "thinned")
    rows = pa.table({"k": [1, 2, 3], "tags": pa.array([[("来源", "民政")]] * 3, TAGS)})
    write_deltalake(table, rows, configuration={"delta.enableDeletionVectors": "true"})
    files = DeltaTable(table).file_uris()
    spark._session.sql(f"DELETE FROM delta.`{table}` WHERE k = 2").collect()

    with any_engine.workspace(small=small) as workspace:
        workspace.add_table("given", table)
        found = workspace.rows(ALL)

    assert DeltaTable(table).file_uris() == files  # nothing was rewritten
    assert sorted(found["k"].to_pylist()) == [1, 3]
    assert found["tags"].to_pylist() == [[("来源", "民政")]] * 2
