"""Queries in Trino's dialect: which tables they read, and whether every column is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from catalog.functions import (
    AGGREGATES,
    QUERY_SYNTAX,
    SCALARS,
    WINDOWS,
    Slip,
    check_nodes,
    line_of,
    parse,
)
from catalog.grammar import did_you_mean

Tables = Mapping[str, Collection[str]]
"""The columns of every table that may be read, by the table's full name."""


@dataclass(frozen=True)
class Query:
    """A query as read: its tables in order of mention, its columns, and what is wrong with it."""

    tree: exp.Query | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    slips: tuple[Slip, ...] = field(default=())


def read_query(sql: str, tables: Tables) -> Query:
    """
    The one SELECT in `sql` over `tables`; what it may not say stands in its `slips`.

    >>> query = read_query("SELECT a, b / 2 AS half FROM curated.x__y", {"curated.x__y": ["a"]})
    >>> query.inputs, query.outputs
    (('curated.x__y',), ('a', 'half'))
    >>> [slip.message for slip in query.slips]
    ['/ is not allowed, engines divide differently; write ratio(a, b, scale)', "unknown column 'b'"]
    """
    tree = parse(sql)
    if isinstance(tree, Slip):
        return Query(slips=(tree,))
    if not isinstance(tree, exp.Query):
        return Query(slips=(Slip(line_of(tree), "expected one SELECT"),))
    slips = [*check_nodes(tree, SCALARS | AGGREGATES | WINDOWS | QUERY_SYNTAX), *_shape(tree)]
    inputs: dict[str, None] = {}
    try:
        scopes = traverse_scope(tree)
    except SqlglotError as error:  # e.g. one alias for two tables
        return Query(tree, slips=(*slips, Slip(1, str(error))))
    for scope in scopes:
        for source in sources_of(scope).values():
            if isinstance(source, exp.Table):
                inputs[full_name(source)] = None
                slips += _unknown_table(source, tables)
        slips += _unknown_columns(scope, tables)
    return Query(tree, tuple(inputs), tuple(tree.named_selects), tuple(dict.fromkeys(slips)))


def sources_of(scope: Scope) -> dict[str, exp.Expr | Scope]:
    """What FROM and JOIN name; `scope.sources` also holds every CTE in sight."""
    return {name: source for name, (_, source) in scope.selected_sources.items()}


def full_name(table: exp.Table) -> str:
    """The name of a table as it is written, its schema included."""
    return ".".join(part.name for part in table.parts)


def _unknown_table(table: exp.Table, tables: Tables) -> Iterator[Slip]:
    name = full_name(table)
    if name not in tables:
        yield Slip(line_of(table), f"unknown table {name!r}{did_you_mean(name, tables)}")


def _shape(tree: exp.Query) -> Iterator[Slip]:
    """What nodes alone do not show: names that are missing, joins that name no columns."""
    for place, selected in enumerate(tree.selects, start=1):
        if not selected.output_name:
            yield Slip(line_of(selected), f"column {place} of the SELECT has no name; write AS")
    for node in tree.find_all(exp.With, exp.Join, exp.TableAlias, exp.SetOperation):
        if isinstance(node, exp.With) and node.recursive:
            yield Slip(line_of(node), "WITH RECURSIVE is not allowed")
        elif isinstance(node, exp.Join) and node.method:
            yield Slip(line_of(node), f"a {node.method} JOIN hides its columns; write ON or USING")
        elif isinstance(node, exp.TableAlias) and node.columns:
            yield Slip(line_of(node), "name the columns in the SELECT, not beside the alias")
        elif isinstance(node, exp.SetOperation):
            left, right = len(node.left.selects), len(node.right.selects)
            if left != right:
                told = f"{node.key.upper()} of {left} columns and {right} columns"
                yield Slip(line_of(node.right), told)


def _unknown_columns(scope: Scope, tables: Tables) -> Iterator[Slip]:
    shared = {
        name.name for join in scope.find_all(exp.Join) for name in join.args.get("using") or ()
    }
    for column in scope.find_all(exp.Column):
        if isinstance(column.this, exp.Star):
            continue
        found = holders(column, scope, tables)
        name = column.sql("trino")
        if found is None:
            yield Slip(line_of(column), f"unknown table {column.table!r} in {name}")
        elif not found and not _names_an_output(column, scope):
            known = _visible(column, scope, tables)
            hint = did_you_mean(column.name.lower(), known)
            yield Slip(line_of(column), f"unknown column {name!r}{hint}")
        elif len(found) > 1 and column.name not in shared:
            yield Slip(line_of(column), f"{name!r} stands in {' and '.join(found)}; write which")


def holders(column: exp.Column, scope: Scope, tables: Tables) -> dict[str, exp.Expr | Scope] | None:
    """
    The sources that have the column, by their names in the query.

    None when the column names a source that is not there. A source that is unknown itself
    stands in for one that has the column.
    """
    at: Scope | None = scope
    named = False
    while at is not None:
        sources = sources_of(at)
        if column.table:
            sources = {k: v for k, v in sources.items() if k == column.table}
            named = named or bool(sources)
        held = {name: _columns_of(source, tables) for name, source in sources.items()}
        found = [name for name, columns in held.items() if columns and column.name in columns]
        unknown = [name for name, columns in held.items() if columns is None]
        if found or unknown:
            return {name: sources[name] for name in found or unknown[:1]}
        at = at.parent if at.is_subquery else None
    return None if column.table and not named else {}


def _columns_of(source: exp.Expr | Scope, tables: Tables) -> Collection[str] | None:
    """The columns of a source; None when it is unknown, which has been told of the source."""
    if isinstance(source, Scope):
        given = outputs(source)
        return None if "*" in given else given
    return tables.get(full_name(source)) if isinstance(source, exp.Table) else None


def outputs(scope: Scope) -> list[str]:
    """The names of the columns that a scope gives."""
    query = scope.expression
    return query.named_selects if isinstance(query, exp.Query) else []


def _visible(column: exp.Column, scope: Scope, tables: Tables) -> list[str]:
    sources = sources_of(scope)
    listed = [sources[column.table]] if column.table in sources else sources.values()
    return [name for source in listed for name in _columns_of(source, tables) or ()]


def _names_an_output(column: exp.Column, scope: Scope) -> bool:
    """ORDER BY may name what the SELECT gives; the other clauses may not."""
    order = column.find_ancestor(exp.Order)
    return order is not None and order.parent is scope.expression and column.name in outputs(scope)
