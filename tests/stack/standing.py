"""
Runs in a process whose engine stays open: two of them meet closer than two that have to start.

The process takes a profile, a home and an engine. For each line on stdin it loads what has landed,
so many seconds later as the line says, and answers with a line on stdout: `ended`, or the error
that asks to try again.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.errors import TryAgain
from jobs.compiled import load_catalog
from jobs.engines import open_engine
from jobs.profile import settle
from jobs.progress import SilentProgress
from jobs.run import run
from jobs.selection import select as selected
from tests.stories.homes import REPOSITORY, Home
from tests.stories.processes import PATIENCE, files_beside, run_environ, send_to_tree


@dataclass(frozen=True)
class StandingRun:
    """The process; what it says on stderr goes into a file."""

    process: subprocess.Popen[str]
    log: Path

    def go(self, seconds: float) -> None:
        """Begin a run in so many seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    @property
    def is_at_work(self) -> bool:
        """Whether the run that was begun has not ended yet."""
        return not self._has_answered(0)

    def send(self, number: signal.Signals) -> None:
        """A signal to the process and to its JVM."""
        send_to_tree(self.process, number)

    def ended_well(self) -> bool:
        """Whether the run did all its work; if not, it has said to try again."""
        assert self.process.stdout is not None
        assert self._has_answered(PATIENCE), self.log.read_text()
        answer = self.process.stdout.readline().strip()
        assert answer == "ended" or "try again" in answer, (answer, self.log.read_text())
        return answer == "ended"

    def _has_answered(self, seconds: float) -> bool:
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], seconds)[0])


@contextmanager
def standing_run(home: Home, profile: Path, engine: str) -> Iterator[StandingRun]:
    """One on this home; whatever happens, neither it nor its JVM outlives this."""
    place = home.settings.home
    (log,) = files_beside(place, "log")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack.standing", str(profile), str(place), engine],
            env=run_environ(),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        yield StandingRun(process, log)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        send_to_tree(process, signal.SIGKILL)
        with process:
            pass  # its pipes are closed


def main() -> None:
    """See the module."""
    profile, home, engine_name = sys.argv[1:]
    settings = replace(settle(profile, Path(home), os.environ), engine=engine_name)
    catalog = load_catalog(settings.site)
    loads = selected(catalog, only="loads")
    with open_engine(settings) as engine:
        for line in sys.stdin:
            time.sleep(float(line))
            try:
                run(
                    settings,
                    catalog,
                    through=None,
                    progress=SilentProgress(),
                    selection=loads,
                    engine=engine,
                )
                answer = "ended"
            except TryAgain as error:
                answer = f"try again: {error}"
            sys.stdout.write(answer.replace("\n", " ") + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
