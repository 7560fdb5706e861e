"""What all tests share: the catalog, made-up cities, and one engine of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from jobs.city import generate
from jobs.demo import FIRST_DAY
from jobs.progress import SilentProgress
from lake.engine import Engine

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The contracts of this repository."""
    return Catalog.load(REPOSITORY)


@pytest.fixture(scope="session")
def city_of(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog
) -> Callable[[float, int, int], Path]:
    """A city of a scale that delivers for some days, by its seed; made once and only read."""

    @cache
    def made(scale: float, days: int, seed: int) -> Path:
        out = tmp_path_factory.mktemp("city") / "city"
        silent = SilentProgress()
        generate(catalog, out, scale=scale, days=days, seed=seed, start=FIRST_DAY, progress=silent)
        return out

    return made


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine of nearly all tests; no test changes its settings."""
    from lake.engines.embedded import EmbeddedEngine

    started = EmbeddedEngine(tmp_path_factory.mktemp("embedded"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Spark, for what only it does and for the comparison of the two."""
    from lake.addresses import SparkMaster
    from lake.engines.spark import SparkEngine, start_session
    from lake.store import LOCAL
    from lake.toolchain import delta_jars, find_java

    session = start_session(
        SparkMaster("local[2]"),
        LOCAL,
        memory="1g",
        jars=delta_jars(),
        java_home=find_java().home,
        scratch=tmp_path_factory.mktemp("spark"),
    )
    started = SparkEngine(session)
    yield started
    started.close()
