"""Homes for the stories: a small generated city, and homes into which parts of it are delivered."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.catalog import Catalog
from jobs.deliver import deliver
from jobs.progress import SilentProgress
from jobs.run import RunReport, run
from jobs.selection import select
from lake.engine import Engine
from lake.settings import Settings, load_settings
from lake.tables import Tables

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "a secret of the tests"


@dataclass(frozen=True)
class Home:
    """A home with its engine: deliver parts of the city to it, run it, look at its tables."""

    settings: Settings
    catalog: Catalog
    engine: Engine
    city: Path

    def deliver(self, *datasets: str, day: date) -> None:
        """Land what the city's departments delivered for these datasets on that day."""
        inbox = self.settings.home / "inbox"
        for folder in delivered_folders(self.city, datasets, day):
            place = inbox / folder.relative_to(self.city / "inbox")
            if not place.exists():
                shutil.copytree(folder, place)
        report = deliver(self.settings, self.catalog, inbox, SilentProgress()).to_json()
        assert report["outcomes"]["refused"] == 0, report

    def run(
        self, through: date | None = None, dataset: str | None = None, *, models: bool = True
    ) -> RunReport:
        """`redcliff run`."""
        selection = select(self.catalog, datasets=[dataset] if dataset else [])
        return run(
            self.settings,
            self.catalog,
            through=through,
            progress=SilentProgress(),
            selection=replace(selection, models=models),
            engine=self.engine,
        )

    @property
    def tables(self) -> Tables:
        """The lake's tables."""
        return Tables(self.settings.lake, self.settings.store)

    def versions(self) -> dict[str, int | None]:
        """The version of every table."""
        return {name: self.tables.version(name) for name in self.tables.names()}

    def rows(self, table: str, *without: str) -> list[dict[str, Any]]:
        """All rows of a table, read by another Delta reader, in an order of their own."""
        found = self.settings.store.delta(self.tables.path(table)).to_pyarrow_table()
        kept = found.select([n for n in found.column_names if n not in without])
        return sorted(kept.to_pylist(), key=repr)


def delivered_folders(city: Path, datasets: Iterable[str], day: date) -> Iterator[Path]:
    """The folders of the city's inbox for these datasets and that day."""
    for dataset in datasets:
        yield from (city / "inbox").glob(f"*/{dataset}/{day.isoformat()}")


def truth(city: Path, name: str) -> pa.Table:
    """A table of the city's truth."""
    return pq.read_table(city / "truth" / f"{name}.parquet")


def sources_only(catalog: Catalog) -> Catalog:
    """The catalog without its models, for stories of deliveries alone."""
    return replace(catalog, contracts={c.id: c for c in catalog.sources()})


def make_home(
    folder: Path, catalog: Catalog, engine: Engine, city: Path, *, profile: str | None = None
) -> Home:
    """A home in `folder`, new or a copy of another; all homes of the tests share one secret."""
    environ = {"REDCLIFF_SITE": str(REPOSITORY), "REDCLIFF_SITE_SECRET": SECRET}
    return Home(load_settings(profile, folder, environ), catalog, engine, city)
