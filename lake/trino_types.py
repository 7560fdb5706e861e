"""
Trino's types and values as Arrow has them.

What Arrow or Python knows no like of (intervals, UUIDs, addresses) becomes text as Python writes
it; instants become UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

T = exp.DataType.Type

PLAIN = {
    T.BOOLEAN: pa.bool_(),
    T.TINYINT: pa.int8(),
    T.SMALLINT: pa.int16(),
    T.INT: pa.int32(),
    T.BIGINT: pa.int64(),
    T.FLOAT: pa.float32(),
    T.DOUBLE: pa.float64(),
    T.DATE: pa.date32(),
    T.TIME: pa.time64("us"),
    T.TIMESTAMP: pa.timestamp("us"),
    T.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    T.VARBINARY: pa.binary(),
}


def arrow_schema(columns: Iterable[tuple[str, str]]) -> pa.Schema:
    """The schema of columns with their names and Trino's types, such as `map(varchar, date)`."""
    return pa.schema([pa.field(name, arrow_type(text)) for name, text in columns])


def arrow_type(text: str) -> pa.DataType:
    """
    The Arrow type of a type of Trino.

    >>> arrow_type("array(decimal(20,2))")
    ListType(list<item: decimal128(20, 2)>)
    """
    if text == "unknown":
        return pa.null()
    try:
        return _arrow(exp.DataType.build(text, dialect="trino"))
    except sqlglot.ParseError:
        return pa.string()


def _arrow(kind: exp.DataType) -> pa.DataType:
    inner = kind.expressions
    match kind.this:
        case T.DECIMAL:
            precision, scale = (int(one.name) for one in inner)
            return pa.decimal128(precision, scale)
        case T.ARRAY:
            return pa.list_(_arrow(inner[0]))
        case T.MAP:
            return pa.map_(_arrow(inner[0]), _arrow(inner[1]))
        case T.STRUCT:
            return pa.struct([_field(number, one) for number, one in enumerate(inner)])
        case plain:
            return PLAIN.get(plain, pa.string())


def _field(number: int, part: exp.Expr) -> pa.Field:
    """One part of a row, which may be without a name."""
    if isinstance(part, exp.DataType):
        return pa.field(f"field{number}", _arrow(part))
    return pa.field(part.name, _arrow(part.args["kind"]))


def arrow_values(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values that the client gives for one column, as an array."""
    return pa.array([_value(value, kind) for value in values], kind)


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return [(_value(k, kind.key_type), _value(v, kind.item_type)) for k, v in value.items()]
    if pa.types.is_list(kind):
        return [_value(one, kind.value_type) for one in value]
    if pa.types.is_struct(kind):
        return {part.name: _value(one, part.type) for part, one in zip(kind, value, strict=True)}
    return str(value) if pa.types.is_string(kind) else value


def trino_type(kind: pa.DataType) -> str:
    """
    Trino's name of an Arrow type that a table of the lake has.

    >>> trino_type(pa.list_(pa.decimal128(20, 2)))
    'array(decimal(20,2))'
    """
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_map(kind):
        return f"map({trino_type(kind.key_type)}, {trino_type(kind.item_type)})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array({trino_type(kind.value_type)})"
    if pa.types.is_struct(kind):
        fields = (kind.field(place) for place in range(kind.num_fields))
        return f"row({', '.join(f'{f.name} {trino_type(f.type)}' for f in fields)})"
    if pa.types.is_timestamp(kind):
        return f"timestamp(6){' with time zone' if kind.tz else ''}"
    plain = next((name for name, arrow in PLAIN.items() if arrow == kind), None)
    return "varchar" if plain is None else _NAMES.get(plain, plain.value.lower())


_NAMES = {T.INT: "integer", T.FLOAT: "real", T.TIME: "time(6)"}
