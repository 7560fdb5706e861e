"""
The tables that a process works with, each opened once: a log is read as it grows.

To open a small table takes 7 to 12 ms, and as long again to follow one's own commit from another
handle; to look whether anything has been committed since takes a hundredth of that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import TryAgain
from lake.s3 import is_s3
from lake.store import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable


@contextmanager
def committing(path: str) -> Iterator[None]:
    """A commit to the table at `path`; `TryAgain` when it comes to nothing beside another one."""
    from deltalake.exceptions import CommitFailedError

    try:
        yield
    except CommitFailedError as error:
        why = str(error).partition("\n")[0]
        raise TryAgain(f"{path}: nothing was committed ({why}); try again") from error


class Handles:
    """The handles of tables by their paths or URLs, shared by the threads of a process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._opened: dict[str, DeltaTable] = {}
        self._locks: dict[str, threading.RLock] = {}

    def newest(self, path: str) -> DeltaTable:
        """The table as it stands now; `TableNotFoundError` when there is none."""
        opened = self._opened.get(path)
        if opened is None:
            return self.keep(path, self.store.delta(path))
        if not _is_newest(path, opened.version()):
            with self._lock(path):
                opened.update_incremental()
        return opened

    def keep(self, path: str, opened: DeltaTable) -> DeltaTable:
        """The handle of the table, which is `opened` unless there is one."""
        return self._opened.setdefault(path, opened)

    @contextmanager
    def committing(self, path: str) -> Iterator[DeltaTable]:
        """
        The newest state of the table, to commit on: no other thread takes the handle further.

        `TryAgain` when the commit comes to nothing beside another one.
        """
        with self._lock(path), committing(path):
            yield self.newest(path)

    def _lock(self, path: str) -> threading.RLock:
        # In one step: of two locks for one table neither would keep anybody out.
        return self._locks.setdefault(path, threading.RLock())


def _is_newest(path: str, version: int) -> bool:
    """Whether surely no commit has followed: a look at one name, where an update lists the log."""
    return not is_s3(path) and not Path(f"{path}/_delta_log/{version + 1:020}.json").exists()
