"""The engines beside each other, and cities that both of them loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from lake.engine import Engine
from tests.extent import DAYS, SCALE, SEEDS
from tests.parity.chronicles import EMBEDDED, LARGE, SPARK, Chronicle, LargeSpark


@pytest.fixture(scope="session")
def engines(engine: Engine, spark: Engine) -> Mapping[str, Engine]:
    """Each way in which an engine works, by name."""
    return {EMBEDDED: engine, SPARK: spark, LARGE: LargeSpark(spark)}


@pytest.fixture(scope="session", params=SEEDS, ids=lambda seed: f"city-{seed}")
def chronicle(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    catalog: Catalog,
    engines: Mapping[str, Engine],
    city_of: Callable[[float, int, int], Path],
) -> Chronicle:
    """The homes of one city; the first is that of the stories."""
    city = city_of(SCALE, DAYS + 1, 7 + request.param)
    return Chronicle(tmp_path_factory.mktemp("chronicle"), catalog, engines, city)
