"""
The tables of the lake and their Delta logs, read and created without any engine.

Creating a table and asking for its version, schema or transactions needs no query engine: delta-rs
does it in milliseconds on every store, for both engines alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, QueryBuilder, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import ArrayType, MapType, PrimitiveType

from catalog.contract import DataType, TypeName
from catalog.shapes import Shape
from lake.handles import Handles, committing
from lake.store import LOCAL, Store

_PRIMITIVE = {
    TypeName.STRING: "string",
    TypeName.INTEGER: "integer",
    TypeName.BIGINT: "long",
    TypeName.BOOLEAN: "boolean",
    TypeName.DATE: "date",
    TypeName.TIMESTAMP: "timestamp_ntz",
    TypeName.INSTANT: "timestamp",
}


def delta_type(data_type: DataType) -> PrimitiveType | MapType | ArrayType:
    """The Delta type of a contract's type."""
    match data_type.name:
        case TypeName.DECIMAL:
            return PrimitiveType(f"decimal({data_type.precision},{data_type.scale})")
        case TypeName.MAP:
            return MapType(PrimitiveType("string"), PrimitiveType("string"))
        case TypeName.STRINGS:
            return ArrayType(PrimitiveType("string"))
        case name:
            return PrimitiveType(_PRIMITIVE[name])


def _schema(shape: Shape) -> Schema:
    return Schema(
        [
            Field(
                c.name,
                delta_type(c.type),
                nullable=not c.required,
                metadata={"comment": c.comment},
            )
            for c in shape.columns
        ]
    )


def no_rows(shape: Shape) -> pa.Table:
    """What a table of this shape holds before anything was written to it."""
    return pa.schema(_schema(shape)).empty_table()


def rows_of(table: DeltaTable, *columns: str) -> pa.Table:
    """
    All rows of an opened table, in no order: the named columns, or all.

    Not by its `to_pyarrow_table`: that refuses deletion vectors, and leaves it to Arrow's threads
    to close files through Python, which abort a process that ends at that moment.
    """
    schema = pa.schema(table.schema())
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    named = ", ".join(f'"{name}"' for name in schema.names)
    query = QueryBuilder().register("held", table).execute(f"SELECT {named} FROM held")
    found: pa.Table = pa.RecordBatchReader.from_stream(query).read_all().cast(schema)
    return found


class Tables:
    """
    The tables under one root, by name `<layer>.<theme>__<dataset>[__<part>]`.

    What a version holds never changes, so it is asked once; the newest version is asked each time,
    through the `handles` of the engine that commits to them, if there is one.
    """

    def __init__(self, root: str, store: Store = LOCAL, handles: Handles | None = None) -> None:
        self.root = root
        self._store = store
        self._handles = handles or Handles(store)
        self._rows: dict[tuple[str, int], int] = {}
        self._values: dict[tuple[str, str, int], pa.ChunkedArray] = {}

    def path(self, table: str) -> str:
        """Where the table lies: `<root>/<layer>/<theme>__<dataset>`."""
        layer, _, folder = table.partition(".")
        return f"{self.root}/{layer}/{folder}"

    def names(self) -> list[str]:
        """The names of all tables that exist, sorted."""
        return sorted(f"{layer}.{folder}" for layer, folder in self._store.tables(self.root))

    def open(self, table: str) -> DeltaTable | None:
        """The table as it stands now, or None when it does not exist."""
        try:
            return self._handles.newest(self.path(table))
        except TableNotFoundError:
            return None

    def version(self, table: str) -> int | None:
        """The newest version of the table, or None when it does not exist."""
        opened = self.open(table)
        return None if opened is None else opened.version()

    def version_at(self, table: str, moment: datetime) -> int | None:
        """The newest version that stood at a moment, of those that the log still tells of."""
        opened = self.open(table)
        if opened is None:
            return None
        until = moment.timestamp() * 1000
        told = ((one["version"], one["timestamp"]) for one in opened.history())
        return max((version for version, at in told if at <= until), default=None)

    def identity(self, table: str) -> str | None:
        """What tells the table from any other that ever had its place, or None without a table."""
        opened = self.open(table)
        return None if opened is None else str(opened.metadata().id)

    def has_transaction(self, table: str, app: str, version: int) -> bool:
        """Whether the table holds a commit of this transaction."""
        opened = self.open(table)
        if opened is None:
            return False
        committed = opened.transaction_version(app)
        return committed is not None and committed >= version

    def ensure(self, shape: Shape) -> int:
        """
        Create the table unless it exists, and return its version.

        With timestamps without zone the Delta protocol lists its features one by one, and of
        these delta-rs forgets the one that Spark wants for NOT NULL, unless it is asked for the
        protocol that has them all (delta-io/delta-rs#2882). It must stand in the first version:
        who reads the change feed from there reads by its protocol.
        """
        opened = self.open(shape.table)
        if opened is None:
            configuration = dict(shape.properties)
            if any(c.type.name is TypeName.TIMESTAMP for c in shape.columns):
                configuration["delta.minWriterVersion"] = "7"
            path = self.path(shape.table)
            with committing(path):
                created = DeltaTable.create(
                    path,
                    _schema(shape),
                    mode="ignore",
                    description=shape.description,
                    configuration=configuration,
                    raise_if_key_not_exists=False,  # our own properties are not Delta's
                    storage_options=self._store.options(path),
                )
            opened = self._handles.keep(path, created)
        return opened.version()

    def rows(self, table: str, version: int | None = None) -> int:
        """How many rows a version (default: the newest) holds, from the log's statistics."""
        at = self.version(table) if version is None else version
        if at is None:
            return 0
        if (table, at) not in self._rows:
            opened = self.open(table)
            held = opened if opened is not None and opened.version() == at else None
            held = held or self._store.delta(self.path(table), at)
            self._rows[table, at] = held.count()
        return self._rows[table, at]

    def changes(
        self, table: str, columns: Sequence[str], since: int, until: int, at_most: int
    ) -> pa.Table | None:
        """
        These columns of the rows that commits after `since`, up to `until`, have inserted, deleted,
        and changed (before and after), from the table's change feed.

        None when they are more than `at_most`, or the feed does not reach back so far any more.
        """
        opened = self.open(table)
        if opened is None:
            return None
        schema = pa.schema(opened.schema())
        schema = pa.schema([schema.field(name).with_nullable(True) for name in columns])
        batches, rows = [], 0
        try:
            feed = opened.load_cdf(
                starting_version=since + 1, ending_version=until, columns=list(columns)
            )
            for batch in pa.RecordBatchReader.from_stream(feed):
                rows += batch.num_rows
                if rows > at_most:
                    return None
                batches.append(batch.cast(schema))
        except (DeltaError, pa.ArrowException):  # the log has been cleaned, or files have
            return None
        return pa.Table.from_batches(batches, schema)

    def values(self, table: str, column: str, version: int) -> pa.ChunkedArray:
        """The distinct values of one column at a version; for code tables and the like."""
        key = table, column, version
        if key not in self._values:
            held = self._store.delta(self.path(table), version)
            self._values[key] = pc.unique(rows_of(held, column)[column].drop_null())
        return self._values[key]
