"""
Places at which a test can let the process die, as a power cut would: nothing is closed or flushed.

`REDCLIFF_FAILPOINT=<name>:<n>` kills it (SIGKILL) when `<name>` is reached for the n-th time. This
is the one place beside `lake.settings` that reads the environment, because a crash has to be
possible before there are settings, and is no setting of a site.
"""

from __future__ import annotations

import os
import signal
from itertools import count

_name, _, _nth = os.environ.get("REDCLIFF_FAILPOINT", "").partition(":")
_times = count(1)


def reach(name: str) -> None:
    """Say that the place `name` is reached; returns unless a test asked otherwise."""
    if name == _name and next(_times) == int(_nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
