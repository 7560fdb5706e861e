"""
Run by a test in a process of its own: Spark reads tables of a lake on S3.

Arguments: as `tests.stack.sparks` gives them, then the lake, a folder to write into, and tables.
Writes the rows of each as an Arrow file, and prints how many tables.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from lake.tables import Tables
from tests.stack.sparks import given, spark_session

AT_ONCE = 4
"""So many tables are read side by side: Spark plans most of the time, and waits for S3."""


def main() -> None:
    """See the module."""
    store, (lake, out, *names) = given()
    tables = Tables(lake, store)
    with spark_session(store) as spark, ThreadPoolExecutor(AT_ONCE) as pool:

        def copy(name: str) -> None:
            rows = spark.read.format("delta").load(tables.path(name)).toArrow()
            assert isinstance(rows, pa.Table)
            with (
                pa.OSFile(str(Path(out) / name), "wb") as file,
                pa.ipc.new_file(file, rows.schema) as writer,
            ):
                writer.write_table(rows)

        list(pool.map(copy, names))
    sys.stdout.write(json.dumps(len(names)) + "\n")


if __name__ == "__main__":
    main()
