"""What all tests share: the catalog, made-up cities, and one engine of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadScopeScheduling

from catalog.catalog import Catalog
from jobs.city import generate
from jobs.demo import FIRST_DAY
from jobs.progress import SilentProgress
from lake.engine import Engine
from lake.state import opened
from tests.databases import NewStore, PostgresServer, postgres_server

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """
    How several processes share the tests (`-n 2`): one takes all that are on Spark, which takes
    seconds to start and a gigabyte; the others take the rest, one by one. By names: the groups of
    xdist's own are suffixes of names, which pytest 9.2 does not let it add.
    """
    return _OneSpark(config, log)


class _OneSpark(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return "spark" if _is_on_spark(nodeid) else nodeid


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that takes `spark` is known by its name."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()) and not _is_on_spark(item.nodeid):
            raise pytest.UsageError(f"{item.nodeid} is on Spark; say so in its name")


def _is_on_spark(nodeid: str) -> bool:
    return "spark" in nodeid or nodeid.startswith("tests/parity/")


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
    from lake.engines.spark import MEMORY, SparkEngine, start_session
    from lake.store import LOCAL
    from lake.toolchain import delta_jars, find_java

    session = start_session(
        SparkMaster("local[2]"),
        LOCAL,
        memory=MEMORY,
        jars=delta_jars(),
        java_home=find_java().home,
        scratch=tmp_path_factory.mktemp("spark"),
    )
    started = SparkEngine(session)
    yield started
    started.close()


@pytest.fixture(params=["embedded", "spark"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(
        "engine" if request.param == "embedded" else request.param
    )
    return found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of the state store."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.stack)])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewStore]:
    """Empty stores, on each database that the state may lie in."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / f'{uuid4()}.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    try:
        yield server.new
    finally:
        server.drop()


@pytest.fixture
def state_url(new_store: NewStore) -> str:
    """One empty store."""
    return new_store()


@pytest.fixture
def state(state_url: str) -> Iterator[sa.Engine]:
    """One store, opened."""
    with opened(state_url) as engine:
        yield engine
