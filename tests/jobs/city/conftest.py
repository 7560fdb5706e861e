"""One small city for all tests that only look at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.catalog import Catalog
from jobs.city import CityReport, generate
from jobs.city.delivery import code_table_rows
from jobs.city.world import World
from jobs.progress import SilentProgress

REPOSITORY = Path(__file__).resolve().parents[3]
START = date(2025, 3, 3)
DAYS = 3


@dataclass(frozen=True)
class City:
    """A generated city and what was reported of it."""

    out: Path
    report: CityReport

    def truth(self, name: str) -> list[dict[str, Any]]:
        """The rows of a file of the truth."""
        rows: list[dict[str, Any]] = pq.read_table(
            self.out / "truth" / f"{name}.parquet"
        ).to_pylist()
        return rows

    def folders(self, dataset: str) -> list[Path]:
        """The delivery folders of a dataset, by date."""
        return sorted((self.out / "inbox").glob(f"*/{dataset}/*"))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog.load(REPOSITORY)


@pytest.fixture(scope="session")
def codes(catalog: Catalog) -> dict[str, set[str]]:
    """The values of every code table."""
    tables = [c for c in catalog.sources() if c.source and c.source.code_table]
    return {c.id: {row[0] for row in code_table_rows(catalog.code_table_file(c))} for c in tables}


@pytest.fixture(scope="session")
def city(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> City:
    out = tmp_path_factory.mktemp("city") / "city"
    report = generate(
        catalog, out, scale=0.002, days=DAYS, seed=11, start=START, progress=SilentProgress()
    )
    return City(out, report)


@pytest.fixture(scope="session")
def world() -> World:
    """A tenth of the city, to look at shares."""
    return World(seed=5, scale=0.1, start=(START - date(1970, 1, 1)).days, days=3)
