"""
Contract → Delta: the `CREATE TABLE` of a dataset's main table, in Spark's SQL.

The text is for people and for tools that are not ours; the engines create the table from the
same `catalog.shapes`, so that both say one thing.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.contract import Contract, DataType, TypeName
from catalog.shapes import Shape, ShapeColumn, main_shape

_TYPES = {
    TypeName.STRING: exp.DataType.Type.VARCHAR,
    TypeName.INTEGER: exp.DataType.Type.INT,
    TypeName.BIGINT: exp.DataType.Type.BIGINT,
    TypeName.BOOLEAN: exp.DataType.Type.BOOLEAN,
    TypeName.DATE: exp.DataType.Type.DATE,
    TypeName.TIMESTAMP: exp.DataType.Type.TIMESTAMPNTZ,
    TypeName.INSTANT: exp.DataType.Type.TIMESTAMPLTZ,
}
"""`varchar(n)` becomes STRING: a length in Delta is a constraint that other writers overlook."""


def compile_delta(contract: Contract) -> str:
    """The DDL of the dataset's curated or thematic table, columns with their Chinese comments."""
    return create_table(main_shape(contract)).sql(dialect="spark", pretty=True) + ";\n"


def create_table(shape: Shape) -> exp.Create:
    """`CREATE TABLE … USING delta` of a shape, its properties in their order."""
    properties: list[exp.Expr] = [
        exp.FileFormatProperty(this=exp.Literal.string("delta")),
        exp.SchemaCommentProperty(this=exp.Literal.string(shape.description)),
    ]
    properties += [
        exp.Property(this=exp.Literal.string(name), value=exp.Literal.string(value))
        for name, value in shape.properties.items()
    ]
    return exp.Create(
        kind="TABLE",
        this=exp.Schema(
            this=exp.to_table(shape.table), expressions=[_column(c) for c in shape.columns]
        ),
        properties=exp.Properties(expressions=properties),
    )


def _column(column: ShapeColumn) -> exp.ColumnDef:
    constraints = [exp.CommentColumnConstraint(this=exp.Literal.string(column.comment))]
    kinds: list[exp.Expr] = [exp.ColumnConstraint(kind=kind) for kind in constraints]
    if column.required:
        kinds.insert(0, exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    return exp.ColumnDef(
        this=exp.to_identifier(column.name, quoted=True), kind=_type(column.type), constraints=kinds
    )


def _type(data_type: DataType) -> exp.DataType:
    match data_type.name:
        case TypeName.DECIMAL:
            return exp.DataType.build(f"DECIMAL({data_type.precision}, {data_type.scale})")
        case TypeName.MAP:
            return exp.DataType.build("MAP<STRING, STRING>", dialect="spark")
        case TypeName.STRINGS:
            return exp.DataType.build("ARRAY<STRING>", dialect="spark")
        case plain:
            return exp.DataType(this=_TYPES[plain])
