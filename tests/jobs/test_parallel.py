"""Work in threads, each piece after those that it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from threading import Event, Lock

import pytest

from jobs.parallel import in_dependency_order

PATIENCE = 10.0


def in_order(tasks: Mapping[str, str], threads: int = 1) -> list[str]:
    """The names in the order in which they began; each waits for the letters behind it."""
    begun: list[str] = []
    done = in_dependency_order(tasks, begun.append, threads=threads, stop=lambda: None)
    assert done.keys() == tasks.keys()
    return begun


def test_what_waits_for_nothing_begins_in_the_order_given() -> None:
    assert in_order({"c": "", "a": "", "b": ""}) == ["c", "a", "b"]


def test_what_waits_begins_later_and_what_comes_first_goes_first() -> None:
    assert in_order({"a": "c", "b": "", "c": "", "d": "a"}) == ["b", "c", "a", "d"]


def test_what_is_not_there_is_not_waited_for() -> None:
    assert in_order({"a": "z", "b": "b"}) == ["a", "b"]


def test_of_those_that_wait_for_each_other_the_first_begins() -> None:
    assert in_order({"x": "c", "a": "b", "b": "a", "c": "a"}) == ["a", "b", "c", "x"]


def test_nothing_is_no_work() -> None:
    assert in_order({}) == []


@pytest.mark.parametrize("seed", range(20))
def test_each_piece_ends_before_those_that_wait_for_it_begin(seed: int) -> None:
    dice = Random(seed)
    names = [str(n) for n in range(40)]
    tasks = {
        name: dice.sample(names[:n], min(n, dice.randrange(4))) for n, name in enumerate(names)
    }
    shuffled = dict(dice.sample(sorted(tasks.items()), len(tasks)))
    ended: set[str] = set()
    lock, most, at_work = Lock(), 0, 0

    def work(name: str) -> str:
        nonlocal most, at_work
        with lock:
            at_work += 1
            most = max(most, at_work)
            assert set(tasks[name]) <= ended
        with lock:
            at_work -= 1
            ended.add(name)
        return name * 2

    done = in_dependency_order(shuffled, work, threads=3, stop=lambda: None)

    assert done == {name: name * 2 for name in names}
    assert most <= 3


def test_pieces_that_wait_for_nothing_are_at_work_together() -> None:
    met = Event()

    def work(name: str) -> bool:
        if name == "b":
            met.set()
        return met.wait(PATIENCE)

    done = in_dependency_order({"a": "", "b": ""}, work, threads=2, stop=lambda: None)

    assert all(done.values())


def test_an_error_ends_it_and_what_is_at_work_is_told() -> None:
    told, begun = Event(), set()

    def work(name: str) -> None:
        begun.add(name)
        if name == "waits":
            assert told.wait(PATIENCE)
        else:
            raise ValueError(name)

    tasks = {"waits": "", "fails": "", "later": "", "after": ["fails"]}
    with pytest.raises(ValueError, match="fails"):
        in_dependency_order(tasks, work, threads=2, stop=told.set)

    assert begun == {"waits", "fails"}
