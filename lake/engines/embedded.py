"""
The engine seam on DuckDB and delta-rs: one process, no JVM, bounded memory with spill to disk.

DuckDB computes and reads tables through its Delta extension, which comes as a wheel; delta-rs
commits. A workspace is a connection of its own to one database in memory, whose temporary views
and tables are its relations. Nothing is fetched while it runs.
"""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from sqlglot import exp

from catalog.errors import EnvironmentProblem
from lake.engine import Answer, Append, LandedFile, Merge, Transaction
from lake.engines import delta_rs
from lake.engines.attached import Attached
from lake.engines.complaints import overtime, understood, within_memory
from lake.engines.one_pass import TOGETHER, OnePass, TooFewThreads, commit_each
from lake.engines.rendering import for_duckdb, macro_definitions, own_calls, told
from lake.engines.trino_macros import macro_statements
from lake.engines.trino_on_duckdb import as_trino
from lake.handles import Handles
from lake.machine import give_back_memory, keep_no_memory
from lake.s3 import S3
from lake.store import LOCAL, Store

if TYPE_CHECKING:
    from lake.readers import Reading

MEMORY = "700MB"
"""What DuckDB may hold before it spills, unless the profile says it."""

THREADS = os.cpu_count() or 1
"""What DuckDB shares a large query among, and every query that a person asks."""

BATCH_ROWS = 8_192
"""Rows of one Arrow batch on the way from a query into a commit, of which some wait in a queue."""

SETTINGS = (
    "TimeZone = 'UTC'",
    # It makes a hash join of every list of more than a few words, which costs 10 ms each.
    "disabled_optimizers = 'in_clause'",
)

DAY = "redcliff_day"
"""The variable of a connection that holds the day of its workspace."""

EXTENSIONS = {"delta": "make setup", "httpfs": "make cluster"}
"""DuckDB's extensions that come as wheels, and what installs them; the second is for S3 alone."""


class _Records:
    """The records of files, for DuckDB: a reader of Arrow's is empty when it is asked again."""

    def __init__(self, reading: Reading, files: Sequence[LandedFile], store: Store) -> None:
        self._reading = reading
        self._files = files
        self._store = store

    def __arrow_c_schema__(self) -> object:
        return self._reading.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        from lake.readers import read

        batches = (
            batch
            for file in self._files
            for batch in read(self._reading, file.path, file.name, self._store)
        )
        stream = pa.RecordBatchReader.from_batches(self._reading.schema, batches)
        return stream.__arrow_c_stream__(requested_schema)


class EmbeddedWorkspace:
    """
    Relations that hold rows are temporary tables of one connection, or views of Arrow's.

    Delta tables and queries are neither: where they are named, their SQL is put in the name's
    place. A view would be bound when it is made, and again wherever it is read.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        day: date | None,
        handles: Handles,
        attached: Attached | None,
        give_back: Callable[[], None] | None,
    ) -> None:
        self._connection = connection
        self._handles = handles
        self._is_small = give_back is None
        self._give_back = give_back or _nothing
        self._attached = attached
        self._clock: threading.Timer | None = None
        self._named: dict[str, str] = {}
        self._closing = ExitStack()
        if day is not None:
            connection.execute(f"SET VARIABLE {DAY} = DATE '{day:%Y-%m-%d}'")

    def read_files(
        self, name: str, reading: Reading, files: Sequence[LandedFile], *, keep: bool = False
    ) -> None:
        """
        The readers' batches go as they come into the query that asks for them, which computes while
        the next ones are read; with `keep` into a table, which spills when it grows.
        """
        records = _Records(reading, files, self._handles.store)
        if not keep:
            self._connection.register(name, records)
            return
        self._connection.register("_stream", records)
        with within_memory():
            self._connection.execute(f"CREATE TEMP TABLE {_quoted(name)} AS SELECT * FROM _stream")
        self._connection.unregister("_stream")

    def add_rows(self, name: str, rows: pa.Table) -> None:
        """A view of rows in memory; nothing is copied."""
        self._connection.register(name, rows)

    def add_table(self, name: str, path: str, version: int | None = None) -> None:
        """The Delta table at a version."""
        if version is not None and self._attached is not None:
            self._named[name] = self._attached.hold((path, version))
            self._closing.callback(self._attached.release, (path, version))
            return
        at = "" if version is None else f", version => {version}"
        self._named[name] = f"delta_scan({exp.Literal.string(path).sql('duckdb')}{at})"

    def add_query(self, name: str, query: exp.Query, *, keep: bool = False) -> None:
        """A name for the query, or a table when it is to be computed once."""
        if keep:
            text = f"CREATE TEMP TABLE {_quoted(name)} AS {self._text(query)}"
            with within_memory():
                self._connection.execute(text)
            self._give_back()
        else:
            self._named[name] = f"({self._text(query)})"

    def release(self, name: str) -> None:
        """The table is dropped: delta-rs, which commits, needs memory beside DuckDB's."""
        self._connection.execute(f"DROP TABLE {_quoted(name)}")
        self._give_back()

    def rows(self, query: exp.Query) -> pa.Table:
        """The rows of `query`, in this process."""
        with within_memory():
            return self._connection.execute(self._text(query)).to_arrow_table()

    def ask(self, query: exp.Query, seconds: float) -> Answer:
        """As Trino would answer; batches stream from the query, which ends with its time."""
        with understood(seconds):
            text = self._asked(as_trino(query))
            for statement in macro_statements(text):
                self._connection.execute(statement)
        until = time.monotonic() + seconds
        self._clock = threading.Timer(seconds, self._connection.interrupt)
        self._clock.daemon = True
        self._clock.start()
        with understood(seconds):
            try:
                reader = self._connection.execute(text).to_arrow_reader(BATCH_ROWS)
            except duckdb.BinderException:
                # What is said of the query as written does not speak of our macros.
                self._connection.execute(f"EXPLAIN {self._asked(query)}")
                raise

        def batches() -> Iterator[pa.RecordBatch]:
            with understood(seconds):
                for batch in reader:
                    yield batch
                    if time.monotonic() > until:  # it was not computing when its time ended
                        raise overtime(seconds)

        return Answer(reader.schema, batches())

    def append(self, path: str, query: exp.Query, transaction: Transaction) -> None:
        """One Delta commit; rows stream from the query into its files."""
        with within_memory():
            answer = self._connection.execute(self._text(query))
            delta_rs.append(self._handles, path, answer.to_arrow_reader(BATCH_ROWS), transaction)

    def append_each(self, appends: Sequence[Append]) -> Generator[Append]:
        """
        One query for every two of them, each of whose columns and conditions is computed once; what
        is small is done sooner one by one.
        """
        if self._is_small:
            yield from self._one_by_one(appends)
            return
        for first in range(-(len(appends) % TOGETHER), len(appends), TOGETHER):
            yield from self._together(appends[max(first, 0) : first + TOGETHER])

    def _together(self, appends: Sequence[Append]) -> Generator[Append]:
        one_pass = OnePass.of(appends)
        with within_memory():
            answer = self._connection.execute(self._text(one_pass.query))
            rows = answer.to_arrow_reader(BATCH_ROWS)
            try:
                yield from commit_each(self._handles, one_pass.parts, rows)
            except TooFewThreads:
                yield from self._one_by_one(appends)

    def _one_by_one(self, appends: Sequence[Append]) -> Generator[Append]:
        for append in appends:
            self.append(append.path, append.rows, append.transaction)
            yield append

    def merge(self, path: str, query: exp.Query, merge: Merge, transaction: Transaction) -> None:
        """One Delta commit."""
        delta_rs.merge(self._handles, path, self.rows(query), merge, transaction)

    def close(self) -> None:
        """Let go of the connection, its tables, and the time that a query was given."""
        if self._clock is not None:
            self._clock.cancel()
        self._connection.close()
        self._closing.close()

    def _asked(self, query: exp.Query) -> str:
        """A person's query, which says what Trino means by other means than rules and models."""
        return told(own_calls(query, "duckdb"), self._named)

    def _text(self, query: exp.Query) -> str:
        return told(for_duckdb(query), self._named)


def _nothing() -> None:
    """What a small workspace gives back."""


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def extension_file(name: str) -> Path:
    """An extension's file in its wheel; `EnvironmentProblem` when it does not fit DuckDB."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}"
        if (file := folder / f"{name}.duckdb_extension").is_file():
            return file
    raise EnvironmentProblem(
        f"the package duckdb-extension-{name} for DuckDB {duckdb.__version__} is missing; "
        f"run `{EXTENSIONS[name]}`"
    )


def _login(s3: S3) -> str:
    """What DuckDB must be told to read from the endpoint."""
    said = {
        "KEY_ID": s3.access_key,
        "SECRET": s3.secret_key,
        "REGION": s3.region,
        "ENDPOINT": s3.address,
        "URL_STYLE": "path",
    }
    options = [f"{key} {exp.Literal.string(value).sql('duckdb')}" for key, value in said.items()]
    return f"CREATE SECRET (TYPE s3, USE_SSL {s3.is_secure}, {', '.join(options)})"


class EmbeddedEngine:
    """
    DuckDB in this process.

    `memory` is what it may hold, e.g. `700MB`; what does not fit goes into the folder `scratch`.
    With `only`, for SQL that a person wrote: data files of these folders are read and no others,
    and nothing can lift that again.
    """

    name = "embedded"
    version = duckdb.__version__
    parallel = 3  # one computes while the other reads files or commits

    def __init__(
        self,
        scratch: Path,
        *,
        memory: str | None = None,
        only: Sequence[str] | None = None,
        store: Store = LOCAL,
    ) -> None:
        keep_no_memory()
        # Arrow's own allocator keeps for each thread what that thread once had.
        pa.set_memory_pool(pa.system_memory_pool())
        self.handles = Handles(store)
        self._memory = memory or MEMORY
        self._large = threading.RLock()
        # What a person asks has all threads from the start, and nothing can change that.
        self._is_shared = only is not None
        self._database = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": self._memory,
                # Small queries run side by side: to wake threads for one takes longer than it does.
                "threads": 1 if only is None else THREADS,
                "temp_directory": str(scratch),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "arrow_large_buffer_size": False,
            },
        )
        for setting in SETTINGS:
            self._database.execute(f"SET GLOBAL {setting}")
        for definition in macro_definitions(f"getvariable('{DAY}')"):
            self._database.execute(definition)
        self._load("delta")
        if store.s3 is not None:
            self._load("httpfs")
            self._database.execute(_login(store.s3))
        # A person's query asks each table once, and attaches nothing.
        self._attached = Attached(self._database) if only is None else None
        if only is not None:
            self._lock(only)

    def _load(self, extension: str) -> None:
        file = extension_file(extension)
        self._database.execute(f"LOAD {exp.Literal.string(str(file)).sql('duckdb')}")

    def _lock(self, folders: Sequence[str]) -> None:
        """The extension is loaded by now; a folder is allowed with all that lies in it."""
        allowed = exp.Array(expressions=[exp.Literal.string(f"{f}/") for f in folders])
        for setting in (
            "python_enable_replacements = false",  # a table name is never a variable of ours
            f"allowed_directories = {allowed.sql('duckdb')}",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._database.execute(f"SET GLOBAL {setting}")

    @contextmanager
    def workspace(
        self, day: date | None = None, *, small: bool = False
    ) -> Iterator[EmbeddedWorkspace]:
        """A connection of its own; one that is not small waits for others that are not."""
        with nullcontext() if small else self._all_threads():
            cursor = self._database.cursor()
            give_back = None if small else self._give_back
            workspace = EmbeddedWorkspace(cursor, day, self.handles, self._attached, give_back)
            try:
                yield workspace
            finally:
                workspace.close()
                if give_back:
                    give_back()

    def _give_back(self) -> None:
        """
        Return to the machine what was freed, hundreds of megabytes behind a large query.

        DuckDB's allocator keeps what a dropped table was in; setting the limit, though it is the
        same, makes it let go.
        """
        if self._attached is not None:  # else nothing may be set any more
            with suppress(duckdb.OutOfMemoryException), self._database.cursor() as cursor:
                cursor.execute(f"SET GLOBAL memory_limit = '{self._memory}'")
        give_back_memory()

    @contextmanager
    def _all_threads(self) -> Iterator[None]:
        """Alone among those that are not small, with the machine's threads for each query."""
        with self._large:
            is_outermost, self._is_shared = not self._is_shared, True
            if is_outermost:
                self._database.execute(f"SET GLOBAL threads = {THREADS}")
            try:
                yield
            finally:
                if is_outermost:
                    self._database.execute("SET GLOBAL threads = 1")
                    self._is_shared = False

    def close(self) -> None:
        """Give memory and scratch files back."""
        self._database.close()
