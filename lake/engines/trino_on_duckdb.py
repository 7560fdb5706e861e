"""
Where DuckDB's answer is not Trino's: macros that give Trino's, and which node calls which.

A macro is chosen by the types of its arguments when a query is bound, and `typeof` is a constant
then: so one `/` divides integers, decimals and doubles, each as Trino does. DuckDB 1.5 cannot tell
the type of an aggregate there, and a typed parameter casts; so what decides (`x`, `y`) is given
apart from what is computed, is of its type, holds no aggregate and is never evaluated (`_alike`).
What DuckDB cannot say as Trino does ends in `error(…)`, with words for a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from catalog.errors import UsageError

BY_ZERO = "division by zero"
NO_TEXT = (
    "CAST to varchar of a time, a floating-point number or a list: engines write it differently; "
    "write date_format(x, format), CAST(CAST(x AS decimal(20,4)) AS varchar) or array_join(x, s)"
)
NO_INTERVAL = "one date minus another is an interval; write date_diff(unit, earlier, later)"
NOT_ITS_FORM = "CAST({0} AS {1}) of a text that is none; TRY_CAST gives NULL instead"
_FLOATS = "('DOUBLE', 'FLOAT')"
_ZERO = f"error('{BY_ZERO}')"
_NUMBERS = ("BIGINT", "DECIMAL", "DOUBLE")


def _divisions() -> str:
    """One body for each pair of types; a double on either side makes a double."""
    bodies = {
        "BIGINT": f"CASE WHEN b = 0 THEN {_ZERO} ELSE a // b END",
        "DECIMAL": "round(q, greatest(trino_scale(a), trino_scale(b)))",
        "DOUBLE": "a / b",
    }
    pairs = [
        f"(x {x}, y {y}, a, b, q) AS {bodies[max(x, y, key=_NUMBERS.index)]}"
        for x in _NUMBERS
        for y in _NUMBERS
    ]
    return ", ".join(pairs)


def _guarded(form: str) -> str:
    """Whether `x` is a text of another form than Trino reads."""
    return f"typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), '{form}')"


_DATE = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_TIME = r"( [0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?"
FORMS = {
    "TINYINT": "[+-]?[0-9]+",
    "SMALLINT": "[+-]?[0-9]+",
    "INTEGER": "[+-]?[0-9]+",
    "BIGINT": "[+-]?[0-9]+",
    "BOOLEAN": "(?i:t|true|f|false|1|0)",
    "DATE": rf"\s*{_DATE}\s*",
    "TIMESTAMP": rf"\s*{_DATE}{_TIME}\s*",
}
"""What Trino reads as a type; DuckDB also takes `2025/1/2` for a date and `1.5` for an integer."""

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

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def _casts(kind: str) -> str:
    """CAST and TRY_CAST to one type; a double becomes an integer half away from zero."""
    plain = f"CAST(x AS {kind})"
    if kind in INTEGERS:
        halves = f"CAST(round(TRY_CAST(x AS DOUBLE)) AS {kind})"
        plain = f"CASE WHEN typeof(x) IN {_FLOATS} THEN {halves} ELSE {plain} END"
    wrong = f"error('{NOT_ITS_FORM.format('x', kind.lower())}')"
    return f"(x) AS CASE WHEN {_guarded(FORMS[kind])} THEN {wrong} ELSE {plain} END"


def _try_casts(kind: str) -> str:
    plain = f"TRY_CAST(x AS {kind})"
    if kind in INTEGERS:
        halves = f"TRY_CAST(round(TRY_CAST(x AS DOUBLE)) AS {kind})"
        plain = f"CASE WHEN typeof(x) IN {_FLOATS} THEN {halves} ELSE {plain} END"
    return f"(x) AS CASE WHEN {_guarded(FORMS[kind])} THEN NULL ELSE {plain} END"


_POWERS = ", ".join(f"{10**n}::HUGEINT" for n in range(38))
_HAS_NULL = "len(list_filter(a, lambda e: e IS NULL)) > 0"

MACROS: dict[str, str] = {
    # --- division -------------------------------------------------------------------------
    "trino_scale": """(a) AS
        coalesce(nullif(regexp_extract(typeof(a), ',([0-9]+)', 1), ''), '0')::INT""",
    "trino_power": f"(n) AS ([{_POWERS}])[n + 1]",
    "trino_digits": "(a) AS TRY_CAST(replace(CAST(a AS VARCHAR), '.', '') AS HUGEINT)",
    "trino_half_up": f"""(n, d) AS CASE WHEN d = 0 THEN {_ZERO} ELSE
        (CASE WHEN (n < 0) <> (d < 0) THEN -1 ELSE 1 END)::HUGEINT
        * ((2 * abs(n) + abs(d)) // (2 * abs(d))) END""",
    "trino_decimal": """(q, s) AS CAST(q // trino_power(s) AS DECIMAL(38,18))
        + CAST((q % trino_power(s)) * trino_power(18 - s) AS DECIMAL(19,0))
        * 0.000000000000000001""",
    "trino_quotient": """(a, b) AS trino_decimal(trino_half_up(
        trino_digits(a) * trino_power(
          greatest(trino_scale(a), trino_scale(b)) + trino_scale(b) - trino_scale(a)),
        trino_digits(b)), greatest(trino_scale(a), trino_scale(b)))""",
    "trino_divide": _divisions(),
    "trino_mod": f"""(a, b) AS CASE WHEN b = 0 AND typeof(a) NOT IN {_FLOATS}
        AND typeof(b) NOT IN {_FLOATS} THEN {_ZERO} ELSE a % b END""",
    "trino_round": "(a, n) AS CASE WHEN FALSE THEN a ELSE round(a, n) END",
    # --- sums -----------------------------------------------------------------------------
    "trino_sum": "(x BIGINT, s) AS CAST(s AS BIGINT), (x DECIMAL, s) AS s, (x DOUBLE, s) AS s",
    "trino_averaged": "(x BIGINT) AS CAST(0 AS DOUBLE), (x DECIMAL) AS x, (x DOUBLE) AS x",
    "trino_average": """(x BIGINT, a, s, n, q) AS a,
        (x DECIMAL, a, s, n, q) AS round(q, trino_scale(s)),
        (x DOUBLE, a, s, n, q) AS a""",
    # --- dates ----------------------------------------------------------------------------
    "trino_dated": "(x DATE, y) AS CAST(y AS DATE), (x TIMESTAMP, y) AS y, (x TIMESTAMPTZ, y) AS y",
    "trino_dates": """(x DATE, y) AS CAST(y AS DATE[]), (x BIGINT, y) AS y,
        (x TIMESTAMP, y) AS y, (x TIMESTAMPTZ, y) AS y""",
    "trino_minus": f"""(x DATE, y DATE, a, b) AS error('{NO_INTERVAL}'),
        (x TIMESTAMP, y TIMESTAMP, a, b) AS error('{NO_INTERVAL}'),
        (x TIMESTAMPTZ, y TIMESTAMPTZ, a, b) AS error('{NO_INTERVAL}'), (x, y, a, b) AS a - b""",
    # --- texts ----------------------------------------------------------------------------
    "trino_text": f"""(x) AS CASE WHEN typeof(x) IN {_FLOATS} OR typeof(x) LIKE 'TIME%'
        OR typeof(x) LIKE '%]' OR typeof(x) LIKE 'MAP%' OR typeof(x) LIKE 'STRUCT%'
        THEN error('{NO_TEXT}') ELSE CAST(x AS VARCHAR) END""",
    "trino_upper": """(x) AS array_to_string(
        list_transform(string_split(x, 'ß'), lambda part: upper(part)), 'ß')""",
    "trino_substr": """(x, s) AS CASE WHEN x IS NULL THEN NULL
          WHEN s = 0 OR -s > length(x) THEN '' ELSE substr(x, s) END,
        (x, s, n) AS CASE WHEN x IS NULL THEN NULL
          WHEN s = 0 OR -s > length(x) OR n <= 0 THEN ''
          ELSE substr(x, s, n) END""",
    "trino_split_part": """(x, d, n) AS CASE
        WHEN n < 1 THEN error('the index of split_part starts at 1')
        WHEN n > len(string_split(x, d)) THEN NULL ELSE split_part(x, d, n) END""",
    "trino_regexp_extract": """(x, p) AS
          CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p) END,
        (x, p, g) AS CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p, g) END""",
    "trino_json_scalar": """(x, p) AS CASE
        WHEN json_valid(CAST(x AS VARCHAR))
        AND coalesce(json_type(CAST(x AS VARCHAR), p), 'NULL') NOT IN ('OBJECT', 'ARRAY', 'NULL')
        THEN json_extract_string(CAST(x AS VARCHAR), p) END""",
    "trino_json": """(x, p) AS CASE WHEN json_valid(CAST(x AS VARCHAR))
        THEN CAST(json_extract(CAST(x AS VARCHAR), p) AS VARCHAR) END""",
    # --- lists ----------------------------------------------------------------------------
    "trino_contains": f"""(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
        WHEN list_contains(a, x) THEN TRUE WHEN {_HAS_NULL} THEN NULL ELSE FALSE END""",
    "trino_position": """(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
        ELSE CAST(coalesce(list_position(a, x), 0) AS BIGINT) END""",
    "trino_array_max": f"(a) AS CASE WHEN {_HAS_NULL} THEN NULL ELSE list_max(a) END",
    "trino_array_min": f"(a) AS CASE WHEN {_HAS_NULL} THEN NULL ELSE list_min(a) END",
    "trino_distinct": "(a) AS list_filter(a, lambda e, i: coalesce(list_position(a, e), 0) = i)",
    "trino_slice": """(a, s, n) AS CASE WHEN s = 0 OR n < 0 THEN error('slice starts at 1')
        WHEN abs(s) > len(a) THEN list_slice(a, 1, 0)
        WHEN s > 0 THEN list_slice(a, s, s + n - 1)
        ELSE list_slice(a, len(a) + s + 1, len(a) + s + n) END""",
    **{f"trino_to_{kind.lower()}": _casts(kind) for kind in FORMS},
    **{f"trino_try_{kind.lower()}": _try_casts(kind) for kind in FORMS},
}


def macro_statements() -> list[str]:
    """Statements that define the macros on a connection; each may use those before it."""
    return [f"CREATE OR REPLACE TEMP MACRO {name} {body}" for name, body in MACROS.items()]


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
