from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

CODE = """
from lake.failpoints import reach
for step in (1, 2, 3):
    reach("other")
    reach("landed")
    print(step, flush=True)
"""


@pytest.mark.parametrize(
    ("failpoint", "reached", "returned"),
    [
        pytest.param(None, "1 2 3", 0, id="nobody-asked"),
        pytest.param("landed", "", -signal.SIGKILL, id="first-time"),
        pytest.param("landed:1", "", -signal.SIGKILL, id="first-time-said"),
        pytest.param("landed:3", "1 2", -signal.SIGKILL, id="third-time"),
        pytest.param("landed:4", "1 2 3", 0, id="never-so-often"),
        pytest.param("recorded:1", "1 2 3", 0, id="another-place"),
    ],
)
def test_the_process_dies_where_the_test_says(
    failpoint: str | None, reached: str, returned: int
) -> None:
    environ = {**os.environ, **({"REDCLIFF_FAILPOINT": failpoint} if failpoint else {})}

    ended = subprocess.run(
        [sys.executable, "-c", CODE], env=environ, capture_output=True, text=True, check=False
    )

    assert ended.stdout.split() == reached.split()
    assert ended.returncode == returned
