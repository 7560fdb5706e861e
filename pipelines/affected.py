"""
Which rows of a model changed inputs can touch, where the model makes each row of one row.

Such a model is a SELECT that maps and filters the rows of one table, or of several by UNION ALL:
its *base*. Others are only joined to these rows (INNER or LEFT JOIN … ON …), and the key comes from
the base alone. Then a row that is new, changed or gone has a key which

- a changed row of a base gives, as it was before or as it is now, whatever it is joined with, or
- an unchanged row of a base gives that meets, by the same ON, a changed row of what is joined, as
  it was before or as it is now. If its ON asks for another joined table, and that has changed as
  well for this row, then the row meets a changed row of that one.

Conditions only take rows away, so these keys are never too few without them. Groups, windows,
DISTINCT, subqueries in conditions and the like make one row of many: of such a model nothing is
told, and all of it is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlglot import exp

from catalog.contract import Contract
from catalog.dialect import column, free, named
from catalog.queries import full_name

_SELECT = {"kind", "expressions", "from_", "joins", "where"}
_JOIN = {"this", "side", "kind", "on"}
_TABLE = {"this", "db", "alias"}
_MANY_TO_ONE = (exp.AggFunc, exp.Window, exp.Query, exp.UDTF)
_OF_THE_DAY = {"run_date", "business_date"}


class _IsOther(Exception):
    """The model is not of this kind."""


def keys_touched(
    contract: Contract, model: exp.Query, changes: Mapping[str, str]
) -> exp.Query | None:
    """
    The keys of all rows that differ, and perhaps of some that do not; None for another model.

    `changes` names, by the tables that have changed, relations of their rows before and after.
    """
    try:
        tree = _without_ctes(model, {})
        places = [tree.named_selects.index(name) for name in contract.key]
        told: list[exp.Select] = list(_Touched(changes).of(tree, places, contract.key))
    except _IsOther:
        return None
    if not told:
        return None
    if len(told) == 1:
        return told[0].distinct(copy=False)
    every: exp.Query = told[0]
    for other in told[1:]:
        every = exp.union(every, other, distinct=True, copy=False)
    return every


def columns_read(model: exp.Query, columns: Collection[str]) -> tuple[str, ...]:
    """Those of a table's columns that the model may read, by their names."""
    read = {c.name for c in model.find_all(exp.Column)}
    return tuple(name for name in columns if name in read)


def within(rows: exp.Query, key: Sequence[str], keys: str) -> exp.Select:
    """The rows whose key is in relation `keys`."""
    same = exp.and_(*[exp.EQ(this=column(k, "k"), expression=column(k, "r")) for k in key])
    found = exp.select("1").from_(exp.to_table(keys).as_("k")).where(same, copy=False)
    whole = exp.select("*").from_(rows.subquery("r"), copy=False)
    return whole.where(exp.Exists(this=found), copy=False)


def _without_ctes(query: exp.Query, known: Mapping[str, exp.Query]) -> exp.Query:
    """The query with each CTE put in its places, for in each of them it is joined by itself."""
    query, known = query.copy(), dict(known)
    for cte in query.ctes:
        known[cte.alias] = _without_ctes(cte.this, known)
    query.set("with_", None)
    if query.find(exp.With):
        raise _IsOther
    if any(call.name.lower() in _OF_THE_DAY for call in query.find_all(exp.Anonymous)):
        raise _IsOther
    for table in list(query.find_all(exp.Table)):
        if not table.db:
            if table.name not in known:
                raise _IsOther
            table.replace(known[table.name].copy().subquery(table.alias_or_name, copy=False))
    return query


class _Touched:
    def __init__(self, changes: Mapping[str, str]) -> None:
        self.changes = changes

    def of(
        self, query: exp.Query, places: Sequence[int], names: Sequence[str]
    ) -> Iterator[exp.Select]:
        """The outputs at `places`, as `names`, of every way in which a change comes into rows."""
        if (
            isinstance(query, exp.Subquery)
            and not query.alias
            and isinstance(query.this, exp.Query)
        ):
            _check_no_more(query, {"this"})
            query = query.this
        if isinstance(query, exp.Union) and not query.args["distinct"]:
            _check_no_more(query, {"this", "expression", "distinct"})
            yield from self.of(query.left, places, names)
            yield from self.of(query.right, places, names)
            return
        if not isinstance(query, exp.Select):
            raise _IsOther
        _check_no_more(query, _SELECT)
        for value in (*query.selects, query.args.get("where")):
            _check_by_itself(value)
        base = query.args["from_"].this
        joins: list[exp.Join] = query.args.get("joins") or []
        for join in joins:
            _check_joined(join)
        chosen = [query.selects[place].unalias() for place in places]
        wanted = _columns_of_base(chosen, base, alone=not joins)
        for rows in self._changed_base(base, wanted):
            yield _selecting(chosen, names, rows)
        for place, join in enumerate(joins):
            for rows in self._changed_joined(join.this):
                met = _selecting(chosen, names, base.copy())
                for other in _needed(join, joins[:place]):
                    met = met.join(other, copy=False)
                inner = exp.Join(this=rows, kind="INNER", on=join.args["on"].copy())
                yield met.join(inner, copy=False)

    def _changed_base(self, base: exp.Expr, wanted: Sequence[str]) -> Iterator[exp.Expr]:
        if isinstance(base, exp.Table):
            yield from self._changed_table(base)
            return
        if not isinstance(base, exp.Subquery) or not isinstance(base.this, exp.Query):
            raise _IsOther
        held = base.this.named_selects
        if not set(wanted) <= set(held):
            raise _IsOther  # SELECT *
        for inner in self.of(base.this, [held.index(name) for name in wanted], wanted):
            yield inner.subquery(base.alias, copy=False)

    def _changed_table(self, table: exp.Table) -> Iterator[exp.Expr]:
        _check_no_more(table, _TABLE)
        if (relation := self.changes.get(full_name(table))) is not None:
            yield exp.to_table(relation).as_(table.alias_or_name, copy=False)

    def _changed_joined(self, joined: exp.Expr) -> Iterator[exp.Expr]:
        """A table, or rows that are made as a base's are: all their columns are of its rows."""
        if isinstance(joined, exp.Table):
            yield from self._changed_table(joined)
        elif any(full_name(table) in self.changes for table in joined.find_all(exp.Table)):
            names = joined.this.named_selects
            for rows in self.of(joined.this, range(len(names)), names):
                yield rows.subquery(joined.alias, copy=False)


def _check_no_more(node: exp.Expr, known: Collection[str]) -> None:
    if any(value for name, value in node.args.items() if name not in known):
        raise _IsOther


def _check_by_itself(value: exp.Expr | None) -> None:
    """What is computed from one row."""
    if value is None:
        return
    if value.find(*_MANY_TO_ONE) or value.find(exp.Star):
        raise _IsOther


def _check_joined(join: exp.Join) -> None:
    _check_no_more(join, _JOIN)
    if join.side not in ("", "LEFT") or join.kind not in ("", "INNER", "OUTER"):
        raise _IsOther
    if join.args.get("on") is None or not isinstance(join.this, exp.Table | exp.Subquery):
        raise _IsOther
    _check_by_itself(join.args["on"])


def _columns_of_base(chosen: Sequence[exp.Expr], base: exp.Expr, *, alone: bool) -> list[str]:
    """The columns of `base` that these values are computed from, when they are from no other."""
    found: dict[str, None] = {}
    for value in chosen:
        for c in value.find_all(exp.Column):
            if c.table != base.alias_or_name and not (alone and not c.table):
                raise _IsOther
            found[c.name] = None
    return list(found)


def _selecting(chosen: Sequence[exp.Expr], names: Sequence[str], rows: exp.Expr) -> exp.Select:
    outputs = [named(free(v), name) for v, name in zip(chosen, names, strict=True)]
    return exp.select(*outputs, copy=False).from_(rows, copy=False)


def _needed(join: exp.Join, before: Sequence[exp.Join]) -> list[exp.Join]:
    """Those of the joins before this one that its condition asks for, or whose they ask for."""
    tables = {c.table for c in join.args["on"].find_all(exp.Column)}
    if "" in tables:  # the column of nobody knows which
        tables |= {other.alias_or_name for other in before}
    needed: list[exp.Join] = []
    for other in reversed(before):
        if other.alias_or_name in tables:
            tables |= {c.table for c in other.args["on"].find_all(exp.Column)}
            needed.insert(
                0, exp.Join(this=other.this.copy(), side="LEFT", on=other.args["on"].copy())
            )
    return needed
