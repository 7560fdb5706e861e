"""SIGKILL between any two commits of a delivery: the next run ends in the tables of its twin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from lake.ledger import Ledger
from lake.state import open_state
from tests.stories.conftest import DAYS
from tests.stories.homes import REPOSITORY, SECRET, Home

DATASET = "population.household_register"
FAILPOINTS = ("judged", "planned", "raw", "quarantine", "history", "curated", "receipt")


def run_until(home: Home, failpoint: str, *, large: bool = False) -> int:
    """
    `redcliff run` of the dataset in a process of its own that kills itself at the failpoint;
    `large` makes it take the delivery for a large one.
    """
    main = "from jobs.cli import main; main()"
    if large:
        main = f"from jobs import relations; relations.SMALL_BYTES = 0; {main}"
    environ = {
        **os.environ,
        "REDCLIFF_SITE": str(REPOSITORY),
        "REDCLIFF_SITE_SECRET": SECRET,
        "REDCLIFF_FAILPOINT": f"{failpoint}:1",
    }
    command = [sys.executable, "-c", main, "run"]
    options = ["--home", str(home.settings.home), "--dataset", DATASET, "--json"]
    ended = subprocess.run(
        [*command, *options], env=environ, cwd=REPOSITORY, capture_output=True, timeout=300
    )
    return ended.returncode


def test_a_delivery_killed_at_every_step_is_finished_by_the_next_run(
    new_home: Callable[[str], Home],
) -> None:
    twin, killed = new_home("twin"), new_home("killed")
    for home in (twin, killed):
        home.deliver(DATASET, day=DAYS[0])
        home.run(dataset=DATASET)
        home.deliver(DATASET, day=DAYS[1])

    ends = [run_until(killed, failpoint) for failpoint in FAILPOINTS]
    report = killed.run(dataset=DATASET)
    twin_report = twin.run(dataset=DATASET)

    assert ends == [-signal.SIGKILL] * len(FAILPOINTS)
    (finished,), (expected,) = report.deliveries, twin_report.deliveries
    assert finished.status == expected.status
    assert finished.counts == expected.counts
    assert killed.versions() == twin.versions()
    for table in twin.tables.names():
        # The two homes received the same files at different moments; nothing else may differ.
        without = ("_received_at",) if table.startswith("raw.") else ()
        assert killed.rows(table, *without) == twin.rows(table, *without), table


@pytest.mark.parametrize(
    ("failpoint", "stand"),
    [("planned", 0), ("raw", 1), ("quarantine", 2), ("history", 3), ("curated", 4)],
)
def test_a_large_first_delivery_is_finished_from_where_it_was_killed(
    new_home: Callable[[str], Home], failpoint: str, stand: int
) -> None:
    twin, killed = new_home("twin"), new_home("killed")
    for home in (twin, killed):
        home.deliver(DATASET, day=DAYS[0])
    twin.run(dataset=DATASET)

    assert run_until(killed, failpoint, large=True) == -signal.SIGKILL
    steps = ["raw.{}", "curated.{}__quarantine", "curated.{}__history", "curated.{}"]
    steps = [table.format("population__household_register") for table in steps]
    assert [killed.tables.version(table) or 0 for table in steps] == [1] * stand + [0] * (4 - stand)
    killed.run(dataset=DATASET)

    assert killed.versions() == twin.versions()
    for table in twin.tables.names():
        without = ("_received_at",) if table.startswith("raw.") else ()
        assert killed.rows(table, *without) == twin.rows(table, *without), table


def test_what_a_killed_run_has_begun_is_finished_before_what_came_since(
    new_home: Callable[[str], Home],
) -> None:
    twin, killed = new_home("twin"), new_home("killed")
    first, second, third = DAYS
    for home in (twin, killed):
        for day in (first, third):
            home.deliver(DATASET, day=day)
            if (home, day) == (killed, third):
                assert run_until(home, "raw") == -signal.SIGKILL
            else:
                home.run(dataset=DATASET)
        home.deliver(DATASET, day=second)
        home.run(dataset=DATASET, through=second)
        home.run(dataset=DATASET)

    assert killed.versions() == twin.versions()
    for table in twin.tables.names():
        without = ("_received_at",) if table.startswith("raw.") else ()
        assert killed.rows(table, *without) == twin.rows(table, *without), table


def test_a_delivery_that_another_run_has_settled_meanwhile_is_left_as_it_is(
    new_home: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home("home")
    for day in DAYS[:2]:
        home.deliver(DATASET, day=day)
    seen = Ledger(open_state(home.settings.state_url)).pending()
    done = home.run(dataset=DATASET)
    before = home.versions()
    monkeypatch.setattr(Ledger, "pending", lambda *_: seen)

    again = home.run(dataset=DATASET)

    assert [(d.status, d.counts) for d in again.deliveries] == [
        (d.status, d.counts) for d in done.deliveries
    ]
    assert home.versions() == before
