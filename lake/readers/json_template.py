"""Lines of JSON that are written alike, matched by one pattern and parsed by Arrow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from catalog.vocabulary import Drift
from lake.readers.batches import Records
from lake.readers.headers import CHANGE
from lake.readers.json_records import Keys
from lake.readers.reading import Reading

_GAP = rb"[ \t\r]*+"
_VALUE = (
    rb'("[^"\\\x00-\x1f]*+"'
    rb"|-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|true|false|null)"
)
_ABSENT = (b"null", b'""')


class Template:
    """
    A pattern for lines with the same keys in the same order, flat and without escapes.

    What it matches is a whole line and one JSON object without a second meaning: no key twice, no
    quote but those around keys and strings. So its values need no decoding, and are CSV as they
    stand.
    """

    def __init__(self, keys: Sequence[str], places: Sequence[int | None], fields: int) -> None:
        members = (
            re.escape(encode_basestring(key).encode()) + _GAP + b":" + _GAP + _VALUE + _GAP
            for key in keys
        )
        body = (b"," + _GAP).join(members)
        self.pattern = re.compile(b"^" + _GAP + rb"\{" + _GAP + body + rb"\}" + _GAP + b"\n", re.M)
        at = {place: index for index, place in enumerate(places) if place is not None}
        self._columns = [at.get(field) for field in range(fields)]
        self._change = at.get(CHANGE)
        self._unknown = [
            (index, encode_basestring(key).encode() + b":")
            for index, (key, place) in enumerate(zip(keys, places, strict=True))
            if place is None
        ]
        self._names = [str(index) for index in range(len(keys))]

    @classmethod
    def of(cls, reading: Reading, keys: Keys, fields: Mapping[str, Any]) -> Template | None:
        """
        The template of objects like this one.

        None when such lines must be looked at one by one: they have one key (Arrow passes over
        empty lines), two keys for one column, or an unknown key that drift refuses.
        """
        places = [keys[key] for key in fields]
        known = [place for place in places if place is not None]
        refusing = reading.unknown_column is Drift.REFUSE and len(known) < len(places)
        if len(places) < 2 or len(set(known)) < len(known) or refusing:
            return None
        return cls(list(fields), places, len(reading.fields))

    def records(self, rows: Sequence[tuple[bytes, ...]], numbers: Sequence[int]) -> Records:
        """The records of matched lines, by the groups of their matches."""
        text = b"\n".join(map(b",".join, rows)).replace(b'""', b"")  # no quote stands in a string
        text += b"\n"  # without it Arrow takes an absent value at the very end for an empty one
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=self._names
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,  # the text has been decoded
                column_types=dict.fromkeys(self._names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=["null", ""],
            ),
        )
        values = [column.combine_chunks() for column in table.columns]
        nulls = pa.nulls(len(rows), pa.string())
        return Records(
            columns=[nulls if index is None else values[index] for index in self._columns],
            extra=self._extra(rows) if self._unknown else nulls,
            change=nulls if self._change is None else values[self._change],
            numbers=pa.array(numbers, pa.int64()),
        )

    def _extra(self, rows: Sequence[tuple[bytes, ...]]) -> pa.Array:
        return pa.array(
            (
                b"{%b}" % b",".join(members) if members else None
                for members in (
                    [
                        name + row[index]
                        for index, name in self._unknown
                        if row[index] not in _ABSENT
                    ]
                    for row in rows
                )
            ),
            pa.string(),
        )
