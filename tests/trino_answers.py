"""
What Trino answers, over two small tables: asked of the embedded engine on every machine, and of
Trino itself where it runs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

PAYMENT = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "name": ["straße", None, '王"五",\n'],
        "amount_yuan": pa.array([Decimal("10.00"), Decimal("20.01"), None], pa.decimal128(20, 2)),
        "paid_date": [date(2025, 1, 31), date(2025, 3, 2), None],
        "paid_at": pa.array(
            [datetime(2025, 3, 2, 23, 30, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")
        ),
        "marks": pa.array([[3, None, 1], [2], None], pa.list_(pa.int32())),
        "sources": pa.array([{"a": "x"}, {}, None], pa.map_(pa.string(), pa.string())),
        "record": ['{"a": {"b": 1}, "c": [5, 6]}', "no json", None],
    }
)
SECRET = pa.table({"id": pa.array([1], pa.int64())})

IN_TRINO = {
    "payment": """(SELECT * FROM (VALUES
        (1, CAST('straße' AS varchar), CAST(10 AS decimal(20,2)), DATE '2025-01-31',
         CAST(TIMESTAMP '2025-03-02 23:30:00 UTC' AS timestamp(6) with time zone),
         ARRAY[3, NULL, 1], MAP(ARRAY[CAST('a' AS varchar)], ARRAY[CAST('x' AS varchar)]),
         CAST('{"a": {"b": 1}, "c": [5, 6]}' AS varchar)),
        (2, NULL, DECIMAL '20.01', DATE '2025-03-02', NULL, ARRAY[2], MAP(), 'no json'),
        (3, concat('王"五",', chr(10)), NULL, NULL, NULL, NULL, NULL, NULL)
        ) AS t (id, name, amount_yuan, paid_date, paid_at, marks, sources, record))""",
    "secret": "(SELECT BIGINT '1' AS id)",
}
"""The same tables for Trino, which need not be written there."""


def over(sql: str, **tables: str) -> str:
    """A query of `QUERIES` over what stands for its tables."""
    for name, stands in tables.items():
        sql = sql.replace(f"{{{name}}}", stands)
    return sql


EXPRESSIONS: tuple[tuple[str, object], ...] = (
    # division
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("id / 2", 0),
    ("CAST(1 AS decimal(18,6)) / 3", Decimal("0.333333")),
    ("CAST(-2 AS decimal(18,6)) / 3", Decimal("-0.666667")),
    ("amount_yuan / 3", Decimal("3.33")),
    ("1.0 / 8", Decimal("0.1")),
    ("CAST(id AS double) / 4", 0.25),
    ("amount_yuan / CAST(4 AS double)", 2.5),
    ("NULL / 2", None),
    ("-7 % 3", -1),
    ("mod(amount_yuan, 3)", Decimal("1.00")),
    # rounding and casts
    ("CAST(CAST(2.5 AS double) AS integer)", 3),
    ("CAST(CAST(-2.5 AS double) AS bigint)", -3),
    ("CAST(2.5 AS integer)", 3),
    ("TRY_CAST('1.5' AS integer)", None),
    ("TRY_CAST(name AS integer)", None),
    ("TRY_CAST('2025/01/02' AS date)", None),
    ("CAST('2025-01-02' AS date)", date(2025, 1, 2)),
    ("CAST(amount_yuan AS varchar)", "10.00"),
    ("CAST(paid_date AS varchar)", "2025-01-31"),
    ("CAST(name AS varchar(3))", "str"),
    ("CAST(amount_yuan AS varchar(5))", "10.00"),
    ("CAST(id = 1 AS varchar)", "true"),
    ("round(2.345, 2)", Decimal("2.350")),
    ("round(CAST(2.5 AS double))", 3.0),
    ("floor(id)", 1),
    ("ceil(amount_yuan)", Decimal("10")),
    ("truncate(id)", Decimal("1")),
    ("sign(amount_yuan)", Decimal("1")),
    ("sign(DOUBLE '-2.5')", -1.0),
    ("DECIMAL '1.50' + id", Decimal("2.50")),
    ("CAST(amount_yuan AS decimal)", Decimal("10")),
    ("TRY_CAST(' 12 ' AS integer)", 12),
    ("TRY_CAST(concat(' 1', CAST(id AS varchar)) AS bigint)", 11),
    ("TRY_CAST(concat(' ', CAST(id AS varchar)) AS decimal(10,2))", None),
    ("CAST(concat('1e', CAST(id AS varchar)) AS decimal(10,2))", Decimal("10.00")),
    ("sqrt(id - 5) IS NULL", False),
    ("is_nan(sqrt(id - 5))", True),
    ("is_nan(ln(id - 5))", True),
    ("log10(id - 1) < -1", True),
    ("is_nan(acos(id + 1))", True),
    ("round(atan2(1, 1) * 4 - pi(), 9)", 0.0),
    ("degrees(pi())", 180.0),
    ("round(e(), 4)", 2.7183),
    ("bitwise_and(id + 4, 6) + 1", 5),
    ("bitwise_or(id, 6)", 7),
    ("bitwise_xor(5, 3)", 6),
    ("bitwise_not(id + 1)", -3),
    ("random() >= 0 AND random() < 1 AND random(3) BETWEEN 0 AND 2", True),
    ("random(5, 6)", 5),
    ("uuid() IS NULL", False),
    # texts
    ("trim(chr(9) || 'a' || chr(12288) || chr(10))", "a"),
    ("length(trim(chr(160)))", 1),
    ("reverse('e' || chr(769) || 'x')", "x\u0301e"),
    ("reverse(ARRAY[1, NULL, 3])", [3, None, 1]),
    ("levenshtein_distance('赤壁市', '赤峰市')", 1),
    ("levenshtein_distance(name, 'strasse')", 2),
    ("levenshtein_distance('abc', 'abd')", 1),
    ("concat_ws('-', ARRAY['a', NULL, 'b'])", "a-b"),
    ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
    ("chr(length(name) + 65)", "G"),
    ("codepoint('赤')", 36196),
    ("regexp_count(name, '[a-z]')", 5),
    ("to_base64(to_utf8('赤'))", "6LWk"),
    ("from_utf8(from_base64('6LWk'))", "赤"),
    ("from_utf8(from_hex('e8b5a4'))", "赤"),
    ("lower(to_hex(sha1(to_utf8('a'))))", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ("json_array_length('[1, 2]')", 2),
    ("json_array_length(record)", None),
    ("name LIKE 'str_\\%' ESCAPE '\\'", False),
    ("upper(name)", "STRAßE"),
    ("substr('abc', 0)", ""),
    ("substr('abc', -5)", ""),
    ("substr('abc', -2)", "bc"),
    ("substr('abc', 2, -1)", ""),
    ("substr(name, 2, 2)", "tr"),
    ("split_part('a-b', '-', 3)", None),
    ("split_part('a-b', '-', 2)", "b"),
    ("regexp_extract('abc', 'x')", None),
    ("regexp_extract('a1b2', '([a-z])([0-9])', 2)", "1"),
    ("regexp_replace('a1b2', '([0-9])', '<$1>')", "a<1>b<2>"),
    ("concat('a', NULL)", None),
    ("lower(to_hex(md5(to_utf8('a'))))", "0cc175b9c0f1b6a831c399e269772661"),
    ("json_extract_scalar(record, '$.a.b')", "1"),
    ("json_extract_scalar(record, '$.c[1]')", "6"),
    ("json_extract_scalar(record, '$.a')", None),
    ("json_extract_scalar('no json', '$.a')", None),
    ("json_extract(record, '$.c')", "[5,6]"),
    # dates
    ("date_format(TIMESTAMP '2025-12-29 23:59:59.999900', '%Y-%m-%d %x-%v')", "2025-12-30 2026-01"),
    (
        "date_format(paid_date, '%a %b %c %e %j %k %l %M %p %r %T %W %y %%')",
        "Fri Jan 1 31 031 0 12 January AM 12:00:00 AM 00:00:00 Friday 25 %",
    ),
    (
        "CAST(CAST(TIMESTAMP '2025-01-01 00:00:00.123456' AS timestamp) AS timestamp(6))",
        datetime(2025, 1, 1, 0, 0, 0, 123000),
    ),
    ("CAST(TIMESTAMP '2025-01-01 00:00:00.500' AS timestamp(0))", datetime(2025, 1, 1, 0, 0, 1)),
    ("paid_date + INTERVAL '1' DAY * 3", date(2025, 2, 3)),
    ("paid_date - 2 * INTERVAL '1' MONTH", date(2024, 11, 30)),
    ("to_iso8601(paid_date)", "2025-01-31"),
    ("week_of_year(paid_date) + day_of_month(paid_date)", 36),
    (
        "sequence(paid_date, DATE '2025-03-31', INTERVAL '1' MONTH)",
        [date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)],
    ),
    (
        "sequence(paid_date, DATE '2025-01-29')",
        [date(2025, 1, 31), date(2025, 1, 30), date(2025, 1, 29)],
    ),
    (
        "sequence(DATE '2025-03-31', paid_date, INTERVAL '-1' MONTH)",
        [date(2025, 3, 31), date(2025, 2, 28), date(2025, 1, 31)],
    ),
    ("sequence(id, id - 2)", [1, 0, -1]),
    ("date_add('month', 1, paid_date)", date(2025, 2, 28)),
    ("paid_date + INTERVAL '1' DAY", date(2025, 2, 1)),
    ("date_trunc('month', paid_date)", date(2025, 1, 1)),
    ("date_diff('month', DATE '2020-01-15', DATE '2020-03-14')", 1),
    ("date_diff('month', DATE '2020-01-31', DATE '2020-02-29')", 1),
    ("date_diff('year', DATE '2020-06-15', DATE '2021-06-14')", 0),
    ("date_diff('day', DATE '2025-03-02', DATE '2025-02-28')", -2),
    ("day_of_week(DATE '2025-03-02')", 7),
    ("date_format(paid_at AT TIME ZONE 'Asia/Shanghai', '%Y-%m-%d %H:%i')", "2025-03-03 07:30"),
    ("CAST(paid_at AT TIME ZONE 'Asia/Shanghai' AS date)", date(2025, 3, 3)),
    (
        "sequence(paid_date, DATE '2025-02-01', INTERVAL '1' DAY)",
        [date(2025, 1, 31), date(2025, 2, 1)],
    ),
    # NULL and lists
    ("greatest(1, NULL)", None),
    ("least(id, 2)", 1),
    ("array_sort(marks)", [1, 3, None]),
    ("contains(marks, 2)", None),
    ("contains(marks, 3)", True),
    ("array_position(marks, 7)", 0),
    ("array_max(marks)", None),
    ("array_distinct(ARRAY[2, 1, 2, NULL, NULL])", [2, 1, None]),
    ("slice(ARRAY[1, 2, 3], 2, 2)", [2, 3]),
    ("slice(ARRAY[1, 2, 3], -2, 2)", [2, 3]),
    ("array_remove(marks, 3)", [None, 1]),
    ("array_join(ARRAY[CAST(NULL AS varchar)], '-')", ""),
    ("array_join(ARRAY['a', NULL], '-', '?')", "a-?"),
    ("array_union(marks, ARRAY[7])", [3, None, 1, 7]),
    ("array_sort(array_intersect(marks, ARRAY[1, 3]))", [1, 3]),
    ("array_except(marks, ARRAY[3])", [None, 1]),
    ("array_intersect(marks, CAST(NULL AS array(integer)))", None),
    ("array_except(CAST(NULL AS array(integer)), marks)", None),
    ("arrays_overlap(marks, ARRAY[9])", None),
    ("any_match(marks, m -> m > 2)", True),
    ("any_match(marks, m -> m > 3)", None),
    ("all_match(marks, m -> m > 0)", None),
    ("none_match(marks, m -> m = 3)", False),
    ("reduce(marks, 0, (s, m) -> s + coalesce(m, 0), s -> s * 10)", 40),
    ("cardinality(marks)", 3),
    ("cardinality(sources)", 1),
    ("element_at(marks, -1)", 1),
    ("element_at(sources, 'a')", "x"),
    ("filter(marks, m -> m > 1)", [3]),
    ("transform(ARRAY[1, 2], m -> m + 1)", [2, 3]),
    ("sources", {"a": "x"}),
)
"""Of the row with id 1: 3 is not 3.0, and 2.35 not 2.350."""

AGGREGATES: tuple[tuple[str, object], ...] = (
    ("sum(id)", 6),
    ("sum(amount_yuan)", Decimal("30.01")),
    ("avg(id)", 2.0),
    ("avg(amount_yuan)", Decimal("15.01")),
    ("avg(amount_yuan) FILTER (WHERE id = 9)", None),
    ("sum(id) / count(*)", 2),
    ("sum(amount_yuan) / count(*)", Decimal("10.00")),
    ("100.0 * count_if(id > 1) / count(*)", Decimal("66.7")),
    ("(sum(id) / 2) / (count(*) / 1)", 1),
    ("max(paid_date) - INTERVAL '1' DAY", date(2025, 3, 1)),
    ("date_add('day', 1, max(paid_date))", date(2025, 3, 3)),
    ("max(id) - min(id)", 2),
    ("sum(DISTINCT id)", 6),
    ("count_if(id > 1)", 2),
    ("max_by(name, id)", '王"五",\n'),
    ("max_by(amount_yuan, id)", None),
    ("array_agg(id ORDER BY id DESC)", [3, 2, 1]),
    (
        "listagg(record, '|') WITHIN GROUP (ORDER BY id DESC)",
        'no json|{"a": {"b": 1}, "c": [5, 6]}',
    ),
    ("approx_distinct(id)", 3),
    ("approx_percentile(id, 0.5)", 2),
    ("stddev(id)", 1.0),
    ("regr_slope(id * 2, id)", 2.0),
    ("regr_intercept(id * 2 + 1, id)", 1.0),
    ("every(id > 0)", True),
    ("every(id > 1) FILTER (WHERE id > 1)", True),
    ("floor(sum(id))", 6),
    ("sign(sum(amount_yuan))", Decimal("1")),
    ("sequence(min(id), max(id))", [1, 2, 3]),
    ("element_at(histogram(id % 2), 1)", 2),
    ("histogram(name) FILTER (WHERE id = 1)", {"straße": 1}),
    ("element_at(map_agg(id, paid_date) FILTER (WHERE id > 1), 2)", date(2025, 3, 2)),
    ("map_agg(name, id) FILTER (WHERE name IS NULL)", None),
)
"""Of all rows."""

QUERIES: tuple[tuple[str, list[tuple[Any, ...]]], ...] = (
    ("SELECT name FROM {payment} WHERE id < 3 ORDER BY name DESC", [("straße",), (None,)]),
    ("SELECT id FROM {payment} ORDER BY paid_date, id OFFSET 2 LIMIT 1", [(3,)]),
    (
        "SELECT id, sum(id) OVER (ORDER BY id) / 2 FROM {payment} ORDER BY 1",
        [(1, 0), (2, 1), (3, 3)],
    ),
    (
        "SELECT id, lag(id) OVER (ORDER BY id) FROM {payment} ORDER BY 1",
        [(1, None), (2, 1), (3, 2)],
    ),
    (
        "SELECT p.id, m FROM {payment} p CROSS JOIN UNNEST(marks) AS u(m) ORDER BY 1, 2",
        [(1, 1), (1, 3), (1, None), (2, 2)],
    ),
    (
        "WITH a AS (SELECT id FROM {payment}) SELECT count(*) FROM a JOIN {secret} s USING (id)",
        [(1,)],
    ),
    (
        "SELECT id / 2, upper('ß'), sum(amount_yuan) FROM {payment} GROUP BY id / 2, upper('ß') "
        "HAVING sum(id) / 2 > 0 ORDER BY id / 2",
        [(1, "ß", Decimal("20.01"))],
    ),
    (
        "SELECT k, count(*) FROM (SELECT CAST(id AS varchar) AS k FROM {payment}) AS p "
        "GROUP BY ROLLUP(k) ORDER BY 1",
        [("1", 1), ("2", 1), ("3", 1), (None, 3)],
    ),
    (
        "SELECT id, m, n FROM {payment} CROSS JOIN UNNEST(marks) WITH ORDINALITY AS u(m, n) "
        "ORDER BY 1, 3",
        [(1, 3, 1), (1, None, 2), (1, 1, 3), (2, 2, 1)],
    ),
    (
        "SELECT k, count(*), grouping(k) FROM (SELECT id > 1 AS k FROM {payment}) AS p "
        "GROUP BY ROLLUP(k) ORDER BY 1, 3",
        [(False, 1, 0), (True, 2, 0), (None, 3, 1)],
    ),
    (
        "SELECT id, count(*) OVER (ORDER BY paid_date RANGE BETWEEN INTERVAL '30' DAY PRECEDING "
        "AND CURRENT ROW) FROM {payment} WHERE id < 3 ORDER BY 1",
        [(1, 1), (2, 2)],
    ),
    ("SELECT DISTINCT id / 4 FROM {payment}", [(0,)]),
    ("SELECT count(*) FROM {payment} WHERE id / 2 = 1 AND substr(name, 0) IS NULL", [(1,)]),
    ("SELECT 7 / 2 UNION ALL SELECT 7 / 4 ORDER BY 1", [(1,), (3,)]),
    ("SELECT x FROM (VALUES (1), (2)) AS v(x) ORDER BY x DESC", [(2,), (1,)]),
    ("SELECT (SELECT max(id) FROM {payment}) / 2", [(1,)]),
)
"""Whole queries; `{payment}` and `{secret}` are the tables."""
