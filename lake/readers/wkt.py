"""GeoJSON geometries as WKT, every coordinate in the digits in which it was delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lake.readers.json_records import NotReadable, Number


def to_wkt(geometry: Any) -> str | None:
    """
    The WKT of a decoded geometry; null for none and for one without coordinates.

    NotReadable for collections, for a ring that is not closed, for what is no position, and when
    some positions have a height and others none.

    >>> to_wkt({"type": "Point", "coordinates": [Number("113.90"), Number("29.7")]})
    'POINT (113.90 29.7)'
    """
    if geometry is None:
        return None
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if not isinstance(kind, str) or kind not in _SHAPES:
        raise NotReadable("a geometry of no known type")
    name, write = _SHAPES[kind]
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise NotReadable("a geometry without coordinates")
    if not coordinates:
        return None
    dimensions: set[int] = set()
    text = write(coordinates, dimensions)
    if len(dimensions) > 1:
        raise NotReadable("some positions have a height and others none")
    return f"{name}{' Z' if dimensions == {3} else ''} {text}"


def _position(value: Any, dimensions: set[int]) -> str:
    if (
        not isinstance(value, list)
        or len(value) not in (2, 3)
        or not all(isinstance(number, Number) for number in value)
    ):
        raise NotReadable("a position is not two or three numbers")
    dimensions.add(len(value))
    return " ".join(value)


def _point(value: Any, dimensions: set[int]) -> str:
    return f"({_position(value, dimensions)})"


def _line(value: Any, dimensions: set[int]) -> str:
    return _list(_position, value, dimensions, at_least=2)


def _ring(value: Any, dimensions: set[int]) -> str:
    text = _list(_position, value, dimensions, at_least=4)
    if [float(number) for number in value[0]] != [float(number) for number in value[-1]]:
        raise NotReadable("a ring is not closed")
    return text


def _points(value: Any, dimensions: set[int]) -> str:
    return _list(_point, value, dimensions)


def _lines(value: Any, dimensions: set[int]) -> str:
    return _list(_line, value, dimensions)


def _polygon(value: Any, dimensions: set[int]) -> str:
    return _list(_ring, value, dimensions)


def _polygons(value: Any, dimensions: set[int]) -> str:
    return _list(_polygon, value, dimensions)


_Writer = Callable[[Any, set[int]], str]


def _list(write: _Writer, value: Any, dimensions: set[int], at_least: int = 1) -> str:
    if not isinstance(value, list) or len(value) < at_least:
        raise NotReadable(f"fewer than {at_least} positions or parts")
    return f"({', '.join(write(item, dimensions) for item in value)})"


_SHAPES: Mapping[str, tuple[str, _Writer]] = {
    "Point": ("POINT", _point),
    "LineString": ("LINESTRING", _line),
    "Polygon": ("POLYGON", _polygon),
    "MultiPoint": ("MULTIPOINT", _points),
    "MultiLineString": ("MULTILINESTRING", _lines),
    "MultiPolygon": ("MULTIPOLYGON", _polygons),
}
