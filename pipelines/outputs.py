"""
From outcomes to rows of tables: what a delivery writes to raw, quarantine, history and curated.

Each function gives one SELECT over the relations of `pipelines.difference`. Those for a merge
carry `_op`, as `lake.engine.Merge` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlglot import exp

from catalog.contract import Contract
from catalog.dialect import cast_to, column, literal, named, query, sql
from catalog.shapes import history_shape, quarantine_shape, raw_shape
from catalog.vocabulary import Mode
from pipelines.difference import Outcome, canonical_text, same_key

ACCEPTED_EVENTS = (Outcome.APPLIED, Outcome.SUPERSEDED, Outcome.UNCHANGED)


@dataclass(frozen=True)
class Stamp:
    """What every row written for a delivery says of it."""

    delivery_id: str
    business_date: date
    received_at: datetime
    contract_version: str


def _instant(moment: datetime) -> exp.Expr:
    text = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"
    return sql("CAST(:t AS timestamp with time zone)", t=text)


def raw_rows(
    contract: Contract, stamp: Stamp, classified: str, *, open_bad: str | None
) -> exp.Query:
    """
    New and changed rows as they came, bad ones included; rows that could not be read stand only
    in quarantine, and a bad row that was bad before stands in raw already.
    """
    source = contract.source
    assert source is not None
    events = (Outcome.APPLIED,) if source.mode is Mode.SNAPSHOT else ACCEPTED_EVENTS
    fresh = exp.In(
        this=column("_outcome", "n"), expressions=[exp.Literal.string(o.value) for o in events]
    )
    bad = sql("n._outcome = 'quarantined' AND n._copy = 1 AND n._fault IS NULL")
    rows = exp.select(
        *[named(column(f"_text_{c.name}", "n"), c.name) for c in contract.delivered_columns],
        column("_extra", "n"),
        named(sql("CASE WHEN n._delete THEN 'delete' ELSE 'upsert' END"), "_op"),
        named(literal(stamp.delivery_id), "_delivery_id"),
        column("_file", "n"),
        column("_row_number", "n"),
        column("_row_hash", "n"),
        named(_instant(stamp.received_at), "_received_at"),
    ).from_(exp.to_table(classified).as_("n"))
    if open_bad is not None:
        known = query(f"SELECT DISTINCT _row_hash FROM {open_bad}").subquery("k")
        rows = rows.join(known, on="n._row_hash = k._row_hash", join_type="left")
        bad = exp.and_(bad, sql("k._row_hash IS NULL"))
    return rows.where(exp.or_(fresh, exp.paren(bad)))


def vanished_rows(contract: Contract, stamp: Stamp, keys: str) -> exp.Query:
    """One `delete` row of raw for every key of relation `keys`: its key columns, as text."""
    texts = []
    for c in contract.delivered_columns:
        value = canonical_text(c, column(c.name, "v")) if c.is_key else sql("CAST(NULL AS varchar)")
        texts.append(named(value, c.name))
    rest = {
        "_op": literal("delete"),
        "_delivery_id": literal(stamp.delivery_id),
        "_received_at": _instant(stamp.received_at),
    }
    shape = raw_shape(contract)
    technical = [
        named(rest.get(c.name) or cast_to(exp.null(), c.type), c.name)
        for c in shape.columns[len(texts) :]
    ]
    return exp.select(*texts, *technical).from_(exp.to_table(keys).as_("v"))


def bad_rows(
    contract: Contract, stamp: Stamp, classified: str, open_bad: str | None = None
) -> exp.Query:
    """
    The quarantined rows of the delivery, each hash once, with `_record` as delivered.

    Those that stand in `open_bad` have come again, the others are new.
    """
    pairs = [
        part
        for c in contract.delivered_columns
        for part in (exp.Literal.string(c.name), column(f"_text_{c.name}", "n"))
    ]
    record = exp.Anonymous(this="record_json", expressions=pairs)
    values: dict[str, exp.Expr] = {
        "_delivery_id": literal(stamp.delivery_id),
        "_last_delivery_id": literal(stamp.delivery_id),
        "_record": sql("coalesce(n._record, :record)", record=record),
        "_contract_version": literal(stamp.contract_version),
        "_closed_by": sql("CAST(NULL AS varchar)"),
    }
    op: exp.Expr = literal("insert")
    if open_bad is not None:
        op = sql("CASE WHEN k._row_hash IS NULL THEN 'insert' ELSE 'upsert' END")
    rows = exp.select(
        *[
            named(values.get(name) or column(name, "n"), name)
            for name in quarantine_shape(contract).column_names
        ],
        named(op, "_op"),
    ).from_(exp.to_table(classified).as_("n"))
    if open_bad is not None:
        known = query(f"SELECT DISTINCT _row_hash FROM {open_bad}").subquery("k")
        rows = rows.join(known, on="n._row_hash = k._row_hash", join_type="left")
    return rows.where("n._outcome = 'quarantined' AND n._copy = 1")


def closed_rows(contract: Contract, stamp: Stamp, classified: str, open_bad: str) -> exp.Query:
    """
    The open rows of quarantine that this delivery closes.

    A snapshot closes what it no longer holds as a bad row; changes and additions close the bad
    rows of a key for which a good row has come.
    """
    source = contract.source
    assert source is not None
    if source.mode is Mode.SNAPSHOT:
        where = f"""NOT EXISTS (SELECT 1 FROM {classified} AS n
                    WHERE n._outcome = 'quarantined' AND n._row_hash = b._row_hash)"""
    else:
        listed = ", ".join(f"'{o}'" for o in ACCEPTED_EVENTS)
        where = f"""EXISTS (SELECT 1 FROM {classified} AS n
                    WHERE n._outcome IN ({listed}) AND n._key = b._key)
                    AND NOT EXISTS (SELECT 1 FROM {classified} AS m
                    WHERE m._outcome = 'quarantined' AND m._row_hash = b._row_hash)"""
    values: dict[str, exp.Expr] = {
        "_delivery_id": column("_delivery_id", "b"),
        "_row_hash": column("_row_hash", "b"),
        "_last_delivery_id": column("_last_delivery_id", "b"),
        "_closed_by": literal(stamp.delivery_id),
    }
    return (
        exp.select(
            *[
                named(values.get(c.name) or cast_to(exp.null(), c.type), c.name)
                for c in quarantine_shape(contract).columns
            ],
            named(literal("update"), "_op"),
        )
        .from_(exp.to_table(open_bad).as_("b"))
        .where(where)
    )


def curated_rows(contract: Contract, stamp: Stamp, classified: str) -> exp.Query:
    """The rows that become current, typed; deletes of a `changes` delivery among them."""
    return (
        exp.select(
            *[column(c.name) for c in contract.columns],
            named(literal(stamp.delivery_id), "_delivery_id"),
            column("_row_hash"),
            named(
                sql(
                    """CASE WHEN _delete THEN 'delete'
                            WHEN _is_new THEN 'insert' ELSE 'upsert' END"""
                ),
                "_op",
            ),
        )
        .from_(classified)
        .where("_outcome = 'applied'")
    )


def deleted_rows(contract: Contract, keys: str) -> exp.Query:
    """A `delete` for every row of relation `keys`."""
    return exp.select(
        *[
            named(
                column(c.name, "v") if c.is_key else cast_to(exp.null(), c.type),
                c.name,
            )
            for c in contract.columns
        ],
        column("_delivery_id", "v"),
        column("_row_hash", "v"),
        named(literal("delete"), "_op"),
    ).from_(exp.to_table(keys).as_("v"))


def opened_intervals(contract: Contract, stamp: Stamp, classified: str) -> exp.Query:
    """A new interval of history, from the business date on, for every row that becomes current."""
    values: dict[str, exp.Expr] = {
        "_valid_from": literal(stamp.business_date),
        "_valid_to": sql("CAST(NULL AS date)"),
        "_delivery_id": literal(stamp.delivery_id),
        "_replaced_by": sql("CAST(NULL AS varchar)"),
    }
    return (
        exp.select(
            *[
                named(values.get(name) or column(name), name)
                for name in history_shape(contract).column_names
            ],
            named(literal("insert"), "_op"),
        )
        .from_(classified)
        .where("_outcome = 'applied' AND NOT _delete")
    )


def open_intervals(history: str) -> exp.Query:
    """The believed intervals that last until today."""
    return query(f"SELECT * FROM {history} WHERE _valid_to IS NULL AND _replaced_by IS NULL")


def ended_intervals(
    contract: Contract, stamp: Stamp, ended_keys: exp.Query, intervals: str
) -> exp.Query:
    """
    The open intervals that end because their key changed or vanished.

    An interval that began on the same business date was never true: it is marked as replaced.
    """
    today = literal(stamp.business_date)
    values: dict[str, exp.Expr] = {
        "_valid_to": sql("CASE WHEN h._valid_from < :d THEN :d END", d=today),
        "_replaced_by": sql(
            "CASE WHEN h._valid_from >= :d THEN :id END", d=today, id=stamp.delivery_id
        ),
    }
    return (
        exp.select(
            *[
                named(values.get(name) or column(name, "h"), name)
                for name in history_shape(contract).column_names
            ],
            named(literal("update"), "_op"),
        )
        .from_(exp.to_table(intervals).as_("h"))
        .join(ended_keys.subquery("k"), on=same_key(contract, "h", "k"))
    )


def changed_keys(contract: Contract, classified: str, vanished: str | None) -> exp.Query:
    """The keys whose current row this delivery replaces or takes away, in columns and as text."""
    key = [*[column(k) for k in contract.key], column("_key")]
    applied = exp.select(*key).from_(classified).where("_outcome = 'applied'")
    if vanished is None:
        return applied
    return exp.union(applied, exp.select(*key).from_(vanished), distinct=False)


def accepted_keys(classified: str, vanished: str | None) -> exp.Query:
    """The keys of all accepted rows, and those a snapshot takes away."""
    listed = ", ".join(f"'{o}'" for o in ACCEPTED_EVENTS)
    accepted = query(f"SELECT _key FROM {classified} WHERE _outcome IN ({listed})")
    if vanished is None:
        return accepted
    return exp.union(accepted, query(f"SELECT _key FROM {vanished}"), distinct=False)
