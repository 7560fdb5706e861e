"""
Late deliveries: one that belongs before deliveries which have settled already.

Raw is the log of a dataset. The state of a key at any time is a fold over its events, so a late
delivery is judged against the state *before* it, its events are added to raw, and history and
attribution of the keys it touches are folded anew. Newer current rows are left alone.

A snapshot writes to raw only what differs from the one before. Where a late snapshot changes a
key of which its successor said nothing, the successor's silence meant the older value: that value
is restated in raw in the successor's name, or the fold would carry the late value too far.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.contract import Contract
from catalog.dialect import column, literal, named, query, sql
from catalog.shapes import history_shape, raw_shape
from pipelines.difference import Moment, key_text, moment_of, typed_raw
from pipelines.outputs import Stamp

GONE = "-"
"""Stands for the hash of a key that a delete has taken away."""


def bad_spans(quarantine: str) -> exp.Query:
    """From which moment to which a row was bad: within it, its events in raw do not count."""
    return query(
        f"""SELECT q._row_hash, q._key, {moment_of("f")} AS _first, {moment_of("l")} AS _last
            FROM {quarantine} AS q
            JOIN known AS f ON q._delivery_id = f._delivery_id
            JOIN known AS l ON q._last_delivery_id = l._delivery_id"""
    )


def bad_now(classified: str, moment: Moment) -> exp.Query:
    """The same for the bad rows of the delivery at hand."""
    return query(
        f"""SELECT DISTINCT _row_hash, _key, :m AS _first, :m AS _last FROM {classified}
            WHERE _outcome = 'quarantined'""",
        m=moment.text,
    )


def good_events(contract: Contract, raw: str, spans: str) -> exp.Query:
    """The typed events of raw without those that were bad when they came."""
    return query(
        f"""SELECT e.* FROM :events AS e LEFT JOIN {spans} AS b
            ON e._row_hash = b._row_hash AND e._moment >= b._first AND e._moment <= b._last
            WHERE b._row_hash IS NULL""",
        events=typed_raw(contract, raw, "TRUE").subquery(),
    )


def state_before(contract: Contract, events: str, moment: Moment) -> exp.Query:
    """What was current just before `moment`, in the form of `current_rows`."""
    keys = ", ".join(f'"{k}"' for k in contract.key)
    return query(
        f"""SELECT {keys}, _key, _row_hash, _delivery_id, _order FROM (
              SELECT *, row_number() OVER (PARTITION BY _key
                ORDER BY _order DESC, _row_number DESC) AS _n
              FROM {events} WHERE _moment < :m) AS e
            WHERE _n = 1 AND _op = 'upsert'""",
        m=moment.text,
    )


def silences(changed: str, events: str, bad: str, moment: Moment) -> exp.Query:
    """
    Which later snapshot's silence about a `changed` key has to be put into words: `_key`,
    `_delivery_id`, `_received_at`.

    It is the first that does not hold the key among its bad rows either, for a bad row leaves
    what is current alone; unless an event of the key has come by then.
    """
    return query(
        f"""WITH first AS (
              SELECT c._key, min({moment_of("l")}) AS _moment
              FROM (SELECT DISTINCT _key FROM {changed}) AS c
              CROSS JOIN known AS l
              WHERE {moment_of("l")} > :m AND NOT EXISTS (SELECT 1 FROM {bad} AS q
                WHERE q._key = c._key AND {moment_of("l")} >= q._first
                  AND {moment_of("l")} <= q._last)
              GROUP BY c._key)
            SELECT f._key, l._delivery_id, l._received_at FROM first AS f
            JOIN known AS l ON {moment_of("l")} = f._moment
            WHERE NOT EXISTS (SELECT 1 FROM {events} AS e
              WHERE e._key = f._key AND e._moment > :m AND e._moment <= f._moment)""",
        m=moment.text,
    )


def restated(contract: Contract, silent: str, before: str, raw: str) -> exp.Query:
    """
    Raw rows for the `silences` of later snapshots: the value of `before`, or a delete where there
    was none.
    """
    shape = raw_shape(contract)
    values: dict[str, exp.Expr] = {
        "_op": sql("CASE WHEN b._key IS NULL THEN 'delete' ELSE 'upsert' END"),
        "_delivery_id": column("_delivery_id", "s"),
        "_received_at": column("_received_at", "s"),
    }
    # A key that the late delivery brought and a later one took away has its only text there.
    texts = {c.name for c in contract.delivered_columns}
    selected = []
    for c in shape.columns:
        if c.name in values:
            value = values[c.name]
        elif c.name in texts and c.name in contract.key:
            value = sql("coalesce(:old, :new)", old=column(c.name, "r"), new=column(c.name, "k"))
        else:
            value = column(c.name, "r")
        selected.append(named(value, c.name))
    names = ", ".join(f'"{c.name}"' for c in shape.columns)
    one_text = query(
        f"""SELECT {names} FROM (SELECT *, row_number() OVER (PARTITION BY _row_hash
              ORDER BY _received_at, _file, _row_number) AS _n FROM {raw} WHERE _op = 'upsert') AS r
            WHERE _n = 1"""
    )
    key_texts = (
        exp.select(
            column("_key"),
            *[named(column(f"_text_{k}"), k) for k in contract.key],
        )
        .from_("classified")
        .where("_outcome = 'applied'")
    )
    return (
        exp.select(*selected)
        .from_(exp.to_table(silent).as_("s"))
        .join(exp.to_table(before).as_("b"), on="s._key = b._key", join_type="left")
        .join(one_text.subquery("r"), on="b._row_hash = r._row_hash", join_type="left")
        .join(key_texts.subquery("k"), on="s._key = k._key", join_type="left")
    )


def intervals(events: str, affected: str) -> exp.Query:
    """
    The believed history of `affected` keys: `_key, _row_hash, _delivery_id`, from and to.

    At every moment the winner is the greatest event, in the order of the dataset, among those
    that had come by then, and a business date ends with its last winner. An interval lasts as
    long as the content stays, in the name of the delivery that brought it first.
    """
    return query(
        f"""WITH packed AS (
              SELECT e._key, e._business_date, e._revision,
                     concat(e._order, '#',
                            lpad(CAST(coalesce(e._row_number, 0) AS varchar), 12, '0'), '#',
                            CASE WHEN e._op = 'delete' THEN '{GONE}' ELSE e._row_hash END, '#',
                            e._delivery_id) AS _packed
              FROM {events} AS e
              JOIN (SELECT DISTINCT _key FROM {affected}) AS a ON e._key = a._key),
            running AS (
              SELECT _key, _business_date, _revision, _packed,
                     max(_packed) OVER (PARTITION BY _key
                       ORDER BY _business_date, _revision, _packed
                       ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS _winner
              FROM packed),
            winners AS (
              SELECT _key, _business_date, _revision, _packed,
                     split_part(_winner, '#', 3) AS _row_hash,
                     split_part(_winner, '#', 4) AS _delivery_id,
                     lag(split_part(_winner, '#', 3)) OVER (PARTITION BY _key
                       ORDER BY _business_date, _revision, _packed) AS _before
              FROM running),
            daily AS (
              SELECT _key, _business_date, _row_hash, _delivery_id,
                     row_number() OVER (PARTITION BY _key, _business_date
                       ORDER BY _revision DESC, _packed DESC) AS _n
              FROM winners WHERE _before IS NULL OR _before <> _row_hash),
            states AS (
              SELECT *, lag(_row_hash) OVER (PARTITION BY _key ORDER BY _business_date) AS _before
              FROM daily WHERE _n = 1),
            starts AS (
              SELECT _key, _row_hash, _delivery_id, _business_date AS _valid_from,
                     lead(_business_date) OVER (PARTITION BY _key
                       ORDER BY _business_date) AS _valid_to
              FROM states WHERE _before IS NULL OR _before <> _row_hash)
            SELECT _key, _row_hash, _delivery_id, _valid_from, _valid_to FROM starts
            WHERE _row_hash <> '{GONE}'"""
    )


def _same_interval(a: str, b: str) -> str:
    return f"""{a}._key = {b}._key AND {a}._row_hash = {b}._row_hash
               AND {a}._valid_from = {b}._valid_from
               AND {a}._valid_to IS NOT DISTINCT FROM {b}._valid_to"""


def believed(contract: Contract, history: str, affected: str) -> exp.Query:
    """The intervals of `affected` keys that history believes, with the key as text."""
    return query(
        f"""SELECT h.*, :key AS _key FROM {history} AS h
            JOIN (SELECT DISTINCT _key FROM {affected}) AS a ON :key = a._key
            WHERE h._replaced_by IS NULL""",
        key=key_text(contract, "h"),
    )


def corrections(
    contract: Contract, stamp: Stamp, folded: str, believed_: str, classified: str
) -> exp.Query:
    """
    What the fold adds to history, and which believed intervals it replaces.

    The rows of an added interval come from the delivery itself or from an interval of the same
    content that history has already.
    """
    columns = history_shape(contract).column_names
    replaced = (
        exp.select(
            *[
                named(
                    literal(stamp.delivery_id) if name == "_replaced_by" else column(name, "h"),
                    name,
                )
                for name in columns
            ],
            named(literal("update"), "_op"),
        )
        .from_(exp.to_table(believed_).as_("h"))
        .join(
            exp.to_table(folded).as_("f"),
            on=_same_interval("h", "f"),
            join_type="left",
        )
        .where(sql("f._key IS NULL"))
    )
    names = [c.name for c in contract.columns]
    contents = exp.union(
        exp.select(*map(column, names), "_key", "_row_hash", named(literal(0), "_rank"))
        .from_(classified)
        .where("_outcome IN ('applied', 'superseded', 'unchanged') AND NOT _delete"),
        exp.select(*map(column, names), "_key", "_row_hash", named(literal(1), "_rank")).from_(
            believed_
        ),
        distinct=False,
    )
    one_content = query(
        """SELECT * FROM (SELECT *,
               row_number() OVER (PARTITION BY _key, _row_hash ORDER BY _rank) AS _n
             FROM :contents AS c) AS d WHERE _n = 1""",
        contents=contents.subquery(),
    )
    values: dict[str, exp.Expr] = {
        "_row_hash": column("_row_hash", "f"),
        "_valid_from": column("_valid_from", "f"),
        "_valid_to": column("_valid_to", "f"),
        "_delivery_id": literal(stamp.delivery_id),
        "_replaced_by": sql("CAST(NULL AS varchar)"),
    }
    added = (
        exp.select(
            *[named(values.get(n) or column(n, "c"), n) for n in columns],
            named(literal("upsert"), "_op"),
        )
        .from_(exp.to_table(folded).as_("f"))
        .join(one_content.subquery("c"), on="f._key = c._key AND f._row_hash = c._row_hash")
        .join(exp.to_table(believed_).as_("h"), on=_same_interval("h", "f"), join_type="left")
        .where(sql("h._key IS NULL"))
    )
    return exp.union(added, replaced, distinct=False)


def current_after(
    contract: Contract, folded: str, affected: str, curated: str, classified: str
) -> exp.Query:
    """
    Curated rows of `affected` keys whose content or attribution the fold changes.

    A late row becomes current only where nothing newer was accepted, else only the delivery that
    brought the content may change. A key that the late delivery took away goes where all that came
    after it was bad.
    """
    names = [c.name for c in contract.columns]
    keyed = exp.select(exp.Star(), named(key_text(contract), "_key")).from_(curated)
    contents = exp.union(
        exp.select(*map(column, names), "_key", "_row_hash", named(literal(1), "_rank")).from_(
            keyed.subquery("t")
        ),
        exp.select(*map(column, names), "_key", "_row_hash", named(literal(0), "_rank"))
        .from_(classified)
        .where("_outcome = 'applied'"),
        distinct=False,
    )
    one_content = query(
        """SELECT * FROM (SELECT *,
               row_number() OVER (PARTITION BY _key, _row_hash ORDER BY _rank DESC) AS _n
             FROM :contents AS c) AS d WHERE _n = 1""",
        contents=contents.subquery(),
    )
    changed = (
        exp.select(
            *[column(n, "c") for n in names],
            column("_delivery_id", "f"),
            column("_row_hash", "f"),
            named(literal("upsert"), "_op"),
        )
        .from_(exp.to_table(folded).as_("f"))
        .join(one_content.subquery("c"), on="f._key = c._key AND f._row_hash = c._row_hash")
        .join(keyed.subquery("t"), on="f._key = t._key", join_type="left")
        .where("f._valid_to IS NULL")
        .where("t._key IS NULL OR t._row_hash <> f._row_hash OR t._delivery_id <> f._delivery_id")
    )
    gone = (
        exp.select(
            *[column(n, "t") for n in names],
            column("_delivery_id", "t"),
            column("_row_hash", "t"),
            named(literal("delete"), "_op"),
        )
        .from_(keyed.subquery("t"))
        .where(f"t._key IN (SELECT _key FROM {affected})")
        .where(f"t._key NOT IN (SELECT _key FROM {folded} WHERE _valid_to IS NULL)")
    )
    return exp.union(changed, gone, distinct=False)
