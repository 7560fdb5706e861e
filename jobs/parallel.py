"""
Work in several threads, each piece after those that it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
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
    sorter = _sorter({key: {k for k in tasks[key] if k in places and k != key} for key in keys})
    ready: list[int] = []
    running: dict[Future[R], K] = {}
    results: dict[K, R] = {}
    with ThreadPoolExecutor(threads) as pool:
        try:
            while sorter.is_active():
                for key in sorter.get_ready():
                    heappush(ready, places[key])
                while ready and len(running) < threads:
                    key = keys[heappop(ready)]
                    running[pool.submit(work, key)] = key
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    key = running.pop(ended)
                    results[key] = ended.result()
                    sorter.done(key)
        except BaseException:
            stop()
            raise
    return results


def _sorter(awaited: Mapping[K, set[K]]) -> TopologicalSorter[K]:
    """Prepared; the first of a circle waits for none of the others."""
    places = {key: place for place, key in enumerate(awaited)}
    while True:
        sorter = TopologicalSorter(awaited)
        try:
            sorter.prepare()
        except CycleError as error:
            circle: list[K] = error.args[1]
            awaited[min(circle, key=places.__getitem__)].difference_update(circle)
        else:
            return sorter
