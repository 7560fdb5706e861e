"""
Work in several threads, each piece after those that it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from heapq import heappop, heappush
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


def in_dependency_order(
    tasks: Mapping[K, Collection[K]],
    work: Callable[[K], R],
    *,
    threads: int,
    stop: Callable[[], None],
) -> dict[K, R]:
    """
    `work` over the keys of `tasks`, `threads` at once, each after the keys that it names there.

    They begin in the order of `tasks` as far as they may; of those that wait for each other the
    first begins. The first error ends it: nothing more begins, `stop` is called, and what is at
    work is waited for.
    """
    keys = list(tasks)
    places = {key: place for place, key in enumerate(keys)}
    awaited = [{places[one] for one in tasks[key] if one in places} for key in keys]
    followers: list[list[int]] = [[] for _ in keys]
    for place, before in enumerate(awaited):
        before.discard(place)
        for one in before:
            followers[one].append(place)
    ready = [place for place, before in enumerate(awaited) if not before]
    waiting = set(range(len(keys))) - set(ready)
    running: dict[Future[R], int] = {}
    results: dict[K, R] = {}
    with ThreadPoolExecutor(threads) as pool:
        try:
            while ready or running or waiting:
                if not ready and not running:
                    ready = [_first_of_a_circle(awaited, min(waiting))]
                    waiting -= {*ready}
                while ready and len(running) < threads:
                    place = heappop(ready)
                    running[pool.submit(work, keys[place])] = place
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    place = running.pop(ended)
                    results[keys[place]] = ended.result()
                    for one in followers[place]:
                        awaited[one].discard(place)
                        if not awaited[one] and one in waiting:
                            waiting.remove(one)
                            heappush(ready, one)
        except BaseException:
            stop()
            raise
    return results


def _first_of_a_circle(awaited: Sequence[Collection[int]], place: int) -> int:
    """The first of those that wait for each other, and `place` for them."""
    path: list[int] = []
    while place not in path:
        path.append(place)
        place = min(awaited[place])
    return min(path[path.index(place) :])
