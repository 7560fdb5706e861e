"""
Running `redcliff` from a task: what it says in the log, its document back, its exit code obeyed.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import IO, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from redcliff_dags.place import command

LATER = 3
"""The exit code that says: nobody is wrong, try again."""

MISUSED = 2

SAYS = "redcliff: "
"""How the error begins with which a command ends."""


class TryAgain(AirflowException):
    """Nobody is wrong: the task is retried, with growing pauses."""


class Misused(AirflowFailException):
    """The words do not fit, or no longer."""


class Running:
    """One `redcliff …` as a child process."""

    def __init__(self, words: Sequence[str], log: logging.Logger) -> None:
        self._words = tuple(words)
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> tuple[int, Mapping[str, Any]]:
        """
        Run it to its end; returns the exit code (0 or 1) and the document it answered to `--json`:
        without that an empty one, and its code is 0.

        What it says on the way goes into the task's log, what it answers does not. `TryAgain` for
        exit code 3 and for a process that was killed; a task that can never succeed fails at once
        (`AirflowFail…`), with redcliff's own words.
        """
        words = [*command(), *self._words]
        self._log.info("redcliff %s", " ".join(self._words))
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._process = process
            assert process.stdout is not None
            assert process.stderr is not None
            said: list[str] = []
            reader = Thread(target=self._listen, args=(process.stderr, said), daemon=True)
            reader.start()
            answered = process.stdout.read()
            reader.join()
        code = process.returncode
        if code < 0:
            raise TryAgain(f"redcliff was ended by {signal.Signals(-code).name}; it goes on")
        document = _document(answered)
        if code == 0 and "--json" not in self._words:
            return code, {}
        if code in (0, 1) and document is not None and "error" not in document:
            return code, document
        told = (document or {}).get("error", {}).get("message") or _error(said)
        if code == LATER:
            raise TryAgain(told)
        raise Misused(told) if code == MISUSED else AirflowFailException(told)

    def stop(self) -> None:
        """Tell it to end; what it has done by then stands."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def _listen(self, stream: IO[str], said: list[str]) -> None:
        for line in stream:
            said.append(line.rstrip())
            self._log.info("%s", line.rstrip())


def _document(answered: str) -> dict[str, Any] | None:
    try:
        document = json.loads(answered)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _error(said: Sequence[str]) -> str:
    """The error that it ended with, all of its lines."""
    begins = [number for number, line in enumerate(said) if line.startswith(SAYS)]
    words = said[begins[-1] :] if begins else [line for line in said if line][-1:]
    return "\n".join(words).removeprefix(SAYS) or "redcliff ended without a word"
