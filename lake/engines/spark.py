"""
The engine seam on Spark and Delta Lake: one session per run, a child session per workspace.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyspark
from delta import exceptions as delta
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark import StorageLevel
from pyspark.errors import PySparkException, PySparkRuntimeError
from pyspark.sql import DataFrame, SparkSession
from sqlglot import exp

from catalog.errors import EnvironmentProblem, RedcliffError, TryAgain, UsageError
from lake.addresses import SparkMaster
from lake.engine import Answer, Append, LandedFile, Merge, Transaction
from lake.engines import delta_rs
from lake.engines.complaints import cleaned, overtime
from lake.engines.log_store import CLASS as LOG_STORE
from lake.engines.rendering import render
from lake.executors import FOLDER, check_archive, python_name
from lake.handles import Handles
from lake.readers.records import Records
from lake.s3 import S3
from lake.splits import Part
from lake.store import LOCAL, Store

if TYPE_CHECKING:
    from lake.readers import Reading

LOG4J = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
# What cannot be compiled is interpreted; the source of the attempt helps nobody.
logger.codegen.name = org.apache.spark.sql.catalyst.expressions.codegen
logger.codegen.level = off
logger.fallback.name = org.apache.spark.sql.catalyst.expressions
logger.fallback.level = off
"""

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    # Products keep their digits, as in Trino; what does not fit is an error, not a rounding.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.python.worker.reuse": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    # A city's tables are small: 50 and 200 partitions of nothing cost more than the work.
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.shuffle.partitions": "4",
    # It would compute local relations row by row while planning, again for every query.
    "spark.sql.optimizer.excludedRules": (
        "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"
    ),
    # Every sort and every hash table takes at least one page, 32 MB of a heap of 2 GB by default.
    "spark.buffer.pageSize": "1m",
    "spark.sql.maxPlanStringLength": "1000",
    "spark.databricks.delta.commitInfo.userMetadata": "redcliff",
}

NO_JAVA = "JAVA_GATEWAY_EXITED"
"""What pyspark calls it when Java ends before it has answered."""

MEMORY = "2g"
"""The driver's heap, which in local mode is all there is."""

LOOPBACK = "127.0.0.1"

JAVA_OPTIONS = (
    "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m "
    "-XX:+ExitOnOutOfMemoryError -XX:+DisplayVMOutputToStderr"
)
"""
Of the JVM. With fewer compilers than it has by default, Java 17 sets 48 MB aside for code, which
the second day of a run fills: from then on nothing new is compiled. A driver whose heap is full
may lose the thread that hands out tasks, and would then wait for them for ever: it ends instead.
"""

CONFLICTS = (
    delta.DeltaConcurrentModificationException,
    delta.ConcurrentWriteException,
    delta.MetadataChangedException,
    delta.ProtocolChangedException,
    delta.ConcurrentAppendException,
    delta.ConcurrentDeleteReadException,
    delta.ConcurrentDeleteDeleteException,
    delta.ConcurrentTransactionException,
)
"""What Delta says when another commit came between, which its own second attempt cannot mend."""

TASKS = pa.schema(
    [
        ("task", pa.int32()),
        ("path", pa.string()),
        ("name", pa.string()),
        ("part", pa.struct([(field.name, pa.int64()) for field in fields(Part)])),
    ]
)
"""What each task of reading is told; without a part it reads the whole file."""

EXECUTORS_LACK = re.compile(
    r"No module named '\w+'?|PyArrow >= [\d.]+ must be installed|Cannot run program [^\s:]+"
    r"|Python in worker has different version"
)
"""What an executor says whose Python is not ours, or lacks our packages."""

SMALL_TABLE_ROWS = 200_000
"""A table of so many rows is read and merged faster by delta-rs than Spark plans to do it."""

SMALL = {
    # To compile a query costs more than to interpret it for some thousand rows.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}


def start_session(
    where: SparkMaster,
    store: Store,
    *,
    memory: str,
    jars: Sequence[Path],
    java_home: Path,
    scratch: Path,
) -> SparkSession:
    """
    Start (or get) this process's Spark session; `TryAgain` when its Java ends meanwhile.

    `memory` is the driver's heap, which in local mode is all there is; `scratch` takes shuffle
    files and the log settings.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    log4j = scratch / "log4j2.properties"
    log4j.write_text(LOG4J, encoding="utf-8")
    # It prints every failing query with the values it failed on; errors reach people elsewhere.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    os.environ["JAVA_HOME"] = str(java_home)
    packed = {} if where.is_local or where.archive is None else _packed(where.archive)
    os.environ["PYSPARK_PYTHON"] = where.python or (python_name() if packed else sys.executable)
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if logins := _logins(where, store.s3):
        secrets = scratch / "secrets.conf"
        secrets.touch(mode=0o600)
        lines = [f"{key}={value}\n".replace("\\", r"\\") for key, value in logins.items()]
        secrets.write_text("".join(lines), encoding="utf-8")
        words = ("--load-spark-defaults", "--properties-file", str(secrets), "pyspark-shell")
        os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join(words)
    builder: Any = SparkSession.builder
    builder = builder.master(where.master).appName("redcliff")
    settings = SETTINGS | _storage(store.s3) | packed
    if where.is_here:
        os.environ["SPARK_LOCAL_HOSTNAME"] = "localhost"
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    for key, value in settings.items():
        builder = builder.config(key, value)
    options = f"-Duser.timezone=UTC -Dlog4j2.configurationFile={log4j.as_uri()} {JAVA_OPTIONS}"
    builder = (
        builder.config("spark.jars", ",".join(str(jar) for jar in jars))
        .config("spark.driver.memory", memory)
        .config("spark.driver.extraJavaOptions", options)
        .config("spark.local.dir", str(scratch))
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
    )
    for key, value in where.conf.items():
        builder = builder.config(key, value)
    try:
        session: SparkSession = builder.getOrCreate()
    except (PySparkRuntimeError, Py4JNetworkError, ConnectionError) as error:
        if isinstance(error, PySparkRuntimeError) and error.getCondition() != NO_JAVA:
            raise
        raise TryAgain(
            "Spark has ended before it was up: killed, or it cannot start here, which `redcliff "
            "doctor --engine spark` tells; else the same command tries again"
        ) from error
    return session


def _packed(archive: str) -> dict[str, str]:
    """What makes executors unpack the archive of `redcliff pack` and import from it."""
    if "://" not in archive:
        check_archive(Path(archive))
        archive = Path(archive).as_uri()
    return {"spark.archives": f"{archive}#{FOLDER}", "spark.executorEnv.PYTHONPATH": FOLDER}


def _storage(s3: S3 | None) -> dict[str, str]:
    """
    S3 through S3A, with commits by a conditional PUT: who comes second is told so (ADR 0013).
    """
    if s3 is None:
        return {}
    return {
        **{f"spark.hadoop.{key}": value for key, value in s3.hadoop_options().items()},
        "spark.delta.logStore.s3.impl": LOG_STORE,
        "spark.delta.logStore.s3a.impl": LOG_STORE,
    }


def _logins(where: SparkMaster, s3: S3 | None) -> dict[str, str]:
    """
    Settings that are secret: a file tells them to the JVM, whose command line everybody may read.
    """
    settings: dict[str, str] = {}
    if s3 is not None:
        settings |= {f"spark.hadoop.{key}": value for key, value in s3.hadoop_login().items()}
    if where.secret is not None:
        settings["spark.authenticate"] = "true"
        settings["spark.authenticate.secret"] = where.secret
        settings["spark.network.crypto.enabled"] = "true"
    return settings


class SparkWorkspace:
    """Relations are temporary views of a child session, which also carries the transaction."""

    def __init__(self, session: SparkSession, day: date | None, handles: Handles) -> None:
        self._session = session
        self._handles = handles
        self._store = handles.store
        self._day = day
        self._kept: list[DataFrame] = []
        self._views: set[str] = set()

    def _frame(self, query: exp.Query) -> DataFrame:
        return self._session.sql(render(query, "spark", self._day))

    def _name(self, name: str, frame: DataFrame) -> None:
        frame.createOrReplaceTempView(name)
        self._views.add(name)

    def _keep(self, frame: DataFrame) -> DataFrame:
        kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
        self._kept.append(kept)
        return kept

    def read_files(
        self, name: str, reading: Reading, files: Sequence[LandedFile], *, keep: bool = False
    ) -> None:
        """
        One task a file, or a part of a large one, each running the reader of `lake.readers`; all
        cores do the rest.
        """
        from lake.readers import parts_of

        tasks = [(f, part) for f in files for part in parts_of(reading, f.split, f.size)]
        listed = pa.Table.from_pylist(
            [
                {"task": n, "path": f.path, "name": f.name, "part": asdict(part) if part else None}
                for n, (f, part) in enumerate(tasks)
            ],
            schema=TASKS,
        )
        frame = self._session.createDataFrame(listed)
        if len(tasks) > 1:
            frame = frame.repartitionById(len(tasks), "task")  # by hash, two may share a core
        records = frame.mapInArrow(Records(reading, self._store), _spark_schema(reading.schema))
        cores = self._session.sparkContext.defaultParallelism
        if len(tasks) < cores:
            records = records.repartition(cores)
        self._name(name, self._keep(records) if keep else records)

    def add_rows(self, name: str, rows: pa.Table) -> None:
        """A local relation; meant for what fits the driver."""
        # Spark 4.2 reads no further than an empty batch, and pyspark wants one of no rows at all.
        batches = [b for b in rows.to_batches() if b.num_rows] or [_no_rows(rows.schema)]
        frame = self._session.createDataFrame(pa.Table.from_batches(batches, rows.schema))
        self._name(name, frame)

    def add_table(self, name: str, path: str, version: int | None = None) -> None:
        """The Delta table at a version."""
        reader = self._session.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        self._name(name, reader.load(path))

    def add_query(self, name: str, query: exp.Query, *, keep: bool = False) -> None:
        """A view; kept ones are held in memory, or on disk when there is no room."""
        frame = self._frame(query)
        self._name(name, self._keep(frame) if keep else frame)

    def release(self, name: str) -> None:
        """It stays until the end: what was kept of it may have to be computed again."""

    def rows(self, query: exp.Query) -> pa.Table:
        """The rows of `query`, collected to this process."""
        return self._frame(query).toArrow()

    def ask(self, query: exp.Query, seconds: float) -> Answer:
        """All rows at once; Spark stops its own jobs after `seconds`."""
        context = self._session.sparkContext
        clock = threading.Timer(seconds, context.cancelAllJobs)
        clock.daemon = True
        clock.start()
        try:
            rows = self.rows(query)
        except PySparkException as error:
            if not clock.is_alive():
                raise overtime(seconds) from error
            raise UsageError(cleaned(str(error))) from error
        finally:
            clock.cancel()
        return Answer(rows.schema, iter(rows.to_batches()))

    def append(self, path: str, query: exp.Query, transaction: Transaction) -> None:
        """One Delta commit; skipped by Delta when the transaction stands already."""
        frame = self._frame(query)
        with self._committing(path, transaction):
            frame.write.format("delta").mode("append").save(path)

    def append_each(self, appends: Sequence[Append]) -> Generator[Append]:
        """One after the other."""
        for append in appends:
            self.append(append.path, append.rows, append.transaction)
            yield append

    def merge(self, path: str, query: exp.Query, merge: Merge, transaction: Transaction) -> None:
        """One Delta commit; columns are matched by name."""
        source = self._frame(query)
        columns = [c for c in source.columns if c != "_op"]
        updates = merge.updates if merge.updates is not None else tuple(columns)
        self._name("_merge_source", source)
        on = [f"t.`{c}` = s.`{c}`" for c in merge.on]
        if merge.target is not None:
            on.append(f"({merge.target})")
        statement = f"""
            MERGE INTO delta.`{path}` AS t USING _merge_source AS s ON {" AND ".join(on)}
            WHEN MATCHED AND s._op = 'delete' THEN DELETE
            WHEN MATCHED THEN UPDATE SET {", ".join(f"t.`{c}` = s.`{c}`" for c in updates)}
            WHEN NOT MATCHED AND s._op IN ('insert', 'upsert') THEN
              INSERT ({", ".join(f"`{c}`" for c in columns)})
              VALUES ({", ".join(f"s.`{c}`" for c in columns)})"""
        with self._committing(path, transaction):
            self._session.sql(statement)

    @contextmanager
    def _committing(self, path: str, transaction: Transaction) -> Iterator[None]:
        conf = self._session.conf
        conf.set("spark.databricks.delta.write.txnAppId", transaction.app)
        conf.set("spark.databricks.delta.write.txnVersion", str(transaction.version))
        try:
            yield
        except CONFLICTS as error:
            why = type(error).__name__.removesuffix("Exception")
            raise TryAgain(f"{path}: nothing was committed ({why}); try again") from error
        finally:
            conf.unset("spark.databricks.delta.write.txnAppId")
            conf.unset("spark.databricks.delta.write.txnVersion")

    def close(self) -> None:
        """Give back what was kept, and the rows that views hold in the driver's heap."""
        for frame in self._kept:
            frame.unpersist()
        for view in self._views:
            self._session.catalog.dropTempView(view)


class SmallSparkWorkspace(SparkWorkspace):
    """
    For a few thousand rows: Spark computes, this process reads files and commits.

    A Spark commit costs one to three seconds whatever its size, a Delta snapshot in Spark another;
    delta-rs does either in milliseconds. A table that has grown large is left to Spark.
    """

    def read_files(
        self, name: str, reading: Reading, files: Sequence[LandedFile], *, keep: bool = False
    ) -> None:
        """The same reader, in this process; the records are held for as long as their relation."""
        from lake.readers import read

        batches = [b for f in files for b in read(reading, f.path, f.name, self._store)]
        self.add_rows(name, pa.Table.from_batches(batches, reading.schema))

    def add_table(self, name: str, path: str, version: int | None = None) -> None:
        """The rows of a small table, read by delta-rs."""
        if self._is_large(path, version):
            super().add_table(name, path, version)
        else:
            self.add_rows(name, delta_rs.read(self._store, path, version))

    def add_query(self, name: str, query: exp.Query, *, keep: bool = False) -> None:
        """A view; a kept one is held by this process, which cuts the plan that made it."""
        if keep:
            self.add_rows(name, self.rows(query))
        else:
            super().add_query(name, query)

    def append(self, path: str, query: exp.Query, transaction: Transaction) -> None:
        """One Delta commit by delta-rs."""
        delta_rs.append(self._handles, path, self.rows(query), transaction)

    def merge(self, path: str, query: exp.Query, merge: Merge, transaction: Transaction) -> None:
        """One Delta commit, by delta-rs when the table is small."""
        if self._is_large(path):
            super().merge(path, query, merge, transaction)
        else:
            delta_rs.merge(self._handles, path, self.rows(query), merge, transaction)

    def _is_large(self, path: str, version: int | None = None) -> bool:
        newest = version is None
        table = self._handles.newest(path) if newest else self._store.delta(path, version)
        return table.count() > SMALL_TABLE_ROWS


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)


def _spark_schema(schema: pa.Schema) -> str:
    names = {pa.string(): "string", pa.int64(): "bigint"}
    return ", ".join(f"`{field.name}` {names[field.type]}" for field in schema)


class SparkEngine:
    """Spark, locally or on a cluster, by its session."""

    name = "spark"
    version = pyspark.__version__
    parallel = 3  # small jobs wait more for planning and commits than for cores

    def __init__(
        self, session: SparkSession, store: Store = LOCAL, handles: Handles | None = None
    ) -> None:
        self._session = session
        self._context: Any = session.sparkContext._jsc.sc()
        self.handles = handles or Handles(store)
        self._large = threading.RLock()

    @contextmanager
    def workspace(
        self, day: date | None = None, *, small: bool = False
    ) -> Iterator[SparkWorkspace]:
        """
        A child session: its own views and settings, the same cache and executors.

        One that is not small has all cores to itself, and waits for others that are not: two at
        once would hold twice the rows, and be no faster. `TryAgain` when Spark itself has ended.
        """
        kind = SmallSparkWorkspace if small else SparkWorkspace
        with self._while_it_lives(), nullcontext() if small else self._large:
            session = self._session.newSession()
            for key, value in (SMALL if small else {}).items():
                session.conf.set(key, value)
            workspace = kind(session, day, self.handles)
            try:
                yield workspace
            finally:
                workspace.close()

    def close(self) -> None:
        """Stop Spark, if it still runs."""
        with suppress(TryAgain), self._while_it_lives():
            self._session.stop()

    @contextmanager
    def _while_it_lives(self) -> Iterator[None]:
        try:
            yield
        except RedcliffError:
            raise
        except Exception as error:
            if self._has_ended():
                raise TryAgain(
                    "Spark has ended in the middle of it: killed, out of memory, or sent away by "
                    "its cluster; what was done stands, and the same command goes on from there"
                ) from error
            # Spark's own errors alone: this process may lack a module too.
            told = str(error) if isinstance(error, (PySparkException, Py4JError)) else ""
            if found := EXECUTORS_LACK.search(told):
                raise EnvironmentProblem(
                    f"Spark's executors cannot read files: {found[0]}; run `redcliff pack` and "
                    "name its archive in the profile (spark.archive), and their Python "
                    "(spark.python) where it is not called as this one"
                ) from error
            raise

    def _has_ended(self) -> bool:
        """Whether the JVM is gone, or the cluster has ended the application."""
        try:
            return bool(self._context.isStopped())
        except (OSError, Py4JError):
            return True  # nobody answers


class SparkWhenNeeded:
    """
    Spark that is started for its first workspace: many a run finds nothing to do, and a session
    on a cluster takes a minute and cores that others wait for.
    """

    name = SparkEngine.name
    version = SparkEngine.version
    parallel = SparkEngine.parallel

    def __init__(self, start: Callable[[], SparkEngine], handles: Handles) -> None:
        self.handles = handles
        self._start = start
        self._started: SparkEngine | None = None
        self._starting = threading.Lock()

    def workspace(
        self, day: date | None = None, *, small: bool = False
    ) -> AbstractContextManager[SparkWorkspace]:
        """A workspace of the engine, which is started now if it was not."""
        with self._starting:
            if self._started is None:
                self._started = self._start()
        return self._started.workspace(day, small=small)

    def close(self) -> None:
        """Stop Spark, if it was started and still runs."""
        if self._started is not None:
            self._started.close()
