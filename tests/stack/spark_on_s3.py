"""
Run by a test in a process of its own: the Spark engine on S3.

Arguments: the URL of a folder, endpoint, key and the file of the secret. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import psutil
import pyarrow as pa
from sqlglot import exp

from lake.addresses import SparkMaster
from lake.engine import Merge, Transaction
from lake.engines.spark import SparkEngine, start_session
from lake.s3 import S3
from lake.store import Store
from lake.toolchain import delta_jars, find_java, s3_jars

ROWS = exp.select("*").from_("given")


def main() -> None:
    """See the module."""
    root, endpoint, key, secret = sys.argv[1:]
    store = Store(S3(endpoint, key, Path(secret).read_text(encoding="utf-8").strip()))
    table = f"{root}/curated/a__b"
    with tempfile.TemporaryDirectory() as scratch:
        session = start_session(
            SparkMaster("local[2]"),
            store,
            memory="1g",
            jars=[*delta_jars(), *s3_jars()],
            java_home=find_java().home,
            scratch=Path(scratch),
        )
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
        engine.close()
    sys.stdout.write(
        json.dumps({"rows": found, "version": store.delta(table).version(), "shown": shown}) + "\n"
    )


if __name__ == "__main__":
    main()
