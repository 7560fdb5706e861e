"""What is true, written beside the inbox where no pipeline reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.city.dice import Bools, Ints, Numbers
from jobs.city.entities import Entities
from jobs.city.people import People
from jobs.city.registers.register import Subject
from jobs.city.rows import RuleBook
from jobs.city.text import Text, take, vocabulary
from jobs.city.towns import TOWN_CODES
from jobs.city.world import Change, World

OUTCOMES = ("accepted", "quarantined", "duplicate")
ACCEPTED, QUARANTINED, DUPLICATE = range(3)

_WORD = pa.dictionary(pa.int32(), pa.string())
ROWS = pa.schema(
    [
        ("dataset", _WORD),
        ("business_date", pa.date32()),
        ("file", _WORD),
        ("row_number", pa.int64()),
        ("outcome", _WORD),
        ("rules", pa.list_(pa.string())),
    ]
)
LINKS = pa.schema(
    [
        ("dataset", _WORD),
        ("source_key", pa.string()),
        ("role", _WORD),
        ("kind", _WORD),
        ("true_id", pa.int64()),
    ]
)
CHANGES = pa.schema(
    [("business_date", pa.date32()), ("kind", _WORD), ("change", _WORD), ("true_id", pa.int64())]
)


def _repeated(word: str, count: int) -> pa.DictionaryArray:
    places = pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(places, pa.array([word], pa.string()))


class Sightings:
    """Since when and until when each person or entity is known by the right number."""

    def __init__(self, count: int, sources: Sequence[str]) -> None:
        self._now = {source: np.zeros(count, dtype=bool) for source in sources}
        self.first = np.full(count, -1, dtype=np.int64)
        self.last = np.full(count, -1, dtype=np.int64)

    def begin_snapshot(self, source: str) -> None:
        """A full register replaces what it said before."""
        if source in self._now:
            self._now[source][:] = False

    def see(self, source: str, who: Ints, identified: Bools) -> None:
        """Accepted records of these, with or without the right number."""
        if source in self._now:
            known = identified & (who >= 0)
            self._now[source][who[known]] = True

    def lose(self, source: str, who: Ints) -> None:
        """The records of these were deleted."""
        if source in self._now:
            self._now[source][who[who >= 0]] = False

    def end_day(self, day: int) -> None:
        """Take down who is known at the end of the day."""
        known = (
            np.logical_or.reduce(list(self._now.values())) if self._now else np.zeros(0, dtype=bool)
        )
        self.first[known & (self.first < 0)] = day
        self.last[known] = day


class Truth:
    """The truth of one city, written as deliveries are made."""

    def __init__(
        self, folder: Path, world: World, book: RuleBook, golden: Mapping[str, Sequence[str]]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._world = world
        self._book = book
        self._rows = pq.ParquetWriter(folder / "rows.parquet", ROWS, compression="zstd")
        self._links = pq.ParquetWriter(folder / "links.parquet", LINKS, compression="zstd")
        self._changes = pq.ParquetWriter(folder / "changes.parquet", CHANGES, compression="zstd")
        self.sightings = {
            "person": Sightings(len(world.people), golden["person"]),
            "entity": Sightings(len(world.entities), golden["entity"]),
        }

    def add_rows(
        self, dataset: str, business_date: date, file: str, first: int, outcome: Ints, broken: Ints
    ) -> None:
        """The outcomes of consecutive rows of a file, the first of which has the number `first`."""
        count = len(outcome)
        if not count:
            return
        lengths = np.array([len(rules) for rules in self._book.sets])
        offsets = np.concatenate([[0], np.cumsum(lengths[broken])]).astype(np.int32)
        flat = [name for number in broken[lengths[broken] > 0] for name in self._book.sets[number]]
        table = pa.table(
            [
                _repeated(dataset, count),
                pa.array([business_date], pa.date32()).take(
                    pa.array(np.zeros(count, dtype=np.int8))
                ),
                _repeated(file, count),
                pa.array(np.arange(first, first + count)),
                pa.DictionaryArray.from_arrays(
                    pa.array(outcome.astype(np.int32)), pa.array(OUTCOMES, pa.string())
                ),
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, pa.string())),
            ],
            schema=ROWS,
        )
        self._rows.write_table(table)

    def add_links(self, dataset: str, subject: Subject, keys: Text, who: Ints) -> None:
        """Which true person or entity stands behind each source key."""
        known = who >= 0
        count = int(known.sum())
        if not count:
            return
        table = pa.table(
            [
                _repeated(dataset, count),
                keys.filter(pa.array(known)),
                _repeated(subject.role, count),
                _repeated(subject.kind, count),
                pa.array(who[known]),
            ],
            schema=LINKS,
        )
        self._links.write_table(table)

    def add_change(self, business_date: date, change: Change) -> None:
        """What became of some persons, entities or addresses."""
        count = len(change.records)
        if count:
            day = pa.array([business_date], pa.date32()).take(
                pa.array(np.zeros(count, dtype=np.int8))
            )
            columns = [day, _repeated(change.kind, count), _repeated(change.what, count)]
            self._changes.write_table(
                pa.table([*columns, pa.array(change.records)], schema=CHANGES)
            )

    def close(self) -> None:
        """Write persons and entities as they are on the last day, and finish all files."""
        people = _people_table(self._world, self.sightings["person"])
        pq.write_table(people, self._folder / "persons.parquet", compression="zstd")
        entities = _entities_table(self._world, self.sightings["entity"])
        pq.write_table(entities, self._folder / "entities.parquet", compression="zstd")
        for writer in (self._rows, self._links, self._changes):
            writer.close()


def _days(world: World, days: Numbers) -> pa.Array:
    """Days of the generated span as dates; none where negative."""
    dates = np.where(days < 0, 0, world.start + days).astype(np.int32)
    return pa.array(dates, mask=np.asarray(days < 0)).cast(pa.date32())


def _dates(days: Numbers) -> pa.Array:
    return pa.array(np.where(days < 0, 0, days).astype(np.int32), mask=np.asarray(days == -1)).cast(
        pa.date32()
    )


def _people_table(world: World, seen: Sightings) -> pa.Table:
    people: People = world.people
    who = np.arange(len(people))
    born = pa.array(people.birth_day.astype(np.int32)).cast(pa.date32())
    return pa.table(
        {
            "person": pa.array(who),
            "citizen_id": people.citizen_ids(who),
            "person_name": people.names(who),
            "sex_code": take(vocabulary(["2", "1"]), people.is_male.astype(np.int8)),
            "birth_date": born,
            "ethnicity_code": take(vocabulary([f"{n:02d}" for n in range(57)]), people.ethnicity),
            "division_code": take(TOWN_CODES, world.places.town[people.address]),
            "household": pa.array(people.family),
            "is_floating": pa.array(people.is_floating),
            "death_date": _dates(people.death_day),
            "moved_out_date": _dates(people.moved_out),
            "appears_date": _days(world, people.appears),
            "has_identifier": pa.array(seen.last == world.days - 1),
            "first_identified_date": _days(world, seen.first),
            "last_identified_date": _days(world, seen.last),
        }
    )


def _entities_table(world: World, seen: Sightings) -> pa.Table:
    entities: Entities = world.entities
    which = entities.everyone
    return pa.table(
        {
            "entity": pa.array(which),
            "uscc": entities.credit_codes(which),
            "entity_name": entities.names(which),
            "entity_category_code": take(vocabulary(["1", "2", "3"]), entities.category),
            "status_code": take(vocabulary(["", "1", "2", "3", "4"]), entities.status),
            "division_code": take(TOWN_CODES, entities.town),
            "representative": pa.array(entities.representative),
            "appears_date": _days(world, entities.appears),
            "has_identifier": pa.array(seen.last == world.days - 1),
            "first_identified_date": _days(world, seen.first),
            "last_identified_date": _days(world, seen.last),
        }
    )
