"""
The Delta tables that the connections of one database read, each at a version.

`delta_scan` reads a table's log for every query that names it, which takes 4 to 8 ms; that of an
attached table is read once. What is attached, all connections of a database share.
"""

from __future__ import annotations

import threading
from collections import Counter
from itertools import count

import duckdb
from sqlglot import exp

At = tuple[str, int]
"""The path of a table, and its version."""


class Attached:
    """
    Which versions of which tables are attached, and how many workspaces read them.

    A version that nobody reads stays until another one of its table is asked for: the next who
    comes will most likely want the same.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database.cursor()
        self._lock = threading.Lock()
        self._names: dict[str, dict[int, str]] = {}
        self._readers: Counter[At] = Counter()
        self._number = count(1)

    def hold(self, at: At) -> str:
        """The SQL that names the table; it stays until it is released as often as it was held."""
        path, version = at
        with self._lock:
            versions = self._names.setdefault(path, {})
            if version not in versions:
                for other in [v for v in versions if not self._readers[path, v]]:
                    self._database.execute(f"DETACH {versions.pop(other)}")
                name = f"table_{next(self._number)}"
                place = exp.Literal.string(path).sql("duckdb")
                self._database.execute(
                    f"ATTACH {place} AS {name} (TYPE delta, VERSION {version}, PIN_SNAPSHOT)"
                )
                versions[version] = name
            self._readers[at] += 1
            return f"{versions[version]}.main.{versions[version]}"

    def release(self, at: At) -> None:
        """One reader fewer."""
        with self._lock:
            self._readers[at] -= 1
            if not self._readers[at]:
                del self._readers[at]
