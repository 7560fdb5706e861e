"""
Contract → Trino: how Trino shows the tables of a dataset.

Trino takes columns, types and comments from the Delta log; what stands here is what it has to
find there. Raw tables are not served.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from catalog.contract import Contract, DataType, TypeName
from catalog.shapes import Shape, curated_shape, history_shape, quarantine_shape, thematic_shape
from catalog.vocabulary import Kind

_TYPES = {
    TypeName.STRING: "varchar",
    TypeName.INTEGER: "integer",
    TypeName.BIGINT: "bigint",
    TypeName.BOOLEAN: "boolean",
    TypeName.DATE: "date",
    TypeName.TIMESTAMP: "timestamp(6)",
    TypeName.INSTANT: "timestamp(3) with time zone",
    TypeName.MAP: "map(varchar, varchar)",
    TypeName.STRINGS: "array(varchar)",
}


@dataclass(frozen=True)
class TrinoColumn:
    """One column as `DESCRIBE` shows it."""

    name: str
    type: str
    comment: str
    required: bool = False


@dataclass(frozen=True)
class TrinoTable:
    """A table in a catalog of Trino: the layer is its schema."""

    schema: str
    name: str
    comment: str
    columns: tuple[TrinoColumn, ...]

    @property
    def full_name(self) -> str:
        """`<layer>.<theme>__<dataset>[__<part>]`, as everywhere."""
        return f"{self.schema}.{self.name}"


def trino_tables(contract: Contract) -> tuple[TrinoTable, ...]:
    """The tables of a dataset that Trino serves, whether they hold anything yet or not."""
    if contract.kind is not Kind.SOURCE:
        return (_table(thematic_shape(contract)),)
    shapes = [curated_shape(contract), quarantine_shape(contract)]
    if contract.history:
        shapes.append(history_shape(contract))
    return tuple(map(_table, shapes))


def trino_type(data_type: DataType) -> str:
    """
    A type as Trino names it for a column of a Delta table.

    >>> trino_type(DataType(TypeName.DECIMAL, precision=20, scale=2))
    'decimal(20,2)'
    """
    if data_type.name is TypeName.DECIMAL:
        return f"decimal({data_type.precision},{data_type.scale})"
    return _TYPES[data_type.name]


def compile_trino(contract: Contract) -> str:
    """The served tables as `SHOW CREATE TABLE` would tell them, without properties."""
    return "\n".join(map(_statement, trino_tables(contract)))


def _table(shape: Shape) -> TrinoTable:
    schema, _, name = shape.table.partition(".")
    columns = (
        TrinoColumn(c.name, trino_type(c.type), c.comment, c.required) for c in shape.columns
    )
    return TrinoTable(schema, name, shape.description, tuple(columns))


def _statement(table: TrinoTable) -> str:
    columns = ",\n".join(
        f"   {c.name} {c.type}{' NOT NULL' if c.required else ''} COMMENT {quoted(c.comment)}"
        for c in table.columns
    )
    return f"CREATE TABLE {table.full_name} (\n{columns}\n)\nCOMMENT {quoted(table.comment)};\n"


def quoted(text: str) -> str:
    """
    A text as a literal of Trino's SQL.

    >>> quoted("it's")
    "'it''s'"
    """
    return exp.Literal.string(text).sql("trino")
