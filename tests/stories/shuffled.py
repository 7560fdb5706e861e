"""
Small random deliveries of one dataset, and a home that loads them in any order.

A few keys and a small pool of rows for each, so that everything meets everything: rows that are
good, bad, bad until a date, rivals, repeated, unreadable; keys that vanish and come again.
"""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from catalog.contract import Change, Contract, DataType, Rule, Source, TypeName
from catalog.departments import Department
from catalog.vocabulary import Format, Gate, Mode
from jobs.context import Context
from jobs.deliver import deliver
from jobs.load import load
from jobs.progress import SilentProgress
from lake.deliveries import Counts, Delivery, DeliveryStatus
from lake.engine import Engine
from lake.landing import Landing
from lake.leases import Leases
from lake.ledger import Ledger
from lake.settings import Settings, load_settings
from lake.state import open_state
from lake.tables import Tables
from tests.pipelines.contracts import REGISTER, make_column
from tests.stories.homes import REPOSITORY, SECRET

FIRST = date(2025, 3, 3)
RECEIVED = datetime(2025, 4, 1, tzinfo=UTC)
HEADER = ("操作", "record_id", "person_name", "grade", "due_date", "updated_at")
KEYS = ("1", "2", "3", "4")

Line = tuple[str, ...]


def _contract(source: Source) -> Contract:
    return replace(
        REGISTER,
        columns=(
            make_column("record_id", key_position=1, required=True),
            make_column("person_name", required=True),
            make_column("grade"),
            make_column("due_date", DataType(TypeName.DATE)),
            make_column("updated_at", DataType(TypeName.TIMESTAMP)),
        ),
        rules=(Rule("due", "应已到期。", Gate.QUARANTINE, holds="due_date <= business_date()"),),
        source=source,
        history=True,
    )


KINDS: Mapping[str, Contract] = {
    "snapshot": _contract(Source(Mode.SNAPSHOT, Format.CSV)),
    "ordered_snapshot": _contract(Source(Mode.SNAPSHOT, Format.CSV, sequence="updated_at")),
    "changes": _contract(
        Source(
            Mode.CHANGES,
            Format.CSV,
            sequence="updated_at",
            change=Change(("操作",), ("修改",), ("删除",)),
        )
    ),
    "append": _contract(Source(Mode.APPEND, Format.CSV, sequence="updated_at")),
    "plain_append": _contract(Source(Mode.APPEND, Format.CSV)),
}
"""Every mode, with and without a sequence where it has a choice."""


def deliveries(kind: str, seed: int, number: int) -> list[tuple[str, bytes]]:
    """Random deliveries in business order: the name of the date's folder, and one CSV file."""
    dice = random.Random(f"{kind} {seed}")
    snapshot = "snapshot" in kind
    made: list[tuple[str, bytes]] = []
    held: dict[str, list[Line]] = {}
    day, revision = FIRST, 0
    for _ in range(number):
        day, revision = (day, revision + 1) if dice.random() < 0.15 else (_later(day, dice), 1)
        if snapshot:
            held = {k: _of_snapshot(kind, k, held.get(k, []), dice) for k in KEYS}
            lines = [line for of_key in held.values() for line in of_key]
        else:
            lines = [_event(kind, dice, len(made)) for _ in range(dice.randint(1, 6))]
        if dice.random() < 0.3:
            lines.append((*_row(kind, "1", "a"), "too", "many"))
        dice.shuffle(lines)
        folder = day.isoformat() + (f"_r{revision}" if revision > 1 else "")
        made.append((folder, _csv(kind, lines, note=f"{seed} {len(made)}")))
    return made


def _later(day: date, dice: random.Random) -> date:
    return day + timedelta(days=dice.randint(1, 2))


def _of_snapshot(kind: str, key: str, before: list[Line], dice: random.Random) -> list[Line]:
    """The lines of one key in a snapshot; those of the one before are the most likely."""
    one = [_row(kind, key, dice.choice("abxyt"))]
    rivals = [_row(kind, key, v) for v in dice.sample("abxt", 2)]
    twice = [_row(kind, key, dice.choice("ax"))] * 2
    return dice.choices([before, one, [], rivals, twice], [30, 40, 12, 12, 6])[0]


def _event(kind: str, dice: random.Random, place: int) -> Line:
    """A line of changes or additions; no two deliveries hold the same (ADR 0007 says why)."""
    row = _row(kind, dice.choice(KEYS), dice.choice("abcxyt"), dice.choice("123"))
    row = (*row[:2], row[2] and f"{row[2]}{place}", f"{row[3]}{place}", *row[4:])
    if kind == "changes" and dice.random() < 0.25:
        return ("删除", row[1], "", row[3], "", dice.choice((row[5], "")))
    return row


def _row(kind: str, key: str, version: str, moment: str | None = None) -> Line:
    """
    A line: `x` and `y` are bad, `t` is bad until the third day, all others are good.

    `moment` says the day of its sequence; each version has its own where nothing is said.
    """
    name = "" if version in "xy" else "张三"
    due = (FIRST + timedelta(days=2)).isoformat() if version == "t" else ""
    on = moment or {"a": "1", "b": "2", "x": "2", "y": "1", "t": "3"}[version]
    return ("修改", key, name, version, due, f"2025-03-0{on} 10:00:00")


def _csv(kind: str, lines: Sequence[Line], note: str) -> bytes:
    """The file; a bad line of a key of its own tells two deliveries of one content apart."""
    file = io.StringIO()
    writer = csv.writer(file)
    start = 0 if kind == "changes" else 1
    for line in [HEADER, *lines, ("修改", f"note {note}", "", "", "", "")]:
        writer.writerow(line[start:])
    return file.getvalue().encode()


@dataclass(frozen=True)
class ShuffledHome:
    """A home with landed deliveries of one contract, which are loaded one by one."""

    settings: Settings
    contract: Contract
    engine: Engine

    def copy(self, folder: Path) -> ShuffledHome:
        """The same home in another place."""
        shutil.copytree(self.settings.home, folder)
        return replace(self, settings=_settings(folder))

    def land(self, sent: Sequence[tuple[str, bytes]]) -> None:
        """Land deliveries, in business order, so that each has the revision of its twin."""
        inbox = self.settings.home / "inbox"
        for name, content in sent:
            folder = inbox / self.contract.provider / self.contract.id / name
            folder.mkdir(parents=True)
            (folder / "rows.csv").write_bytes(content)
            (folder / "_DONE").touch()
        report = deliver(
            self.settings, self._catalog, inbox, SilentProgress(), clock=lambda: RECEIVED
        )
        assert report.to_json()["outcomes"]["landed"] == len(sent), report

    def load(self, place: int) -> None:
        """Load the delivery that has this place in business order."""
        state = open_state(self.settings.state_url)
        context = Context(
            self.settings,
            self._catalog,
            self.engine,
            Tables(self.settings.lake),
            Ledger(state),
            Landing.at(self.settings.landing),
            Leases(state, "tests"),
        )
        entry = context.ledger.entries(self.contract.id)[place]
        loaded = load(context, entry.delivery)
        state.dispose()
        assert loaded.status is DeliveryStatus.SETTLED, loaded.reason

    def told(self) -> dict[str, Any]:
        """All that must not depend on the order of loading."""
        deliveries_ = [e.delivery for e in self._entries(self._ledger())]
        rows = {part: self._rows(part) for part in ("", "__quarantine", "__history")}
        raw = self._rows("", layer="raw")
        states = list(_replayed(self.contract, raw, rows["__quarantine"], deliveries_))
        assert states[-1] == {row["record_id"]: row["_row_hash"] for row in rows[""]}
        return {
            "current": rows[""],
            "quarantine": rows["__quarantine"],
            "history": _believed(rows["__history"]),
            "counts": [_equation(e.counts) for e in self._entries(self._ledger())],
            "states": states,
        }

    @property
    def _catalog(self) -> Catalog:
        provider = self.contract.provider
        departments = {provider: Department(provider, "公安局", "public security")}
        return Catalog(REPOSITORY, {self.contract.id: self.contract}, departments)

    def _ledger(self) -> Ledger:
        return Ledger(open_state(self.settings.state_url))

    def _entries(self, ledger: Ledger) -> list[Any]:
        return ledger.entries(self.contract.id)

    def _rows(self, part: str, layer: str = "curated") -> list[dict[str, Any]]:
        table = f"{layer}.{self.contract.id.replace('.', '__')}{part}"
        opened = Tables(self.settings.lake).open(table)
        found = opened.to_pyarrow_table().to_pylist() if opened else []
        return sorted(found, key=repr)


def make_home(folder: Path, kind: str, engine: Engine) -> ShuffledHome:
    """A new home for deliveries of that kind."""
    return ShuffledHome(_settings(folder), KINDS[kind], engine)


def _settings(folder: Path) -> Settings:
    environ = {"REDCLIFF_SITE": str(REPOSITORY), "REDCLIFF_SITE_SECRET": SECRET}
    return load_settings(None, folder, environ)


def _equation(counts: Counts) -> tuple[object, ...]:
    """
    The equation of a delivery, and the rules that its rows broke.

    What an accepted row did (applied, unchanged, superseded) and which keys vanished is told of
    the moment of loading; ADR 0007 says why.
    """
    assert counts.accepted == counts.applied + counts.unchanged + counts.superseded
    sides = (counts.received, counts.accepted, counts.quarantined, counts.duplicates)
    return (*sides, *sorted(counts.broken.items()))


def _believed(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """History as it is believed, without who asserted it."""
    without = {"_delivery_id", "_replaced_by"}
    kept = [row for row in history if row["_replaced_by"] is None]
    return sorted(({k: v for k, v in row.items() if k not in without} for row in kept), key=repr)


def _replayed(
    contract: Contract,
    raw: Sequence[Mapping[str, Any]],
    quarantine: Sequence[Mapping[str, Any]],
    order: Sequence[Delivery],
) -> Iterator[dict[str, str]]:
    """The current rows (key and hash) after each delivery, from raw and quarantine alone."""
    source = contract.source
    assert source is not None
    places = {d.delivery_id: place for place, d in enumerate(order)}
    spans = [
        (q["_row_hash"], places[q["_delivery_id"]], places[q["_last_delivery_id"]])
        for q in quarantine
    ]

    def rank(row: Mapping[str, Any]) -> tuple[str, int, int]:
        place = places[row["_delivery_id"]]
        sequence = ""
        if source.sequence and source.mode is not Mode.SNAPSHOT:
            last = f"{order[place].business_date} 23:59:59.999"
            sequence = row["updated_at"] or last
        return sequence, place, row["_row_number"] or 0

    good = [
        row
        for row in raw
        if not any(
            row["_row_hash"] == hash_ and first <= places[row["_delivery_id"]] <= last
            for hash_, first, last in spans
        )
    ]
    for place in range(len(order)):
        state: dict[str, str] = {}
        for row in sorted(good, key=rank):
            if places[row["_delivery_id"]] <= place:
                state.pop(row["record_id"], None)
                if row["_op"] == "upsert":
                    state[row["record_id"]] = row["_row_hash"]
        yield dict(sorted(state.items()))
