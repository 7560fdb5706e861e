"""GeoJSON: each feature of a FeatureCollection is a record, its geometry a column of WKT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from catalog.errors import DeliveryRefused
from lake.readers.batches import Batches, record_json
from lake.readers.contents import Content
from lake.readers.json_records import JsonRecord, Mapper, NotReadable, decode, in_columns
from lake.readers.reading import Reading
from lake.readers.text import Utf8Blocks
from lake.readers.wkt import to_wkt

MAX_BYTES = 256 << 20
"""A larger file is refused: its text is held whole."""

_BATCH_FEATURES = 2_000  # features may be long
_SPACE = re.compile(r"[ \t\r\n]*")


def read_geojson(reading: Reading, content: Content) -> Iterator[pa.RecordBatch]:
    """
    The features of a FeatureCollection.

    A record's fields are the feature's properties, its `geometry` as WKT, and members that GeoJSON
    does not know, such as `id`, unless a property has that name. A feature that is none, or whose
    geometry is not sound, cannot be read. Refused: a file that is no FeatureCollection, or whose
    JSON breaks off.
    """
    document = _Document(_text(reading, content), content.name)
    mapper = Mapper(reading, content.name)
    batches = Batches(reading, content.name)
    features = enumerate(document.features(), start=1)
    while part := list(islice(features, _BATCH_FEATURES)):
        records: dict[int, JsonRecord] = {}
        faults: dict[int, str] = {}
        for number, text in part:
            try:
                records[number] = mapper.record(_fields(decode(text)), number)
            except NotReadable:
                faults[number] = record_json(text)
        readable = [in_columns(list(records.values()), list(records))] if records else []
        yield from batches.of(readable, faults)


def _text(reading: Reading, content: Content) -> str:
    blocks: list[bytes] = []
    size = 0
    for block in Utf8Blocks(content, reading.encoding):
        size += len(block)
        if size > MAX_BYTES:
            raise DeliveryRefused(
                f"the file is larger than {MAX_BYTES} bytes",
                file=content.name,
                remedy="deliver it in several files",
            )
        blocks.append(block)
    return b"".join(blocks).decode()


def _fields(feature: Any) -> Mapping[str, Any]:
    """The fields of one feature."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise NotReadable("not a feature")
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict) or "geometry" not in feature:
        raise NotReadable("a feature without properties or geometry")
    if "geometry" in properties:
        raise NotReadable("a property has the name of the geometry")
    others = {
        key: value
        for key, value in feature.items()
        if key not in {"type", "properties", "geometry", "bbox"} and key not in properties
    }
    return {**others, **properties, "geometry": to_wkt(feature["geometry"])}


class _Document:
    """The text of a GeoJSON file, walked through one feature at a time."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._given = 0

    def features(self) -> Iterator[str]:
        """The text of each feature, in order."""
        found = False
        self._take("{")
        while True:
            key, _ = self._value()
            self._take(":")
            if key == "features":
                found = True
                yield from self._elements()
            elif self._value()[0] != "FeatureCollection" and key == "type":
                raise self._refused("it is no FeatureCollection")
            if self._take(",}") == "}":
                break
        if not found:
            raise self._refused("it has no features")
        if self._skip_space() < len(self._text):
            raise self._refused(f"something follows its end, at character {self._at + 1}")

    def _elements(self) -> Iterator[str]:
        self._take("[")
        if self._text.startswith("]", self._skip_space()):
            self._at += 1
            return
        while True:
            _, text = self._value()
            self._given += 1
            yield text
            if self._take(",]") == "]":
                return

    def _skip_space(self) -> int:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._at

    def _take(self, wanted: str) -> str:
        """Pass one of the wanted characters."""
        found = self._text[self._skip_space() : self._at + 1]
        if not found or found not in wanted:
            raise self._broken()
        self._at += 1
        return found

    def _value(self) -> tuple[Any, str]:
        """Pass a value: the value, roughly, and its text."""
        start = self._skip_space()
        try:
            value, self._at = _SCANNER.raw_decode(self._text, start)
        except (ValueError, RecursionError):
            raise self._broken() from None
        return value, self._text[start : self._at]

    def _broken(self) -> DeliveryRefused:
        return self._refused(f"its JSON breaks off or is wrong at character {self._at + 1}")

    def _refused(self, reason: str) -> DeliveryRefused:
        return DeliveryRefused(
            f"the file cannot be read as GeoJSON: {reason}",
            file=self._file,
            row=self._given or None,
            remedy="deliver one FeatureCollection",
        )


_SCANNER = json.JSONDecoder(parse_float=str, parse_int=str)
