"""
The process that the supervisor runs in: `python -m jobs.stack.daemon`, started by `redcliff up`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from jobs.exits import told
from jobs.stack.components import load_stack
from jobs.stack.record import Record, forget, hold, write
from jobs.stack.supervisor import Supervisor
from lake.settings import load_settings


def main(profile: str, home: str, *chosen: str) -> int:
    """Start the components and keep them, until a signal says to stop; leaves no process."""
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    stack = load_stack(load_settings(profile, Path(home), os.environ), os.environ, chosen)
    lock = hold(stack.folder)
    if lock is None:
        return 1
    write(stack.folder, Record(os.getpid(), stack.chosen, ()))
    # Nothing of an earlier run, which may have ended badly, is left to this one.
    shutil.rmtree(stack.folder / "tmp", ignore_errors=True)
    stack.place("logs")
    try:
        services = [
            service for name in stack.chosen for service in stack.components[name].services(stack)
        ]
        supervisor = Supervisor(services, stack.folder, stack.environ, chosen=stack.chosen)
        ended = supervisor.run(lambda: stopping)
    except Exception as error:
        ended = told(error)
        write(stack.folder, Record(os.getpid(), stack.chosen, (), ended))
        raise
    finally:
        shutil.rmtree(stack.folder / "tmp", ignore_errors=True)
    if ended is None:
        forget(stack.folder)
    lock.close()
    return 0 if ended is None else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
