"""
What late deliveries change in quarantine, where one row stands for a run of deliveries.

A run is one bad row that came again and again: from the delivery that brought it first to the one
that held it last, until another closed it. A late delivery may lengthen the run before it or the
run after it, begin one of its own, end one earlier than was thought, or part one in two.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.contract import Contract
from catalog.dialect import column, literal, named, query
from catalog.shapes import quarantine_shape
from pipelines.difference import Moment, moment_of
from pipelines.outputs import Stamp

EARLIER = "r._before AND NOT r._after AND r._closed_after"
"""A run that ended before the late delivery, which no delivery before it has closed."""

OVER = "r._before AND r._after"
"""A run that goes over the late delivery."""

SAME = "r._row_hash = b._row_hash"


def closed_by_next(classified: str, successor: str) -> exp.Query:
    """Snapshots: which delivery closes a bad row, `_row_hash` and `_closed_by`: the next one."""
    return query(
        f"""SELECT DISTINCT _row_hash, :s AS _closed_by FROM {classified}
            WHERE _outcome = 'quarantined'""",
        s=successor,
    )


def closed_by_good(classified: str, events: str, moment: Moment) -> exp.Query:
    """The same for changes and additions: the first later one with a good row of the same key."""
    return query(
        f"""SELECT n._row_hash, min_by(e._delivery_id, e._moment) AS _closed_by
            FROM {classified} AS n JOIN {events} AS e ON n._key = e._key
            WHERE n._outcome = 'quarantined' AND e._moment > :m GROUP BY n._row_hash""",
        m=moment.text,
    )


def placed_runs(contract: Contract, quarantine: str, closers: str, stamp: Stamp) -> exp.Query:
    """
    The rows of `quarantine`, and how each lies to the late delivery `stamp`.

    `_before`, `_after`: whether it begins before and lasts until after it; `_closed_after`:
    whether nothing before it has closed the run; `_follows`: whether it begins after it with
    nothing to part them, so that it would have begun with it.
    """
    names = ", ".join(f"q.{name}" for name in quarantine_shape(contract).column_names)
    first, last, closed = moment_of("f"), moment_of("l"), moment_of("c")
    now, closer = moment_of("n"), moment_of("k")
    return query(
        f"""SELECT {names},
                   {first} < {now} AS _before,
                   {last} > {now} AS _after,
                   c._delivery_id IS NULL OR {closed} > {now} AS _closed_after,
                   {first} > {now} AND (k._delivery_id IS NULL OR {first} <= {closer}) AS _follows
            FROM {quarantine} AS q
            JOIN known AS f ON q._delivery_id = f._delivery_id
            JOIN known AS l ON q._last_delivery_id = l._delivery_id
            LEFT JOIN known AS c ON q._closed_by = c._delivery_id
            LEFT JOIN {closers} AS o ON q._row_hash = o._row_hash
            LEFT JOIN known AS k ON o._closed_by = k._delivery_id
            JOIN known AS n ON n._delivery_id = :id""",
        id=stamp.delivery_id,
    )


def late_runs(
    contract: Contract, stamp: Stamp, bad: str, runs: str, closers: str, closes: str
) -> exp.Query:
    """
    What the late delivery changes, with `_op`; a run is told by its hash and its first delivery.

    `bad` are the bad rows of the delivery (`outputs.bad_rows`), `runs` are `placed_runs`,
    `closes` says which of them it closes unless it holds them.
    """
    select = _Selecting(contract)
    late, held = literal(stamp.delivery_id), f"{bad} AS b"
    last, closed = column("_last_delivery_id", "r"), column("_closed_by", "r")
    longer = select("upsert", "r", _last_delivery_id=late).from_(f"{runs} AS r").join(held, on=SAME)
    begins_earlier = select("insert", "b", _last_delivery_id=last, _closed_by=closed)
    begun_later = select("delete", "r").from_(f"{runs} AS r").join(held, on=SAME)
    new = (
        select("insert", "b", _closed_by=column("_closed_by", "o"))
        .from_(held)
        .join(f"{closers} AS o", on="b._row_hash = o._row_hash", join_type="left")
    )
    ended = select("upsert", "r", _closed_by=late).from_(f"{runs} AS r")
    return _all(
        longer.where(EARLIER),
        begins_earlier.from_(held).join(f"{runs} AS r", on=SAME).where("r._follows"),
        begun_later.where("r._follows"),
        new.where(
            f"""NOT EXISTS (SELECT 1 FROM {runs} AS r
                WHERE {SAME} AND ({EARLIER} OR {OVER} OR r._follows))"""
        ),
        ended.where(EARLIER, _not_held(bad), closes),
    )


def runs_over(bad: str, runs: str) -> exp.Query:
    """The runs that went over the late delivery, which does not hold the row."""
    return exp.select("*").from_(f"{runs} AS r").where(OVER, _not_held(bad))


def parted_runs(contract: Contract, stamp: Stamp, parted: str, successor_bad: str) -> exp.Query:
    """
    Snapshots: what becomes of the runs of `parted` (`runs_over`).

    The first part ends with the snapshot before the late one. The second begins with the next
    one, whose bad rows, as quarantine would hold them, are `successor_bad`. Changes and additions
    have no such parts: their log does not tell when a bad row came again.
    """
    select = _Selecting(contract)
    before = query(
        f"""SELECT max_by(k._delivery_id, {moment_of("k")}) AS _delivery_id FROM known AS k
            JOIN known AS n ON n._delivery_id = :id WHERE {moment_of("k")} < {moment_of("n")}""",
        id=stamp.delivery_id,
    )
    first = select(
        "upsert",
        "r",
        _last_delivery_id=column("_delivery_id", "p"),
        _closed_by=literal(stamp.delivery_id),
    )
    second = select(
        "insert",
        "s",
        _last_delivery_id=column("_last_delivery_id", "r"),
        _closed_by=column("_closed_by", "r"),
    )
    return _all(
        first.from_(f"{parted} AS r").join(before.subquery("p"), join_type="cross"),
        second.from_(f"{successor_bad} AS s").join(
            f"{parted} AS r", on="r._row_hash = s._row_hash"
        ),
    )


def _not_held(bad: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {bad} AS b WHERE {SAME})"


def _all(first: exp.Query, *others: exp.Query) -> exp.Query:
    for other in others:
        first = exp.union(first, other, distinct=False)
    return first


class _Selecting:
    """Select rows of quarantine with an operation, some values told and the others kept."""

    def __init__(self, contract: Contract) -> None:
        self._names = quarantine_shape(contract).column_names

    def __call__(self, op: str, table: str, **values: exp.Expr) -> exp.Select:
        kept = [named(values.get(n) or column(n, table), n) for n in self._names]
        return exp.select(*kept, named(literal(op), "_op"))
