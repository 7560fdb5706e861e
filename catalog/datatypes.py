"""The `physicalType` of a column: a type of Trino that every engine and Delta agree on."""

from __future__ import annotations

import re

from catalog.contract import DataType, TypeName

LOGICAL_TYPE = {
    TypeName.STRING: "string",
    TypeName.INTEGER: "integer",
    TypeName.BIGINT: "integer",
    TypeName.BOOLEAN: "boolean",
    TypeName.DATE: "date",
    TypeName.DECIMAL: "number",
    TypeName.TIMESTAMP: "timestamp",
    TypeName.INSTANT: "timestamp",
    TypeName.MAP: "object",
}
"""The `logicalType` that goes with each type."""

MONEY = DataType(TypeName.DECIMAL, precision=20, scale=2)

_PLAIN = {
    "varchar": TypeName.STRING,
    "integer": TypeName.INTEGER,
    "bigint": TypeName.BIGINT,
    "boolean": TypeName.BOOLEAN,
    "date": TypeName.DATE,
    "timestamp": TypeName.TIMESTAMP,
    "timestamp with time zone": TypeName.INSTANT,
    "map<varchar,varchar>": TypeName.MAP,
}
_FLOATING = re.compile(r"(?:float|real|double)\b.*")
_SIZED = re.compile(r"(?:varchar|char)\(([1-9]\d{0,4})\)")
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s?(\d{1,2})\)")


class UnknownType(ValueError):
    """A text that names no type; the message says what to write."""


def read_type(text: str) -> DataType:
    """
    The type that a `physicalType` names; `UnknownType` when it names none.

    >>> read_type("decimal(20,2)") == MONEY
    True
    >>> read_type("varchar(32)")
    DataType(name=<TypeName.STRING: 'string'>, length=32, precision=None, scale=None)
    """
    if text in _PLAIN:
        return DataType(_PLAIN[text])
    if sized := _SIZED.fullmatch(text):
        return DataType(TypeName.STRING, length=int(sized[1]))
    if decimal := _DECIMAL.fullmatch(text):
        precision, scale = int(decimal[1]), int(decimal[2])
        if 1 <= precision <= 38 and scale <= precision:
            return DataType(TypeName.DECIMAL, precision=precision, scale=scale)
        raise UnknownType(f"{text!r}: a decimal has 1 to 38 digits, the scale among them")
    if _FLOATING.fullmatch(text.lower()):
        raise UnknownType(f"{text!r} is floating point; write decimal(p,s)")
    raise UnknownType(
        f"{text!r} is no type; write varchar(n), char(n), integer, bigint, boolean, date, "
        "decimal(p,s), timestamp, timestamp with time zone or map<varchar,varchar>"
    )
