"""
What engines say differently: the one place that knows.

A query arrives in Trino's dialect with redcliff's own functions (`catalog.dialect`). Those that
are plain SQL are unfolded there. Here, calls that have another name or form on an engine are
replaced (`CALLS`), and so are the parts of Trino's SQL that an engine reads otherwise (`NODES`);
sqlglot writes the rest. Each entry of these tables stands for one difference, and has a test that
fails without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from inspect import signature
from typing import Any

from sqlglot import exp

from catalog.dialect import (
    OFFSET,
    TRUSTED,
    YEAR,
    Rewrite,
    any_of,
    case_when,
    free,
    load_dialect,
    macros,
    replace_calls,
    sql,
    unfold,
)
from catalog.patterns import in_plain_classes

Node = Callable[[Any], exp.Expr]
"""What stands in the place of a node of some class; the node itself when it may stay."""


def _named(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[free(a) for a in arguments])


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def _each(array: exp.Expr, name: str, function: str, body: exp.Expr) -> exp.Expr:
    """`function(array, name -> body)`."""
    return _named(function, array, exp.Lambda(this=body, expressions=[exp.to_identifier(name)]))


def _plain_cast(value: exp.Expr, to: str) -> exp.Cast:
    return exp.Cast(this=free(value), to=exp.DataType.build(to), **{TRUSTED: True})


# --- redcliff's own functions ----------------------------------------------------------------


def _ratio(a: exp.Expr, b: exp.Expr, scale: exp.Expr) -> exp.Expr:
    """
    Half-up to `scale` digits, away from zero, in whole numbers of hundredths, so that no engine's
    `/` decides.
    """
    digits = int(scale.name)
    above = sql("abs(CAST(round(:a * 100) AS BIGINT))", a=a)
    below = sql("abs(CAST(round(:b * 100) AS BIGINT))", b=b)
    quotient = exp.IntDiv(
        this=exp.paren(sql(":x * :factor + :y", x=above, y=below, factor=2 * 10**digits)),
        expression=exp.paren(sql(":y * 2", y=below)),
    )
    return sql(
        f"""CASE WHEN :b = 0 THEN NULL ELSE
              CAST(CAST(:quotient * CASE WHEN (:a < 0) <> (:b < 0) THEN -1 ELSE 1 END
                   AS DECIMAL(19,0)) * :unit AS DECIMAL(20,{digits})) END""",
        a=a,
        b=b,
        quotient=exp.paren(quotient),
        unit=exp.Literal.number(f"{10**-digits:.{digits}f}"),
    )


def _is_one_of(value: exp.Expr, *words: exp.Expr) -> exp.Expr:
    return exp.In(this=free(value), expressions=[free(w) for w in words])


def _duckdb_is_one_of(value: exp.Expr, *words: exp.Expr) -> exp.Expr:
    """DuckDB compares all rows with every word of an IN: 400 words took 2.7 µs, a list 0.4."""
    listed = exp.Array(expressions=[free(w) for w in words])
    return _named("list_contains", listed, value)


def _spark_hash_text(*values: exp.Expr) -> exp.Expr:
    """One `concat`, none of whose parts is NULL: a chain of `||` copies what it has for each."""
    piece = "coalesce(concat(CAST(length(:x) AS varchar), ':', :x), '-')"
    return _named("concat", _text("="), *[sql(piece, x=x) for x in values])


def _duckdb_hash_text(*values: exp.Expr) -> exp.Expr:
    """One `concat`, which passes over NULL: a piece of its own for each value is a copy more."""
    pieces: list[exp.Expr] = []
    for x in values:
        pieces.append(sql("CAST(length(:x) AS varchar)", x=x))
        pieces.append(sql("CASE WHEN :x IS NULL THEN '-' ELSE ':' END", x=x))
        pieces.append(x)
    return _named("concat", _text("="), *pieces)


def _spark_record_json(*pairs: exp.Expr) -> exp.Expr:
    options = _named("map", _text("ignoreNullFields"), _text("false"))
    return _named("to_json", _named("named_struct", *pairs), options)


def _spark_map_of_present(*pairs: exp.Expr) -> exp.Expr:
    """A map without the entries whose value is NULL."""
    entries = [
        _named("named_struct", _text("k"), k, _text("v"), v)
        for k, v in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    present = _each(_named("array", *entries), "e", "filter", sql("NOT e.v IS NULL"))
    return _named("map_from_entries", present)


def _duckdb_record_json(*pairs: exp.Expr) -> exp.Expr:
    return _plain_cast(_named("json_object", *pairs), "VARCHAR")


def _duckdb_map_of_present(*pairs: exp.Expr) -> exp.Expr:
    """
    A map without the entries whose value is NULL, by way of JSON: for DuckDB looks for keys that
    repeat in whatever else becomes a map, 12 µs a row of twenty entries.
    """
    entries = [_json_entry(k.name, v) for k, v in zip(pairs[::2], pairs[1::2], strict=True)]
    written = _named("concat", _text("{"), _named("concat_ws", _text(","), *entries), _text("}"))
    return _plain_cast(_plain_cast(written, "JSON"), "MAP(VARCHAR, VARCHAR)")


def _json_entry(key: str, value: exp.Expr) -> exp.Expr:
    """`"key":"value"`, and NULL where the value is; written now where its values are literals."""
    if isinstance(value, exp.Case) and value.args.get("default") is None:
        branches = [(branch.this, branch.args["true"]) for branch in value.args["ifs"]]
        if value.this is None and all(isinstance(said, exp.Literal) for _, said in branches):
            written = [_text(_json({key: said.name})[1:-1]) for _, said in branches]
            return case_when(*zip([when for when, _ in branches], written, strict=True))
    quoted = _plain_cast(_named("to_json", value), "VARCHAR")
    return exp.DPipe(this=_text(f"{_json(key)}:"), expression=quoted)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


CALLS: Mapping[str, Mapping[str, Rewrite]] = {
    "spark": {
        "row_hash_of": lambda x: sql(
            "substr(:h, 1, 32)", h=_named("sha2", x, exp.Literal.number(256))
        ),
        "digest_of": lambda x: _named("md5", x),
        "hash_text": _spark_hash_text,
        "timestamp_text": lambda x: _named("date_format", x, _text("yyyy-MM-dd HH:mm:ss.SSS")),
        "to_milliseconds": lambda x: _named("date_trunc", _text("MILLISECOND"), x),
        "to_local_milliseconds": lambda x: exp.cast(
            _named("date_trunc", _text("MILLISECOND"), x), "TIMESTAMP_NTZ", dialect="spark"
        ),
        "is_one_of": _is_one_of,
        "record_json": _spark_record_json,
        "ratio": _ratio,
        "first_of": lambda x: _named("element_at", x, exp.Literal.number(1)),
        "without_nulls": lambda x: _named("array_compact", x),
        "map_of_present": _spark_map_of_present,
        "appended": lambda x, y: _named("array_append", x, y),
        "has_any": lambda x: sql("cardinality(:x) > 0", x=x),
    },
    "duckdb": {
        "row_hash_of": lambda x: sql("substr(:h, 1, 32)", h=_named("sha256", x)),
        "digest_of": lambda x: _named("md5", x),
        "hash_text": _duckdb_hash_text,
        "timestamp_text": lambda x: _named("strftime", x, _text("%Y-%m-%d %H:%M:%S.%g")),
        "to_milliseconds": lambda x: _named("date_trunc", _text("millisecond"), x),
        "to_local_milliseconds": lambda x: _named("date_trunc", _text("millisecond"), x),
        "is_one_of": _duckdb_is_one_of,
        "record_json": _duckdb_record_json,
        "ratio": _ratio,
        "first_of": lambda x: _named("list_extract", x, exp.Literal.number(1)),
        "without_nulls": lambda x: _each(x, "e", "list_filter", sql("NOT e IS NULL")),
        "map_of_present": _duckdb_map_of_present,
        "appended": lambda x, y: _named("list_append", x, y),
        "has_any": lambda x: exp.GT(this=_named("len", x), expression=exp.Literal.number(0)),
    },
}
"""Functions that are plain SQL on no engine, by their names."""

for _engine in CALLS:
    load_dialect(_engine)

# --- Trino's own SQL -------------------------------------------------------------------------


def _regexp_like(node: exp.RegexpLike) -> exp.Expr:
    """Java's `$` stands before a last line break too, and its `.` knows five kinds of these."""
    if isinstance(node.expression, exp.Literal):
        node.set("expression", _text(in_plain_classes(node.expression.name)))
    return node


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """NULL without a match, for which engines give the empty text."""
    pattern = _text(in_plain_classes(node.expression.name))
    node.set("expression", pattern)
    matched = exp.RegexpLike(this=node.this.copy(), expression=pattern.copy())
    return case_when((matched, node.copy()))


def _substr(node: exp.Substring) -> exp.Expr:
    """A start before the text gives the empty text; engines would give what they find."""
    start = node.args["start"]
    if not isinstance(start, exp.Neg):
        return node
    short = sql("length(:x) < :n", x=node.this, n=start.this)
    return case_when((short, _text("")), default=node.copy())


TRIMMED = "".join(
    chr(c)
    for first, last in (
        *((0x09, 0x0D), (0x1C, 0x20), (0x1680, 0x1680), (0x2000, 0x2006)),
        *((0x2008, 0x200A), (0x2028, 0x2029), (0x205F, 0x205F), (0x3000, 0x3000)),
    )
    for c in range(first, last + 1)
)
"""Java's white space, and so Trino's: U+3000 too, but no space that forbids a line break."""


def _trim(node: exp.Trim) -> exp.Expr:
    if node.args.get("expression") is None:
        node.set("expression", _text(TRIMMED))
        node.set("position", node.args.get("position") or "BOTH")
    return node


def _if(node: exp.If) -> exp.Expr:
    if node.args.get("false") is None and not isinstance(node.parent, exp.Case):
        node.set("false", exp.null())
    return node


def _like(node: exp.Like) -> exp.Expr:
    """A backslash escapes nothing unless the query says so."""
    if not isinstance(node.parent, exp.Escape):
        doubled = sql("replace(:x, :one, :two)", x=node.expression, one="\\", two="\\\\")
        node.set("expression", doubled)
    return node


def _spark_array_agg(node: exp.ArrayAgg) -> exp.Expr:
    """NULLs are members, and of no rows it is NULL; Spark drops the ones and lists the others."""
    collected, distinct = node.this, isinstance(node.this, exp.Distinct)
    value = collected.expressions[0] if distinct else collected
    held: exp.Expr = _named("named_struct", _text("v"), value)
    if distinct:
        held = exp.Distinct(expressions=[held])
    rows = exp.Nullif(this=_named("collect_list", held), expression=_named("array"))
    return _each(rows, "e", "transform", sql("e.v"))


def _spark_split_part(node: exp.SplitPart) -> exp.Expr:
    """NULL beyond the last part."""
    parts = _named(
        "split",
        node.this,
        _text(re.escape(node.args["delimiter"].name)),
        exp.Neg(this=exp.Literal.number(1)),
    )
    place = int(node.args["part_index"].name) - 1
    return _named("get", parts, exp.Literal.number(place))


def _duckdb_split_part(node: exp.SplitPart) -> exp.Expr:
    """NULL beyond the last part."""
    parts = _named("string_split", node.this, node.args["delimiter"])
    return _named("list_extract", parts, node.args["part_index"])


def _spark_case(node: exp.Upper | exp.Lower) -> exp.Expr:
    """
    One character for one: ß has no capital, as it has none in Trino.

    ASCII, which is nearly all there is, has no such characters.
    """
    if node.args.get(TRUSTED):
        return node
    x, c = node.this, exp.column("c")
    changed = type(node)(this=c)
    # What would become several: İ begins with its small letter, ᾳ has a capital for titles only.
    other = sql("substr(:y, 1, 1)", y=changed)
    if isinstance(node, exp.Upper):
        other = _named("initcap", c)
    one = exp.Case()
    for candidate in (changed, other):
        one = one.when(sql("length(:y) = 1", y=candidate), candidate)
    one = one.else_(c)
    characters = _named("regexp_extract_all", x, _text(r"[\s\S]"), exp.Literal.number(0))
    spelled = _named("array_join", _each(characters, "c", "transform", one), _text(""))
    is_ascii = exp.EQ(this=_named("octet_length", x), expression=exp.Length(this=x.copy()))
    return case_when((is_ascii, node.copy()), default=spelled)


def _duckdb_upper(node: exp.Upper) -> exp.Expr:
    """ß has no capital."""
    if node.args.get(TRUSTED):
        return node
    parts = _named("string_split", node.this, _text("ß"))
    spelled = _each(parts, "c", "list_transform", exp.Upper(this=exp.column("c")))
    return _named("array_to_string", spelled, _text("ß"))


def _duckdb_array_join(node: exp.ArrayToString) -> exp.Expr:
    """Of an array of NULLs it is the empty text."""
    joined = exp.Coalesce(this=node.copy(), expressions=[_text("")])
    return case_when((sql("NOT :x IS NULL", x=node.this), joined))


def _duckdb_whole(node: exp.Floor | exp.Ceil) -> exp.Expr:
    """Of a whole number it is no floating-point number."""
    tenths = exp.paren(exp.Add(this=exp.paren(node.this.copy()), expression=sql("0.0")))
    return type(node)(this=tenths)


# --- casts -----------------------------------------------------------------------------------

_DAY = f"{YEAR}-[0-9]{{1,2}}-[0-9]{{1,2}}"
_CLOCK = "([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9]([.][0-9]{1,9})?)?"
_ZONE = f" ?(Z|UTC|{OFFSET})"
_Type = exp.DType
READABLE: Mapping[exp.DType, str] = {
    _Type.INT: "[+-]?[0-9]+",
    _Type.BIGINT: "[+-]?[0-9]+",
    _Type.DECIMAL: "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)",
    _Type.BOOLEAN: "[Tt]|[Ff]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1",
    _Type.DATE: f" *{_DAY} *",
    _Type.TIMESTAMP: f" *{_DAY}( {_CLOCK})? *",
    _Type.TIMESTAMPTZ: f" *{_DAY}([ T]{_CLOCK}({_ZONE})?)? *",
}
"""
The text that a cast reads. Engines read more, each its own: 1e3, 0x10, 1_000 and 2.5 as whole
numbers, yes as true, 2025/03/03 and 2025-03 as dates, 24:00 as a time of day.
"""
_TIMES = (_Type.TIMESTAMP, _Type.TIMESTAMPTZ)


def _cast(node: exp.Cast, engine: str) -> exp.Expr:
    """Of text in another form than `READABLE`, `TRY_CAST` makes NULL and `CAST` an error."""
    to, value = node.to.this, node.this
    if to in _TIMES:
        node.to.set("expressions", None)
    if node.args.get(TRUSTED):
        return node
    failure = _failure(node, engine)
    # What replaces the node takes its parts along.
    cast = type(node)(**{name: part for name, part in node.args.items() if part is not None})
    if engine == "spark" and to in (_Type.INT, _Type.BIGINT):
        # Spark cuts digits off, Trino and DuckDB round; a cast to decimals rounds everywhere.
        cast.set("this", type(node)(this=cast.this, to=exp.DataType.build("DECIMAL(38,0)")))
    understood = isinstance(value, exp.Null)
    if isinstance(value, exp.Literal):
        form = READABLE.get(to, "")
        understood = not value.is_string or re.fullmatch(form, value.name) is not None
    if to is _Type.VARCHAR:
        return _spelled(cast, engine)
    if understood or to not in READABLE:
        return cast
    text = _plain_cast(value, "VARCHAR")
    readable = exp.RegexpLike(this=text, expression=_text(rf"^({READABLE[to]})\z"))
    other = exp.NEQ(this=_named("typeof", value), expression=_text(_TYPE_NAMES[engine]["text"]))
    may = any_of([sql(":x IS NULL", x=value), other, readable])
    return case_when((may, cast), default=failure)


_TYPE_NAMES = {
    "duckdb": {
        "text": "VARCHAR",
        "local": "TIMESTAMP",
        "instant": "TIMESTAMP WITH TIME ZONE",
    },
    "spark": {"text": "string", "local": "timestamp_ntz", "instant": "timestamp"},
}


def _is(value: exp.Expr, engine: str, kind: str) -> exp.Expr:
    return exp.EQ(this=_named("typeof", value), expression=_text(_TYPE_NAMES[engine][kind]))


def _failure(node: exp.Cast, engine: str) -> exp.Expr:
    if isinstance(node, exp.TryCast):
        return exp.null()
    message = _text(f"a text cannot be read as {node.to.sql('trino').lower()}")
    return exp.Cast(
        this=_named("error" if engine == "duckdb" else "raise_error", message),
        to=node.to.copy(),
    )


def _spelled(cast: exp.Cast, engine: str) -> exp.Expr:
    """A moment is written with three digits of a second, an instant with its zone."""
    value = cast.this
    # The session's zone is UTC; DuckDB writes it.
    plain = sql("replace(:x, '+00', '')", x=cast) if engine == "duckdb" else cast
    padded = sql("rpad(:x, 23, CASE WHEN strpos(:x, '.') > 0 THEN '0' ELSE '.000' END)", x=plain)
    return case_when(
        (_is(value, engine, "local"), padded),
        (_is(value, engine, "instant"), sql("concat(:x, ' UTC')", x=padded)),
        default=cast,
    )


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)


_ALIKE: Mapping[type[exp.Expr], Node] = {
    exp.RegexpLike: _regexp_like,
    exp.RegexpExtract: _regexp_extract,
    exp.Substring: _substr,
    exp.Trim: _trim,
}
_SPARK_NODES: Mapping[type[exp.Expr], Node] = {
    exp.If: _if,
    exp.Like: _like,
    exp.ArrayAgg: _spark_array_agg,
    exp.SplitPart: _spark_split_part,
    exp.Upper: _spark_case,
    exp.Lower: _spark_case,
    exp.TimestampTrunc: lambda n: _spark_day(n),
    exp.DateTrunc: lambda n: _spark_day(n),
    exp.Cast: lambda n: _cast(n, "spark"),
    exp.TryCast: lambda n: _cast(n, "spark"),
}
_DUCKDB_NODES: Mapping[type[exp.Expr], Node] = {
    exp.SplitPart: _duckdb_split_part,
    exp.Upper: _duckdb_upper,
    exp.ArrayToString: _duckdb_array_join,
    exp.Floor: _duckdb_whole,
    exp.Ceil: _duckdb_whole,
    exp.ArgMin: lambda n: _named("arg_min_null", n.this, n.expression),
    exp.ArgMax: lambda n: _named("arg_max_null", n.this, n.expression),
    exp.CountIf: lambda n: exp.Count(this=case_when((n.this.copy(), _number(1)))),
    exp.DateDiff: lambda n: _named("date_sub", _text("day"), n.expression, n.this),
    exp.TimestampTrunc: lambda n: _plain_cast(n, "DATE"),
    exp.DateTrunc: lambda n: _plain_cast(n, "DATE"),
    exp.Cast: lambda n: _cast(n, "duckdb"),
    exp.TryCast: lambda n: _cast(n, "duckdb"),
}


def _spark_day(node: exp.TimestampTrunc | exp.DateTrunc) -> exp.Expr:
    """The first day of the unit, a date."""
    unit = node.text("unit").upper()
    day = _plain_cast(node.this, "DATE")
    return day if unit == "DAY" else _named("trunc", day, _text(unit))


NODES: dict[str, dict[type[exp.Expr], Node]] = {
    "spark": {**_ALIKE, **_SPARK_NODES},
    "duckdb": {**_ALIKE, **_DUCKDB_NODES},
}
"""Trino's SQL that an engine reads otherwise, by the class of its nodes."""

_SPARK_TYPES = {
    exp.DataType.Type.TIMESTAMP: exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.TIMESTAMPTZ: exp.DataType.Type.TIMESTAMPLTZ,
}


def _said_for(tree: exp.Expr, engine: str) -> exp.Expr:
    """`tree`, changed in place, in what the engine reads as Trino reads it: innermost first."""
    rewrites = NODES[engine]
    found = [(n, rewrites[type(n)]) for n in tree.walk(bfs=False) if type(n) in rewrites]
    for node, rewrite in reversed(found):
        said = rewrite(node)
        if said is not node:
            if node is tree:
                tree = said
            else:
                node.replace(said)
    return tree


def render(tree: exp.Expr, engine: str, day: date | None = None) -> str:
    """
    The text of `tree` for an engine; `day` is what `business_date()` and `run_date()` stand for.

    DuckDB knows redcliff's functions, and their day, as macros (`macro_definitions`).
    """
    if engine == "duckdb":
        return for_duckdb(tree).sql(dialect="duckdb", copy=False)
    plain = replace_calls(unfold(tree, day), CALLS[engine], copy=False)
    said = _said_for(plain, engine)
    if engine == "spark":
        for data_type in said.find_all(exp.DataType):
            if data_type.this in _SPARK_TYPES:
                data_type.set("this", _SPARK_TYPES[data_type.this])
                data_type.set("expressions", None)
    return said.sql(dialect=engine, copy=False)


def own_calls(tree: exp.Expr, engine: str) -> exp.Expr:
    """A copy of `tree` in which redcliff's own functions are said for the engine, and no more."""
    return replace_calls(tree, CALLS[engine])


def for_duckdb(tree: exp.Expr) -> exp.Expr:
    """A copy of `tree` in which everything that DuckDB says differently is replaced."""
    return _said_for(own_calls(tree, "duckdb"), "duckdb")


def told(tree: exp.Expr, relations: Mapping[str, str]) -> str:
    """
    The text of `tree`, changed in place, for DuckDB: with the SQL of `relations` where these names
    stand.
    """
    found = list(tree.find_all(exp.CTE, exp.Table))
    own = {cte.alias for cte in found if isinstance(cte, exp.CTE)}
    for table in found:
        if not isinstance(table, exp.Table) or table.db or table.name in own:
            continue
        if (stands := relations.get(table.name)) is not None:
            alias = exp.to_identifier(table.alias_or_name, quoted=True)
            given = table.args.get("alias")
            columns = given.columns if isinstance(given, exp.TableAlias) else None
            table.set("this", exp.Var(this=stands))
            table.set("alias", exp.TableAlias(this=alias, columns=columns))
    return tree.sql(dialect="duckdb", copy=False)


def macro_definitions(day: str) -> Iterator[str]:
    """Statements that define redcliff's own functions for DuckDB; `day` is SQL that tells it."""
    for name, rewrite in macros(sql(f"CAST({day} AS date)")).items():
        parameters = list(signature(rewrite).parameters)
        body = render(rewrite(*(exp.column(p) for p in parameters)), "duckdb")
        yield f"CREATE MACRO {name}({', '.join(parameters)}) AS ({body})"
