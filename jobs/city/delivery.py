"""One delivery: the rows of a register on a day become files, and their truth is taken down."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO

import numpy as np

from catalog.contract import Contract, TypeName
from catalog.vocabulary import Format, Mode
from jobs.city.dice import Bools, Ints
from jobs.city.dress import change_header, change_words, dressed, headers_of
from jobs.city.files import (
    Archive,
    CsvWriter,
    GeoJsonWriter,
    JsonLinesWriter,
    TableWriter,
    WrittenFile,
    written,
)
from jobs.city.registers.register import DELETE, Batch, Register, Subject
from jobs.city.rows import BASE, COPY, Rows, as_rows
from jobs.city.spoiling import Spoiler
from jobs.city.text import Text, only_where, take, vocabulary
from jobs.city.truth import ACCEPTED, DUPLICATE, QUARANTINED, Truth
from jobs.city.workbooks import CellKind, XlsxWriter
from jobs.city.world import World

CHUNK = 60_000
"""Rows that are held at a time."""

SENT_AGAIN = 0.004
MOST_SENT_AGAIN = 40
"""How much of a delivery comes again with the next one of an `append` or `changes` dataset."""


class Office:
    """Delivers one dataset, day after day, and remembers what it has sent."""

    def __init__(
        self, contract: Contract, register: Register, spoiler: Spoiler, world: World, truth: Truth
    ) -> None:
        assert contract.source is not None
        self._contract = contract
        self._source = contract.source
        self._register = register
        self._spoiler = spoiler
        self._world = world
        self._truth = truth
        self._dice = world.dice.of("office").of(contract.id)
        self._linked = np.zeros(0, dtype=bool)
        self._again: dict[str, Rows] = {}

    def deliver(self, inbox: Path, business_date: date) -> list[WrittenFile]:
        """Write the delivery of the world's day; nothing where nothing happened."""
        batches = [b for b in self._register.due(self._world) if len(b.records)]
        if not batches:
            return []
        folder = inbox / self._contract.provider / self._contract.id / business_date.isoformat()
        folder.mkdir(parents=True)
        if self._source.mode is Mode.SNAPSHOT:
            for subject in self._register.subjects:
                self._truth.sightings[subject.kind].begin_snapshot(self._contract.id)
        stem = f"{self._contract.name if self._register.style.chinese else self._contract.dataset}"
        stem = f"{stem}_{business_date:%Y%m%d}"
        suffix = str(self._source.format)
        files = []
        if self._register.style.archive:
            name = f"{stem}.zip"
            rows = 0
            with Archive(folder / name) as archive:
                for batch in batches:
                    member = f"{stem}{batch.member}.{suffix}"
                    with archive.member(member) as stream:
                        rows += self._write(stream, batch, business_date, f"{name}/{member}")
            files.append(written(folder / name, rows))
        else:
            for batch in batches:
                name = f"{stem}{batch.member}.{suffix}"
                with (folder / name).open("wb") as stream:
                    rows = self._write(stream, batch, business_date, name)
                files.append(written(folder / name, rows))
        self._finish(folder, business_date, files)
        return files

    def _write(self, stream: BinaryIO, batch: Batch, business_date: date, file: str) -> int:
        """Write one file; how many rows it has."""
        headers = dict(batch.headers or headers_of(self._contract, self._register.style))
        names = list(headers)
        if self._source.format is Format.GEOJSON:
            names.sort(key=lambda n: headers[n] == "geometry")
        change = change_header(self._contract, self._register.style)
        extra = self._register.style.extra
        first = [change] if change else []
        last = [extra[0]] if extra else []
        titles = [*first, *(headers[n] for n in names), *last]
        writer = self._writer(stream, titles, names)
        count = 0
        for rows in self._chunks(batch, frozenset(names)):
            columns = [rows.columns[n] for n in names]
            if rows.change is not None:
                columns.insert(0, rows.change)
            if extra:
                words = vocabulary(extra[1])
                columns.append(take(words, self._dice.of("extra").below(rows.records, len(words))))
            writer.write(columns, rows.unreadable)
            outcome = np.where(
                rows.broken > 0, QUARANTINED, np.where(rows.kind == COPY, DUPLICATE, ACCEPTED)
            )
            self._truth.add_rows(
                self._contract.id, business_date, file, count + 1, outcome, rows.broken
            )
            self._witness(rows, outcome == ACCEPTED)
            count += len(rows)
        writer.close()
        return count

    def _writer(
        self, stream: BinaryIO, headers: Sequence[str], names: Sequence[str]
    ) -> TableWriter:
        style = self._register.style
        match self._source.format:
            case Format.XLSX:
                kinds = [self._kind(n) for n in names] if style.typed_cells else []
                return XlsxWriter(stream, headers, kinds)
            case Format.JSON_LINES:
                return JsonLinesWriter(stream, headers)
            case Format.GEOJSON:
                return GeoJsonWriter(stream, headers)
            case _:
                return CsvWriter(
                    stream,
                    headers,
                    encoding=self._source.encoding,
                    delimiter=self._source.delimiter,
                    mark=style.byte_order_mark,
                    line_end=style.line_end,
                )

    def _kind(self, name: str) -> CellKind:
        match self._contract.column(name).type.name:
            case TypeName.DATE:
                return CellKind.DATE
            case TypeName.INTEGER | TypeName.BIGINT | TypeName.DECIMAL:
                return CellKind.NUMBER
            case _:
                return CellKind.TEXT

    def _chunks(self, batch: Batch, delivered: frozenset[str]) -> Iterator[Rows]:
        """What arrives: rows of the last delivery that come again, then the new ones."""
        again = self._again.pop(batch.member, None)
        if again is not None:
            again.kind = np.full(len(again), COPY)
            yield again
        for start in range(0, len(batch.records), CHUNK):
            part = slice(start, start + CHUNK)
            rows = self._rows(batch, part, delivered)
            if self._source.mode is not Mode.SNAPSHOT and start == 0:
                single = (rows.kind == BASE) & (rows.broken == 0) | (rows.broken > 0)
                chance = (
                    self._dice.of("again").of(self._world.today).chance(rows.records, SENT_AGAIN)
                )
                some = np.flatnonzero(single & chance & ~rows.unreadable)[:MOST_SENT_AGAIN]
                if len(some):
                    self._again[batch.member] = rows.take(some)
            yield rows

    def _rows(self, batch: Batch, part: slice, delivered: frozenset[str]) -> Rows:
        world, contract = self._world, self._contract
        records = batch.records[part]
        rows = as_rows(self._register.write(world, records), contract, records, delivered)
        if batch.changes is not None:
            changes = batch.changes[part]
            rows.is_delete = changes == DELETE
            rows.change = change_words(contract, self._register.style, changes)
            if rows.is_delete.any():
                kept = {*contract.key, self._source.sequence}
                rows.columns = {
                    name: values if name in kept else only_where(~rows.is_delete, values)
                    for name, values in rows.columns.items()
                }
        self._spoiler.spoil_cells(rows, world.today, delivered)
        rows.columns = dressed(contract, rows.columns, self._register.style)
        self._spoiler.spoil_changes(rows)
        self._spoiler.disguise(rows)
        return self._spoiler.add_copies(rows, world.today)

    def _witness(self, rows: Rows, accepted: Bools) -> None:
        """Take down whose rows these are and who is known by them."""
        if not self._register.subjects or not accepted.any():
            return
        records = rows.records[accepted]
        gone = rows.is_delete[accepted]
        fresh = self._fresh(records) & ~gone
        # An accepted record counts once, however many versions of it came.
        first = np.zeros(len(records), dtype=bool)
        first[np.unique(records, return_index=True)[1]] = True
        keys = only_where(fresh & first, rows.keys.filter(accepted))
        for subject in self._register.subjects:
            who = subject.of(self._world, records)
            self._link(subject, keys, who, fresh & first)
            if subject.role == "subject":
                sightings = self._truth.sightings[subject.kind]
                identified = subject.identified(self._world, records)
                sightings.see(self._contract.id, who[~gone], identified[~gone])
                sightings.lose(self._contract.id, who[gone])
        self._linked[records] = True

    def _link(self, subject: Subject, keys: Text, who: Ints, mask: Bools) -> None:
        if mask.any():
            self._truth.add_links(self._contract.id, subject, keys.filter(mask), who[mask])

    def _fresh(self, records: Ints) -> Bools:
        """Which records are linked for the first time."""
        highest = int(records.max()) + 1
        if highest > len(self._linked):
            grown = np.zeros(max(highest, 2 * len(self._linked)), dtype=bool)
            grown[: len(self._linked)] = self._linked
            self._linked = grown
        return ~self._linked[records]

    def _finish(self, folder: Path, business_date: date, files: Sequence[WrittenFile]) -> None:
        if self._register.style.done_marker:
            (folder / "_DONE").write_bytes(b"")
        else:
            write_manifest(folder, self._contract, business_date, files)


def write_manifest(
    folder: Path, contract: Contract, business_date: date, files: Sequence[WrittenFile]
) -> None:
    """The manifest, written last: with it the delivery is complete."""
    assert contract.source is not None
    document = {
        "dataset": contract.id,
        "business_date": business_date.isoformat(),
        "mode": str(contract.source.mode),
        "revision": 1,
        "files": [
            {"name": f.name, "rows": f.rows, "bytes": f.bytes, "sha256": f.sha256} for f in files
        ],
    }
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def deliver_code_table(
    contract: Contract, file: Path, truth: Truth, inbox: Path, business_date: date
) -> list[WrittenFile]:
    """The platform hands over the site's own edition of a code table, byte for byte."""
    folder = inbox / contract.provider / contract.id / business_date.isoformat()
    folder.mkdir(parents=True)
    shutil.copyfile(file, folder / file.name)
    rows = code_table_rows(file)
    files = [written(folder / file.name, len(rows))]
    good = np.zeros(len(rows), dtype=np.int64)
    truth.add_rows(contract.id, business_date, file.name, 1, good + ACCEPTED, good)
    write_manifest(folder, contract, business_date, files)
    return files


def code_table_rows(file: Path) -> list[list[str]]:
    """The records of a code table, without its header."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [row for row in list(csv.reader(stream))[1:] if row]
