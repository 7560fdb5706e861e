"""
An analyst's query as DuckDB must be asked it: which node calls which macro (`trino_macros`).

What a macro's types must tell is given to it by an expression of the same type (`_alike`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from catalog.errors import UsageError
from lake.engines.trino_macros import FORMS, NOT_ITS_FORM

MADE = {
    "arg_max_null": True,
    "arg_min_null": True,
    "count_if": False,
    "quantile_disc": True,
    "trino_average": True,
    "trino_sum": True,
}
"""What rewrites make of aggregates; whether the first argument has the type of the answer."""

SAME_TYPE = (
    *(exp.Sum, exp.Min, exp.Max, exp.ArgMin, exp.ArgMax, exp.AnyValue, exp.ApproxQuantile),
    *(exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue),
)
"""Aggregates and window functions that give the type of their first argument."""

DOUBLES = (
    *(exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Corr),
    *(exp.CovarPop, exp.CovarSamp, exp.PercentRank, exp.CumeDist),
)
"""Those that give a double; what stands in neither list counts."""


def as_trino(query: exp.Query) -> exp.Query:
    """
    A copy of `query` that DuckDB answers as Trino does.

    `UsageError` for a form that has no equal on DuckDB.
    """
    copy = query.copy()
    for select in copy.find_all(exp.Select):
        select.set("expressions", [_titled(e, n) for n, e in enumerate(select.expressions)])
    # From within outwards: what replaces a node is not looked at again.
    for node in reversed(list(copy.walk())):
        rewrite = REWRITES.get(type(node))
        if rewrite is not None and (new := rewrite(node)) is not node:
            node.replace(new)
    return copy


def _titled(selected: exp.Expr, place: int) -> exp.Expr:
    """What Trino calls a column without a name."""
    if isinstance(selected, exp.Alias | exp.Column | exp.Star):
        return selected
    return exp.alias_(selected, f"_col{place}", copy=False)


def _call(name: str, *arguments: exp.Expr | None) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments if a is not None])


def _alike(node: exp.Expr) -> exp.Expr:
    """An expression of the same type that holds no aggregate and no window of its own."""

    def replaced(inner: exp.Expr) -> exp.Expr:
        if isinstance(inner, exp.Query):
            return inner.copy()  # a query of its own: nothing in it is looked at
        if isinstance(inner, exp.AggFunc | exp.Window | exp.Filter) or _is_made(inner):
            return _type_of(inner)
        return inner

    return node.transform(replaced)


def _is_made(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name in MADE


def _type_of(aggregate: exp.Expr) -> exp.Expr:
    function = aggregate
    while isinstance(function, exp.Filter | exp.Window | exp.IgnoreNulls | exp.RespectNulls):
        function = function.this
    if isinstance(function, exp.Anonymous):
        first, name = function.expressions[0], function.name
        if name == "trino_average":
            return _call("trino_averaged", first)
        return _alike(first) if MADE.get(name) else exp.cast(exp.Literal.number(0), "BIGINT")
    argument = function.this
    if isinstance(argument, exp.Distinct):
        argument = argument.expressions[0]
    if isinstance(function, SAME_TYPE):
        return _alike(argument)
    kind = "DOUBLE" if isinstance(function, DOUBLES) else "BIGINT"
    return exp.cast(exp.Literal.number(0), kind)


def _divide(node: exp.Expr) -> exp.Expr:
    a, b = node.this, node.expression
    return _call("trino_divide", _alike(a), _alike(b), a, b, _call("trino_quotient", a, b))


def _with_interval(node: exp.Expr) -> exp.Expr:
    """A date and an interval are a date."""
    a, b = node.this, node.expression
    for side, other in ((a, b), (b, a)):
        if isinstance(other, exp.Interval):
            return _call("trino_dated", _alike(side), node)
    if isinstance(node, exp.Sub) and not isinstance(b, exp.Literal):
        return _call("trino_minus", _alike(a), _alike(b), a, b)
    return node


def _dated(node: exp.Expr) -> exp.Expr:
    return _call("trino_dated", _alike(node.this), node)


def _date_diff(node: exp.Expr) -> exp.Expr:
    """Whole units between, where DuckDB's date_diff counts the boundaries between."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return _call("date_sub", unit, node.expression, node.this)


def _sequence(node: exp.Expr) -> exp.Expr:
    return _call("trino_dates", _alike(node.args["start"]), node)


def _aggregated(node: exp.Expr, make: Callable[[Callable[[str], exp.Expr]], exp.Expr]) -> exp.Expr:
    """Replace an aggregate together with its FILTER and OVER, by other aggregates like it."""
    outer = node
    while isinstance(outer.parent, exp.Filter | exp.Window) and outer.parent.this is outer:
        outer = outer.parent

    def like(name: str) -> exp.Expr:
        copied = outer.copy()
        inner = copied
        while isinstance(inner, exp.Filter | exp.Window):
            inner = inner.this
        call = exp.Anonymous(this=name, expressions=[node.this.copy()])
        if inner is copied:
            return call
        inner.replace(call)
        return copied

    made = make(like)
    if outer is node:
        return made
    outer.replace(made)
    return node


def _sum(node: exp.Expr) -> exp.Expr:
    return _aggregated(node, lambda like: _call("trino_sum", _type_of(node), like("sum")))


def _average(node: exp.Expr) -> exp.Expr:
    def make(like: Callable[[str], exp.Expr]) -> exp.Expr:
        total, count = like("sum"), like("count")
        exact = _call("trino_quotient", total, _call("nullif", count, exp.Literal.number(0)))
        kind = _type_of(exp.Sum(this=node.this.copy()))
        return _call("trino_average", kind, like("avg"), total, count, exact)

    return _aggregated(node, make)


def _cast(node: exp.Expr) -> exp.Expr:
    kind = node.args["to"]
    tried = isinstance(node, exp.TryCast)
    if kind.this == exp.DataType.Type.VARCHAR:
        text = _call("trino_text", node.this)
        if kind.expressions:
            size = exp.Literal.number(kind.expressions[0].name)
            return exp.Substring(this=text, start=exp.Literal.number(1), length=size)
        return text
    name = {"INT": "INTEGER", "TIMESTAMPTZ": ""}.get(kind.this.value, kind.this.value)
    if name not in FORMS or isinstance(node.this, exp.Null):
        return node
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        if re.fullmatch(FORMS[name], node.this.name):
            return node
        if tried:
            return exp.cast(exp.null(), name)
        raise UsageError(NOT_ITS_FORM.format(repr(node.this.name), name.lower()))
    return _call(f"trino_{'try' if tried else 'to'}_{name.lower()}", node.this)


def _substring(node: exp.Expr) -> exp.Expr:
    start, length = node.args["start"], node.args.get("length")
    if all(p is None or (isinstance(p, exp.Literal) and p.name != "0") for p in (start, length)):
        return node
    return _call("trino_substr", node.this, start, length)


def _regexp_extract(node: exp.Expr) -> exp.Expr:
    return _call("trino_regexp_extract", node.this, node.expression, node.args.get("group"))


def _regexp_replace(node: exp.Expr) -> exp.Expr:
    r"""Groups are `$1` in Trino and `\1` in DuckDB."""
    text = node.args.get("replacement")
    if text is None:
        return node
    if not text.is_string:
        raise UsageError("regexp_replace takes its replacement as a text, not as an expression")
    if "\\" in text.name or re.search(r"\$(?!\d)", text.name):
        raise UsageError("regexp_replace: a replacement may hold $1 to $9, no other $ and no \\")
    new = node.copy()
    new.set("replacement", exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", text.name)))
    return new


def _json(name: str) -> Callable[[exp.Expr], exp.Expr]:
    def rewrite(node: exp.Expr) -> exp.Expr:
        path = node.expression
        text = path.sql("duckdb") if isinstance(path, exp.JSONPath) else None
        return _call(name, node.this, exp.Literal.string(text.strip("'")) if text else path)

    return rewrite


def _named(name: str, *parts: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: _call(name, *(node.args.get(part) for part in parts or ("this",)))


REWRITES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: _with_interval,
    exp.ApproxQuantile: _named("quantile_disc", "this", "quantile"),
    exp.ArgMax: _named("arg_max_null", "this", "expression"),
    exp.ArgMin: _named("arg_min_null", "this", "expression"),
    exp.ArrayContains: _named("trino_contains", "this", "expression"),
    exp.ArrayDistinct: _named("trino_distinct"),
    exp.ArrayMax: _named("trino_array_max"),
    exp.ArrayMin: _named("trino_array_min"),
    exp.ArrayPosition: _named("trino_position", "this", "expression"),
    exp.ArraySlice: _named("trino_slice", "this", "start", "end"),
    exp.Avg: _average,
    exp.Cast: _cast,
    exp.CountIf: lambda node: _aggregated(node, lambda like: exp.cast(like("count_if"), "BIGINT")),
    exp.DateAdd: _dated,
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _dated,
    exp.Div: _divide,
    exp.GenerateSeries: _sequence,
    exp.JSONExtract: _json("trino_json"),
    exp.JSONExtractScalar: _json("trino_json_scalar"),
    exp.Mod: _named("trino_mod", "this", "expression"),
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.Round: lambda node: (
        _call("trino_round", node.this, node.args["decimals"])
        if node.args.get("decimals")
        else node
    ),
    exp.SplitPart: _named("trino_split_part", "this", "delimiter", "part_index"),
    exp.Sub: _with_interval,
    exp.Substring: _substring,
    exp.Sum: _sum,
    exp.TimestampTrunc: _dated,
    exp.TryCast: _cast,
    exp.Upper: _named("trino_upper"),
}
