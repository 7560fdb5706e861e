"""
The watcher of the inbox: notices that something was laid down, without a worker.

It runs in Airflow's triggerer, which imports it by name: the folder `dags` is on its PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

DEPTH = 3
"""How many folders below the inbox a delivery lies."""


PAUSE = 20
"""How many times as long as a look took is waited at least until the next one."""


class InboxTrigger(BaseEventTrigger):
    """
    Fires when anything in the inbox has changed and then lain still for one look; once more after
    `settle_seconds`, when a folder without a marker counts as whole; and once at the start.

    Whether a delivery is complete, and good, is judged by `redcliff deliver` alone.
    """

    def __init__(
        self, folder: str, look_seconds: float = 1.0, settle_seconds: float = 300.0
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
        told: dict[str, Seen] | None = None
        seen: dict[str, Seen] = {}
        again: float | None = None
        while True:
            begun = time.monotonic()
            found = await asyncio.to_thread(look, self.folder, seen, self.settle_seconds)
            if found == seen and found != told:
                told, again = found, time.monotonic() + self.settle_seconds
                yield TriggerEvent("changed")
            elif again is not None and time.monotonic() >= again:
                again = None
                yield TriggerEvent("settled")
            seen = found
            took = time.monotonic() - begun
            await asyncio.sleep(max(self.look_seconds, PAUSE * took))


@dataclass(frozen=True)
class Seen:
    """What was seen at a place: when it changed, and the size and time of each file in it."""

    changed_at: int
    files: tuple[tuple[str, int, int], ...] = ()

    @property
    def newest(self) -> int:
        """When anything here changed last, in nanoseconds since 1970."""
        return max([self.changed_at, *(changed for _, _, changed in self.files)])


def look(folder: str, seen: dict[str, Seen], still_seconds: float) -> dict[str, Seen]:
    """
    Everything that lies in the inbox, by path.

    A folder in which nothing has changed for `still_seconds` is not looked into again as long as
    no name comes or goes in it: an inbox may hold years. What somebody writes into an old file
    there is seen by `redcliff deliver`.
    """
    before = time.time_ns() - int(still_seconds * 1e9)
    found = {}
    for path, entry in _places(folder, 0):
        known = seen.get(path)
        try:
            changed_at = entry.stat(follow_symlinks=False).st_mtime_ns
            if known is not None and known.changed_at == changed_at and known.newest < before:
                found[path] = known
            elif entry.is_dir(follow_symlinks=False):
                found[path] = Seen(changed_at, tuple(_files(path)))
            else:
                found[path] = Seen(changed_at)
        except OSError:
            # It went away while it was looked at, or cannot be read: `redcliff deliver` says so.
            found[path] = Seen(0)
    return found


def _places(folder: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every delivery folder, and every file that lies where none can be."""
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        return
    for entry in listed:
        if depth < DEPTH - 1 and entry.is_dir(follow_symlinks=False):
            yield from _places(entry.path, depth + 1)
        else:
            yield entry.path, entry


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            status = entry.stat(follow_symlinks=False)
            yield entry.name, status.st_size, status.st_mtime_ns
