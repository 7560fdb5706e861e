"""
How long work shows that it goes on: always on stderr, so that stdout stays the answer's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import RLock
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars


class Advance(Protocol):
    """Tells that `n` more parts of a step are done; may be called from any thread."""

    def __call__(self, n: int = 1) -> None:
        """Count `n` parts."""
        ...


class Progress(Protocol):
    """What a job tells about itself while it works."""

    def step(self, description: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A piece of work with `total` parts (None: unknown); steps may lie within each other."""
        ...

    def note(self, text: str) -> None:
        """A sentence that stays on the screen."""
        ...


class SilentProgress:
    """Says nothing: for tests, and for callers that watch by other means."""

    @contextmanager
    def step(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """The work, unseen."""
        yield _ignore

    def note(self, text: str) -> None:
        """Nothing."""


class RichProgress:
    """
    Moving bars on a terminal; elsewhere one line when a step begins and one when it ends.

    A step that ends leaves its line with the seconds it took, also when it failed.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bars: Bars | None = None
        self._open = 0
        self._lock = RLock()

    @contextmanager
    def step(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """The work as a bar."""
        bars = self._begin(description)
        task = bars.add_task(description, total=total) if bars else None
        done = 0
        ended = "failed"

        def advance(n: int = 1) -> None:
            nonlocal done
            with self._lock:
                done += n
            if bars and task is not None:
                bars.advance(task, n)

        started = time.monotonic()
        try:
            yield advance
            ended = "done"
        finally:
            if bars and task is not None:
                bars.remove_task(task)
            parts = (
                f" ({done})" if total is None and done else f" ({done}/{total})" if total else ""
            )
            self.note(f"{description}{parts}: {ended} in {time.monotonic() - started:.1f} s")
            self._end()

    def note(self, text: str) -> None:
        """The sentence, above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _begin(self, description: str) -> Bars | None:
        if not self._console.is_terminal:
            self.note(f"{description} …")
            return None
        with self._lock:
            self._open += 1
            if self._bars is None:
                self._bars = Bars(
                    SpinnerColumn(),
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    console=self._console,
                    transient=True,
                )
                self._bars.start()
            return self._bars

    def _end(self) -> None:
        with self._lock:
            if self._bars is None:
                return
            self._open -= 1
            if self._open == 0:
                self._bars.stop()
                self._bars = None


def _ignore(n: int = 1) -> None:
    """An advance that nobody watches."""
