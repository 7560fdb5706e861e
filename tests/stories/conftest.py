"""One small city for all stories, and homes that know the code tables already."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from lake.engine import Engine
from tests.stories.homes import Home, make_home, sources_only

DAYS = (date(2025, 3, 3), date(2025, 3, 4), date(2025, 3, 5))

MIXED = (
    "population.household_register",
    "population.floating_register",
    "benefit.subsidy_payment",
    "legal_entity.market_register",
    "credit.abnormal_operation",
)
"""Every mode, with and without history, one that looks another up; most models read them."""


@pytest.fixture(scope="session")
def city(city_of: Callable[[float, int, int], Path]) -> Path:
    """About a thousand residents who deliver for three days."""
    return city_of(0.002, len(DAYS), 7)


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog, engine: Engine, city: Path
) -> Path:
    """A home that has loaded nothing but the code tables; to be copied, not used."""
    folder = tmp_path_factory.mktemp("prepared") / "home"
    home = make_home(folder, sources_only(catalog), engine, city)
    home.run(through=DAYS[0])
    return folder


@pytest.fixture
def new_home(
    tmp_path: Path, prepared: Path, catalog: Catalog, engine: Engine, city: Path
) -> Callable[[str], Home]:
    """Make a home of that name, with the code tables loaded."""

    def make(name: str) -> Home:
        shutil.copytree(prepared, tmp_path / name)
        return make_home(tmp_path / name, sources_only(catalog), engine, city)

    return make


@pytest.fixture(scope="session")
def landed(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog, engine: Engine, city: Path
) -> Home:
    """A home where two days of some datasets have landed and nothing has run; to be copied."""
    home = make_home(tmp_path_factory.mktemp("landed") / "home", catalog, engine, city)
    for day in DAYS[:2]:
        home.deliver(*MIXED, day=day)
    return home
