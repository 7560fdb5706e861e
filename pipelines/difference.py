"""
What a delivery changes: every delivered row gets exactly one outcome.

`classify` parts the judged rows into quarantined, duplicate and accepted (applied, unchanged,
superseded) by comparing them with each other and with the tables as they stood when the delivery
was planned. Nothing is written here; `pipelines.outputs` turns outcomes into rows of tables.

Relations a caller provides, each at the plan's base version:

* `current`: keys of the curated table, see `current_rows`;
* `open_bad`: the open rows of quarantine, see `open_quarantine`;
* `received`: hashes of judged rows that raw has, for changes and append, see `received_hashes`;
* `tombstones`: the last delete of each key in raw, for changes, see `tombstones`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.dialect import all_of, call, column, named, query, sql
from catalog.vocabulary import Mode
from pipelines.rules import BROKEN_RULES, KEY_UNIQUE, WARNED_RULES, is_delete
from pipelines.standardize import TECHNICAL, row_hash, standardize, text


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
        # Nearly no part has anything to escape; to look costs an eighth of replacing.
        escaped = sql(
            r"""CASE WHEN strpos(:x, '|') > 0 OR strpos(:x, '\') > 0
                     THEN replace(replace(:x, '\', '\\'), '|', '\|') ELSE :x END""",
            x=part,
        )
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


def moment_of(known: str = "known") -> str:
    """The moment of the delivery in a relation like `known`, as `Moment.text` writes it."""
    return f"""concat(CAST({known}._business_date AS varchar), '|',
                      lpad(CAST({known}._revision AS varchar), 6, '0'))"""


def same_key(contract: Contract, a: str, b: str) -> exp.Expr:
    """Whether rows of the relations `a` and `b` have one key; never true where a part is absent."""
    return all_of(exp.EQ(this=column(k, a), expression=column(k, b)) for k in contract.key)


def current_rows(contract: Contract, curated: str, touched: str | None = None) -> exp.Select:
    """
    Key, hash, delivery and order of every current row, or of those whose keys stand in relation
    `touched`; `known` tells moments.
    """
    rows = exp.select(exp.Star()).from_(exp.to_table(curated).as_("t"))
    if touched is not None:
        # Before anything is computed: a day of changes touches few of many rows.
        key = exp.select("1").from_(exp.to_table(touched).as_("n"))
        rows = rows.where(exp.Exists(this=key.where(same_key(contract, "n", "t"))))
    moment = sql(moment_of())
    return (
        exp.select(
            *[column(k, "t") for k in contract.key],
            named(key_text(contract, "t"), "_key"),
            column("_row_hash", "t"),
            column("_delivery_id", "t"),
            named(order_text(contract, moment, column("_business_date", "known"), "t"), "_order"),
        )
        .from_(rows.subquery("t"))
        .join("known", on="t._delivery_id = known._delivery_id")
    )


def open_quarantine(quarantine: str) -> exp.Query:
    """The rows of quarantine that nothing has closed yet."""
    return query(
        f"""SELECT _row_hash, _key, _delivery_id, _last_delivery_id, _file, _row_number
            FROM {quarantine} WHERE _closed_by IS NULL"""
    )


def received_hashes(raw: str, judged: str, open_bad: str | None) -> exp.Query:
    """
    Hashes of the judged rows that were accepted before: those in raw, but not in open quarantine.
    """
    known = f"EXISTS (SELECT 1 FROM {raw} AS r WHERE r._row_hash = j._row_hash)"
    if open_bad is not None:
        known += f" AND NOT EXISTS (SELECT 1 FROM {open_bad} AS b WHERE b._row_hash = j._row_hash)"
    return query(f"SELECT DISTINCT j._row_hash FROM {judged} AS j WHERE {known}")


def raw_as_delivered(contract: Contract, raw: str) -> exp.Select:
    """Rows of raw in the form in which readers give them, so that they can be typed again."""
    carried = {"_extra": "_extra", "_file": "_file", "_row_number": "_row_number"}
    return exp.select(
        *[column(c.name) for c in contract.delivered_columns],
        *[
            named(column(carried[t]) if t in carried else sql("CAST(NULL AS varchar)"), t)
            for t in TECHNICAL
        ],
        *[named(column(n), f"_raw{n}") for n in ("_op", "_delivery_id", "_row_hash")],
    ).from_(raw)


def typed_raw(contract: Contract, raw: str, where: str) -> exp.Select:
    """Key, order and hash of the events in raw that satisfy `where` (over `_raw_op`)."""
    delivered = raw_as_delivered(contract, raw).subquery("events", copy=False)
    chosen = exp.select(exp.Star()).from_(delivered, copy=False).where(where, copy=False)
    source = contract.source
    ordered = {*contract.key, source.sequence} if source and source.sequence else {*contract.key}
    carried = ("_raw_op", "_raw_delivery_id", "_raw_row_hash")
    typed = standardize(contract, "events_", carry=carried, only=ordered)
    typed = typed.with_("events_", as_=chosen, copy=False)
    return (
        exp.select(
            *[column(k, "e") for k in contract.key],
            named(key_text(contract, "e"), "_key"),
            named(sql(moment_of()), "_moment"),
            named(
                order_text(contract, sql(moment_of()), column("_business_date", "known"), "e"),
                "_order",
            ),
            named(column("_raw_op", "e"), "_op"),
            named(column("_raw_delivery_id", "e"), "_delivery_id"),
            named(column("_raw_row_hash", "e"), "_row_hash"),
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


# --- rows that are known by their hash ----------------------------------------------------


def recognised(contract: Contract, delivered: str, current: str) -> exp.Query:
    """
    The rows of a snapshot that stand in `current` just as they came, each with its key.

    What has been accepted is not judged again, and not even typed: a day costs what changed.
    """
    texts = exp.select(
        *[named(column(c.name), f"_text_{c.name}") for c in contract.delivered_columns],
        *[column(t) for t in ("_file", "_row_number", "_fault", "_record")],
    ).from_(delivered)
    hashed = exp.select("_file", "_row_number", named(row_hash(contract), "_row_hash")).from_(
        texts.subquery("texts")
    )
    return (
        exp.select("d.*", *[column(k, "c") for k in contract.key])
        .from_(hashed.subquery("d"))
        .join(exp.to_table(current).as_("c"), on="d._row_hash = c._row_hash")
    )


SAME_ROW = "{0}._file = {1}._file AND {0}._row_number = {1}._row_number"
"""Whether two relations mean one delivered row."""


def unrecognised(delivered: str, recognised_: str) -> exp.Query:
    """The delivered rows that nothing is known of yet."""
    return query(
        f"""SELECT d.* FROM {delivered} AS d
            LEFT JOIN {recognised_} AS r ON {SAME_ROW.format("d", "r")}
            WHERE r._row_number IS NULL"""
    )


def contested(contract: Contract, recognised_: str, judged: str) -> exp.Query:
    """The recognised rows whose key another row of the snapshot claims too: both are judged."""
    return (
        exp.select("r._file", "r._row_number")
        .from_(exp.to_table(recognised_).as_("r"))
        .where(
            exp.Exists(
                this=exp.select("1")
                .from_(exp.to_table(judged).as_("n"))
                .where(same_key(contract, "n", "r"))
            )
        )
    )


def contested_rows(delivered: str, contested_: str) -> exp.Query:
    """The contested rows as they were delivered."""
    return query(
        f"""SELECT d.* FROM {delivered} AS d
            JOIN {contested_} AS r ON {SAME_ROW.format("d", "r")}"""
    )


def tally_recognised(recognised_: str, contested_: str) -> exp.Query:
    """The tally of the recognised rows: unchanged, or a duplicate of one that is."""
    return query(
        f"""SELECT CASE WHEN r._copy = 1 THEN :unchanged ELSE :duplicate END AS _outcome,
                   count(*) AS n
            FROM (SELECT _file, _row_number, row_number() OVER (
                    PARTITION BY _row_hash ORDER BY _file, _row_number) AS _copy
                  FROM {recognised_}) AS r
            LEFT JOIN {contested_} AS k ON {SAME_ROW.format("r", "k")}
            WHERE k._row_number IS NULL GROUP BY 1""",
        unchanged=Outcome.UNCHANGED.value,
        duplicate=Outcome.DUPLICATE.value,
    )


# --- outcomes ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """The relations a delivery is compared with; None where the table does not exist yet."""

    current: str | None = None
    received: str | None = None
    tombstones: str | None = None


def placed(contract: Contract, judged: exp.Select, moment: Moment) -> exp.Select:
    """
    The judged rows, as text and typed, with `_key`, `_sequence`, `_order` and `_delete`.

    They are kept, and text is most of what they hold: none is held twice (`_told_text`).
    """
    day = sql("business_date()")
    return exp.select(
        *[_other_text(c) for c in contract.delivered_columns],
        *[column(c.name) for c in contract.columns],
        *[column(t) for t in TECHNICAL],
        "_row_hash",
        BROKEN_RULES,
        WARNED_RULES,
        named(sql("CASE WHEN _fault IS NULL THEN :k END", k=key_text(contract)), "_key"),
        named(sequence_text(contract, day), "_sequence"),
        named(order_text(contract, exp.Literal.string(moment.text), day), "_order"),
        named(is_delete(contract), "_delete"),
    ).from_(judged.subquery("judged", copy=False), copy=False)


def _other_text(c: Column) -> exp.Expr:
    """The text of the column as delivered where it is not the column's value, else NULL."""
    if c.type.name is not TypeName.STRING:
        return text(c.name)
    return named(sql("nullif(:x, :value)", x=text(c.name), value=column(c.name)), f"_text_{c.name}")


def _told_text(c: Column, judged: str) -> exp.Expr:
    """The text of the column as delivered, from what `placed` holds of it."""
    held = column(f"_text_{c.name}", judged)
    if c.type.name is not TypeName.STRING:
        return held
    told = sql("coalesce(:x, :value)", x=held, value=column(c.name, judged))
    return named(told, f"_text_{c.name}")


_CARRIED = ("_file", "_row_number", "_fault", "_row_hash", "_key", "_order", "_delete")
"""What is known of a judged row beside its columns, and is needed with its outcome."""


def _claimed_again(judged: str) -> exp.Query:
    """The keys that more than one row of the delivery has: few, unlike the rows."""
    return query(
        f"SELECT _key FROM {judged} WHERE _key IS NOT NULL GROUP BY _key HAVING count(*) > 1"
    )


def _compared(contract: Contract, judged: str, received: str | None) -> exp.Select:
    """What is compared of the judged rows, which are wide, and whether each was accepted before."""
    rows = exp.select(
        *[column(t, "j") for t in (*contract.key, *_CARRIED, "_sequence")],
        *[column(t, "j") for t in (BROKEN_RULES, WARNED_RULES)],
    ).from_(exp.to_table(judged).as_("j"))
    if received is None:
        return rows.select(named(exp.false(), "_seen"), copy=False)
    return rows.select("seen._row_hash IS NOT NULL AS _seen", copy=False).join(
        exp.to_table(received).as_("seen"), on="j._row_hash = seen._row_hash", join_type="left"
    )


def _ranked(contract: Contract, judged: str, received: str | None) -> exp.Query:
    """
    The judged rows with `_copy` (which of the rows with this hash it is), `_rivalled` (another row
    of its key differs and neither comes later), `_eligible` and, among those of its key, `_rank`.

    Equal rows have equal keys: a row whose key no other row has is compared with none.
    """
    again = exp.to_table("again_").as_("a")
    rows = _compared(contract, judged, received).join(again, on="j._key = a._key", join_type="left")
    alone = exp.select(
        exp.Star(),
        "1 AS _copy",
        named(exp.false(), "_rivalled"),
        named(sql("NOT has_any(_broken_rules) AND NOT _seen"), "_eligible"),
        "1 AS _rank",
    ).from_(rows.where("a._key IS NULL", "j._key IS NOT NULL").subquery("r", copy=False))

    key = ", ".join(column(k).sql("trino") for k in contract.key)
    rivalled: exp.Expr = exp.false()
    if contract.source and contract.source.mode is Mode.SNAPSHOT:
        rivalled = sql(
            f"""_key IS NOT NULL AND min(_row_hash) OVER (PARTITION BY {key}, _sequence)
               <> max(_row_hash) OVER (PARTITION BY {key}, _sequence)"""
        )
    copies = exp.select(
        exp.Star(),
        named(
            sql("row_number() OVER (PARTITION BY _row_hash ORDER BY _file, _row_number)"), "_copy"
        ),
        named(rivalled, "_rivalled"),
    ).from_(rows.where("a._key IS NOT NULL OR j._key IS NULL").subquery("r", copy=False))
    eligible = sql("NOT has_any(_broken_rules) AND NOT _rivalled AND _copy = 1 AND NOT _seen")
    marked = exp.select(exp.Star(), named(eligible, "_eligible")).from_(
        copies.subquery("copies", copy=False), copy=False
    )
    rank = sql(
        f"""row_number() OVER (PARTITION BY {key}, _eligible
             ORDER BY _sequence DESC, _file DESC, _row_number DESC)"""
    )
    several = exp.select(exp.Star(), named(rank, "_rank")).from_(
        marked.subquery("marked", copy=False), copy=False
    )
    ranked = exp.union(alone, several, distinct=False, copy=False)
    return ranked.with_("again_", as_=_claimed_again(judged), copy=False)


def outcomes(contract: Contract, judged: str, base: Base) -> exp.Select:
    """
    What became of every row of relation `judged` (`placed`): `_outcome`, `_copy` (which of the
    rows with this hash it is), `_is_new` (nothing is current under its key) and `_broken_rules`,
    with what is needed to count and to join.

    Every judged row comes out exactly once, also one whose file must be refused: `_outcome`
    is then NULL and nothing else of the delivery counts.
    """
    source = contract.source
    assert source is not None
    snapshot = source.mode is Mode.SNAPSHOT
    outcome = (
        exp.Case()
        .when(sql("n._fault = 'refused'"), exp.null())
        .when(sql("has_any(n._broken_rules) OR n._rivalled"), _is(Outcome.QUARANTINED))
        .when(sql("NOT n._eligible"), _is(Outcome.DUPLICATE))
        .when(sql("n._rank > 1"), _is(Outcome.SUPERSEDED))
    )
    parted = exp.select(
        *[column(k, "n") for k in contract.key],
        *[column(t, "n") for t in (*_CARRIED, "_copy", WARNED_RULES)],
        named(
            sql(
                """CASE WHEN n._rivalled THEN appended(n._broken_rules, :name)
                        ELSE n._broken_rules END""",
                name=KEY_UNIQUE,
            ),
            BROKEN_RULES,
        ),
    ).from_(_ranked(contract, judged, base.received).subquery("n", copy=False), copy=False)
    if base.current is not None:
        parted = parted.join(
            exp.to_table(base.current).as_("c"),
            on=same_key(contract, "n", "c"),
            join_type="left",
            copy=False,
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
        absent = sql("c._row_hash IS NULL") if base.current is not None else exp.true()
        outcome = outcome.when(exp.and_(sql("n._delete"), absent), _is(Outcome.UNCHANGED))
    new = sql("c._row_hash IS NULL") if base.current is not None else exp.true()
    return parted.select(
        named(outcome.else_(_is(Outcome.APPLIED)), "_outcome"),
        named(new, "_is_new"),
        copy=False,
    )


def _is(outcome: Outcome) -> exp.Expr:
    return exp.Literal.string(outcome.value)


def classified(contract: Contract, judged: str, outcomes_: str) -> exp.Query:
    """The judged rows, whole, with what became of them."""
    whole = [c.name for c in contract.columns]
    whole += [*TECHNICAL, "_row_hash", "_key", "_order", "_delete"]
    known = ("_copy", WARNED_RULES, BROKEN_RULES, "_outcome", "_is_new")
    return (
        exp.select(
            *[_told_text(c, "j") for c in contract.delivered_columns],
            *[column(n, "j") for n in whole],
            *[column(n, "o") for n in known],
        )
        .from_(exp.to_table(judged).as_("j"))
        .join(exp.to_table(outcomes_).as_("o"), on=SAME_ROW.format("j", "o"))
    )


def tally(outcomes_: str) -> exp.Query:
    """How many rows of which outcome broke which rules: a handful of rows."""
    return query(
        f"""SELECT _outcome, _delete, _broken_rules, _warned_rules, count(*) AS n
            FROM {outcomes_} GROUP BY _outcome, _delete, _broken_rules, _warned_rules"""
    )


def vanished(
    contract: Contract, outcomes_: str, recognised_: str | None, current: str
) -> exp.Query:
    """The current rows whose keys a snapshot no longer holds, not even among its bad rows."""
    there = exp.select("1").from_(exp.to_table(outcomes_).as_("n"))
    gone = [exp.not_(exp.Exists(this=there.where(same_key(contract, "n", "c"))))]
    if recognised_ is not None:
        same = exp.select("1").from_(exp.to_table(recognised_).as_("r"))
        gone.append(exp.not_(exp.Exists(this=same.where("r._row_hash = c._row_hash"))))
    return exp.select("c.*").from_(exp.to_table(current).as_("c")).where(*gone)
