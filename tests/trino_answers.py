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
    ("CAST(id = 1 AS varchar)", "true"),
    ("round(2.345, 2)", Decimal("2.350")),
    ("round(CAST(2.5 AS double))", 3.0),
    # texts
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
    ("SELECT DISTINCT id / 4 FROM {payment}", [(0,)]),
    ("SELECT count(*) FROM {payment} WHERE id / 2 = 1 AND substr(name, 0) IS NULL", [(1,)]),
    ("SELECT 7 / 2 UNION ALL SELECT 7 / 4 ORDER BY 1", [(1,), (3,)]),
    ("SELECT x FROM (VALUES (1), (2)) AS v(x) ORDER BY x DESC", [(2,), (1,)]),
    ("SELECT (SELECT max(id) FROM {payment}) / 2", [(1,)]),
)
"""Whole queries; `{payment}` and `{secret}` are the tables."""
