"""
What a delivery changes: every delivered row gets exactly one outcome.

`classify` parts the judged rows into quarantined, duplicate and accepted (applied, unchanged,
superseded) by comparing them with each other and with the tables as they stood when the delivery
was planned. Nothing is written here; `pipelines.outputs` turns outcomes into rows of tables.

Relations a caller provides, each at the plan's base version:

* `current`: keys of the curated table, see `current_rows`;
* `open_bad`: the open rows of quarantine, see `open_quarantine`;
* `received`: hashes of accepted rows in raw, for changes and append, see `received_hashes`;
* `tombstones`: the last delete of each key in raw, for changes, see `tombstones`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.dialect import call, column, query, sql
from catalog.vocabulary import Mode
from pipelines.rules import BROKEN_RULES, KEY_UNIQUE, WARNED_RULES, is_delete
from pipelines.standardize import TECHNICAL, standardize, text


class Outcome(StrEnum):
    """What became of a delivered row; the last three together are accepted."""

    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Moment:
    """Where a delivery stands in the order of its dataset."""

    business_date: date
    revision: int

    @property
    def text(self) -> str:
        """Sorts as (business date, revision) do."""
        return f"{self.business_date:%Y-%m-%d}|{self.revision:06d}"


def canonical_text(c: Column, value: exp.Expr) -> exp.Expr:
    """A typed value as text, the same on every engine."""
    match c.type.name:
        case TypeName.STRING:
            return value.copy()
        case TypeName.TIMESTAMP | TypeName.INSTANT:
            return call("timestamp_text", value)
        case TypeName.BOOLEAN:
            return sql("CASE WHEN :x THEN 'true' WHEN NOT :x THEN 'false' END", x=value)
        case _:
            return sql("CAST(:x AS varchar)", x=value)


def key_text(contract: Contract, table: str | None = None) -> exp.Expr:
    """
    The key as one text, its parts joined with `|`; NULL when a part is.

    Parts of a compound key are escaped, so that ('a|b', 'c') and ('a', 'b|c') differ.
    """
    parts = [canonical_text(contract.column(k), column(k, table)) for k in contract.key]
    if len(parts) == 1:
        return parts[0]
    joined: exp.Expr | None = None
    for part in parts:
        escaped = sql(r"replace(replace(:x, '\', '\\'), '|', '\|')", x=part)
        joined = escaped if joined is None else sql("(:a || '|' || :b)", a=joined, b=escaped)
    assert joined is not None
    return joined


def sequence_text(
    contract: Contract, business_date: exp.Expr, table: str | None = None
) -> exp.Expr:
    """
    The sequence as text that sorts as the sequence does; '' where the dataset has none.

    A delete row needs only its key: without a sequence it counts as the last of its business date.
    """
    name = contract.source.sequence if contract.source else None
    if name is None:
        return exp.Literal.string("")
    c = contract.column(name)
    value = canonical_text(c, column(name, table))
    match c.type.name:
        case TypeName.DATE:
            last = sql("CAST(:d AS varchar)", d=business_date)
        case TypeName.TIMESTAMP | TypeName.INSTANT:
            last = sql("concat(CAST(:d AS varchar), ' 23:59:59.999')", d=business_date)
        case _:
            value = sql("lpad(:x, 20, '0')", x=value)
            last = exp.Literal.string("9" * 20)
    return sql("coalesce(:value, :last)", value=value, last=last)


def order_text(
    contract: Contract,
    moment: exp.Expr,
    business_date: exp.Expr,
    table: str | None = None,
) -> exp.Expr:
    """The order of versions of one key: by moment for snapshots, else by sequence first."""
    if contract.source and contract.source.mode is Mode.SNAPSHOT:
        return moment.copy()
    return sql(
        "concat(:sequence, '|', :moment)",
        sequence=sequence_text(contract, business_date, table),
        moment=moment,
    )


# --- the tables as they stood --------------------------------------------------------------

MOMENT = """concat(CAST(known._business_date AS varchar), '|',
                  lpad(CAST(known._revision AS varchar), 6, '0'))"""
"""The moment of a delivery in relation `known`, as `Moment.text` writes it."""


def current_rows(contract: Contract, curated: str) -> exp.Query:
    """Key, hash, delivery and order of every current row; `known` tells moments."""
    moment = sql(MOMENT)
    return (
        exp.select(
            *[column(k, "t") for k in contract.key],
            exp.alias_(key_text(contract, "t"), "_key"),
            column("_row_hash", "t"),
            column("_delivery_id", "t"),
            exp.alias_(
                order_text(contract, moment, column("_business_date", "known"), "t"), "_order"
            ),
        )
        .from_(exp.to_table(curated).as_("t"))
        .join("known", on="t._delivery_id = known._delivery_id")
    )


def open_quarantine(quarantine: str) -> exp.Query:
    """The rows of quarantine that nothing has closed yet."""
    return query(
        f"""SELECT _row_hash, _key, _delivery_id, _last_delivery_id, _file, _row_number
            FROM {quarantine} WHERE _closed_by IS NULL"""
    )


def received_hashes(raw: str, open_bad: str | None) -> exp.Query:
    """Hashes of the rows of raw that were accepted: those that stand not in open quarantine."""
    if open_bad is None:
        return query(f"SELECT DISTINCT _row_hash FROM {raw}")
    return query(
        f"""SELECT DISTINCT r._row_hash FROM {raw} AS r
            LEFT JOIN (SELECT DISTINCT _row_hash FROM {open_bad}) AS b ON r._row_hash = b._row_hash
            WHERE b._row_hash IS NULL"""
    )


def raw_as_delivered(contract: Contract, raw: str) -> exp.Select:
    """Rows of raw in the form in which readers give them, so that they can be typed again."""
    carried = {"_extra": "_extra", "_file": "_file", "_row_number": "_row_number"}
    return exp.select(
        *[column(c.name) for c in contract.delivered_columns],
        *[
            exp.alias_(column(carried[t]) if t in carried else sql("CAST(NULL AS varchar)"), t)
            for t in TECHNICAL
        ],
        *[exp.alias_(column(n), f"_raw{n}") for n in ("_op", "_delivery_id", "_row_hash")],
    ).from_(raw)


def typed_raw(contract: Contract, raw: str, where: str) -> exp.Select:
    """Key, order and hash of the events in raw that satisfy `where` (over `_raw_op`)."""
    delivered = raw_as_delivered(contract, raw).subquery("events")
    chosen = exp.select(exp.Star()).from_(delivered).where(where)
    typed = standardize(contract, "events_", carry=("_raw_op", "_raw_delivery_id", "_raw_row_hash"))
    typed = typed.with_("events_", as_=chosen)
    return (
        exp.select(
            *[column(k, "e") for k in contract.key],
            exp.alias_(key_text(contract, "e"), "_key"),
            exp.alias_(sql(MOMENT), "_moment"),
            exp.alias_(
                order_text(contract, sql(MOMENT), column("_business_date", "known"), "e"), "_order"
            ),
            exp.alias_(column("_raw_op", "e"), "_op"),
            exp.alias_(column("_raw_delivery_id", "e"), "_delivery_id"),
            exp.alias_(column("_raw_row_hash", "e"), "_row_hash"),
            column("_row_number", "e"),
            column("_business_date", "known"),
            column("_revision", "known"),
        )
        .from_(typed.subquery("e", copy=False), copy=False)
        .join("known", on="e._raw_delivery_id = known._delivery_id")
    )


def tombstones(contract: Contract, raw: str) -> exp.Query:
    """The order of the last delete of every key that was ever deleted."""
    deletes = typed_raw(contract, raw, "_raw_op = 'delete'")
    return query(
        "SELECT _key, max(_order) AS _order FROM :d AS d GROUP BY _key", d=deletes.subquery()
    )


# --- outcomes ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """The relations a delivery is compared with; None where the table does not exist yet."""

    current: str | None = None
    received: str | None = None
    tombstones: str | None = None


def classify(contract: Contract, judged: exp.Select, moment: Moment, base: Base) -> exp.Select:
    """
    Add `_key`, `_order`, `_delete`, `_copy` and `_outcome` to every row of `judged`.

    Every delivered row comes out exactly once, also one whose file must be refused: `_outcome`
    is then NULL and nothing else of the delivery counts.
    """
    source = contract.source
    assert source is not None
    snapshot = source.mode is Mode.SNAPSHOT
    day = sql("business_date()")
    keyed = exp.select(
        exp.Star(),
        exp.alias_(sql("CASE WHEN _fault IS NULL THEN :k END", k=key_text(contract)), "_key"),
        exp.alias_(sequence_text(contract, day), "_sequence"),
        exp.alias_(order_text(contract, exp.Literal.string(moment.text), day), "_order"),
        exp.alias_(is_delete(contract), "_delete"),
    ).from_(judged.subquery("judged", copy=False), copy=False)

    rivalled = (
        sql(
            """_key IS NOT NULL AND min(_row_hash) OVER (PARTITION BY _key, _sequence)
               <> max(_row_hash) OVER (PARTITION BY _key, _sequence)"""
        )
        if snapshot
        else exp.false()
    )
    compared = exp.select(
        exp.Star(),
        exp.alias_(
            sql("row_number() OVER (PARTITION BY _row_hash ORDER BY _file, _row_number)"), "_copy"
        ),
        exp.alias_(rivalled, "_rivalled"),
    ).from_(keyed.subquery("keyed", copy=False), copy=False)

    known = compared.subquery("r", copy=False)
    eligible = [sql("NOT has_any(r._broken_rules)"), sql("NOT r._rivalled"), sql("r._copy = 1")]
    marked = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("r"))).from_(
        known, copy=False
    )
    if base.received is not None:
        marked = marked.join(
            exp.to_table(base.received).as_("seen"),
            on="r._row_hash = seen._row_hash",
            join_type="left",
        )
        eligible.append(sql("seen._row_hash IS NULL"))
    marked = marked.select(exp.alias_(exp.and_(*eligible), "_eligible"), copy=False)

    ranked = exp.select(
        exp.Star(),
        exp.alias_(
            sql(
                """row_number() OVER (PARTITION BY _key, _eligible
                     ORDER BY _sequence DESC, _file DESC, _row_number DESC)"""
            ),
            "_rank",
        ),
    ).from_(marked.subquery("marked", copy=False), copy=False)

    outcome = (
        exp.Case()
        .when(sql("n._fault = 'refused'"), exp.null())
        .when(sql("has_any(n._broken_rules) OR n._rivalled"), _is(Outcome.QUARANTINED))
        .when(sql("NOT n._eligible"), _is(Outcome.DUPLICATE))
        .when(sql("n._rank > 1"), _is(Outcome.SUPERSEDED))
    )
    parted = exp.select(
        *[
            exp.column(t.name, table="n", quoted=True)
            for t in map(lambda c: text(c.name), contract.delivered_columns)
        ],
        *[column(c.name, "n") for c in contract.columns],
        *[column(t, "n") for t in TECHNICAL],
        *[
            column(t, "n")
            for t in ("_row_hash", "_key", "_order", "_delete", "_copy", WARNED_RULES)
        ],
        exp.alias_(
            sql(
                """CASE WHEN n._rivalled THEN appended(n._broken_rules, :name)
                        ELSE n._broken_rules END""",
                name=KEY_UNIQUE,
            ),
            BROKEN_RULES,
        ),
    ).from_(ranked.subquery("n", copy=False), copy=False)
    if base.current is not None:
        parted = parted.join(
            exp.to_table(base.current).as_("c"), on="n._key = c._key", join_type="left", copy=False
        )
        if snapshot:
            outcome = outcome.when(sql("n._row_hash = c._row_hash"), _is(Outcome.UNCHANGED))
        else:
            outcome = outcome.when(sql("c._order >= n._order"), _is(Outcome.SUPERSEDED))
    if base.tombstones is not None:
        parted = parted.join(
            exp.to_table(base.tombstones).as_("d"), on="n._key = d._key", join_type="left"
        )
        outcome = outcome.when(sql("d._order >= n._order"), _is(Outcome.SUPERSEDED))
    if source.mode is Mode.CHANGES:
        absent = sql("c._key IS NULL") if base.current is not None else exp.true()
        outcome = outcome.when(exp.and_(sql("n._delete"), absent), _is(Outcome.UNCHANGED))
    return parted.select(exp.alias_(outcome.else_(_is(Outcome.APPLIED)), "_outcome"), copy=False)


def _is(outcome: Outcome) -> exp.Expr:
    return exp.Literal.string(outcome.value)


def tally(classified: str) -> exp.Query:
    """How many rows of which outcome broke which rules: a handful of rows."""
    return query(
        f"""SELECT _outcome, _delete, _broken_rules, _warned_rules, count(*) AS n
            FROM {classified} GROUP BY _outcome, _delete, _broken_rules, _warned_rules"""
    )


def vanished(contract: Contract, classified: str, current: str) -> exp.Query:
    """The current rows whose keys a snapshot no longer holds, not even among its bad rows."""
    return query(
        f"""SELECT c.* FROM {current} AS c
            LEFT JOIN (SELECT DISTINCT _key FROM {classified} WHERE _key IS NOT NULL) AS n
              ON c._key = n._key
            WHERE n._key IS NULL"""
    )
