"""Which delivered header is which column of the contract, and what to do about the others."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Drift
from lake.readers.reading import Reading

HEADER_DEPTH = 5
"""A header is looked for in this many first records: titles and remarks often stand above it."""

_LONG_NUMBER = re.compile(r"\d{6}")
_SHOWN = 60  # headers named in a message at most

CHANGE = -1
"""The position that stands for the change column among those of the fields."""


def normalise(header: str) -> str:
    """
    The form in which two headers are compared: NFKC, white space collapsed, case folded.

    >>> normalise("　ＩＤ  Number ")
    'id number'
    """
    return " ".join(unicodedata.normalize("NFKC", header).split()).casefold()


def known_headers(reading: Reading) -> Mapping[str, int]:
    """Every accepted header in its normal form → position of its field, or `CHANGE`."""
    known = {normalise(header): CHANGE for header in reading.change_headers}
    for position, field in enumerate(reading.fields):
        for header in field.headers:
            known.setdefault(normalise(header), position)
    return known


@dataclass(frozen=True)
class Layout:
    """
    Where the contract's columns stand in the records of one file.

    `positions` has the place of each field of the reading (None: the file lacks it), `unknown`
    the places and names of the other columns, and `missing` the lacking fields as JSON, or None.
    """

    width: int
    positions: tuple[int | None, ...]
    change: int | None
    unknown: tuple[tuple[int, str], ...]
    missing: str | None


def is_header(reading: Reading, cells: Sequence[str]) -> bool:
    """Whether the cells name at least one key column and half of the delivered columns."""
    known = known_headers(reading)
    found = {known.get(normalise(cell), CHANGE) for cell in cells} - {CHANGE}
    keys = {i for i, field in enumerate(reading.fields) if field.name in reading.key}
    return 2 * len(found) >= len(reading.fields) and (not keys or bool(found & keys))


def lay_out(reading: Reading, header: Sequence[str], file: str) -> Layout:
    """
    Place the contract's columns by the header.

    Refused when two headers name one column, when a header stands twice, and when the contract's
    drift says so. A column without a name is unknown and called by its place, `#4`.
    """
    known = known_headers(reading)
    places: dict[int, int] = {}
    unknown: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for place, cell in enumerate(header):
        name = normalise(cell)
        if not name:
            unknown.append((place, f"#{place + 1}"))
            continue
        field = known.get(name)
        first = seen.setdefault(name, place) if field is None else places.setdefault(field, place)
        if first != place:
            raise DeliveryRefused(
                f"headers {first + 1} ({header[first]!r}) and {place + 1} ({cell!r}) "
                + ("are the same" if field is None else f"are both {_name(reading, field)}"),
                file=file,
                column=cell,
                remedy="deliver each column once",
            )
        if field is None:
            unknown.append((place, cell))
    named = [header[place] for place, name in unknown if name == header[place]]
    if named and reading.unknown_column is Drift.REFUSE:
        raise unknown_refused(named, file)
    missing = [field for i, field in enumerate(reading.fields) if i not in places]
    no_change = bool(reading.change_headers) and CHANGE not in places
    if (missing or no_change) and reading.missing_column is Drift.REFUSE:
        lacking = [_accepted(field.headers) for field in missing]
        if no_change:
            lacking.append(_accepted(reading.change_headers))
        raise DeliveryRefused(
            f"the file lacks {len(lacking)} column(s) of the contract: {_shown(lacking)}",
            file=file,
            column=", ".join([field.name for field in missing] or reading.change_headers[:1]),
            remedy="deliver the columns under one of these headers",
        )
    return Layout(
        width=len(header),
        positions=tuple(places.get(i) for i in range(len(reading.fields))),
        change=places.get(CHANGE),
        unknown=tuple(unknown),
        missing=json.dumps([f.name for f in missing]) if missing else None,
    )


def header_refused(reading: Reading, found: Sequence[str], file: str) -> DeliveryRefused:
    """
    The refusal of a file in which no header was found; `found` is its first record.

    A first record that looks like data is not told: the message may be logged.
    """
    is_data = any(_LONG_NUMBER.search(normalise(cell)) for cell in found)
    told = f"a row of {len(found)} value(s) that looks like data" if is_data else _shown(found)
    expected = [_accepted(field.headers) for field in reading.fields]
    return DeliveryRefused(
        f"the header does not match {reading.dataset}: found {told}; expected {_shown(expected)}",
        file=file,
        remedy="deliver the dataset's own file with its header in the first row",
    )


def unknown_refused(names: Sequence[str], file: str, row: int | None = None) -> DeliveryRefused:
    """The refusal of columns that the contract does not know, where its drift demands it."""
    return DeliveryRefused(
        f"the contract does not know the column(s) {_shown(names)}",
        file=file,
        row=row,
        column=", ".join(names[:_SHOWN]),
        remedy="leave them out, or ask the platform to take them into the contract",
    )


def _name(reading: Reading, field: int) -> str:
    return "the change column" if field == CHANGE else reading.fields[field].name


def _accepted(headers: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(headers))


def _shown(names: Sequence[str]) -> str:
    text = ", ".join(repr(name[:_SHOWN]) for name in names[:_SHOWN])
    return f"{text} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else text
