"""
Lineage over the whole site: from which columns every column of every table is made, and which
columns are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import UsageError
from catalog.lineage import Origin, origins
from catalog.naming import table_name
from catalog.queries import read_query
from catalog.vocabulary import Kind, Layer

Graph = Mapping[Origin, frozenset[Origin]]
"""For every column the columns that it is directly made from."""


@dataclass(frozen=True, order=True)
class Edge:
    """One step: `made` is computed from `source`; both are `<table>.<column>`."""

    source: str
    made: str


@dataclass(frozen=True)
class Trace:
    """All that a column is made from, and all that is made from it, nearest first."""

    column: str
    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]


def column_graph(catalog: Catalog) -> Graph:
    """The columns of all curated and thematic tables with what they are made from."""
    graph: dict[Origin, frozenset[Origin]] = {}
    known = {
        table_name(c.id, c.layer): [k.name for k in c.columns] for c in catalog.contracts.values()
    }
    for contract in catalog.contracts.values():
        table = table_name(contract.id, contract.layer)
        made_from = _made_from(catalog, contract, known)
        for column in contract.columns:
            graph[table, column.name] = made_from.get(column.name, frozenset())
    return graph


def trace(catalog: Catalog, named: str) -> list[Trace]:
    """
    What the column is made from and what is made from it; of a table every column.

    `named` is `<layer>.<theme>__<dataset>` or a dataset's id, with `.<column>` or without.
    `UsageError` names what is near to a name that there is not.
    """
    graph = column_graph(catalog)
    readers: dict[Origin, set[Origin]] = {}
    for made, sources in graph.items():
        for source in sources:
            readers.setdefault(source, set()).add(made)
    return [
        Trace(
            _shown(column),
            tuple(Edge(_shown(far), _shown(near)) for near, far in _walk(column, graph.get)),
            tuple(Edge(_shown(near), _shown(far)) for near, far in _walk(column, readers.get)),
        )
        for column in _columns(catalog, named)
    ]


def _made_from(
    catalog: Catalog, contract: Contract, known: Mapping[str, list[str]]
) -> Mapping[str, frozenset[Origin]]:
    if contract.kind is Kind.SOURCE:
        raw = table_name(contract.id, Layer.RAW)
        return {
            c.name: frozenset({(raw, c.derive.column if c.derive else c.name)})
            for c in contract.columns
        }
    if (register := contract.key_register) is not None:
        identity = {(table_name(s, Layer.CURATED), register.identity) for s in register.sources}
        keys = {
            (table_name(s, Layer.CURATED), key)
            for s in register.sources
            for key in catalog.get(s).key
        }
        return {register.entity: frozenset(identity | keys), "source_key": frozenset(keys)}
    if (golden := contract.golden) is not None:
        key_table = table_name(golden.key_register, Layer.THEMATIC)
        of_register = {c.name for c in catalog.get(golden.key_register).columns}
        return {
            c.name: frozenset((table_name(s, Layer.CURATED), c.name) for s in c.authority)
            or (frozenset({(key_table, c.name)}) if c.name in of_register else frozenset())
            for c in contract.columns
        }
    tree = read_query(catalog.model_sql(contract) or "", known).tree
    return {} if tree is None else origins(tree, known)


def _walk(
    start: Origin, step: Callable[[Origin], Collection[Origin] | None]
) -> list[tuple[Origin, Origin]]:
    """All steps from `start`, nearest first; each column is left once."""
    steps: list[tuple[Origin, Origin]] = []
    seen, waiting = {start}, [start]
    while waiting:
        near = waiting.pop(0)
        for far in sorted(step(near) or ()):
            steps.append((near, far))
            if far not in seen:
                seen.add(far)
                waiting.append(far)
    return steps


def _columns(catalog: Catalog, named: str) -> list[Origin]:
    tables: dict[str, list[Origin]] = {}
    for contract in catalog.contracts.values():
        table = table_name(contract.id, contract.layer)
        own = [(table, c.name) for c in contract.columns]
        tables[table] = tables[contract.id] = own
        if contract.kind is Kind.SOURCE:
            raw_table = table_name(contract.id, Layer.RAW)
            tables[raw_table] = [(raw_table, c.name) for c in contract.delivered_columns]
    if named in tables:
        return tables[named]
    table, _, column = named.rpartition(".")
    found = [origin for origin in tables.get(table, ()) if origin[1] == column]
    if found:
        return found
    words = [f"{t}.{name}" for t, own in tables.items() for _, name in own] + list(tables)
    near = get_close_matches(named, words, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise UsageError(f"there is no table or column {named!r}{hint}")


def _shown(column: Origin) -> str:
    return f"{column[0]}.{column[1]}"
