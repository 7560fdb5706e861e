"""Tables that a process has opened, beside others that commit to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from lake.engine import Merge, Transaction
from lake.engines import delta_rs
from lake.handles import Handles
from lake.store import LOCAL, Store


class _Counting(Store):
    """A store that tells how often a table was opened."""

    opened = 0

    def delta(self, path: str, version: int | None = None) -> DeltaTable:
        type(self).opened += 1
        return super().delta(path, version)


def _rows(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64())})


def test_a_table_is_opened_once_and_followed(tmp_path: Path) -> None:
    path, handles = str(tmp_path / "table"), Handles(_Counting())
    with pytest.raises(TableNotFoundError):
        handles.newest(path)
    write_deltalake(path, _rows(1))
    _Counting.opened = 0

    versions = [handles.newest(path).version()]
    write_deltalake(path, _rows(2), mode="append")
    versions.append(handles.newest(path).version())
    delta_rs.append(handles, path, _rows(3), Transaction("one"))
    versions.append(handles.newest(path).version())

    assert (versions, _Counting.opened) == ([0, 1, 2], 1)


def test_what_others_have_committed_is_neither_lost_nor_done_again(tmp_path: Path) -> None:
    path, ours, theirs = str(tmp_path / "table"), Handles(LOCAL), Handles(LOCAL)
    write_deltalake(path, _rows())
    ours.newest(path)

    delta_rs.append(theirs, path, _rows(1), Transaction("one"))
    delta_rs.append(ours, path, _rows(1), Transaction("one"))
    delta_rs.append(ours, path, _rows(2), Transaction("two"))
    changes = _rows(1, 2).append_column("_op", pa.array(["delete", "update"]))
    delta_rs.merge(theirs, path, changes, Merge(on=("n",)), Transaction("three"))
    delta_rs.merge(ours, path, changes, Merge(on=("n",)), Transaction("three"))

    assert delta_rs.read(LOCAL, path)["n"].to_pylist() == [2]
    assert ours.newest(path).version() == theirs.newest(path).version() == 3


def test_nobody_takes_a_handle_further_while_somebody_commits_on_it(tmp_path: Path) -> None:
    path, handles = str(tmp_path / "table"), Handles(LOCAL)
    write_deltalake(path, _rows())
    handles.newest(path)
    asked: list[int] = []
    looking = threading.Thread(target=lambda: asked.append(handles.newest(path).version()))

    with handles.committing(path) as table:
        write_deltalake(path, _rows(1), mode="append")  # somebody else's
        looking.start()
        looking.join(0.3)
        assert (table.version(), asked) == (0, [])
    looking.join(10)

    assert asked == [1]


def test_a_handle_can_be_asked_while_its_table_is_written(tmp_path: Path) -> None:
    path, handles = str(tmp_path / "table"), Handles(LOCAL)
    write_deltalake(path, _rows())
    versions: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(3):
            versions.append(handles.newest(path).version())
            yield from _rows(number).to_batches()

    reader = pa.RecordBatchReader.from_batches(_rows().schema, batches())
    delta_rs.append(handles, path, reader, Transaction("one"))

    assert (versions, handles.newest(path).version()) == ([0, 0, 0], 1)
