"""
What engines say differently: the one place that knows.

A query arrives in Trino's dialect with redcliff's own functions (`catalog.dialect`). Those that
are plain SQL are unfolded there; those that have another name or form on an engine are replaced
here, and sqlglot writes the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from inspect import signature

from sqlglot import exp

from catalog.dialect import Rewrite, macros, replace_calls, sql, unfold


def _spark_ratio(a: exp.Expr, b: exp.Expr, scale: exp.Expr) -> exp.Expr:
    """Half-up to `scale` digits in whole numbers of hundredths, so that no engine's `/` decides."""
    digits = int(scale.name)
    return sql(
        f"""CASE WHEN :b = 0 THEN NULL ELSE
              CAST(:quotient AS DECIMAL(20,{digits})) * CAST(:unit AS DECIMAL(20,{digits})) END""",
        b=b,
        quotient=exp.IntDiv(
            this=exp.paren(
                sql(
                    "CAST(:a * 100 AS BIGINT) * :factor + CAST(:b * 100 AS BIGINT)",
                    a=a,
                    b=b,
                    factor=2 * 10**digits,
                )
            ),
            expression=exp.paren(sql("CAST(:b * 100 AS BIGINT) * 2", b=b)),
        ),
        unit=Decimal(1).scaleb(-digits),
    )


def _named(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _spark_record_json(*pairs: exp.Expr) -> exp.Expr:
    options = _named("map", exp.Literal.string("ignoreNullFields"), exp.Literal.string("false"))
    return _named("to_json", _named("named_struct", *pairs), options)


def _spark_map_of_present(*pairs: exp.Expr) -> exp.Expr:
    """A map without the entries whose value is NULL."""
    entries = [
        _named("named_struct", exp.Literal.string("k"), k, exp.Literal.string("v"), v)
        for k, v in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    present = exp.Lambda(this=sql("NOT e.v IS NULL"), expressions=[exp.to_identifier("e")])
    return _named("map_from_entries", _named("filter", _named("array", *entries), present))


SPARK: Mapping[str, Rewrite] = {
    "row_hash_of": lambda x: sql("substr(:h, 1, 32)", h=_named("sha2", x, exp.Literal.number(256))),
    "timestamp_text": lambda x: _named(
        "date_format", x, exp.Literal.string("yyyy-MM-dd HH:mm:ss.SSS")
    ),
    "to_milliseconds": lambda x: _named("date_trunc", exp.Literal.string("MILLISECOND"), x),
    "to_local_milliseconds": lambda x: exp.cast(
        _named("date_trunc", exp.Literal.string("MILLISECOND"), x), "TIMESTAMP_NTZ", dialect="spark"
    ),
    "record_json": _spark_record_json,
    "ratio": _spark_ratio,
    "first_of": lambda x: _named("element_at", x, exp.Literal.number(1)),
    "without_nulls": lambda x: _named("array_compact", x),
    "map_of_present": _spark_map_of_present,
    "appended": lambda x, y: _named("array_append", x, y),
    "has_any": lambda x: sql("cardinality(:x) > 0", x=x),
}


def _duckdb_ratio(a: exp.Expr, b: exp.Expr, scale: exp.Expr) -> exp.Expr:
    """The same whole numbers as on Spark; `//` cuts towards zero on both."""
    return _spark_ratio(a, b, scale)


def _duckdb_record_json(*pairs: exp.Expr) -> exp.Expr:
    return exp.cast(_named("json_object", *pairs), "VARCHAR")


def _duckdb_map_of_present(*pairs: exp.Expr) -> exp.Expr:
    """A map without the entries whose value is NULL."""
    entries = [
        exp.Struct(
            expressions=[
                exp.PropertyEQ(this=exp.to_identifier("k"), expression=k.copy()),
                exp.PropertyEQ(this=exp.to_identifier("v"), expression=v.copy()),
            ]
        )
        for k, v in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    present = exp.Lambda(this=sql("NOT e.v IS NULL"), expressions=[exp.to_identifier("e")])
    return _named(
        "map_from_entries", _named("list_filter", exp.Array(expressions=entries), present)
    )


DUCKDB: Mapping[str, Rewrite] = {
    "row_hash_of": lambda x: sql("substr(:h, 1, 32)", h=_named("sha256", x)),
    "timestamp_text": lambda x: _named("strftime", x, exp.Literal.string("%Y-%m-%d %H:%M:%S.%g")),
    "to_milliseconds": lambda x: _named("date_trunc", exp.Literal.string("millisecond"), x),
    "to_local_milliseconds": lambda x: _named("date_trunc", exp.Literal.string("millisecond"), x),
    "record_json": _duckdb_record_json,
    "ratio": _duckdb_ratio,
    "first_of": lambda x: _named("list_extract", x, exp.Literal.number(1)),
    "without_nulls": lambda x: _named(
        "list_filter",
        x,
        exp.Lambda(this=sql("NOT e IS NULL"), expressions=[exp.to_identifier("e")]),
    ),
    "map_of_present": _duckdb_map_of_present,
    "appended": lambda x, y: _named("list_append", x, y),
    "has_any": lambda x: exp.GT(this=_named("len", x), expression=exp.Literal.number(0)),
}

ENGINES: Mapping[str, Mapping[str, Rewrite]] = {"spark": SPARK, "duckdb": DUCKDB}

_SPARK_TYPES = {
    exp.DataType.Type.TIMESTAMP: exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.TIMESTAMPTZ: exp.DataType.Type.TIMESTAMPLTZ,
}


def render(tree: exp.Expr, engine: str, day: date | None = None) -> str:
    """
    The text of `tree` for an engine; `day` is what `business_date()` and `run_date()` stand for.

    DuckDB knows redcliff's functions, and their day, as macros (`macro_definitions`).
    """
    if engine == "duckdb":
        return for_duckdb(tree).sql(dialect="duckdb", copy=False)
    plain = replace_calls(unfold(tree, day), ENGINES[engine], copy=False)
    if engine == "spark":
        for data_type in plain.find_all(exp.DataType):
            if data_type.this in _SPARK_TYPES:
                data_type.set("this", _SPARK_TYPES[data_type.this])
                data_type.set("expressions", None)
    return plain.sql(dialect=engine, copy=False)


def for_duckdb(tree: exp.Expr) -> exp.Expr:
    """A copy of `tree` in which everything that DuckDB says differently is replaced."""
    return replace_calls(tree, DUCKDB)


def with_relations(tree: exp.Expr, relations: Mapping[str, exp.Expr]) -> exp.Expr:
    """`tree`, changed in place, with scans and subqueries where relations of these names stand."""
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name in relations and table.name not in own and not table.db:
            alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name, quoted=True))
            stands = relations[table.name].copy()
            if isinstance(stands, exp.Subquery):
                stands.set("alias", alias)
            else:
                stands = exp.Table(this=stands, alias=alias)
            for part in ("joins", "laterals", "pivots"):
                stands.set(part, table.args.get(part))
            table.replace(stands)
    return tree


def macro_definitions(day: str) -> Iterator[str]:
    """Statements that define redcliff's own functions for DuckDB; `day` is SQL that tells it."""
    for name, rewrite in macros(sql(f"CAST({day} AS date)")).items():
        parameters = list(signature(rewrite).parameters)
        body = render(rewrite(*(exp.column(p) for p in parameters)), "duckdb")
        yield f"CREATE MACRO {name}({', '.join(parameters)}) AS ({body})"
