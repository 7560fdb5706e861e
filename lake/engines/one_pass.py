"""
Several appends by one query: its batches are parted among writers, which commit in turn.

What a first delivery writes to its tables are columns of the same rows, which are read, joined and
turned into Arrow once, on one core, while the writers encode them on the others.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from catalog.dialect import case_when, named
from lake.engine import Append
from lake.engines import delta_rs
from lake.handles import Handles

WAITING = 1
"""Batches that a writer may have before it, each of some megabytes."""

TOGETHER = 2
"""
Appends of one pass. A writer that waits for rows holds one of delta-rs's threads, of which there is
one for each core; with more of them a merge of 490,000 rows takes half a gigabyte more.
"""

PATIENCE = 10.0
"""Seconds in which each writer gets its thread, or there are too few."""


class TooFewThreads(Exception):
    """The writers cannot work beside each other here; nothing was written."""


@dataclass(frozen=True)
class Part:
    """Which columns of the common batches go to one table, by what names, and which rows."""

    append: Append
    condition: str
    columns: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class OnePass:
    """The query that computes all the rows, each column and condition once, and who gets what."""

    query: exp.Select
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, appends: Sequence[Append]) -> OnePass:
        """`ValueError` unless all read one relation: SELECT … FROM relation WHERE …, no more."""
        relations = {_relation(a.rows) for a in appends}
        if len(relations) != 1:
            raise ValueError(f"not one relation: {', '.join(sorted(relations))}")
        columns: dict[exp.Expr, str] = {}
        conditions: dict[exp.Expr, str] = {}
        parts = []
        for append in appends:
            rows = _unqualified(append.rows)
            where = rows.args["where"].this if rows.args.get("where") else exp.true()
            condition = conditions.setdefault(where, f"w{len(conditions)}")
            values = [_guarded(e.unalias(), where) for e in rows.selects]
            held = tuple(columns.setdefault(v, f"c{len(columns)}") for v in values)
            parts.append(Part(append, condition, held, tuple(rows.named_selects)))
        chosen = [named(value, name) for value, name in (columns | conditions).items()]
        return cls(exp.select(*chosen).from_(relations.pop()), tuple(parts))


def _relation(rows: exp.Select) -> str:
    table = rows.args["from_"].this
    if not isinstance(table, exp.Table) or set(_given(rows)) - {"expressions", "from_", "where"}:
        raise ValueError(f"more than columns and a condition of one relation: {rows.sql()[:80]}")
    return table.name


def _given(node: exp.Expr) -> list[str]:
    return [name for name, part in node.args.items() if part]


def _unqualified(rows: exp.Select) -> exp.Select:
    rows = rows.copy()
    for column in rows.find_all(exp.Column):
        column.set("table", None)
    return rows


def _guarded(value: exp.Expr, where: exp.Expr) -> exp.Expr:
    """What takes computing is computed for the rows that want it, and may fail for no others."""
    if isinstance(value, exp.Column) or value.find(exp.Column) is None:
        return value
    return case_when((where, value))


class _Abandoned(Exception):
    """The pass ended early: what was written so far is not to be committed."""


class _Writer:
    """One append, fed batch by batch from another thread; it commits when it is told to."""

    def __init__(
        self, pool: ThreadPoolExecutor, handles: Handles, part: Part, given: pa.Schema
    ) -> None:
        self.part = part
        self._handles = handles
        types = [given.field(c).type for c in part.columns]
        self._schema = pa.schema(list(zip(part.names, types, strict=True)))
        self._waiting: queue.Queue[pa.RecordBatch | _Abandoned | None] = queue.Queue(WAITING)
        self._is_ready = threading.Event()
        self._writing = pool.submit(self._write)

    def is_ready(self) -> bool:
        """Whether it has come so far that it asks for rows, or has ended."""
        return self._is_ready.wait(PATIENCE)

    def take(self, batch: pa.RecordBatch) -> None:
        """Write what concerns the table; raises what has stopped the writing."""
        self._put(batch)

    def commit(self) -> None:
        """Nothing more comes; returns when the commit stands."""
        self._put(None)
        self._writing.result()

    def abandon(self) -> None:
        """Nothing is to be committed, unless that has happened."""
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put_nowait(_Abandoned())

    def _put(self, what: pa.RecordBatch | None) -> None:
        while not self._writing.done():
            with suppress(queue.Full):
                self._waiting.put(what, timeout=1)
                return
        # It has failed, or its transaction stands and it wants no rows.
        self._writing.result()

    def _write(self) -> None:
        append = self.part.append
        rows = pa.RecordBatchReader.from_batches(self._schema, self._batches())
        try:
            delta_rs.append(self._handles, append.path, rows, append.transaction)
        finally:
            self._is_ready.set()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        part = self.part
        self._is_ready.set()
        while (found := self._waiting.get()) is not None:
            if isinstance(found, _Abandoned):
                raise found
            is_wanted = found.column(part.condition)
            held = [found.column(c) for c in part.columns]
            rows = pa.RecordBatch.from_arrays(held, schema=self._schema)
            if is_wanted.true_count < len(is_wanted):
                rows = rows.filter(is_wanted)
            if rows.num_rows:
                yield rows


def commit_each(
    handles: Handles, parts: Sequence[Part], rows: pa.RecordBatchReader
) -> Generator[Append]:
    """
    Part the rows of `OnePass.query`, and commit in turn; see `Workspace.append_each`.

    `TooFewThreads` when it cannot begin. Two passes at once would wait for each other's threads:
    the engine has one large workspace at a time.
    """
    with ThreadPoolExecutor(len(parts)) as pool:
        writers = [_Writer(pool, handles, part, rows.schema) for part in parts]
        try:
            if not all(writer.is_ready() for writer in writers):
                raise TooFewThreads
            for batch in rows:
                for writer in writers:
                    writer.take(batch)
            for writer in writers:
                writer.commit()
                yield writer.part.append
        finally:
            for writer in writers:
                writer.abandon()
