"""
Key registers: which record of which source belongs to which person or entity.

A register is append-only and an input of every rebuild. An id is an HMAC of the identifier that
the records share, under the site's secret: it depends on neither order nor engine, and tells
nothing of the identifier to those who do not have the secret. The secret never enters a query.
"""

from __future__ import annotations

import hmac

from sqlglot import exp

from catalog.contract import Contract
from catalog.dialect import column, named, query, sql
from catalog.naming import table_name
from catalog.vocabulary import Layer
from pipelines.difference import key_text

RECORD = ("source_dataset", "source_key")
"""What names a source record in a register: its dataset, and its key as one text."""

BY_IDENTIFIER = "identifier"
"""The reason of an assignment: the record carries a valid identifier."""


def entity_id(secret: bytes, identity: str, value: str) -> str:
    """
    The id of the person or entity with this identifier: 32 hexadecimal characters.

    >>> entity_id(b"secret", "uscc", "91421281MA4900000T") == entity_id(b"other", "uscc", "…")
    False
    """
    return hmac.digest(secret, f"{identity}:{value}".encode(), "sha256").hex()[:32]


def record_keys(source: Contract, rows: str) -> exp.Query:
    """`RECORD` of all records of a source in relation `rows`, which needs its key columns alone."""
    dataset = named(exp.Literal.string(source.id), "source_dataset")
    return exp.select(dataset, named(key_text(source), "source_key")).distinct().from_(rows)


def unassigned(register: Contract, source: Contract, among: str | None = None) -> exp.Query:
    """
    The records of one source that carry an identifier and are new to the register, or have
    changed since it assigned them: `source_key, identity, delivery_id, ordinal, entity_id`,
    the last two NULL for a new record. Of all its records, or of those in relation `among`.
    """
    key_register = register.key_register
    assert key_register is not None
    asked = "TRUE"
    if among is not None:
        asked = f"source_key IN (SELECT source_key FROM {among} WHERE source_dataset = :source)"
    latest = query(
        f"""SELECT source_key, ordinal, {key_register.entity} AS entity_id, delivery_id
            FROM (SELECT *, row_number() OVER (PARTITION BY source_key ORDER BY ordinal DESC) AS n
                  FROM {table_name(register.id, Layer.THEMATIC)}
                  WHERE source_dataset = :source AND {asked}) AS r
            WHERE n = 1""",
        source=source.id,
    )
    rows = exp.select(
        named(key_text(source, "s"), "source_key"),
        named(column(key_register.identity, "s"), "identity"),
        named(column("_delivery_id", "s"), "delivery_id"),
    ).from_(exp.to_table(table_name(source.id, Layer.CURATED)).as_("s"))
    carrying = exp.select("*").from_(rows.subquery("c")).where("NOT identity IS NULL")
    return (
        exp.select("s.source_key", "s.identity", "s.delivery_id", "a.ordinal", "a.entity_id")
        .from_(carrying.where(sql(asked, source=source.id)).subquery("s"))
        .join(latest.subquery("a"), on="s.source_key = a.source_key", join_type="left")
        .where("a.entity_id IS NULL OR a.delivery_id <> s.delivery_id")
    )
