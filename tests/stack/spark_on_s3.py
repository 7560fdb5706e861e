"""
Run by a test in a process of its own: the Spark engine on S3, alone and beside other writers.

Arguments: as `tests.stack.sparks` gives them, then the URL of a folder. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psutil
import pyarrow as pa
from deltalake import write_deltalake
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from sqlglot import exp

from catalog.errors import TryAgain
from lake.engine import Merge, Transaction
from lake.engines import delta_rs
from lake.engines.spark import SparkEngine
from lake.handles import Handles
from lake.store import Store
from lake.tables import rows_of
from tests.stack.sparks import given, spark_session

ROWS = exp.select("*").from_("given")
RACES, WRITERS = 10, 8
COMMITS = 6


def races(session: SparkSession, root: str) -> dict[str, int]:
    """What writers of one new log file are told; who is told that it is written has written it."""
    spark: Any = session.sparkContext
    configuration = spark._jsc.hadoopConfiguration()
    told: Counter[str] = Counter()
    for number in range(RACES):
        path = spark._jvm.org.apache.hadoop.fs.Path(f"{root}/race/_delta_log/{number:020}.json")
        together = Barrier(WRITERS)

        def write(name: int, path: object = path, together: Barrier = together) -> str | None:
            store = spark._jvm.redcliff.ConditionalLogStore(configuration)
            lines = spark._jvm.java.util.ArrayList()
            lines.add(f"writer {name}")
            together.wait()
            try:
                store.write(path, lines.iterator(), False, configuration)
            except Py4JJavaError as error:
                return str(error.java_exception.getClass().getName())
            return None

        with ThreadPoolExecutor(WRITERS) as pool:
            ends = list(pool.map(write, range(WRITERS)))
        told.update(end or "written" for end in ends)
        store = spark._jvm.redcliff.ConditionalLogStore(configuration)
        written = store.read(path, configuration).next()
        assert written == f"writer {ends.index(None)}", (written, ends)
    return dict(told)


def write_beside(engine: SparkEngine, store: Store, table: str) -> None:
    """Spark and delta-rs append to one table at once, with no lease between them."""
    write_deltalake(table, pa.table({"k": ["-"]}), storage_options=store.options(table))
    handles = Handles(store)

    def append_small() -> None:
        for number in range(COMMITS * 5):
            rows = pa.table({"k": [f"delta-rs {number}"]})
            while True:
                try:
                    delta_rs.append(handles, table, rows, Transaction(f"delta-rs {number}"))
                    break
                except TryAgain:
                    continue

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(append_small)
        for number in range(COMMITS):
            with engine.workspace() as workspace:
                workspace.add_rows("given", pa.table({"k": [f"spark {number}"]}))
                workspace.append(table, ROWS, Transaction(f"spark {number}"))
        beside.result()


def main() -> None:
    """See the module."""
    store, (root,) = given()
    table = f"{root}/curated/a__b"
    with spark_session(store) as session:
        engine = SparkEngine(session, store)
        started = psutil.Process().children(recursive=True)
        alive = [one for one in started if one.status() != psutil.STATUS_ZOMBIE]
        words = [word for one in alive for word in one.cmdline()]
        assert "pyspark-shell" in words  # the JVM is among them
        shown = any(store.login(root).secret_key in word for word in words)
        with engine.workspace() as workspace:
            workspace.add_rows("given", pa.table({"k": ["一", "二"], "v": [1, 2]}))
            workspace.append(table, ROWS, Transaction("first"))
        with engine.workspace() as workspace:
            rows = pa.table({"k": ["二", "三"], "v": [20, 30], "_op": ["upsert", "upsert"]})
            workspace.add_rows("given", rows)
            workspace.merge(table, ROWS, Merge(on=("k",)), Transaction("second"))
            workspace.merge(table, ROWS, Merge(on=("k",)), Transaction("second"))
        with engine.workspace() as workspace:
            workspace.add_table("t", table)
            found = workspace.rows(exp.select("k", "v").from_("t").order_by("v")).to_pylist()
        told = races(session, root)
        shared = f"{root}/curated/a__shared"
        write_beside(engine, store, shared)
    document = {
        "rows": found,
        "version": store.delta(table).version(),
        "shown": shown,
        "races": told,
        "shared": sorted(rows_of(store.delta(shared))["k"].to_pylist()),
    }
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
