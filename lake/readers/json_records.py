"""JSON objects as records: strictly read, every value as the text that stood there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa

from catalog.vocabulary import Drift
from lake.readers.batches import Records, text_array
from lake.readers.headers import known_headers, normalise, unknown_refused
from lake.readers.reading import Reading

MAX_DEPTH = 100
"""Arrays and objects nested deeper than this are not read."""

_KEYS_KEPT = 10_000  # keys that are data must not fill the memory

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class NotReadable(Exception):
    """A text is no JSON object that can be a record; the message says why."""


class Number(str):
    """A number in its literal text: `1.10` is not `1.1` to whoever delivered it."""

    __slots__ = ()


def decode(text: str) -> Any:
    """
    The value of one JSON text, with `Number` for numbers.

    NotReadable for what is no JSON (NaN and Infinity too), for a key that stands twice in an
    object, a lone surrogate, and nesting deeper than `MAX_DEPTH`.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotReadable(f"nested deeper than {MAX_DEPTH}")
    try:
        value = _DECODER.decode(text)
        if not _has_plainly_one_of_each_key(text, value):
            value = _PAIRS_DECODER.decode(text)
        if _SURROGATE.search(text):
            to_json(value).encode()
    except ValueError as error:  # JSONDecodeError and UnicodeEncodeError are ValueErrors
        raise NotReadable(str(error)) from None
    return value


def to_json(value: Any) -> str:
    """JSON of a decoded value, compact, every number in its literal text."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Mapping):
        members = (f"{encode_basestring(key)}:{to_json(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value)


def text_of(value: Any) -> str:
    """A scalar as text: strings as they are, numbers as written, `true` and `false`."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    raise NotReadable("a column holds an array or an object")


class JsonRecord(NamedTuple):
    """One record: the texts of the reading's fields, JSON of the unknown ones, and the change."""

    values: Sequence[str | None]
    extra: str | None
    change: str | None


def in_columns(records: Sequence[JsonRecord], numbers: Sequence[int]) -> Records:
    """The records as columns; there is at least one."""
    columns = zip(*(record.values for record in records), strict=True)
    return Records(
        columns=[text_array(column) for column in columns],
        extra=text_array([record.extra for record in records]),
        change=text_array([record.change for record in records]),
        numbers=pa.array(numbers, pa.int64()),
    )


class Keys(dict[str, int | None]):
    """Which key is which field: its position, `CHANGE`, or None for an unknown key."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self._known = known_headers(reading)

    def __missing__(self, key: str) -> int | None:
        if len(self) > _KEYS_KEPT:
            self.clear()
        place = self[key] = self._known.get(normalise(key))
        return place


class Mapper:
    """Turns decoded objects into records."""

    def __init__(self, reading: Reading, file: str) -> None:
        self.keys = Keys(reading)
        self._reading = reading
        self._file = file

    def record(self, fields: Mapping[str, Any], number: int) -> JsonRecord:
        """
        The record of an object; null and the empty text are absent, as everywhere in raw.

        NotReadable when two keys are the same field or a field is nested; DeliveryRefused for an
        unknown key where drift demands it.
        """
        values: list[str | None] = [None] * len(self._reading.fields)
        values.append(None)  # where CHANGE, -1, points to
        unknown: dict[str, Any] = {}
        for key, value in fields.items():
            if value is None or value == "":
                continue
            place = self.keys[key]
            if place is None:
                unknown[key] = value
            elif values[place] is not None:
                raise NotReadable(f"two keys are the same column, {key!r} is the second")
            else:
                values[place] = value if type(value) is str else text_of(value)
        if unknown and self._reading.unknown_column is Drift.REFUSE:
            raise unknown_refused(list(unknown), self._file, number)
        change = values.pop()
        return JsonRecord(values, to_json(unknown) if unknown else None, change)


def _has_plainly_one_of_each_key(text: str, value: Any) -> bool:
    # Every member of a flat object has one `":`, unless white space parts the two; so when there
    # are as many as keys, no key was lost. In doubt the pairs are looked at.
    return (
        type(value) is dict
        and text.count('":') == len(value)
        and not any(gap in text for gap in ('" ', '"\t', '"\r', '"\n'))
    )


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)
# Only for what _DECODER has read already.
_PAIRS_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, object_pairs_hook=_once_each
)
