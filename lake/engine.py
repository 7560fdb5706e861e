"""
The engine seam: the little that redcliff asks of whatever runs its SQL.

An `Engine` gives workspaces. A `Workspace` is a private set of named relations (delivered files,
tables at a version, queries over them) from which rows are read, appended and merged. Each method
has exactly one implementation per engine; nothing outside `lake/engines/` knows which one runs.

Queries are sqlglot expressions in Trino's dialect over the workspace's relations and redcliff's
own functions (`pipelines.dialect`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.handles import Handles
    from lake.readers import Reading
    from lake.splits import Split


@dataclass(frozen=True)
class Transaction:
    """
    What a commit is called in the Delta log: no pair commits twice to one table, nor does a pair
    with a lower version after it.

    `redcliff/<delivery_id>` with the load generation as version, or `redcliff/refresh/<dataset>`
    with the version that the commit makes of the table: what was computed from an older state of
    the table than the newest never commits.
    """

    app: str
    version: int = 1


@dataclass(frozen=True)
class Merge:
    """
    How rows with an `_op` meet a table: `insert` adds a row whose key is surely new, `upsert`
    inserts or updates, `update` only updates, `delete` removes. The last two name rows that are
    there: what else happens to them is the engine's own.

    `on` are the columns that identify a row, `updates` those that an update sets (None: all),
    `target` a further condition on the table's row (alias `t`).
    """

    on: tuple[str, ...]
    updates: tuple[str, ...] | None = None
    target: str | None = None


@dataclass(frozen=True)
class Append:
    """
    Rows for the table at `path`, as one commit.

    `rows` has columns of one relation, and a condition: SELECT … FROM relation WHERE …, no more.
    """

    path: str
    rows: exp.Select
    transaction: Transaction


@dataclass(frozen=True)
class LandedFile:
    """
    A landed file: the path or URL of its bytes, and its name as delivered.

    Of `size` bytes a large text file may be read in parts, between the borders of `split`.
    """

    path: str
    name: str
    size: int = 0
    split: Split | None = None


@dataclass(frozen=True)
class Answer:
    """What a person's query gives: its columns, and its rows in batches, to be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Workspace(Protocol):
    """A private set of relations; closing it frees what was kept."""

    def read_files(
        self, name: str, reading: Reading, files: Sequence[LandedFile], *, keep: bool = False
    ) -> None:
        """
        Relation `name` is the records of `files` as `lake.readers` reads them: anew for each query,
        or, with `keep`, once, and then they are held.
        """

    def add_rows(self, name: str, rows: pa.Table) -> None:
        """Relation `name` holds `rows`."""

    def add_table(self, name: str, path: str, version: int | None = None) -> None:
        """Relation `name` is the Delta table at `path`, at `version` or the newest."""

    def add_query(self, name: str, query: exp.Query, *, keep: bool = False) -> None:
        """Relation `name` is `query`; with `keep` it is computed once and held."""

    def release(self, name: str) -> None:
        """Relation `name`, which was kept, will be named no more: what it holds may go."""

    def rows(self, query: exp.Query) -> pa.Table:
        """The rows of `query`."""

    def ask(self, query: exp.Query, seconds: float) -> Answer:
        """
        Answer a query that a person wrote, within `seconds`.

        `UsageError` when it is wrong or takes longer, also while its batches are read.
        """

    def append(self, path: str, query: exp.Query, transaction: Transaction) -> None:
        """Append the rows of `query` to the table at `path`, in one commit."""

    def append_each(self, appends: Sequence[Append]) -> Generator[Append]:
        """
        Make several appends, all of rows of one relation, and say each as soon as it stands.

        They are committed in their order, and none before it is asked for.
        """

    def merge(self, path: str, query: exp.Query, merge: Merge, transaction: Transaction) -> None:
        """Merge the rows of `query`, each with an `_op`, into the table, in one commit."""


class Engine(Protocol):
    """What runs redcliff's SQL; one per process and run."""

    name: str
    version: str
    """Of what computes: DuckDB, Spark."""
    parallel: int
    """How many workspaces may profitably work at once."""
    handles: Handles
    """The tables that it commits to without starting anything, for whoever asks their versions."""

    def workspace(
        self, day: date | None = None, *, small: bool = False
    ) -> AbstractContextManager[Workspace]:
        """
        A new workspace; `day` is what `business_date()` and `run_date()` stand for in it.

        `small` says that no relation will hold more than some ten thousand rows. It may change
        how fast the engine gets there, and nothing else.
        """

    def close(self) -> None:
        """Free the engine; its workspaces are gone."""
