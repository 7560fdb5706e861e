"""
The watcher of the inbox: notices that something was laid down, without a worker.

It runs in Airflow's triggerer, which imports it by name: the folder `dags` is on its PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

DEPTH = 3
"""How many folders below the inbox a delivery lies."""


class InboxTrigger(BaseEventTrigger):
    """
    Fires when anything in the inbox has changed and then lain still for one look; once more after
    `settle_seconds`, when a folder without a marker counts as whole; and once at the start.

    Whether a delivery is complete, and good, is judged by `redcliff deliver` alone.
    """

    def __init__(
        self, folder: str, look_seconds: float = 5.0, settle_seconds: float = 300.0
    ) -> None:
        super().__init__()
        self.folder = folder
        self.look_seconds = look_seconds
        self.settle_seconds = settle_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where the triggerer finds it, and with what."""
        words = {
            "folder": self.folder,
            "look_seconds": self.look_seconds,
            "settle_seconds": self.settle_seconds,
        }
        return "redcliff_dags.inbox.InboxTrigger", words

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """An event for every change; it says that, and nothing of what lies there."""
        told = seen = _signature(None)
        again: float | None = None
        while True:
            found = await asyncio.to_thread(_signature, self.folder)
            if found == seen and found != told:
                told, again = found, time.monotonic() + self.settle_seconds
                yield TriggerEvent("changed")
            elif again is not None and time.monotonic() >= again:
                again = None
                yield TriggerEvent("settled")
            seen = found
            await asyncio.sleep(self.look_seconds)


def _signature(folder: str | None) -> str:
    """A text that changes with every file that comes, goes or grows."""
    digest = hashlib.sha256()
    for line in sorted(_entries(folder, 0)) if folder else ():
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _entries(folder: str, depth: int) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            for entry in found:
                status = entry.stat(follow_symlinks=False)
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}\n"
                if depth < DEPTH and entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path, depth + 1)
    except OSError:
        # It went away while it was looked at, or cannot be read: `redcliff deliver` says so.
        yield f"{folder} ?\n"
