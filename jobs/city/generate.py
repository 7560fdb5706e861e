"""
The synthetic city of Chibi (赤壁市): what its departments deliver, and what is true.

    OUT/inbox/<department>/<dataset>/<business date>/…   OUT/truth/*.parquet
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import UsageError
from jobs.city.delivery import Office, code_table_rows, deliver_code_table
from jobs.city.faults import faults_of
from jobs.city.files import WrittenFile
from jobs.city.registers import REGISTERS
from jobs.city.rows import RuleBook
from jobs.city.spoiling import Spoiler
from jobs.city.truth import Truth
from jobs.city.world import World
from jobs.progress import Progress

EDITION = 1
"""To be raised when the same parameters give another city."""

MARKER = "city.json"
LARGEST_SCALE = 10.0
LONGEST = 1000
EARLIEST, LATEST = date(2015, 1, 1), date(2030, 12, 31)
"""Licences, cards and forms of the city are those of these years."""
GOLDEN = {"person": "population.person", "entity": "legal_entity.entity"}


@dataclass(frozen=True)
class CityReport:
    """What was written: rows by dataset over all days, deliveries, files and seconds."""

    out: Path
    scale: float
    days: int
    seed: int
    start: date
    rows: Mapping[str, int]
    deliveries: int
    files: int
    bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {
            "out": str(self.out),
            "scale": self.scale,
            "days": self.days,
            "seed": self.seed,
            "start": self.start.isoformat(),
            "rows": dict(self.rows),
            "deliveries": self.deliveries,
            "files": self.files,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }


def generate(
    catalog: Catalog,
    out: Path,
    *,
    scale: float,
    days: int,
    seed: int,
    start: date = date(2025, 3, 3),
    progress: Progress,
) -> CityReport:
    """
    Write the city of these parameters to `out`; the same parameters give the same bytes.

    A city of the same parameters at `out` is written again; `UsageError` where something else
    stands there, or where the parameters make no city.
    """
    began = time.monotonic()
    _prepare(out, scale, days, seed, start)
    with progress.step("city: people, entities and places"):
        try:
            world = World(seed, scale, (start - date(1970, 1, 1)).days, days)
        except OverflowError as error:
            raise UsageError(f"scale {scale} makes {error}; choose a smaller one") from error
    rows: dict[str, int] = {}
    files: list[WrittenFile] = []
    deliveries = 0
    book = RuleBook()
    golden = {kind: _golden_sources(catalog, dataset) for kind, dataset in GOLDEN.items()}
    with closing(Truth(out / "truth", world, book, golden)) as truth:
        offices = dict(_offices(catalog, world, book, truth, progress))
        for day in range(days):
            business_date = start + timedelta(days=day)
            if day:
                for change in world.advance():
                    truth.add_change(business_date, change)
            due = [c for c in offices if _is_due(catalog.get(c), business_date, day)]
            with progress.step(f"city: deliveries of {business_date}", len(due)) as advance:
                for dataset in due:
                    made = offices[dataset](out / "inbox", business_date)
                    advance()
                    files += made
                    deliveries += bool(made)
                    rows[dataset] = rows.get(dataset, 0) + sum(f.rows for f in made)
            for sightings in truth.sightings.values():
                sightings.end_day(day)
    return CityReport(
        out=out,
        scale=scale,
        days=days,
        seed=seed,
        start=start,
        rows=dict(sorted(rows.items())),
        deliveries=deliveries,
        files=len(files),
        bytes=sum(f.bytes for f in files),
        seconds=time.monotonic() - began,
    )


def _prepare(out: Path, scale: float, days: int, seed: int, start: date) -> None:
    """Make room for the city, or refuse."""
    if not (math.isfinite(scale) and 0 < scale <= LARGEST_SCALE):
        raise UsageError(f"scale {scale} is not above 0 and at most {LARGEST_SCALE:g}")
    if not 1 <= days <= LONGEST:
        raise UsageError(f"{days} days are not between 1 and {LONGEST}")
    if start < EARLIEST or start + timedelta(days=days) > LATEST:
        raise UsageError(f"the days from {start} on do not lie between {EARLIEST} and {LATEST}")
    marker = out / MARKER
    text = json.dumps(
        {"edition": EDITION, "scale": scale, "days": days, "seed": seed, "start": str(start)},
        indent=2,
    )
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder that is empty or does not exist")
    if out.exists() and any(out.iterdir()):
        if not marker.is_file():
            raise UsageError(
                f"{out} holds other files; name a folder that is empty or does not exist"
            )
        if marker.read_text(encoding="utf-8") != text + "\n":
            raise UsageError(
                f"{out} holds a city of other parameters ({MARKER} says which); "
                "remove it or name another folder"
            )
        shutil.rmtree(out / "inbox", ignore_errors=True)
        shutil.rmtree(out / "truth", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    # Written first, so that an interrupted city can be written again.
    marker.write_text(text + "\n", encoding="utf-8")


def _golden_sources(catalog: Catalog, dataset: str) -> tuple[str, ...]:
    golden = catalog.get(dataset).golden if dataset in catalog.contracts else None
    return golden.sources if golden else ()


def _offices(
    catalog: Catalog, world: World, book: RuleBook, truth: Truth, progress: Progress
) -> Iterator[tuple[str, Callable[[Path, date], list[WrittenFile]]]]:
    """What delivers each source dataset; code tables first, for others refer to them."""
    sources = [c for c in catalog.sources() if c.source is not None]
    tables = [c for c in sources if c.source and c.source.code_table]
    codes = {}
    for contract in tables:
        file = catalog.code_table_file(contract)
        codes[contract.id] = {row[0] for row in code_table_rows(file)}
        yield contract.id, partial(deliver_code_table, contract, file, truth)
    for contract in sources:
        if contract in tables:
            continue
        if contract.id not in REGISTERS:
            progress.note(f"{contract.id}: the city has no such register and delivers nothing")
            continue
        dice = world.dice.of("faults").of(contract.id)
        spoiler = Spoiler(contract, faults_of(contract, codes), dice, book)
        office = Office(contract, REGISTERS[contract.id], spoiler, world, truth)
        yield contract.id, office.deliver


def _is_due(contract: Contract, business_date: date, day: int) -> bool:
    """On the first day everybody delivers, then each by its cycle."""
    if day == 0:
        return True
    match (contract.frequency or "1d")[-1]:
        case "y":
            return (business_date.month, business_date.day) == (1, 1)
        case "m":
            return business_date.day == 1
        case _:
            return True
