"""How two homes are compared: everything a reader can see of their tables, and their ledgers."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lake.ledger import Ledger
from lake.state import open_state
from tests.stories.homes import Home

EXAMPLES = 3
"""So many rows of a table are shown; a thousand that differ alike say no more."""

WIDTH = 300
"""Of a row that is shown."""

Row = tuple[Any, ...]


def differences(one: Home, other: Home) -> str:
    """What tells the homes apart, line by line; nothing when they are alike. Rows have no order."""
    names = one.settings.home.name, other.settings.home.name
    return "\n".join([*_of_ledgers(one, other, names), *_of_lakes(one, other, names)])


def feed(table: DeltaTable) -> pa.Table:
    """The change feed of a table from its first version, as delta-rs reads it, but no clock."""
    read = pa.table(table.load_cdf(starting_version=0))
    return read.drop_columns(["_commit_timestamp"])


def with_sorted_maps(rows: pa.Table) -> pa.Table:
    """The rows, in whose maps the keys are in order: not all readers keep them as written."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_map(field.type):
            maps = [None if held is None else sorted(held) for held in rows[place].to_pylist()]
            rows = rows.set_column(place, field, pa.array(maps, field.type))
    return rows


def frozen(rows: pa.Table) -> Counter[Row]:
    """The rows as values that can be counted."""
    return Counter(zip(*([_hashable(v) for v in c.to_pylist()] for c in rows.columns), strict=True))


def of_rows(where: str, one: pa.Table, other: pa.Table, names: tuple[str, str]) -> Iterator[str]:
    """How the rows of a table differ, with some of them."""
    if one.column_names != other.column_names:
        yield f"{where}: columns {one.column_names} and {other.column_names}"
        return
    left, right = frozen(one), frozen(other)
    alone, others = list((left - right).elements()), list((right - left).elements())
    if alone or others:
        yield f"{where}: {len(alone)} rows stand in {names[0]} alone, {len(others)} in {names[1]}"
        yield from _examples(one.column_names, alone, others, names)


def _of_ledgers(one: Home, other: Home, names: tuple[str, str]) -> Iterator[str]:
    yield from _of_mappings("ledger", _ledger(one), _ledger(other), names)


def _ledger(home: Home) -> dict[str, object]:
    """Every delivery by its name; how long it took is the engine's own."""
    state = open_state(home.settings.state_url)
    entries = Ledger(state).entries()
    state.dispose()
    return {
        f"{e.delivery.dataset} {e.delivery.business_date} r{e.delivery.revision}": (
            e.delivery,
            e.status.value,
            e.reason,
            e.ended_by,
            e.contract_hash,
            e.counts,
            e.versions,
        )
        for e in entries
    }


def _of_lakes(one: Home, other: Home, names: tuple[str, str]) -> Iterator[str]:
    held = set(one.tables.names()), set(other.tables.names())
    for name, alone in zip(names, (held[0] - held[1], held[1] - held[0]), strict=True):
        yield from (f"{table}: is in {name} alone" for table in sorted(alone))
    for table in sorted(held[0] & held[1]):
        left, right = DeltaTable(one.tables.path(table)), DeltaTable(other.tables.path(table))
        yield from _of_mappings(table, _facts(left), _facts(right), names)
        yield from of_rows(table, left.to_pyarrow_table(), right.to_pyarrow_table(), names)
        yield from of_rows(f"{table}, its feed", feed(left), feed(right), names)


def _facts(table: DeltaTable) -> dict[str, object]:
    """All that a table is beside its rows: version, columns in order, comments, properties."""
    metadata, protocol = table.metadata(), table.protocol()
    return {
        "version": table.version(),
        "comment": metadata.description,
        "partitions": metadata.partition_columns,
        "readers": (protocol.min_reader_version, sorted(protocol.reader_features or ())),
        "writers": (protocol.min_writer_version, sorted(protocol.writer_features or ())),
        "columns": [field.name for field in table.schema().fields],
        **{f"property {key}": value for key, value in metadata.configuration.items()},
        **{f"column {field.name}": field.to_json() for field in table.schema().fields},
    }


def _of_mappings(
    where: str, one: Mapping[str, object], other: Mapping[str, object], names: tuple[str, str]
) -> Iterator[str]:
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if left != right:
            yield f"{where}, {key}: {left} in {names[0]}, {right} in {names[1]}"


def _examples(
    columns: Sequence[str], alone: Sequence[Row], others: Sequence[Row], names: tuple[str, str]
) -> Iterator[str]:
    """Rows of one side beside the most similar of the other: what differs is told by column."""
    for row in sorted(alone, key=repr)[:EXAMPLES]:
        near = max(others, key=lambda other: _agreement(row, other), default=())
        if _agreement(row, near) * 2 < len(columns):
            yield f"  in {names[0]} alone: {_told(columns, row)}"
            continue
        for column, left, right in zip(columns, row, near, strict=True):
            if left != right:
                yield f"  {column}: {left!r} in {names[0]}, {right!r} in {names[1]}"
        yield f"    of {_told(columns, row)}"
    if not alone:
        for row in sorted(others, key=repr)[:EXAMPLES]:
            yield f"  in {names[1]} alone: {_told(columns, row)}"


def _agreement(one: Row, other: Row) -> int:
    return sum(left == right for left, right in zip(one, other, strict=False))


def _told(columns: Sequence[str], row: Row) -> str:
    told = ", ".join(f"{c}={v!r}" for c, v in zip(columns, row, strict=True) if v is not None)
    return textwrap.shorten(told, WIDTH, placeholder=" …")


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
