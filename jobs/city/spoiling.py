"""
From the rows a register means to send to the rows that arrive, each with its true outcome.

Two of a hundred rows are bad. What is wrong with a record depends on the record alone, so that a
snapshot brings the same bad row day after day, until somebody mends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from catalog.contract import Column, Contract, TypeName
from catalog.vocabulary import Format, Mode
from jobs.city.clerks import full_width
from jobs.city.dice import Bools, Dice
from jobs.city.faults import Fault, applies, hard_row_rules
from jobs.city.rows import BASE, COPY, ELDER, RIVAL, Rows, RuleBook
from jobs.city.text import Text, join_present, listed, replaced

CELL_FAULTS = 0.0165
SECOND_FAULTS = 0.06
UNREADABLE = 0.001
DUPLICATES = 0.003
CONFLICTS = 0.001
ELDERS = 0.001
UNKNOWN_CHANGES = 0.001
MENDED_PER_DAY = 0.08
MENDED_EVER = 0.5
WIDE = 0.002
PADDED = 0.003
LINED = 0.003

ELDER_DAY = "2014-01-01"
"""When an older version was made that still lies in the department's files."""

PEOPLE_OR_ENTITIES = listed(
    "person husband wife mother father owner subject representative entity landlord applicant "
    "former manager registrar parent"
)
"""Columns that begin so hold names of somebody, with which no clerk plays."""


class Spoiler:
    """Spoils the rows of one dataset."""

    def __init__(
        self, contract: Contract, faults: Sequence[Fault], dice: Dice, book: RuleBook
    ) -> None:
        assert contract.source is not None
        self._contract = contract
        self._source = contract.source
        self._dice = dice
        self._book = book
        self._faults = tuple(faults)
        # Every required column can be missing in two ways: other faults would seldom be seen.
        self._weights = [0.4 if f.kind in ("missing", "null word") else 1.0 for f in self._faults]
        count = len(self._faults)
        self._apart = np.array(
            [[not (a.touches & b.touches) for b in self._faults] for a in self._faults]
        ).reshape(count, count)
        self._free = _free_text(contract)

    def spoil_cells(self, rows: Rows, day: int, delivered: frozenset[str]) -> None:
        """
        Put faults into cells of canonical text; delete rows stay as they are.

        Columns that the file does not have cannot be wrong.
        """
        if not self._faults:
            return
        dice = self._dice.of("cell")
        mended = self._mended(dice, rows, day)
        hit = dice.chance(rows.records, CELL_FAULTS) & ~rows.is_delete
        if self._source.mode is Mode.SNAPSHOT:
            hit &= ~mended
        where = np.flatnonzero(hit)
        first = dice.of("first").pick(rows.records[where], self._weights)
        second = dice.of("second").pick(rows.records[where], self._weights)
        twice = dice.of("twice").chance(rows.records[where], SECOND_FAULTS)
        value = dice.of("value").bits(rows.records[where]).astype(np.int64) & 0xFFFF
        cells: dict[str, dict[int, str | None]] = defaultdict(dict)
        for place, row in enumerate(where):
            chosen = [int(first[place])]
            if twice[place] and self._apart[chosen[0], int(second[place])]:
                chosen.append(int(second[place]))
            broken: list[str] = []
            for number in chosen:
                fault = self._faults[number]
                if fault.writes <= delivered and applies(fault, rows.columns, int(row)):
                    cells[fault.column][int(row)] = fault.values[
                        int(value[place]) % len(fault.values)
                    ]
                    for column, text in fault.also.items():
                        cells[column][int(row)] = text
                    broken += fault.broken
            rows.broken[row] = self._book.number(broken)
        _put(rows.columns, cells)

    @staticmethod
    def _mended(dice: Dice, rows: Rows, day: int) -> Bools:
        """Whether somebody has mended the record by the day; half of them nobody ever mends."""
        return dice.of("mended").chance(rows.records, min(MENDED_EVER, MENDED_PER_DAY * day))

    def spoil_changes(self, rows: Rows) -> None:
        """Change words that nobody knows."""
        if rows.change is None:
            return
        strange = self._dice.of("change word").chance(rows.records, UNKNOWN_CHANGES)
        strange &= ~rows.is_delete & (rows.broken == 0)
        rows.change = replaced(rows.change, strange, pa.repeat("其他", len(rows)))
        rows.broken[strange] = self._book.number(["change_known"])

    def disguise(self, rows: Rows) -> None:
        """Things that look wrong and are not: wide digits, spaces around, line breaks in texts."""
        for column in self._contract.delivered_columns:
            values = rows.columns.get(column.name)
            if values is None or values.null_count == len(values):
                continue
            dice = self._dice.of("disguise").of(column.name)
            if _is_code_like(column) and not column.is_key:
                wide = dice.of("wide").chance(rows.records, WIDE)
                rows.columns[column.name] = full_width(values, wide & ~rows.is_delete)
            elif column.name == self._free:
                padded = dice.of("padded").chance(rows.records, PADDED) & ~rows.is_delete
                lined = dice.of("lined").chance(rows.records, LINED) & ~rows.is_delete
                padding = join_present("\u3000", values, " ")
                remark = '（原"老地址"）' if self._source.format is Format.CSV else "（原址）"
                lines = join_present(values, f"\n{remark}")
                present = np.asarray(values.is_valid())
                values = replaced(values, padded & present, padding)
                rows.columns[column.name] = replaced(values, lined & present & ~padded, lines)

    def add_copies(self, rows: Rows, day: int) -> Rows:
        """
        Add exact copies, older versions, and rivals of the same key; spoil whole records.

        Only rows that are otherwise good get an older version, a rival, or become unreadable.
        """
        dice = self._dice.of("record")
        good = (rows.broken == 0) & ~rows.is_delete
        fate = dice.uniform(rows.records)
        edges = np.cumsum([self._share(kind) for kind in ("unreadable", "rival", "elder", "copy")])
        mended = self._mended(dice, rows, day)
        if self._source.mode is Mode.SNAPSHOT:
            good &= ~mended
        rows.unreadable = good & (fate < edges[0])
        rows.broken[rows.unreadable] = self._book.number(["record_readable"])
        rival = np.flatnonzero(good & (fate >= edges[0]) & (fate < edges[1]))
        elder = np.flatnonzero(good & (fate >= edges[1]) & (fate < edges[2]))
        copy = np.flatnonzero((fate >= edges[2]) & (fate < edges[3]))
        rows.broken[rival] = self._book.number(["key_unique"])
        base = np.arange(len(rows))
        chosen = np.concatenate([base, rival, elder, copy])
        # Copies stand some rows further down, older versions before their successors.
        places = np.concatenate([base * 8, rival * 8 + 1, elder * 8 - 1, copy * 8 + 24])
        order = np.argsort(places, kind="stable")
        counts = [len(base), len(rival), len(elder), len(copy)]
        kind = np.repeat([BASE, RIVAL, ELDER, COPY], counts)[order]
        mixed = rows.take(chosen[order])
        mixed.kind = kind
        if self._free and (len(rival) or len(elder)):
            other = join_present(mixed.columns[self._free], "（旧）")
            changed = (kind == RIVAL) | (kind == ELDER)
            mixed.columns[self._free] = replaced(mixed.columns[self._free], changed, other)
        if self._source.sequence and len(elder):
            sequence = mixed.columns[self._source.sequence]
            # One version for each day, so that no later delivery brings the same row again.
            older = pa.repeat(f"{ELDER_DAY} 08:{day // 60:02d}:{day % 60:02d}", len(mixed))
            mixed.columns[self._source.sequence] = replaced(sequence, kind == ELDER, older)
        return mixed

    def _share(self, kind: str) -> float:
        mode, text = self._source.mode, self._source.format in (Format.CSV, Format.JSON_LINES)
        match kind:
            case "unreadable":
                return UNREADABLE if text else 0.0
            case "rival":
                return CONFLICTS if mode is Mode.SNAPSHOT and self._free else 0.0
            case "elder":
                sequenced = self._source.sequence is not None and self._has_time_sequence()
                return ELDERS if sequenced and self._free else 0.0
            case _:
                return DUPLICATES

    def _has_time_sequence(self) -> bool:
        assert self._source.sequence is not None
        return self._contract.column(self._source.sequence).type.name is TypeName.TIMESTAMP


def _is_code_like(column: Column) -> bool:
    """Whether full-width digits are the same as plain ones (docs/reference/contract.md)."""
    if column.type.name is TypeName.TIMESTAMP:
        return False
    return (
        column.type.name is not TypeName.STRING
        or column.code_table is not None
        or column.name.endswith("_code")
    )


def _free_text(contract: Contract) -> str | None:
    """A column in which any text is good: no rule, no code, no key; addresses and remarks first."""
    ruled = {r.column for r in hard_row_rules(contract)}
    held = " ".join(r.holds or "" for r in hard_row_rules(contract))
    free = [
        c
        for c in contract.delivered_columns
        if c.type.name is TypeName.STRING
        and not c.is_key
        and c.name not in ruled
        and c.name not in held
        and c.semantic_type is None
        and c.code_table is None
        and not c.codes
        and c.min_length is None
        and c.max_length is None
        and c.pattern is None
        and not c.references
        and not c.name.endswith(("_code", "_number", "_id", "account", "phone"))
        and not c.name.startswith(PEOPLE_OR_ENTITIES)
    ]
    wished = listed("address location remark content scope items behaviour reason name")
    for word in wished:
        for column in free:
            if word in column.name:
                return column.name
    return None


def _put(columns: dict[str, Text], cells: Mapping[str, Mapping[int, str | None]]) -> None:
    for name, by_row in cells.items():
        values = columns[name]
        mask = np.zeros(len(values), dtype=bool)
        mask[list(by_row)] = True
        place = np.zeros(len(values), dtype=np.int64)
        place[list(by_row)] = np.arange(len(by_row))
        columns[name] = replaced(
            values, mask, pa.array(list(by_row.values()), pa.string()).take(pa.array(place))
        )
