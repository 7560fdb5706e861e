"""Tables that the embedded engine reads, and queries over them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from sqlglot import exp

from catalog.dialect import sql
from lake.engine import Engine
from lake.engines.attached import Attached


def _written(path: Path, *numbers: int) -> str:
    for number in numbers:
        write_deltalake(str(path), pa.table({"n": [number]}), mode="append")
    return str(path)


def _all() -> exp.Select:
    return exp.select("n").from_("given")


def test_the_log_of_a_table_is_read_once(engine: Engine, tmp_path: Path) -> None:
    path = _written(tmp_path / "table", 1, 2)
    log = tmp_path / "table" / "_delta_log"

    with engine.workspace(small=True) as first, engine.workspace(small=True) as second:
        first.add_table("given", path, 1)
        assert first.rows(_all()).num_rows == 2
        log.rename(tmp_path / "aside")
        second.add_table("given", path, 1)
        assert first.rows(_all()).num_rows == second.rows(_all()).num_rows == 2

    (tmp_path / "aside").rename(log)
    with engine.workspace(small=True) as later:
        later.add_table("given", path)
        assert later.rows(_all()).num_rows == 2


def test_each_workspace_reads_the_version_it_asked_for(engine: Engine, tmp_path: Path) -> None:
    path = _written(tmp_path / "table", 1, 2, 3)

    with engine.workspace(small=True) as old:
        for version in (0, 1, 2):
            old.add_table("given", path, version)
            with engine.workspace(small=True) as other:
                other.add_table("given", path, 2 - version)
                assert other.rows(_all()).num_rows == 3 - version
            assert old.rows(_all()).num_rows == version + 1


def test_only_versions_that_are_read_and_the_last_of_a_table_stay_attached(
    engine: Engine, tmp_path: Path
) -> None:
    path, other = _written(tmp_path / "table", 1, 2, 3), _written(tmp_path / "other", 1)
    attached: Attached = engine._attached  # type: ignore[attr-defined]
    attached.hold((other, 0))
    attached.hold((path, 0))
    held = attached.hold((path, 1))
    attached.release((path, 0))
    attached.release((path, 1))
    assert attached.hold((path, 1)) == held

    attached.hold((path, 2))

    found = engine._database.execute(  # type: ignore[attr-defined]
        "SELECT path, count(*) FROM duckdb_databases() WHERE starts_with(path, ?) GROUP BY path",
        [str(tmp_path)],
    ).fetchall()
    for at in ((other, 0), (path, 1), (path, 2)):
        attached.release(at)
    assert sorted(found) == [(other, 1), (path, 2)]


def test_a_table_is_read_as_soon_as_it_is_there(engine: Engine, tmp_path: Path) -> None:
    with engine.workspace(small=True) as workspace:
        workspace.add_table("given", str(tmp_path / "nothing"), 0)
        with pytest.raises(duckdb.IOException):
            workspace.rows(_all())
        workspace.add_table("given", _written(tmp_path / "nothing", 1), 0)
        assert workspace.rows(_all()).num_rows == 1


def test_a_query_may_be_asked_again_and_built_upon(engine: Engine) -> None:
    like = exp.select("n", sql(r"'a\b' LIKE 'a\b'").as_("same")).from_("given")

    with engine.workspace(small=True) as workspace:
        workspace.add_rows("given", pa.table({"n": [1]}))
        answers = [workspace.rows(like)["same"].to_pylist() for _ in range(2)]
        workspace.add_rows("given", pa.table({"n": [1, 2]}))
        for built in (like, like.where("n > 1"), exp.select("*").from_(like.subquery("s"))):
            answers.append(workspace.rows(built)["same"].to_pylist())

    assert answers == [[True], [True], [True, True], [True], [True, True]]
