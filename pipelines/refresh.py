"""
Refreshing a thematic table: the whole result is computed, only its difference is merged.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.dialect import call, cast_to, column, literal, query, sql
from pipelines.difference import canonical_text, key_text
from pipelines.standardize import joined_pieces


def _hashable(c: Column) -> exp.Expr:
    value = column(c.name)
    if c.type.name is not TypeName.MAP:
        return canonical_text(c, value)
    return sql(
        "concat(array_join(map_keys(:m), ','), '=', array_join(map_values(:m), ','))", m=value
    )


def hashed(contract: Contract, model: exp.Query) -> exp.Query:
    """The model's rows in the contract's types, with `_row_hash` over all of them."""
    pieces = [
        sql("coalesce(concat(CAST(length(:x) AS varchar), ':', :x), '-')", x=_hashable(c))
        for c in contract.columns
    ]
    typed = exp.select(
        *[
            column(c.name)
            if c.type.name is TypeName.MAP
            else exp.alias_(cast_to(column(c.name), c.type), c.name, quoted=True)
            for c in contract.columns
        ]
    ).from_(model.subquery("model", copy=False), copy=False)
    return exp.select(
        *[column(c.name) for c in contract.columns],
        exp.alias_(call("row_hash_of", joined_pieces(pieces)), "_row_hash"),
    ).from_(typed.subquery("typed", copy=False), copy=False)


def soundness(contract: Contract, computed: str) -> exp.Query:
    """How many rows there are, how many keys, and how many rows lack a required value."""
    keys = exp.select(
        exp.alias_(key_text(contract), "_key"),
        *[column(c.name) for c in contract.columns if c.required],
    ).from_(computed)
    lacking = [
        exp.alias_(sql("count_if(:x IS NULL)", x=column(c.name)), f"no_{c.name}", quoted=True)
        for c in contract.columns
        if c.required
    ]
    return exp.select(
        exp.alias_(sql("count(*)"), "rows"),
        exp.alias_(sql("count(DISTINCT _key)"), "keys"),
        *lacking,
    ).from_(keys.subquery("k"))


def difference(contract: Contract, computed: str, existing: str) -> exp.Query:
    """What the table lacks of the result: new and changed rows, deletes of rows that are gone."""
    on = exp.and_(*[exp.EQ(this=column(k, "n"), expression=column(k, "o")) for k in contract.key])
    names = [c.name for c in contract.columns]
    changed = (
        exp.select(
            *[column(n, "n") for n in (*names, "_row_hash")], exp.alias_(literal("upsert"), "_op")
        )
        .from_(exp.to_table(computed).as_("n"))
        .join(exp.to_table(existing).as_("o"), on=on.copy(), join_type="left")
        .where("o._row_hash IS NULL OR o._row_hash <> n._row_hash")
    )
    gone = (
        exp.select(
            *[
                column(c.name, "o")
                if c.is_key
                else exp.alias_(cast_to(exp.null(), c.type), c.name, quoted=True)
                for c in contract.columns
            ],
            column("_row_hash", "o"),
            exp.alias_(literal("delete"), "_op"),
        )
        .from_(exp.to_table(existing).as_("o"))
        .join(exp.to_table(computed).as_("n"), on=on, join_type="left")
        .where(sql("n._row_hash IS NULL"))
    )
    return exp.union(changed, gone, distinct=False, copy=False)


def operations(changes: str) -> exp.Query:
    """How many rows of relation `changes` are of which `_op`."""
    return query(f"SELECT _op, count(*) AS n FROM {changes} GROUP BY _op")
