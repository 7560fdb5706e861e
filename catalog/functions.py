"""
What rules and models may say: a short list of Trino's SQL that every engine understands alike.

Whatever does not stand here is refused, because some engine reads it otherwise: `/` on integers
and decimals, `greatest` with NULL, month differences, floating point, an order within
`array_agg`. The clock is refused too: a run is a function of its inputs and its date.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from catalog.grammar import did_you_mean
from catalog.patterns import why_not_portable

DIALECT = "trino"

SCALAR_CALLS = (
    "length(x)",
    "substr(x, 1, 2)",
    "strpos(x, 'a')",
    "concat(x, y)",
    "coalesce(x, y)",
    "nullif(x, y)",
    "lower(x)",
    "upper(x)",
    "trim(x)",
    "replace(x, 'a', 'b')",
    "translate(x, 'a', 'b')",
    "split_part(x, 'a', 1)",
    "regexp_like(x, 'a')",
    "regexp_extract(x, 'a')",
    "lpad(x, 3, '0')",
    "mod(x, 2)",
    "abs(x)",
    "round(x, 2)",
    "floor(x)",
    "ceil(x)",
    "date_diff('day', x, y)",
    "date_trunc('month', x)",
    "year(x)",
    "month(x)",
    "day(x)",
    "if(x, y, z)",
    "cast(x AS varchar)",
    "try_cast(x AS varchar)",
    "map(x, y)",
    "map_keys(x)",
    "element_at(x, y)",
    "array_join(x, ',')",
    "array_sort(x)",
    "cardinality(x)",
)
"""One call of each scalar function of Trino that may be used."""

AGGREGATE_CALLS = (
    "count(x)",
    "count_if(x)",
    "sum(x)",
    "min(x)",
    "max(x)",
    "min_by(x, y)",
    "max_by(x, y)",
    "bool_or(x)",
    "bool_and(x)",
    "array_agg(x)",
)
WINDOW_CALLS = (
    "row_number()",
    "rank()",
    "dense_rank()",
    "lag(x)",
    "lead(x)",
    "first_value(x)",
    "last_value(x)",
)
OWN_FUNCTIONS = {
    "business_date": 0,
    "run_date": 0,
    "is_citizen_id": 1,
    "is_uscc": 1,
    "ratio": 3,
    "map_values": 1,
}
"""Functions that sqlglot has no class for, redcliff's own among them, with their arguments."""


def _classes(calls: Collection[str]) -> frozenset[type[exp.Expr]]:
    return frozenset(type(sqlglot.parse_one(call, dialect=DIALECT)) for call in calls)


SCALARS = _classes(SCALAR_CALLS)
AGGREGATES = _classes(AGGREGATE_CALLS)
WINDOWS = _classes(WINDOW_CALLS)
FUNCTION_NAMES = frozenset(
    call.partition("(")[0] for call in (*SCALAR_CALLS, *AGGREGATE_CALLS, *WINDOW_CALLS)
) | frozenset(OWN_FUNCTIONS)

SYNTAX: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Add,
        exp.And,
        exp.Anonymous,
        exp.Array,
        exp.Between,
        exp.Boolean,
        exp.Case,
        exp.Column,
        exp.DPipe,
        exp.DataType,
        exp.DataTypeParam,
        exp.EQ,
        exp.Escape,
        exp.GT,
        exp.GTE,
        exp.Identifier,
        exp.If,
        exp.In,
        exp.Is,
        exp.LT,
        exp.LTE,
        exp.Like,
        exp.Literal,
        exp.Mul,
        exp.NEQ,
        exp.Neg,
        exp.Not,
        exp.Null,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        exp.Or,
        exp.Paren,
        exp.Sub,
        exp.Var,
    }
)
"""What an expression may be made of, besides functions."""

QUERY_SYNTAX: frozenset[type[exp.Expr]] = SYNTAX | {
    exp.Alias,
    exp.CTE,
    exp.Distinct,
    exp.Except,
    exp.Exists,
    exp.Filter,
    exp.From,
    exp.Group,
    exp.Having,
    exp.Intersect,
    exp.Join,
    exp.Order,
    exp.Ordered,
    exp.Select,
    exp.Star,
    exp.Subquery,
    exp.Table,
    exp.TableAlias,
    exp.Tuple,
    exp.Union,
    exp.Where,
    exp.Window,
    exp.WindowSpec,
    exp.With,
}
"""What a query may be made of, besides functions."""

TYPES = frozenset(
    {
        exp.DataType.Type.VARCHAR,
        exp.DataType.Type.INT,
        exp.DataType.Type.BIGINT,
        exp.DataType.Type.BOOLEAN,
        exp.DataType.Type.DATE,
        exp.DataType.Type.DECIMAL,
        exp.DataType.Type.TIMESTAMP,
        exp.DataType.Type.TIMESTAMPTZ,
        exp.DataType.Type.MAP,
        exp.DataType.Type.ARRAY,
    }
)
"""What a cast may lead to."""

TIMES = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ)
CLOCKS = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtime, exp.Localtimestamp)
CONDITIONS = (
    exp.Connector,
    exp.Predicate,
    exp.Escape,
    exp.Not,
    exp.Boolean,
    exp.Case,
    exp.If,
    exp.Coalesce,
)
DIFFERENCES = frozenset({"DAY"})
TRUNCATIONS = frozenset({"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"})


@dataclass(frozen=True)
class Slip:
    """Something an expression or query may not say, and on which of its lines."""

    line: int
    message: str


def parse(sql: str) -> exp.Expr | Slip:
    """The one statement in `sql`, in Trino's dialect; or why it cannot be read."""
    try:
        trees = sqlglot.parse(sql, dialect=DIALECT)
    except RecursionError:
        return Slip(1, "not SQL: nested too deeply")
    except SqlglotError as error:
        first: dict[str, Any] = next(iter(getattr(error, "errors", [])), {})
        what = str(first.get("description") or str(error).partition("\n")[0])
        what = what.partition(" but got <Token")[0].rstrip(".")
        if what.startswith("Required keyword"):  # sqlglot names a class of its own here
            what = "something is missing"
        near = f" near {first['highlight']!r}" if first.get("highlight") else ""
        return Slip(int(first.get("line") or 1), f"not SQL: {what}{near}")
    if len(trees) != 1 or trees[0] is None:
        return Slip(1, f"expected one statement, found {sum(t is not None for t in trees)}")
    return trees[0]


def line_of(node: exp.Expr) -> int:
    """The line of a node: its own, or that of the first part or ancestor that knows its line."""
    for inner in node.walk():
        if "line" in inner.meta:
            return int(inner.meta["line"])
    return line_of(node.parent) if node.parent is not None else 1


def check_expression(sql: str, columns: Collection[str]) -> list[str]:
    """
    Why `sql` is no condition over `columns` that every engine judges alike; empty when it is.

    >>> check_expression("birth_date <= business_date()", ["birth_date"])
    []
    >>> check_expression("birth_dat <= current_date", ["birth_date"])[0]
    "unknown column 'birth_dat'; did you mean 'birth_date'?"
    """
    tree = parse(sql)
    if isinstance(tree, Slip):
        return [tree.message]
    slips = [*_columns(tree, columns), *check_nodes(tree, SCALARS | SYNTAX)]
    told = list(dict.fromkeys(slip.message for slip in slips))
    root = tree.unnest()
    own = isinstance(root, exp.Anonymous | exp.Column)
    if not told and not own and not isinstance(root, CONDITIONS):
        told.append(f"{root.sql(DIALECT)} is no condition")
    return told


def _columns(tree: exp.Expr, columns: Collection[str]) -> Iterator[Slip]:
    for column in tree.find_all(exp.Column):
        if column.table:
            name = column.sql(DIALECT)
            yield Slip(line_of(column), f"{name}: write the column without its table")
        elif column.name not in columns:
            hint = did_you_mean(column.name.lower(), columns)
            yield Slip(line_of(column), f"unknown column {column.name!r}{hint}")


def check_nodes(tree: exp.Expr, allowed: Collection[type[exp.Expr]]) -> Iterator[Slip]:
    """Everything in `tree` that is not of `allowed`, or is allowed in another form only."""
    for node in tree.walk(prune=lambda n: type(n) not in allowed):
        if type(node) not in allowed:
            yield Slip(line_of(node), _refusal(node))
        elif (message := _misuse(node)) is not None:
            yield Slip(line_of(node), message)


def _refusal(node: exp.Expr) -> str:
    text = node.sql(DIALECT)
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    if isinstance(node, exp.Div | exp.IntDiv):
        return "/ is not allowed, engines divide differently; write ratio(a, b, scale)"
    if isinstance(node, CLOCKS):
        return "the clock is not allowed; write business_date() in a rule, run_date() in a model"
    if type(node) in AGGREGATES | WINDOWS | {exp.Window, exp.Exists, exp.Select, exp.Subquery}:
        return f"{shown} looks beyond the row, which a rule may not"
    if isinstance(node, exp.Func) and text.partition("(")[0].isidentifier():
        # sqlglot has one node for lower(to_hex(x)).
        name = "to_hex" if isinstance(node, exp.LowerHex) else text.partition("(")[0].lower()
        hint = did_you_mean(name, FUNCTION_NAMES)
        return f"the function {name} is not allowed{hint}"
    return f"{shown} is not allowed"


def _misuse(node: exp.Expr) -> str | None:
    match node:
        case exp.Anonymous():
            return _own_call(node)
        case exp.Bracket() if not node.args.get("safe"):
            return f"{node.sql(DIALECT)} is not allowed; write element_at(map, key)"
        case exp.Literal() if not node.is_string and "e" in node.name.lower():
            return f"{node.name} is a floating-point number; write it out"
        case exp.DataType() if node.this not in TYPES:
            return f"the type {node.sql(DIALECT).lower()} is not allowed"
        case exp.DateDiff() if node.text("unit").upper() not in DIFFERENCES:
            return "date_diff counts days only; engines count months and years differently"
        case exp.TimestampTrunc() if node.text("unit").upper() not in TRUNCATIONS:
            return f"date_trunc to {node.text('unit').lower()} is not allowed"
        case exp.ArrayAgg() if node.find(exp.Order) or not isinstance(node.parent, exp.ArraySort):
            return "array_agg has no order on every engine; write array_sort(array_agg(x))"
        case exp.Star() if not isinstance(node.parent, exp.Count):
            return "* is not allowed; name the columns"
        case exp.DataType() if node.expressions and not _may_be_sized(node):
            name = node.sql(DIALECT).lower()
            return f"the type {name} is not allowed; write it without its length or precision"
        case exp.RegexpLike() | exp.RegexpExtract():
            return _pattern(node)
        case _ if (words := _wants(node)) is not None:
            name = "mod" if isinstance(node, exp.Mod) else node.sql(DIALECT).partition("(")[0]
            return f"{name.lower()} {words}"
        case exp.Column() if isinstance(node.this, exp.Star):
            return "* is not allowed; name the columns"
        case _ if type(node) in WINDOWS and not _is_ordered(node):
            name = node.sql(DIALECT).partition("(")[0].lower()
            return f"{name} needs OVER (… ORDER BY …), or two runs may differ"
    return None


def _may_be_sized(node: exp.DataType) -> bool:
    """Decimals; and the literal TIMESTAMP '…', for which sqlglot writes down its digits."""
    if node.this in TIMES:
        return isinstance(node.parent, exp.Cast) and isinstance(node.parent.this, exp.Literal)
    return node.this is not exp.DataType.Type.VARCHAR


def _pattern(node: exp.RegexpLike | exp.RegexpExtract) -> str | None:
    pattern = node.expression
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        return "a regular expression is written out, in quotes"
    if (message := why_not_portable(pattern.name)) is not None:
        return message
    group = node.args.get("group")
    if group is None:
        return None
    if not group.is_int:
        return "regexp_extract takes the group as a whole number"
    if int(group.name) > 0 and re.search(r"\||\)[?*{]", pattern.name):
        return "regexp_extract takes a group only from a pattern whose groups are always there"
    return None


def _wants(node: exp.Expr) -> str | None:
    """What must be written out, because engines differ where it is something else."""
    given = node.args
    match node:
        case exp.Substring():
            start, length = given.get("start"), given.get("length")
            if not _is_whole(start, 1) and not (
                isinstance(start, exp.Neg) and _is_whole(start.this, 1)
            ):
                return "takes its start as a whole number other than 0"
            return None if length is None or _is_whole(length) else "takes its length as a number"
        case exp.SplitPart():
            if not _is_text(given.get("delimiter")) or not _is_whole(given.get("part_index"), 1):
                return "takes a text that is not empty and a whole number from 1"
        case exp.Replace() if not _is_text(node.expression):
            return "takes what is replaced as a text that is not empty"
        case exp.Pad() if not _is_whole(node.expression) or not _is_text(given["fill_pattern"]):
            return "takes a whole number and a text that is not empty"
        case exp.StrPosition() if given.get("occurrence") is not None:
            return "takes two arguments"
        case exp.Mod() if not _is_whole(node.expression, 1):
            return "takes its divisor as a whole number other than 0"
        case exp.Round() if (digits := given.get("decimals")) and not _is_whole(digits):
            return "takes its digits as a whole number"
    return None


def _is_whole(node: object, least: int = 0) -> bool:
    return isinstance(node, exp.Literal) and node.is_int and int(node.name) >= least


def _is_text(node: object) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and node.name != ""


def _own_call(call: exp.Anonymous) -> str | None:
    name = call.name
    if name.lower() not in OWN_FUNCTIONS:
        return f"the function {name} is not allowed{did_you_mean(name.lower(), FUNCTION_NAMES)}"
    expected = OWN_FUNCTIONS[name.lower()]
    if len(call.expressions) != expected:
        return f"{name} takes {expected} argument(s), found {len(call.expressions)}"
    if name.lower() == "ratio" and not call.expressions[2].is_int:
        return "ratio(a, b, scale) takes the scale as a whole number"
    return None


def _is_ordered(node: exp.Expr) -> bool:
    window = node.find_ancestor(exp.Window)
    return window is not None and window.args.get("order") is not None
