"""Deliveries that come late, twice, or in the wrong order end in the tables of their twin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from lake.engine import Engine
from tests.extent import SEEDS
from tests.stories.conftest import DAYS
from tests.stories.homes import Home
from tests.stories.shuffled import KINDS, deliveries, make_home

FIRST, SECOND, THIRD = DAYS
DATASETS = (
    "population.household_register",
    "population.floating_register",
    "benefit.subsidy_payment",
)
FOLDERS = [dataset.replace(".", "__") for dataset in DATASETS]


def believed(home: Home, folder: str) -> list[dict[str, object]]:
    """History as it is believed, without who asserted it."""
    rows = home.rows(f"curated.{folder}__history")
    kept = [row for row in rows if row["_replaced_by"] is None]
    without = {"_delivery_id", "_replaced_by"}
    return sorted(({k: v for k, v in row.items() if k not in without} for row in kept), key=repr)


def counts(home: Home) -> dict[str, tuple[object, ...]]:
    """
    What the ledger says of every settled delivery of the three datasets.

    How many keys vanished stands beside the equation and depends on what was current when the
    delivery came: a snapshot that overtakes another takes away for both.
    """
    from lake.ledger import Ledger
    from lake.state import open_state

    ledger = Ledger(open_state(home.settings.state_url))
    told: dict[str, tuple[object, ...]] = {}
    for entry in ledger.entries():
        if entry.delivery.dataset in DATASETS:
            assert entry.counts is not None
            c = entry.counts
            told[entry.delivery.delivery_id] = (
                entry.status,
                c.received,
                c.accepted,
                c.quarantined,
                c.duplicates,
            )
    return told


def test_a_late_delivery_ends_in_the_tables_of_the_one_that_came_in_time(
    new_home: Callable[[str], Home],
) -> None:
    twin, late = new_home("twin"), new_home("late")
    for day in DAYS:
        twin.deliver(*DATASETS, day=day)
        twin.run()
    for day in (FIRST, THIRD, SECOND):
        late.deliver(*DATASETS, day=day)
        late.run()

    assert counts(late) == counts(twin)
    for folder in FOLDERS:
        current = f"curated.{folder}"
        assert late.rows(current) == twin.rows(current), folder
        if home_has_history(twin, folder):
            assert believed(late, folder) == believed(twin, folder), folder
        if f"{current}__quarantine" in twin.tables.names():
            bad = f"{current}__quarantine"
            assert late.rows(bad) == twin.rows(bad), folder


def home_has_history(home: Home, folder: str) -> bool:
    """Whether the dataset's contract keeps history."""
    return f"curated.{folder}__history" in home.tables.names()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_random_deliveries_end_the_same_in_every_order(
    tmp_path: Path, engine: Engine, kind: str, seed: int
) -> None:
    landed = make_home(tmp_path / "landed", kind, engine)
    landed.land(deliveries(kind, seed, 3))
    twin = landed.copy(tmp_path / "twin")
    for place in range(3):
        twin.load(place)

    for order in list(permutations(range(3)))[1:]:
        home = landed.copy(tmp_path / "".join(map(str, order)))
        for place in order:
            home.load(place)
        assert home.told() == twin.told(), order
