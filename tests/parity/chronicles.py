"""One city in many homes, told apart by the engines that ran their days."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from jobs.demo import FIRST_DAY
from lake.engine import Engine, Workspace
from tests.extent import DAYS, WIDE
from tests.stories.homes import Home, make_home

EMBEDDED, SPARK, LARGE = "embedded", "spark", "large"
"""The engines of a history; `LARGE` is Spark as it works on what is not small."""

only_wide = pytest.mark.skipif(not WIDE, reason="takes minutes; `make nightly` does it")

SOME = (
    "population.household_register",  # snapshots
    "population.floating_register",  # changes
    "benefit.subsidy_payment",  # only additions
    "legal_entity.market_register",
)
"""Who delivers on the last day: every mode, and what most models read."""


class LargeSpark:
    """
    Spark without its short way for what is small.

    Everything of a city of the tests is, and then delta-rs commits; here Spark does.
    """

    name = "spark"
    parallel = 2

    def __init__(self, spark: Engine) -> None:
        self._spark = spark
        self.version = spark.version
        self.handles = spark.handles

    def workspace(
        self, day: date | None = None, *, small: bool = False
    ) -> AbstractContextManager[Workspace]:
        """Never a small one."""
        return self._spark.workspace(day)

    def close(self) -> None:
        """Nothing: it belongs to another."""


@dataclass(frozen=True)
class Chronicle:
    """
    Homes of one city by their histories: `("embedded", "spark")` is the home whose first day ran
    on the embedded engine and whose second on Spark.

    Each is made once, from a copy of the home that it goes on from. All copy one landing, so that
    everything was received at the same moment; nobody may change them.
    """

    folder: Path
    catalog: Catalog
    engines: Mapping[str, Engine]
    city: Path
    _homes: dict[tuple[str, ...], Home] = field(default_factory=dict)

    def home(self, *history: str) -> Home:
        """The home with this history; a day longer than `DAYS` is one of some departments."""
        if history not in self._homes:
            self._homes[history] = self._made(history)
        return self._homes[history]

    def _made(self, history: tuple[str, ...]) -> Home:
        folder = self.folder / "-".join(("landed", *history))
        if not history:
            return self._landed(folder)
        before = self.home(*history[:-1])
        shutil.copytree(before.settings.home, folder)
        home = make_home(folder, self.catalog, self.engines[history[-1]], self.city)
        report = home.run(through=_day(len(history)))
        assert report.deliveries
        return home

    def _landed(self, folder: Path) -> Home:
        home = make_home(folder, self.catalog, self.engines[EMBEDDED], self.city)
        everybody = [contract.id for contract in self.catalog.sources()]
        for number in range(1, DAYS + 1):
            home.deliver(*everybody, day=_day(number))
        home.deliver(*SOME, day=_day(DAYS + 1))
        return home


def _day(number: int) -> date:
    return FIRST_DAY + timedelta(number - 1)
