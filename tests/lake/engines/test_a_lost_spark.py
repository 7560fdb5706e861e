"""Spark that dies in the middle of a run: nobody is wrong, the same command goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

CODE = """
import sys
from pathlib import Path
from sqlglot import parse_one
from catalog.errors import TryAgain
from lake.addresses import THIS_MACHINE
from lake.engines.spark import SparkEngine, start_session
from lake.store import LOCAL
from lake.toolchain import delta_jars, find_java

session = start_session(
    THIS_MACHINE, LOCAL, memory="700m", jars=delta_jars(), java_home=find_java().home,
    scratch=Path(sys.argv[1]),
)
engine = SparkEngine(session)
allocate = session._jvm.java.nio.ByteBuffer.allocate
try:
    with engine.workspace() as workspace:
        assert workspace.rows(parse_one("SELECT 1 AS n")).num_rows == 1
        END
        workspace.rows(parse_one("SELECT 2 AS n"))
except TryAgain as error:
    print(error)
engine.close()
"""

ENDS = {
    "killed": "session.sparkContext._gateway.proc.kill()",
    "sent-away": "session.sparkContext._jsc.sc().stop()",
    "out-of-memory": "full = [allocate(1 << 27) for _ in range(8)]",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_spark_that_has_ended_is_no_fault_of_anybody(tmp_path: Path, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("END", ENDS[end]), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=REPOSITORY,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Spark has ended in the middle of it")
