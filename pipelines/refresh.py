"""
Refreshing a thematic table: the whole result is computed, only its difference is merged.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.dialect import call, cast_to, column, literal, named, query, sql
from pipelines.difference import canonical_text, key_text
from pipelines.standardize import hash_text


def _hashable(c: Column) -> exp.Expr:
    value = column(c.name)
    if c.type.name is not TypeName.MAP:
        return canonical_text(c, value)
    return sql(
        "concat(array_join(map_keys(:m), ','), '=', array_join(map_values(:m), ','))", m=value
    )


def hashed(contract: Contract, model: exp.Query) -> exp.Query:
    """
    The model's rows in the contract's types, with `_row_hash` over all of them.

    It only tells a refresh which rows have changed, so a digest does that takes a third of the
    time of a delivered row's hash, which nobody must be able to imitate.
    """
    typed = exp.select(
        *[
            column(c.name)
            if c.type.name is TypeName.MAP
            else named(cast_to(column(c.name), c.type), c.name)
            for c in contract.columns
        ]
    ).from_(model.subquery("model", copy=False), copy=False)
    # What becomes text stands below the hash, which asks for it more than once.
    other = {c.name for c in contract.columns if c.type.name is not TypeName.STRING}
    texts = exp.select(
        exp.Star(),
        *[named(_hashable(c), f"_text_{c.name}") for c in contract.columns if c.name in other],
    ).from_(typed.subquery("typed", copy=False), copy=False)
    whole = hash_text(
        column(f"_text_{c.name}" if c.name in other else c.name) for c in contract.columns
    )
    return exp.select(
        *[column(c.name) for c in contract.columns],
        named(call("digest_of", whole), "_row_hash"),
    ).from_(texts.subquery("texts", copy=False), copy=False)


def soundness(contract: Contract, computed: str) -> exp.Query:
    """How many rows there are, how many keys, and how many rows lack a required value."""
    keys = exp.select(
        named(key_text(contract), "_key"),
        *[column(c.name) for c in contract.columns if c.required],
    ).from_(computed)
    lacking = [
        named(sql("count_if(:x IS NULL)", x=column(c.name)), f"no_{c.name}")
        for c in contract.columns
        if c.required
    ]
    return exp.select(
        named(sql("count(*)"), "rows"),
        named(sql("count(DISTINCT _key)"), "keys"),
        *lacking,
    ).from_(keys.subquery("k"))


def difference(contract: Contract, computed: str, existing: str) -> exp.Query:
    """What the table lacks of the result: new and changed rows, deletes of rows that are gone."""
    on = exp.and_(*[exp.EQ(this=column(k, "n"), expression=column(k, "o")) for k in contract.key])
    names = [c.name for c in contract.columns]
    changed = (
        exp.select(
            *[column(n, "n") for n in (*names, "_row_hash")], named(literal("upsert"), "_op")
        )
        .from_(exp.to_table(computed).as_("n"))
        .join(exp.to_table(existing).as_("o"), on=on.copy(), join_type="left")
        .where("o._row_hash IS NULL OR o._row_hash <> n._row_hash")
    )
    gone = (
        exp.select(
            *[
                column(c.name, "o") if c.is_key else named(cast_to(exp.null(), c.type), c.name)
                for c in contract.columns
            ],
            column("_row_hash", "o"),
            named(literal("delete"), "_op"),
        )
        .from_(exp.to_table(existing).as_("o"))
        .join(exp.to_table(computed).as_("n"), on=on, join_type="left")
        .where(sql("n._row_hash IS NULL"))
    )
    return exp.union(changed, gone, distinct=False, copy=False)


def operations(changes: str) -> exp.Query:
    """How many rows of relation `changes` are of which `_op`."""
    return query(f"SELECT _op, count(*) AS n FROM {changes} GROUP BY _op")
