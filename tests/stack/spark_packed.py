"""
Run by a test in a process of its own: a landed file, read on executors of the cluster.

Arguments: as `tests.stack.sparks` gives them, then master, file of its secret, the executors'
Python, the archive (or `-`), and the URLs of files to read. Prints one JSON document: the
rows, or what was said instead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sqlglot import exp

from catalog.errors import EnvironmentProblem
from lake.addresses import SparkMaster
from lake.engine import LandedFile
from lake.engines.spark import SparkEngine
from lake.splits import Split
from tests.lake.readers.making import reading
from tests.stack.sparks import given, spark_session

HOW = reading("编号", "name", encoding="gb18030")


def main() -> None:
    """See the module."""
    store, (master, secret, python, archive, place, size, split) = given()
    where = SparkMaster(
        master,
        Path(secret).read_text(encoding="utf-8").strip(),
        {"spark.executor.memory": "512m", "spark.cores.max": "2"},
        python,
        None if archive == "-" else archive,
    )
    file = LandedFile(place, "人口.csv", int(size), Split.of(json.loads(split)))
    with spark_session(store, where) as session:
        try:
            with SparkEngine(session, store).workspace() as workspace:
                workspace.read_files("given", HOW, [file], keep=True)
                ordered = exp.select("*").from_("given").order_by("_row_number")
                told: object = workspace.rows(ordered).to_pylist()
        except EnvironmentProblem as problem:
            told = str(problem)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
