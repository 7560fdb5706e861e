"""
The demo: a small made-up city delivers for some days, and each day is run as it would be.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from catalog.errors import UsageError
from jobs.profile import settle
from jobs.progress import Progress
from jobs.status import delivery_document
from lake.entries import Entry
from lake.landing import Landing
from lake.ledger import Ledger
from lake.settings import Settings
from lake.state import opened
from lake.tables import Tables

FIRST_DAY = date(2025, 3, 3)
MARK = "demo.json"
"""What a home says of the demo that it holds."""


@dataclass(frozen=True)
class City:
    """The made-up city: `scale` 1 has 490,000 residents; `seed` decides everything in it."""

    scale: float = 0.02
    days: int = 3
    seed: int = 1


@dataclass(frozen=True)
class DemoReport:
    """
    The home as it stands after the demo: every delivery and every table.

    `seconds` is what this call took. `models` are seconds by thematic dataset.
    """

    engine: str
    seconds: float
    deliveries: tuple[Entry, ...]
    tables: Mapping[str, Mapping[str, int]]
    models: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "engine": self.engine,
            "seconds": round(self.seconds, 3),
            "deliveries": [delivery_document(entry) for entry in self.deliveries],
            "tables": {name: dict(at) for name, at in self.tables.items()},
        }


def demo_settings(
    city: City,
    *,
    profile: str | None,
    home: Path | None,
    engine: str | None,
    environ: Mapping[str, str],
) -> Settings:
    """
    Make or find the home of this demo.

    A new home's secret follows from the seed, so that two homes of one city have the same ids.
    `UsageError` when the home holds anything else than this very demo.
    """
    settings = settle(profile, home, environ)
    mark = settings.home / MARK
    wanted = asdict(city)
    if mark.exists():
        held = json.loads(mark.read_text(encoding="utf-8"))
        if held != wanted:
            said = ", ".join(f"{key} {value}" for key, value in held.items())
            raise UsageError(
                f"{settings.home} holds a demo with {said}; use these, or name another folder "
                "with --home"
            )
    elif _is_in_use(settings):
        raise UsageError(
            f"{settings.home} is in use, and not by a demo; name another folder with --home"
        )
    else:
        secret = hashlib.sha256(f"redcliff demo {city.seed}".encode()).hexdigest()
        _write(settings.home / "secret", secret)
        _write(mark, json.dumps(wanted))
        settings = settle(profile, home, environ)
    return replace(settings, engine=engine) if engine else settings


def demo(settings: Settings, catalog: Catalog, city: City, progress: Progress) -> DemoReport:
    """
    Generate the city, deliver its inbox, run each day; goes on where an earlier call stopped.
    """
    from jobs.deliver import deliver
    from jobs.engines import open_engine
    from jobs.run import run

    started = time.monotonic()
    _generate(settings, catalog, city, progress)
    deliver(settings, catalog, settings.home / "city" / "inbox", progress)
    models: dict[str, float] = {}
    with ExitStack() as stack:
        with progress.step(f"starting {settings.engine}"):
            engine = stack.enter_context(open_engine(settings))
        tables = Tables(settings.lake, settings.store, engine.handles)
        for number in range(city.days):
            day = FIRST_DAY + timedelta(number)
            progress.note(f"day {number + 1} of {city.days}: {day}")
            report = run(
                settings, catalog, through=day, progress=progress, engine=engine, tables=tables
            )
            for model in report.models:
                models[model.dataset] = models.get(model.dataset, 0.0) + model.seconds
    with opened(settings.state_url) as state:
        entries = tuple(Ledger(state).entries())
    seconds = time.monotonic() - started
    return DemoReport(settings.engine, seconds, entries, report.tables, models)


def _is_in_use(settings: Settings) -> bool:
    """Whether anything was ever delivered here; a home that was only looked at is free."""
    if not Landing.at(settings.landing, settings.store).is_empty():
        return True
    with opened(settings.state_url) as state:
        return bool(Ledger(state).entries())


def _generate(settings: Settings, catalog: Catalog, city: City, progress: Progress) -> None:
    """The city whole, or not at all: it is made aside and then moved into its place."""
    place = settings.home / "city"
    if place.exists():
        return
    from jobs.city import generate

    aside = settings.home / "city.part"
    shutil.rmtree(aside, ignore_errors=True)
    generate(
        catalog,
        aside,
        scale=city.scale,
        days=city.days,
        seed=city.seed,
        start=FIRST_DAY,
        progress=progress,
    )
    aside.rename(place)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(path)
