from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from jobs.progress import RichProgress


def lines(output: io.StringIO) -> list[str]:
    return [re.sub(r"\d+\.\d s", "0.0 s", line) for line in output.getvalue().splitlines()]


def test_in_a_log_a_step_has_a_line_when_it_begins_and_one_when_it_ends() -> None:
    output = io.StringIO()
    progress = RichProgress(Console(file=output))

    with progress.step("loading deliveries", 3) as advance:
        advance()
        advance(2)
        progress.note("one [bold] thing")

    assert lines(output) == [
        "loading deliveries …",
        "one [bold] thing",
        "loading deliveries (3/3): done in 0.0 s",
    ]


def test_a_step_that_fails_says_how_far_it_came() -> None:
    output = io.StringIO()
    progress = RichProgress(Console(file=output))

    def work() -> None:
        with progress.step("refreshing", 2) as advance:
            advance()
            raise KeyError

    with pytest.raises(KeyError):
        work()

    assert lines(output)[-1] == "refreshing (1/2): failed in 0.0 s"


def test_on_a_terminal_steps_lie_within_each_other_and_leave_their_lines() -> None:
    output = io.StringIO()
    progress = RichProgress(Console(file=output, force_terminal=True, width=80))

    with progress.step("outer"), progress.step("inner", 1) as advance:
        advance()
    with progress.step("after"):
        pass

    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output.getvalue())
    assert re.findall(r"(\w+)(?: \(1/1\))?: done", shown) == ["inner", "outer", "after"]
