"""
What an analyst's query may say: Trino's SQL as far as the chosen engine answers as Trino does.

On Spark that is what rules and models may say (`catalog.functions`), and `*`, ORDER BY and LIMIT;
on DuckDB far more, because `lake.engines.trino_on_duckdb` mends what differs. Whatever does not
stand here is refused, tables that are functions or files first of all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import sqlglot
from sqlglot import exp

from catalog.errors import UsageError
from catalog.functions import (
    AGGREGATES,
    DIALECT,
    OWN_FUNCTIONS,
    QUERY_SYNTAX,
    SCALARS,
    TIMES,
    TYPES,
    WINDOWS,
    check_nodes,
)
from catalog.grammar import did_you_mean

DUCKDB_CALLS = (
    # texts
    "substring(x, 1)",
    "starts_with(x, 'a')",
    "position('a' IN x)",
    "reverse(x)",
    "rpad(x, 3, '0')",
    "ltrim(x)",
    "rtrim(x)",
    "split(x, ',')",
    "chr(65)",
    "concat_ws(',', x, y)",
    "levenshtein_distance(x, y)",
    "regexp_replace(x, 'a', 'b')",
    "regexp_extract_all(x, 'a')",
    "regexp_split(x, 'a')",
    "to_utf8(x)",
    "sha256(x)",
    "md5(x)",
    "to_hex(x)",
    "lower(to_hex(x))",
    "json_extract_scalar(x, '$.a')",
    "json_extract(x, '$.a')",
    "json_array_length(x)",
    "regexp_count(x, 'a')",
    "codepoint(x)",
    "sha1(x)",
    "from_utf8(x)",
    "to_base64(x)",
    "from_base64(x)",
    "from_hex(x)",
    "uuid()",
    # numbers
    "greatest(x, y)",
    "least(x, y)",
    "truncate(x)",
    "sign(x)",
    "sqrt(x)",
    "cbrt(x)",
    "power(x, 2)",
    "exp(x)",
    "ln(x)",
    "log10(x)",
    "log2(x)",
    "is_nan(x)",
    "sin(x)",
    "cos(x)",
    "tan(x)",
    "asin(x)",
    "acos(x)",
    "atan(x)",
    "atan2(x, y)",
    "degrees(x)",
    "radians(x)",
    "pi()",
    "e()",
    "log(2, x)",
    "bitwise_and(x, y)",
    "bitwise_or(x, y)",
    "bitwise_xor(x, y)",
    "bitwise_not(x)",
    "random()",
    "random(6)",
    "random(1, 7)",
    "x / y",
    "x % y",
    # dates
    "date(x)",
    "date_add('day', 1, x)",
    "x + INTERVAL '1' DAY",
    "date_format(x, '%Y')",
    "date_parse(x, '%Y')",
    "from_unixtime(x)",
    "to_unixtime(x)",
    "from_iso8601_date(x)",
    "last_day_of_month(x)",
    "quarter(x)",
    "week(x)",
    "day_of_week(x)",
    "day_of_year(x)",
    "year_of_week(x)",
    "day_of_month(x)",
    "week_of_year(x)",
    "to_iso8601(x)",
    "hour(x)",
    "minute(x)",
    "second(x)",
    "extract(year FROM x)",
    "current_date",
    "current_timestamp",
    # lists
    "array_distinct(x)",
    "array_max(x)",
    "array_min(x)",
    "array_position(x, y)",
    "array_remove(x, y)",
    "contains(x, y)",
    "filter(x, y -> y > 1)",
    "transform(x, y -> y + 1)",
    "flatten(x)",
    "slice(x, 1, 2)",
    "sequence(1, 3)",
    "reduce(x, 0, (s, y) -> s + y, s -> s)",
    "any_match(x, y -> y > 1)",
    "all_match(x, y -> y > 1)",
    "none_match(x, y -> y > 1)",
    "array_union(x, y)",
    "array_intersect(x, y)",
    "array_except(x, y)",
    "arrays_overlap(x, y)",
    # many rows
    "arbitrary(x)",
    "any_value(x)",
    "approx_distinct(x)",
    "approx_percentile(x, 0.5)",
    "avg(x)",
    "corr(x, y)",
    "covar_pop(x, y)",
    "covar_samp(x, y)",
    "listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "every(x)",
    "histogram(x)",
    "map_agg(x, y)",
    "grouping(x)",
    "regr_slope(y, x)",
    "regr_intercept(y, x)",
    "stddev(x)",
    "stddev_pop(x)",
    "stddev_samp(x)",
    "variance(x)",
    "var_pop(x)",
    "var_samp(x)",
    "cume_dist()",
    "lag(x) IGNORE NULLS OVER (ORDER BY x)",
    "nth_value(x, 2)",
    "ntile(4)",
    "percent_rank()",
)
"""One call of each form that DuckDB answers as Trino does, as `tests/jobs/test_query.py` shows."""

EVERYWHERE: frozenset[type[exp.Expr]] = (
    SCALARS
    | AGGREGATES
    | WINDOWS
    | QUERY_SYNTAX
    | {exp.Fetch, exp.Limit, exp.LimitOptions, exp.Offset, exp.Values, exp.Version}
)


def _parts(calls: Collection[str]) -> frozenset[type[exp.Expr]]:
    return frozenset(
        type(node) for call in calls for node in sqlglot.parse_one(call, dialect=DIALECT).walk()
    )


NAMELESS: Mapping[str, int] = {
    call.name.lower(): len(call.expressions)
    for text in DUCKDB_CALLS
    for call in sqlglot.parse_one(text, dialect=DIALECT).find_all(exp.Anonymous)
}
"""Those that sqlglot has no class for, with their arguments."""

ON_DUCKDB: frozenset[type[exp.Expr]] = (
    EVERYWHERE
    | _parts(DUCKDB_CALLS)
    | {
        exp.AtTimeZone,
        exp.Cube,
        exp.GroupingSets,
        exp.JSONPath,
        exp.JSONPathKey,
        exp.JSONPathRoot,
        exp.JSONPathSubscript,
        exp.Lambda,
        exp.Rollup,
        exp.TableSample,
        exp.Unnest,
    }
)

DUCKDB_TYPES = TYPES | {
    exp.DataType.Type.DOUBLE,
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.TINYINT,
}
LOCAL_TIME_IN = (exp.Cast, exp.TimeToStr, exp.Year, exp.Month, exp.Day, exp.Hour, exp.DayOfWeekIso)
"""Where `x AT TIME ZONE z` means its wall clock, which is all that DuckDB keeps of it."""

REACHING = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren),
    *(exp.GenerateSeries, exp.WindowSpec),
)
"""What an interval may be a part of."""

PAGE = "docs/reference/sql.md"
EXTRACTED = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
DEEPEST_DIVISION = 3
DIGITS = ("0", "3", "6")
"""Digits of a second that a time may have here."""


def check(query: exp.Query, engine: str) -> None:
    """`UsageError` with all that the engine cannot answer as Trino does."""
    told = list(dict.fromkeys(_slips(query, engine)))
    if told:
        raise UsageError("\n".join(told))


def _slips(query: exp.Query, engine: str) -> Iterator[str]:
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            name = table.this.sql(DIALECT).partition("(")[0].lower()
            yield f"{name}(…) is no table; a query reads tables of the lake and nothing else"
            return
    if engine == "spark":
        yield from _on_spark(query)
        return
    for node in query.walk(prune=lambda n: type(n) not in ON_DUCKDB):
        if type(node) not in ON_DUCKDB:
            yield _refusal(node)
        elif (message := _misuse(node)) is not None:
            yield message


def _on_spark(query: exp.Query) -> Iterator[str]:
    """What rules and models may say, and `*`."""
    named = query.copy()
    for star in list(named.find_all(exp.Star)):
        if not isinstance(star.parent, exp.Count):
            star.replace(exp.to_identifier("all"))
    for slip in check_nodes(named, EVERYWHERE):
        yield f"on Spark, {slip.message}; without --engine spark more is answered"


def _refusal(node: exp.Expr) -> str:
    text = node.sql(DIALECT)
    if isinstance(node, exp.Try):
        return "TRY is not answered; write TRY_CAST, or x / NULLIF(y, 0)"
    if isinstance(node, exp.Func):
        return _no_function(text.partition("(")[0].lower())
    return f"{text if len(text) <= 60 else f'{text[:60]}…'} is not answered here"


def _no_function(name: str) -> str:
    hint = did_you_mean(name, [*OWN_FUNCTIONS, *NAMELESS])
    return f"{name} is none of the functions that are answered as Trino does{hint}; see {PAGE}"


def _misuse(node: exp.Expr) -> str | None:
    match node:
        case exp.Anonymous():
            return _unknown_function(node)
        case exp.LimitOptions() if node.args.get("with_ties"):
            return "FETCH FIRST … WITH TIES is not answered"
        case exp.DataType() if node.this not in DUCKDB_TYPES:
            return f"the type {node.sql(DIALECT).lower()} is not answered"
        case exp.Bracket() if not node.args.get("safe"):
            return f"{node.sql(DIALECT)} fails where nothing is there; write element_at(x, i)"
        case exp.With() if node.recursive:
            return "WITH RECURSIVE is not answered"
        case exp.Min() | exp.Max() | exp.ArgMin() | exp.ArgMax() if _has_count(node):
            return f"{node.sql(DIALECT)}: the form with a number of rows is not answered"
        case exp.Extract() if node.name.upper() not in EXTRACTED:
            return f"EXTRACT({node.name.lower()} …) is not answered; write day_of_week, day_of_year"
        case exp.DateAdd() | exp.DateDiff() | exp.DateTrunc() | exp.TimestampTrunc():
            if (unit := node.text("unit").upper()) and unit not in EXTRACTED:
                return f"the unit {unit.lower()} is not answered"
        case exp.AtTimeZone() if not isinstance(node.parent, LOCAL_TIME_IN):
            return (
                "AT TIME ZONE is answered within date_format, CAST AS date, year, month, day, hour"
            )
        case exp.Unnest() if len(node.expressions) > 1:
            return "UNNEST takes one array here; write element_at(other, place) WITH ORDINALITY"
        case exp.TimeToStr() | exp.StrToTime() if not node.args["format"].is_string:
            return f"{node.sql(DIALECT)}: the format must be written there, as a text"
        case exp.Trunc() if node.args.get("decimals"):
            return "truncate with digits is not answered; write round, or CAST AS decimal"
        case exp.Escape() if _escapes_nothing(node):
            return "the escape character must be followed by %, _ or itself"
        case exp.DataType() if node.this in TIMES and _digits(node) not in DIGITS:
            return f"{node.sql(DIALECT).lower()} is not answered; write timestamp(0), (3) or (6)"
        case exp.Interval() if not isinstance(node.parent, REACHING):
            return "an interval by itself is not answered; add it to a date"
        case exp.Alias() if node.this.is_number and re.fullmatch(r"_[0-9_]+", node.alias):
            return f"{node.this.name}{node.alias}: write a number without _"
        case exp.Group() if node.args.get("all"):
            return "GROUP BY ALL is not Trino's; name the columns"
        case exp.Join() if node.method:
            return f"a {node.method} JOIN is not Trino's; write USING (…)"
        case exp.StrPosition() if node.args.get("occurrence"):
            return "strpos finds the first place only; leave out its third argument"
        case exp.ArraySort() if node.expression:
            return "array_sort with a function is not answered"
        case exp.Div() if _depth(node) > DEEPEST_DIVISION:
            return "too many divisions within one another; compute the inner ones in a WITH"
    return None


def _unknown_function(call: exp.Anonymous) -> str | None:
    name = call.name.lower()
    if name in ("business_date", "run_date"):
        return f"{name}() is for rules and models; write a date"
    wanted = OWN_FUNCTIONS.get(name, NAMELESS.get(name))
    if wanted is None:
        return _no_function(name)
    if len(call.expressions) != wanted:
        return f"{name} takes {wanted} argument(s), found {len(call.expressions)}"
    if name == "ratio" and not call.expressions[2].is_int:
        return "ratio(a, b, scale) takes the scale as a whole number"
    return None


def _has_count(node: exp.Expr) -> bool:
    return bool(node.expressions) or bool(node.args.get("count"))


def _escapes_nothing(node: exp.Escape) -> bool:
    pattern, by = node.this.expression, node.expression
    if not (pattern.is_string and by.is_string):
        return False
    escaped = rf"(?s)([^{re.escape(by.name)}]|{re.escape(by.name)}[%_{re.escape(by.name)}])*"
    return re.fullmatch(escaped, pattern.name) is None


def _digits(node: exp.DataType) -> str:
    return node.expressions[0].name if node.expressions else "3"


def _depth(node: exp.Expr) -> int:
    """How many divisions stand within one another from `node` down."""
    inner = (n for child in node.iter_expressions() for n in child.find_all(exp.Div))
    return 1 + max((_depth(n) for n in inner), default=0)
