"""
Queries that Spark and Trino answer over the same Delta tables, with equal rows or a difference
that docs/reference/sql.md names.

`{types}`, `{people}` and `{thinned}` are the tables that `served_tables` makes, `{changes}` is what
has changed in the second; `spark` is what Spark is asked where its words are others. `differs` is
why the rows differ: then they must. Where Trino has no answer, `refused` is what it says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """One question; with `ordered` the order of the rows is part of the answer."""

    name: str
    trino: str
    spark: str | None = None
    differs: str | None = None
    refused: str | None = None
    ordered: bool = False


T, P = "FROM {types}", "FROM {people}"

QUERIES = (
    # --- rows and nulls ---
    Query("all-types", f"SELECT * {T}"),
    Query("counts", f"SELECT count(*), count(note), count(DISTINCT note), count(flag) {T}"),
    Query("null-text", f"SELECT k {T} WHERE note IS NULL"),
    Query("equal-to-null", f"SELECT k {T} WHERE note = NULL"),
    Query("distinct-from", f"SELECT k {T} WHERE note IS DISTINCT FROM '赤壁'"),
    Query("coalesce", f"SELECT k, coalesce(note, '无'), nullif(note, '') {T}"),
    Query("not-in-with-null", f"SELECT k {T} WHERE note NOT IN (SELECT note {T} WHERE i > 0)"),
    Query("sum-of-nothing", f"SELECT sum(i), max(note), count(i) {T} WHERE k = 'none'"),
    Query("group-by-null", f"SELECT flag, count(*) {T} GROUP BY flag"),
    Query("case", f"SELECT k, CASE WHEN i > 0 THEN 'plus' WHEN i < 0 THEN 'minus' END {T}"),
    Query(
        "nulls-in-order",
        f"SELECT k {T} ORDER BY note, k",
        differs="NULL stands last in Trino and first in Spark, unless one says NULLS FIRST or LAST",
        ordered=True,
    ),
    Query("nulls-in-order-said", f"SELECT k {T} ORDER BY note NULLS LAST, k", ordered=True),
    # --- numbers ---
    Query("integers", f"SELECT min(i), max(i), sum(i), min(b), max(b) {T}"),
    Query("remainders", f"SELECT k, i % 3, abs(i), -i {T} WHERE i > -2147483648"),
    Query(
        "integer-division",
        f"SELECT k, i / 2 {T} WHERE k = 'a'",
        differs="integers divide as integers in Trino, as doubles in Spark (there: div)",
    ),
    Query("money-sum", f"SELECT sum(money), min(money), max(money) {T}"),
    Query("money-arithmetic", f"SELECT k, money + share, money - 1, money * 2 {T} WHERE i < 100"),
    Query("money-times-share", f"SELECT k, money * share {T} WHERE i < 100"),
    Query("money-compared", f"SELECT k {T} WHERE money > 0.005 AND share <= 0.333333"),
    Query("money-rounded", f"SELECT k, round(money, 1), CAST(money AS decimal(20,0)) {T}"),
    Query("money-too-large", f"SELECT k, TRY_CAST(money AS decimal(5,2)) {T}"),
    Query(
        "money-as-text",
        f"SELECT k, CAST(money AS varchar) {T}",
        f"SELECT k, CAST(money AS string) {T}",
    ),
    Query(
        "money-divided",
        f"SELECT k, money / 3 {T} WHERE k = 'b'",
        differs="a quotient of decimals has more digits in Spark",
    ),
    Query(
        "money-average",
        f"SELECT avg(money) {T} WHERE i BETWEEN -7 AND 100",
        differs="an average of decimals has four more digits in Spark",
    ),
    Query("doubles", f"SELECT k, f, f * 2 {T} WHERE f < 10"),
    Query("not-a-number", f"SELECT k {T} WHERE is_nan(f)", f"SELECT k {T} WHERE isnan(f)"),
    Query(
        "greatest-of-null",
        f"SELECT k, greatest(i, NULL) {T} WHERE k = 'a'",
        differs="greatest and least are NULL in Trino when one value is; Spark passes it over",
    ),
    # --- dates ---
    Query("date-parts", f"SELECT k, year(d), month(d), day(d), quarter(d) {T}"),
    Query("date-range", f"SELECT k {T} WHERE d BETWEEN DATE '1900-01-01' AND DATE '2025-03-03'"),
    Query(
        "date-months",
        f"SELECT k, date_add('month', 1, d) {T} WHERE year(d) < 9999",
        f"SELECT k, add_months(d, 1) {T} WHERE year(d) < 9999",
    ),
    Query(
        "date-days",
        f"SELECT k, date_diff('day', d, DATE '2025-03-03') {T}",
        f"SELECT k, datediff(DATE '2025-03-03', d) {T}",
    ),
    Query(
        "date-truncated", f"SELECT k, date_trunc('month', d) {T}", f"SELECT k, trunc(d, 'MM') {T}"
    ),
    Query("date-last-day", f"SELECT k, last_day_of_month(d) {T}", f"SELECT k, last_day(d) {T}"),
    Query("date-weekday", f"SELECT k, day_of_week(d) {T}", f"SELECT k, weekday(d) + 1 {T}"),
    Query(
        "date-as-text",
        f"SELECT k, CAST(d AS varchar), date_format(d, '%Y年%m月') {T}",
        f"SELECT k, CAST(d AS string), date_format(d, 'yyyy年MM月') {T}",
    ),
    Query("instant", f"SELECT k, at, year(at), hour(at) {T}"),
    Query(
        "instant-range",
        f"SELECT k {T} WHERE at >= TIMESTAMP '2025-03-03 00:00:00 UTC'",
        f"SELECT k {T} WHERE at >= TIMESTAMP '2025-03-03 00:00:00Z'",
    ),
    Query(
        "instant-in-shanghai",
        f"SELECT k, CAST(at AT TIME ZONE 'Asia/Shanghai' AS date) {T}",
        f"SELECT k, CAST(from_utc_timestamp(at, 'Asia/Shanghai') AS date) {T}",
    ),
    Query("instant-date", f"SELECT k, CAST(at AS date) {T}"),
    Query("wall-clock", f"SELECT k, wall, hour(wall), minute(wall) {T}"),
    Query(
        "wall-clock-range",
        f"SELECT k {T} WHERE wall < TIMESTAMP '2025-03-03 12:00:00'",
        f"SELECT k {T} WHERE wall < TIMESTAMP_NTZ '2025-03-03 12:00:00'",
    ),
    Query(
        "wall-clock-as-text",
        f"SELECT k, CAST(wall AS varchar) {T} WHERE k = 'a'",
        f"SELECT k, CAST(wall AS string) {T} WHERE k = 'a'",
        differs="a time as text has six digits of a second in Trino, in Spark as many as it needs",
    ),
    # --- Chinese text ---
    Query("length", f"SELECT k, length(note), substr(note, 1, 1), substr(note, 2) {T}"),
    Query("reverse", f"SELECT k, reverse(note), lower(note), upper(k) {T}"),
    Query(
        "upper-sharp-s",
        f"SELECT k, upper(note) {T} WHERE k = 'f'",
        differs="upper leaves ß as it is in Trino, and makes it SS in Spark",
    ),
    Query("like", f"SELECT k {T} WHERE note LIKE '赤%' OR note LIKE '_吉'"),
    Query("concat", f"SELECT k, note || '·' || k {T}"),
    Query(
        "find",
        f"SELECT k, strpos(note, '壁'), replace(note, '壁', '碧') {T}",
        f"SELECT k, instr(note, '壁'), replace(note, '壁', '碧') {T}",
    ),
    Query("regexp", f"SELECT k {T} WHERE regexp_like(note, '^[一-龥]+$')"),
    Query(
        "text-in-order", f"SELECT k, note {T} WHERE note IS NOT NULL ORDER BY note, k", ordered=True
    ),
    Query("text-greatest", f"SELECT min(note), max(note) {T}"),
    Query(
        "trim-wide-space",
        f"SELECT k, trim(note) {T} WHERE k = 'd'",
        differs="trim takes the ideographic space (U+3000) away in Trino, and leaves it in Spark",
    ),
    # --- lists, maps, bytes ---
    Query(
        "lists",
        f"SELECT k, tags, cardinality(tags), element_at(tags, 1) {T} WHERE k <> 'b'",
        f"SELECT k, tags, size(tags), try_element_at(tags, 1) {T} WHERE k <> 'b'",
    ),
    Query(
        "list-contains",
        f"SELECT k {T} WHERE contains(tags, '低保')",
        f"SELECT k {T} WHERE array_contains(tags, '低保')",
    ),
    Query(
        "unnest",
        f"SELECT k, tag {T} CROSS JOIN UNNEST(tags) AS u (tag)",
        f"SELECT k, tag {T} LATERAL VIEW explode(tags) u AS tag",
    ),
    Query(
        "maps",
        f"SELECT k, element_at(attrs, '来源'), cardinality(attrs) {T} WHERE k <> 'b'",
        f"SELECT k, element_at(attrs, '来源'), size(attrs) {T} WHERE k <> 'b'",
    ),
    Query(
        "bytes", f"SELECT k, to_hex(raw), length(raw) {T}", f"SELECT k, hex(raw), length(raw) {T}"
    ),
    # --- many rows ---
    Query(
        "windows",
        f"SELECT k, row_number() OVER (ORDER BY k), lag(k) OVER (ORDER BY k), "
        f"sum(i) OVER (PARTITION BY flag ORDER BY k) {T} WHERE i < 100",
    ),
    Query("rollup", f"SELECT town, count(*) {P} GROUP BY ROLLUP (town)"),
    Query("having", f"SELECT town {P} GROUP BY town HAVING count(*) > 1"),
    Query(
        "full-join", "SELECT p.k, t.k FROM {people} AS p FULL JOIN {types} AS t ON p.name = t.note"
    ),
    Query(
        "exists",
        "SELECT k FROM {people} AS p WHERE EXISTS (SELECT 1 FROM {types} AS t "
        "WHERE t.note = p.name)",
    ),
    # --- deletion vectors ---
    Query("people", f"SELECT * {P}"),
    Query("people-counted", f"SELECT count(*), min(k), max(k), sum(amount_yuan) {P}"),
    Query("people-deleted", f"SELECT * {P} WHERE k IN (3, 4)"),
    Query("people-by-town", f"SELECT town, count(*), sum(amount_yuan) {P} GROUP BY town"),
    # --- time travel ---
    *(
        Query(
            f"version-{version}",
            f"SELECT * {P} FOR VERSION AS OF {version}",
            f"SELECT * {P} VERSION AS OF {version}",
        )
        for version in (0, 1, 3, 4)
    ),
    Query(
        "what-changed-since",
        f"SELECT k, name {P} EXCEPT SELECT k, name {P} FOR VERSION AS OF 1",
        f"SELECT k, name {P} EXCEPT SELECT k, name {P} VERSION AS OF 1",
    ),
    # --- history and changes ---
    Query(
        "history",
        "SELECT version, operation FROM {people$history}",
        "SELECT version, operation FROM people_history",
    ),
    Query(
        "properties",
        "SELECT value FROM {people$properties} WHERE key = 'delta.enableChangeDataFeed'",
        "SELECT value FROM people_properties WHERE key = 'delta.enableChangeDataFeed'",
    ),
    Query(
        "changes",
        "SELECT k, name, town, amount_yuan, _change_type, _commit_version FROM {changes}",
        "SELECT k, name, town, amount_yuan, _change_type, _commit_version "
        "FROM people_changes WHERE _commit_version > 0",
    ),
    Query(
        "changes-counted",
        "SELECT _commit_version, _change_type, count(*) FROM {changes} GROUP BY 1, 2",
        "SELECT _commit_version, _change_type, count(*) FROM people_changes "
        "WHERE _commit_version > 0 GROUP BY 1, 2",
    ),
    Query(
        "changes-of-one",
        "SELECT _change_type, name FROM {changes} WHERE k = 5",
        "SELECT _change_type, name FROM people_changes WHERE k = 5 AND _commit_version > 0",
    ),
    Query("thinned", "SELECT * FROM {thinned}"),
    Query(
        "changes-by-deletion-vectors-alone",
        "SELECT k, _change_type FROM {thinned_changes}",
        "SELECT k, _change_type FROM thinned_changes WHERE _commit_version > 0",
        differs="table_changes answers nothing where Spark's DELETE FROM has left deletion vectors",
        refused="Change Data Feed is not enabled at version 2",
    ),
)
