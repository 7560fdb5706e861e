"""
An analyst's query as DuckDB must be asked it: which node calls which macro (`trino_macros`).

What a macro's types must tell is given to it by an expression of the same type (`_alike`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from catalog.errors import UsageError
from lake.engines.rendering import TRIMMED
from lake.engines.trino_macros import DECIMAL_FORM, FORMS, NOT_ITS_FORM

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
        if _is_interval(other):
            return _call("trino_dated", _alike(side), node)
    if isinstance(node, exp.Sub) and not isinstance(b, exp.Literal):
        return _call("trino_minus", _alike(a), _alike(b), a, b)
    return node


def _is_interval(node: exp.Expr) -> bool:
    if isinstance(node, exp.Paren | exp.Neg):
        return _is_interval(node.this)
    if isinstance(node, exp.Mul):
        return _is_interval(node.this) or _is_interval(node.expression)
    return isinstance(node, exp.Interval)


def _dated(node: exp.Expr) -> exp.Expr:
    return _call("trino_dated", _alike(node.this), node)


def _date_diff(node: exp.Expr) -> exp.Expr:
    """Whole units between, where DuckDB's date_diff counts the boundaries between."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return _call("date_sub", unit, node.expression, node.this)


def _sequence(node: exp.Expr) -> exp.Expr:
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    if step is None:
        return _call("trino_sequence", _alike(start), start, end)
    unit = step.text("unit").upper() if isinstance(step, exp.Interval) else ""
    if unit not in ("MONTH", "YEAR"):
        return _call("trino_dates", _alike(start), node)
    # Each from the start, by so many months: DuckDB goes on from the last, a shorter month's end.
    if re.fullmatch("-?[1-9][0-9]*", step.name) is None:
        raise UsageError("sequence takes its step as a whole number of units: INTERVAL '1' MONTH")
    between = _call("date_sub", exp.Literal.string(unit.lower()), start, end)
    count = exp.IntDiv(this=between, expression=exp.Literal.number(step.name))
    places = _call("generate_series", exp.Literal.number(0), count)
    reached = exp.Mul(this=step.copy(), expression=exp.column("_place"))
    each = exp.Lambda(this=exp.Add(this=start.copy(), expression=reached), expressions=["_place"])
    return _call("trino_dates", _alike(start), _call("list_transform", places, each))


def _of_its_type(name: str) -> Callable[[exp.Expr], exp.Expr]:
    """What DuckDB computes, in the type that Trino gives it."""
    return lambda node: _call(name, _alike(node.this), node)


def _trim(node: exp.Expr) -> exp.Expr:
    """Trino trims all of Unicode's white space, DuckDB its spaces."""
    if node.args.get("expression") is None:
        node.set("expression", exp.Literal.string(TRIMMED))
    return node


def _date_format(node: exp.Expr) -> exp.Expr:
    """Trino looks at milliseconds, and knows the week of ISO by another letter."""
    shown = _call("trino_shown", _alike(node.this), node.this)
    text = re.sub("%(.)", lambda found: "%V" if found[1] == "v" else found[0], node.text("format"))
    return exp.TimeToStr(this=shown, format=exp.Literal.string(text))


def _concat_ws(node: exp.Expr) -> exp.Expr:
    words = node.expressions
    return _call("trino_concat_ws", *words) if len(words) == 2 else node


def _chr(node: exp.Expr) -> exp.Expr:
    return exp.Chr(expressions=[exp.cast(e.copy(), "INTEGER") for e in node.expressions])


def _aggregated(
    node: exp.Expr,
    make: Callable[[Callable[[str], exp.Expr]], exp.Expr],
    of: exp.Expr | None = None,
) -> exp.Expr:
    """
    Replace an aggregate together with its FILTER and OVER, by other aggregates like it, of `of`
    or of what it is of.
    """
    outer = node
    values = node.this if of is None else of
    while isinstance(outer.parent, exp.Filter | exp.Window) and outer.parent.this is outer:
        outer = outer.parent

    def like(name: str) -> exp.Expr:
        copied = outer.copy()
        inner = copied
        while isinstance(inner, exp.Filter | exp.Window):
            inner = inner.this
        call = exp.Anonymous(this=name, expressions=[values.copy()])
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
        if kind.expressions:
            size = exp.Literal.number(kind.expressions[0].name)
            return _call("trino_text_of", node.this, size)
        return _call("trino_text", node.this)
    if isinstance(node.this, exp.Null):
        return node
    name = {"INT": "INTEGER"}.get(kind.this.value, kind.this.value)
    if name == "DECIMAL":
        return _to_decimal(node)
    if name in ("TIMESTAMP", "TIMESTAMPTZ"):
        return _to_time(node, name)
    if name not in FORMS:
        return node
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        if re.fullmatch(FORMS[name], node.this.name):
            return node
        if tried:
            return exp.cast(exp.null(), name)
        raise UsageError(NOT_ITS_FORM.format(repr(node.this.name), name.lower()))
    return _call(f"trino_{'try' if tried else 'to'}_{name.lower()}", node.this)


def _to_decimal(node: exp.Expr) -> exp.Expr:
    """Of a text in Trino's form alone; without its digits, of as many as Trino means."""
    kind, value, tried = node.args["to"], node.this, isinstance(node, exp.TryCast)
    is_literal = isinstance(value, exp.Literal) and value.is_string
    if not kind.expressions:
        whole, _, part = value.name.strip("+-").partition(".") if is_literal else ("", "", "")
        precision = max(len(whole.lstrip("0") + part), 1) if is_literal else 38
        kind = exp.DataType.build(f"DECIMAL({precision},{len(part)})")
    written = kind.sql("trino").lower()
    if is_literal and re.fullmatch(DECIMAL_FORM, value.name) is None:
        if tried:
            return exp.cast(exp.null(), kind)
        raise UsageError(NOT_ITS_FORM.format(repr(value.name), written))
    if not is_literal:
        form = exp.Literal.string(DECIMAL_FORM)
        macro, *more = ("trino_if_form",) if tried else ("trino_in_form", written)
        value = _call(macro, value, form, *(exp.Literal.string(m) for m in more))
    return type(node)(this=value.copy(), to=kind.copy())


ROUNDED = {"0": "trino_to_second", "3": "trino_to_millisecond"}
"""By digits of a second; six is what DuckDB has, and three what Trino means without a number."""


def _to_time(node: exp.Expr, name: str) -> exp.Expr:
    """A moment with as many digits of a second as its type has."""
    kind, value = node.args["to"], node.this
    is_literal = isinstance(value, exp.Literal)
    digits = kind.expressions[0].name if kind.expressions else "6" if is_literal else "3"
    made: exp.Expr = type(node)(this=value.copy(), to=exp.DataType.build(name))
    if name == "TIMESTAMP" and not is_literal:
        made = _call(f"trino_{'try' if isinstance(node, exp.TryCast) else 'to'}_timestamp", value)
    return _call(ROUNDED[digits], made) if digits in ROUNDED else made


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


def _histogram(node: exp.Anonymous) -> exp.Expr:
    return _aggregated_of(node, node.expressions[0], "histogram", "trino_counts")


def _map_agg(node: exp.Anonymous) -> exp.Expr:
    pairs = [
        exp.PropertyEQ(this=exp.to_identifier(name), expression=value.copy())
        for name, value in zip("kv", node.expressions, strict=True)
    ]
    return _aggregated_of(node, exp.Struct(expressions=pairs), "list", "trino_map")


def _aggregated_of(node: exp.Anonymous, of: exp.Expr, name: str, macro: str) -> exp.Expr:
    return _aggregated(node, lambda like: _call(macro, like(name)), of)


def _matched(macro: str, *, none: bool = False) -> Callable[[exp.Anonymous], exp.Expr]:
    """Whether a condition holds of any, all or none of an array: NULL where that is not known."""

    def rewrite(node: exp.Anonymous) -> exp.Expr:
        array, condition = node.expressions
        found = _call(macro, array, _call("list_transform", array, condition))
        return exp.Not(this=found) if none else found

    return rewrite


def _reduce(node: exp.Expr) -> exp.Expr:
    """The state that the last step leaves, given to the last function."""
    state = _call("list_reduce", node.this, node.args["merge"], node.args["initial"])
    finished = _call("list_transform", exp.Array(expressions=[state]), node.args["finish"])
    return _call("list_extract", finished, exp.Literal.number(1))


def _random(node: exp.Expr) -> exp.Expr:
    """A double in [0, 1), or a whole number below a bound, or from one to below another."""
    bounds = [b for b in (node.this, node.args.get("lower")) if b]
    any_double = exp.Anonymous(this="random", expressions=[])
    if not bounds:
        return any_double
    low, high = ([exp.Literal.number(0), *bounds])[-2:]
    width = exp.paren(exp.Sub(this=exp.paren(high), expression=exp.paren(low)), copy=False)
    drawn = _call("floor", exp.Mul(this=any_double, expression=width))
    return _call("trino_whole", _alike(high), exp.Add(this=exp.paren(low), expression=drawn))


def _infix(operator: type[exp.Expr]) -> Callable[[exp.Expr], exp.Expr]:
    """A function that DuckDB knows as an operator, which binds as it likes."""
    return lambda node: exp.paren(
        operator(this=exp.paren(node.this.copy()), expression=exp.paren(node.expression.copy())),
        copy=False,
    )


NAMELESS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "all_match": _matched("trino_all_match"),
    "any_match": _matched("trino_any_match"),
    "array_union": lambda node: _call("trino_union", *node.expressions),
    "arrays_overlap": lambda node: _call("trino_overlap", *node.expressions),
    "codepoint": lambda node: _call("trino_codepoint", *node.expressions),
    "e": lambda node: exp.cast(exp.Literal.number("2.718281828459045"), "DOUBLE"),
    "every": lambda node: exp.LogicalAnd(this=node.expressions[0].copy()),
    "histogram": _histogram,
    "json_array_length": lambda node: _call("trino_json_length", *node.expressions),
    "map_agg": _map_agg,
    "none_match": _matched("trino_any_match", none=True),
    "to_iso8601": lambda node: _call("trino_iso", _alike(node.expressions[0]), *node.expressions),
}
"""Trino's functions that sqlglot has no class for."""


def _nameless(node: exp.Expr) -> exp.Expr:
    rewrite = NAMELESS.get(node.name.lower())
    return rewrite(node) if rewrite is not None and isinstance(node, exp.Anonymous) else node


REWRITES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: _with_interval,
    exp.Acos: lambda node: _call("trino_arc", node.this, node),
    exp.Anonymous: _nameless,
    exp.Asin: lambda node: _call("trino_arc", node.this, node),
    exp.ApproxQuantile: _named("quantile_disc", "this", "quantile"),
    exp.ArgMax: _named("arg_max_null", "this", "expression"),
    exp.ArgMin: _named("arg_min_null", "this", "expression"),
    exp.ArrayContains: _named("trino_contains", "this", "expression"),
    exp.ArrayDistinct: _named("trino_distinct"),
    exp.ArrayExcept: _named("trino_except", "this", "expression"),
    exp.ArrayIntersect: lambda node: _call("trino_intersect", *node.expressions),
    exp.ArrayMax: _named("trino_array_max"),
    exp.ArrayMin: _named("trino_array_min"),
    exp.ArrayRemove: _named("trino_remove", "this", "expression"),
    exp.ArraySize: _named("trino_cardinality"),
    exp.ArrayToString: _named("trino_array_join", "this", "expression", "null"),
    exp.ArrayPosition: _named("trino_position", "this", "expression"),
    exp.ArraySlice: _named("trino_slice", "this", "start", "end"),
    exp.Avg: _average,
    exp.BitwiseAnd: _infix(exp.BitwiseAnd),
    exp.BitwiseNot: lambda node: exp.BitwiseNot(this=exp.paren(node.this.copy())),
    exp.BitwiseOr: _infix(exp.BitwiseOr),
    exp.Cast: _cast,
    exp.Ceil: _of_its_type("trino_whole"),
    exp.Chr: _chr,
    exp.ConcatWs: _concat_ws,
    exp.CountIf: lambda node: _aggregated(node, lambda like: exp.cast(like("count_if"), "BIGINT")),
    exp.DateAdd: _dated,
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _dated,
    exp.Div: _divide,
    exp.Floor: _of_its_type("trino_whole"),
    exp.GenerateSeries: _sequence,
    exp.JSONExtract: _json("trino_json"),
    exp.JSONExtractScalar: _json("trino_json_scalar"),
    exp.Levenshtein: _named("trino_levenshtein", "this", "expression"),
    exp.Ln: lambda node: _call("trino_ln", node.this, node),
    exp.Log: lambda node: _call("trino_ln", node.expression, node),
    exp.Mod: _named("trino_mod", "this", "expression"),
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.Rand: _random,
    exp.Reduce: _reduce,
    exp.RegexpCount: _named("trino_regexp_count", "this", "expression"),
    exp.Replace: _named("trino_replace", "this", "expression", "replacement"),
    exp.Reverse: _named("trino_reverse"),
    exp.Round: lambda node: (
        _call("trino_round", node.this, node.args["decimals"])
        if node.args.get("decimals")
        else node
    ),
    exp.SHA: lambda node: _call("unhex", _call("sha1", node.this)),
    exp.Sign: _of_its_type("trino_sign"),
    exp.SplitPart: _named("trino_split_part", "this", "delimiter", "part_index"),
    exp.Sqrt: _named("trino_sqrt"),
    exp.Sub: _with_interval,
    exp.Substring: _substring,
    exp.Sum: _sum,
    exp.TimeToStr: _date_format,
    exp.TimestampTrunc: _dated,
    exp.Trim: _trim,
    exp.Trunc: _of_its_type("trino_truncate"),
    exp.TryCast: _cast,
    exp.Upper: _named("trino_upper"),
}
