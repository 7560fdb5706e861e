"""Column lineage (数据血缘): from which columns of which tables each column of a query is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope, walk_in_scope

from catalog.queries import Tables, full_name, holders, outputs

Origin = tuple[str, str]
"""A table and one of its columns."""

Origins = Mapping[str, frozenset[Origin]]
"""For every column of a query the columns it is made from."""


def origins(tree: exp.Query, tables: Tables) -> Origins:
    """
    The columns of `tables` that every output column of `tree` is computed from.

    What flows into the value counts, conditions and windows within it too; what joins, filters
    or groups rows does not.

    >>> from catalog.functions import parse
    >>> tree = parse("WITH a AS (SELECT x + y AS z FROM curated.t__u WHERE w > 1) SELECT z FROM a")
    >>> sorted(origins(tree, {"curated.t__u": ["w", "x", "y"]})["z"])
    [('curated.t__u', 'x'), ('curated.t__u', 'y')]
    """
    scope = build_scope(tree)
    assert scope is not None
    walk = _Walk(tables)
    return {name: walk.output(scope, place) for place, name in enumerate(tree.named_selects)}


class _Walk:
    """Remembers what every output of every scope is made from: CTEs are read many times."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.known: dict[tuple[int, int], frozenset[Origin]] = {}

    def output(self, scope: Scope, place: int) -> frozenset[Origin]:
        key = (id(scope), place)
        if key not in self.known:
            self.known[key] = frozenset(self.trace(scope, place))
        return self.known[key]

    def trace(self, scope: Scope, place: int) -> Iterator[Origin]:
        if scope.set_operation_scopes:
            for branch in scope.set_operation_scopes:
                yield from self.output(branch, place)
            return
        query = scope.expression
        assert isinstance(query, exp.Query)
        selected = query.selects[place]
        for node in walk_in_scope(selected):
            if isinstance(node, exp.Column):
                yield from self.column(node, scope)
        for inner in scope.subquery_scopes:
            if isinstance(inner.expression, exp.Query) and _is_within(inner.expression, selected):
                for i in range(len(inner.expression.selects)):
                    yield from self.output(inner, i)

    def column(self, column: exp.Column, scope: Scope) -> Iterator[Origin]:
        for source in (holders(column, scope, self.tables) or {}).values():
            if isinstance(source, exp.Table):
                yield full_name(source), column.name
            elif isinstance(source, Scope):
                yield from self.output(source, outputs(source).index(column.name))


def _is_within(node: exp.Expr, whole: exp.Expr) -> bool:
    at: exp.Expr | None = node
    while at is not None and at is not whole:
        at = at.parent
    return at is whole
