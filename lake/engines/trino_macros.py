"""
Macros of DuckDB that give Trino's answers where DuckDB's own are others.

A macro is chosen by the types of its arguments when a query is bound, and `typeof` is a constant
then: so one `/` divides integers, decimals and doubles, each as Trino does. DuckDB 1.5 cannot tell
the type of an aggregate there, and a typed parameter casts; so what decides (`x`, `y`) is given
apart from what is computed, is of its type, holds no aggregate and is never evaluated.
What DuckDB cannot say as Trino does ends in `error(…)`, with words for a person.
"""

from __future__ import annotations

import re

BY_ZERO = "division by zero"
NO_TEXT = (
    "CAST to varchar of a time, a floating-point number or a list: engines write it differently; "
    "write date_format(x, format), CAST(CAST(x AS decimal(20,4)) AS varchar) or array_join(x, s)"
)
NO_INTERVAL = "one date minus another is an interval; write date_diff(unit, earlier, later)"
NOT_ITS_FORM = "CAST({0} AS {1}) of a text that is none; TRY_CAST gives NULL instead"
_FLOATS = "('DOUBLE', 'FLOAT')"
_ZERO = f"error('{BY_ZERO}')"
_NUMBERS = ("BIGINT", "DECIMAL", "DOUBLE")


def _divisions() -> str:
    """One body for each pair of types; a double on either side makes a double."""
    bodies = {
        "BIGINT": f"CASE WHEN b = 0 THEN {_ZERO} ELSE a // b END",
        "DECIMAL": "round(q, greatest(trino_scale(a), trino_scale(b)))",
        "DOUBLE": "a / b",
    }
    pairs = [
        f"(x {x}, y {y}, a, b, q) AS {bodies[max(x, y, key=_NUMBERS.index)]}"
        for x in _NUMBERS
        for y in _NUMBERS
    ]
    return ", ".join(pairs)


def _guarded(form: str) -> str:
    """Whether `x` is a text of another form than Trino reads."""
    return f"typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), '{form}')"


_DATE = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_TIME = r"( [0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?"
_WHOLE = r"\s*[+-]?[0-9]+\s*"
FORMS = {
    "TINYINT": _WHOLE,
    "SMALLINT": _WHOLE,
    "INTEGER": _WHOLE,
    "BIGINT": _WHOLE,
    "BOOLEAN": "(?i:t|true|f|false|1|0)",
    "DATE": rf"\s*{_DATE}\s*",
    "TIMESTAMP": rf"\s*{_DATE}{_TIME}\s*",
}
"""What Trino reads as a type; DuckDB also takes `2025/1/2` for a date and `1.5` for an integer."""

DECIMAL_FORM = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
"""What Trino reads as a decimal: no space around it."""

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def _casts(kind: str) -> str:
    """CAST and TRY_CAST to one type; a double becomes an integer half away from zero."""
    plain = f"CAST(x AS {kind})"
    if kind in INTEGERS:
        halves = f"CAST(round(TRY_CAST(x AS DOUBLE)) AS {kind})"
        plain = f"CASE WHEN typeof(x) IN {_FLOATS} THEN {halves} ELSE {plain} END"
    wrong = f"error('{NOT_ITS_FORM.format('x', kind.lower())}')"
    return f"(x) AS CASE WHEN {_guarded(FORMS[kind])} THEN {wrong} ELSE {plain} END"


def _try_casts(kind: str) -> str:
    plain = f"TRY_CAST(x AS {kind})"
    if kind in INTEGERS:
        halves = f"TRY_CAST(round(TRY_CAST(x AS DOUBLE)) AS {kind})"
        plain = f"CASE WHEN typeof(x) IN {_FLOATS} THEN {halves} ELSE {plain} END"
    return f"(x) AS CASE WHEN {_guarded(FORMS[kind])} THEN NULL ELSE {plain} END"


_LOGARITHM = "WHEN x < 0 THEN 'NaN'::DOUBLE WHEN x = 0 THEN '-Infinity'::DOUBLE"
_CHARACTERS = "regexp_extract_all({0}, '(?s).')"
_ASCII = "".join(f"\\x{n:02x}" for n in range(1, 128))
_POWERS = ", ".join(f"{10**n}::HUGEINT" for n in range(38))
_HAS_NULL = "len(list_filter(a, lambda e: e IS NULL)) > 0"

MACROS: dict[str, str] = {
    # --- division -------------------------------------------------------------------------
    "trino_scale": """(a) AS
        coalesce(nullif(regexp_extract(typeof(a), ',([0-9]+)', 1), ''), '0')::INT""",
    "trino_power": f"(n) AS ([{_POWERS}])[n + 1]",
    "trino_digits": "(a) AS TRY_CAST(replace(CAST(a AS VARCHAR), '.', '') AS HUGEINT)",
    "trino_half_up": f"""(n, d) AS CASE WHEN d = 0 THEN {_ZERO} ELSE
        (CASE WHEN (n < 0) <> (d < 0) THEN -1 ELSE 1 END)::HUGEINT
        * ((2 * abs(n) + abs(d)) // (2 * abs(d))) END""",
    "trino_decimal": """(q, s) AS CAST(q // trino_power(s) AS DECIMAL(38,18))
        + CAST((q % trino_power(s)) * trino_power(18 - s) AS DECIMAL(19,0))
        * 0.000000000000000001""",
    "trino_quotient": """(a, b) AS trino_decimal(trino_half_up(
        trino_digits(a) * trino_power(
          greatest(trino_scale(a), trino_scale(b)) + trino_scale(b) - trino_scale(a)),
        trino_digits(b)), greatest(trino_scale(a), trino_scale(b)))""",
    "trino_divide": _divisions(),
    "trino_mod": f"""(a, b) AS CASE WHEN b = 0 AND typeof(a) NOT IN {_FLOATS}
        AND typeof(b) NOT IN {_FLOATS} THEN {_ZERO} ELSE a % b END""",
    "trino_round": "(a, n) AS CASE WHEN FALSE THEN a ELSE round(a, n) END",
    "trino_whole": """(x TINYINT, y) AS CAST(y AS TINYINT), (x SMALLINT, y) AS CAST(y AS SMALLINT),
        (x INTEGER, y) AS CAST(y AS INTEGER), (x BIGINT, y) AS CAST(y AS BIGINT),
        (x DECIMAL, y) AS y, (x DOUBLE, y) AS y""",
    "trino_truncate": """(x INTEGER, y) AS CAST(y AS DECIMAL(10,0)),
        (x BIGINT, y) AS CAST(y AS DECIMAL(19,0)), (x DECIMAL, y) AS y, (x DOUBLE, y) AS y""",
    "trino_sign": """(x INTEGER, y) AS CAST(sign(y) AS INTEGER),
        (x BIGINT, y) AS CAST(sign(y) AS BIGINT), (x DECIMAL, y) AS CAST(sign(y) AS DECIMAL(1,0)),
        (x DOUBLE, y) AS CASE WHEN y = 0 OR isnan(y) THEN y ELSE CAST(sign(y) AS DOUBLE) END""",
    "trino_sqrt": "(x) AS CASE WHEN x < 0 THEN 'NaN'::DOUBLE ELSE sqrt(x) END",
    "trino_arc": "(x, y) AS CASE WHEN x > 1 OR x < -1 THEN 'NaN'::DOUBLE ELSE y END",
    "trino_ln": f"(x, y) AS CASE {_LOGARITHM} ELSE y END",
    # --- sums -----------------------------------------------------------------------------
    "trino_sum": "(x BIGINT, s) AS CAST(s AS BIGINT), (x DECIMAL, s) AS s, (x DOUBLE, s) AS s",
    "trino_averaged": "(x BIGINT) AS CAST(0 AS DOUBLE), (x DECIMAL) AS x, (x DOUBLE) AS x",
    "trino_average": """(x BIGINT, a, s, n, q) AS a,
        (x DECIMAL, a, s, n, q) AS round(q, trino_scale(s)),
        (x DOUBLE, a, s, n, q) AS a""",
    "trino_counts": """(h) AS map_from_entries(list_transform(
        map_entries(h), lambda e: {'key': e.key, 'value': CAST(e.value AS BIGINT)}))""",
    "trino_map": """(l) AS map_from_entries(
        nullif(list_filter(l, lambda e: NOT e.k IS NULL), []))""",
    # --- dates ----------------------------------------------------------------------------
    "trino_dated": "(x DATE, y) AS CAST(y AS DATE), (x TIMESTAMP, y) AS y, (x TIMESTAMPTZ, y) AS y",
    "trino_dates": """(x DATE, y) AS CAST(y AS DATE[]), (x BIGINT, y) AS y,
        (x TIMESTAMP, y) AS y, (x TIMESTAMPTZ, y) AS y""",
    "trino_minus": f"""(x DATE, y DATE, a, b) AS error('{NO_INTERVAL}'),
        (x TIMESTAMP, y TIMESTAMP, a, b) AS error('{NO_INTERVAL}'),
        (x TIMESTAMPTZ, y TIMESTAMPTZ, a, b) AS error('{NO_INTERVAL}'), (x, y, a, b) AS a - b""",
    "trino_to_second": """(x) AS
        date_trunc('second', x + INTERVAL 500 MILLISECOND)""",
    "trino_to_millisecond": """(x) AS
        date_trunc('millisecond', x + INTERVAL 500 MICROSECOND)""",
    "trino_shown": """(x DATE, y) AS y, (x TIMESTAMP, y) AS trino_to_millisecond(y),
        (x TIMESTAMPTZ, y) AS trino_to_millisecond(y)""",
    "trino_iso": """(x DATE, y) AS strftime(y, '%Y-%m-%d'),
        (x, y) AS error('to_iso8601 of a time is not answered; write date_format')""",
    "trino_sequence": """(x BIGINT, a, b) AS
          generate_series(a, b, CASE WHEN a > b THEN -1 ELSE 1 END),
        (x DATE, a, b) AS CAST(generate_series(a, b,
          CASE WHEN a > b THEN INTERVAL '-1' DAY ELSE INTERVAL '1' DAY END) AS DATE[])""",
    # --- texts ----------------------------------------------------------------------------
    "trino_text": f"""(x) AS CASE WHEN typeof(x) IN {_FLOATS} OR typeof(x) LIKE 'TIME%'
        OR typeof(x) LIKE '%]' OR typeof(x) LIKE 'MAP%' OR typeof(x) LIKE 'STRUCT%'
        THEN error('{NO_TEXT}') ELSE CAST(x AS VARCHAR) END""",
    "trino_text_of": """(x, n) AS CASE
        WHEN typeof(x) = 'VARCHAR' THEN substr(CAST(x AS VARCHAR), 1, n)
        WHEN length(trino_text(x)) > n
        THEN error(concat(x, ' cannot be represented as varchar(', n, ')'))
        ELSE trino_text(x) END""",
    "trino_if_form": """(x, f) AS CASE WHEN typeof(x) = 'VARCHAR'
        AND NOT regexp_full_match(CAST(x AS VARCHAR), f) THEN NULL ELSE x END""",
    "trino_in_form": f"""(x, f, t) AS CASE WHEN typeof(x) = 'VARCHAR'
        AND NOT regexp_full_match(CAST(x AS VARCHAR), f)
        THEN error(replace('{NOT_ITS_FORM.format("x", "#")}', '#', t)) ELSE x END""",
    "trino_upper": """(x) AS array_to_string(
        list_transform(string_split(x, 'ß'), lambda part: upper(part)), 'ß')""",
    "trino_replace": """(x, s, r) AS CASE
        WHEN s = '' THEN error('replace: the text to look for is empty')
        ELSE replace(x, s, r) END""",
    "trino_reverse": f"""(x VARCHAR) AS
          array_to_string(list_reverse({_CHARACTERS.format("x")}), ''),
        (x) AS list_reverse(x)""",
    "trino_in_ascii": f"""(x, y) AS
        translate(x, array_to_string(list_distinct({_CHARACTERS.format("y")}), ''), e'{_ASCII}')""",
    "trino_levenshtein": f"""(x, y) AS CASE
        WHEN strlen(x) + strlen(y) = length(x) + length(y) THEN levenshtein(x, y)
        WHEN len(list_distinct({_CHARACTERS.format("x || y")})) > 127
        THEN error('levenshtein_distance: texts of more than 127 different characters')
        ELSE levenshtein(trino_in_ascii(x, x || y), trino_in_ascii(y, x || y)) END""",
    "trino_codepoint": """(x) AS CASE WHEN length(x) <> 1
        THEN error('codepoint takes one character') ELSE unicode(x) END""",
    "trino_regexp_count": "(x, p) AS CAST(len(regexp_extract_all(x, p)) AS BIGINT)",
    "trino_json_length": """(x) AS CASE WHEN json_valid(x) AND json_type(x) = 'ARRAY'
        THEN CAST(json_array_length(x) AS BIGINT) END""",
    "trino_concat_ws": """(s, x VARCHAR) AS concat_ws(s, x),
        (s, x) AS CASE WHEN x IS NULL THEN NULL ELSE coalesce(array_to_string(x, s), '') END""",
    "trino_substr": """(x, s) AS CASE WHEN x IS NULL THEN NULL
          WHEN s = 0 OR -s > length(x) THEN '' ELSE substr(x, s) END,
        (x, s, n) AS CASE WHEN x IS NULL THEN NULL
          WHEN s = 0 OR -s > length(x) OR n <= 0 THEN ''
          ELSE substr(x, s, n) END""",
    "trino_split_part": """(x, d, n) AS CASE
        WHEN n < 1 THEN error('the index of split_part starts at 1')
        WHEN n > len(string_split(x, d)) THEN NULL ELSE split_part(x, d, n) END""",
    "trino_regexp_extract": """(x, p) AS
          CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p) END,
        (x, p, g) AS CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p, g) END""",
    "trino_json_scalar": """(x, p) AS CASE
        WHEN json_valid(CAST(x AS VARCHAR))
        AND coalesce(json_type(CAST(x AS VARCHAR), p), 'NULL') NOT IN ('OBJECT', 'ARRAY', 'NULL')
        THEN json_extract_string(CAST(x AS VARCHAR), p) END""",
    "trino_json": """(x, p) AS CASE WHEN json_valid(CAST(x AS VARCHAR))
        THEN CAST(json_extract(CAST(x AS VARCHAR), p) AS VARCHAR) END""",
    # --- lists ----------------------------------------------------------------------------
    "trino_distinct": "(a) AS list_filter(a, lambda e, i: coalesce(list_position(a, e), 0) = i)",
    "trino_contains": f"""(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
        WHEN list_contains(a, x) THEN TRUE WHEN {_HAS_NULL} THEN NULL ELSE FALSE END""",
    "trino_position": """(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL
        ELSE CAST(coalesce(list_position(a, x), 0) AS BIGINT) END""",
    "trino_cardinality": """(x MAP(VARCHAR, VARCHAR)) AS CAST(cardinality(x) AS BIGINT),
        (x) AS len(x)""",
    "trino_remove": """(a, x) AS CASE WHEN x IS NOT NULL
        THEN list_filter(a, lambda e: e IS NULL OR e <> x) END""",
    "trino_array_join": """(a, s) AS
          CASE WHEN NOT a IS NULL THEN coalesce(array_to_string(a, s), '') END,
        (a, s, n) AS CASE WHEN NOT a IS NULL THEN coalesce(array_to_string(
          list_transform(a, lambda e: coalesce(CAST(e AS VARCHAR), n)), s), '') END""",
    "trino_any_match": f"""(a, t) AS CASE WHEN a IS NULL THEN NULL
        WHEN list_contains(t, TRUE) THEN TRUE WHEN {_HAS_NULL.replace("(a,", "(t,")} THEN NULL
        ELSE FALSE END""",
    "trino_all_match": f"""(a, t) AS CASE WHEN a IS NULL THEN NULL
        WHEN list_contains(t, FALSE) THEN FALSE WHEN {_HAS_NULL.replace("(a,", "(t,")} THEN NULL
        ELSE TRUE END""",
    "trino_union": """(a, b) AS CASE WHEN NOT (a IS NULL OR b IS NULL)
        THEN trino_distinct(list_concat(a, b)) END""",
    "trino_holds": """(a, e) AS CASE WHEN e IS NULL
        THEN len(list_filter(a, lambda o: o IS NULL)) > 0 ELSE list_contains(a, e) END""",
    "trino_intersect": """(a, b) AS CASE WHEN NOT b IS NULL
        THEN trino_distinct(list_filter(a, lambda e: trino_holds(b, e))) END""",
    "trino_except": """(a, b) AS CASE WHEN NOT b IS NULL
        THEN trino_distinct(list_filter(a, lambda e: NOT trino_holds(b, e))) END""",
    "trino_overlap": f"""(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL
        WHEN list_has_any(list_filter(a, lambda e: NOT e IS NULL), b) THEN TRUE
        WHEN len(a) > 0 AND len(b) > 0 AND ({_HAS_NULL} OR {_HAS_NULL.replace("(a,", "(b,")})
        THEN NULL ELSE FALSE END""",
    "trino_array_max": f"(a) AS CASE WHEN {_HAS_NULL} THEN NULL ELSE list_max(a) END",
    "trino_array_min": f"(a) AS CASE WHEN {_HAS_NULL} THEN NULL ELSE list_min(a) END",
    "trino_slice": """(a, s, n) AS CASE WHEN s = 0 OR n < 0 THEN error('slice starts at 1')
        WHEN abs(s) > len(a) THEN list_slice(a, 1, 0)
        WHEN s > 0 THEN list_slice(a, s, s + n - 1)
        ELSE list_slice(a, len(a) + s + 1, len(a) + s + n) END""",
    **{f"trino_to_{kind.lower()}": _casts(kind) for kind in FORMS},
    **{f"trino_try_{kind.lower()}": _try_casts(kind) for kind in FORMS},
}


_NAME = re.compile("trino_[a-z0-9_]+")


def macro_statements(text: str) -> list[str]:
    """Statements that define what macros a query's `text` calls, each after those that it calls."""
    wanted: set[str] = set()
    waiting = [text]
    while waiting:
        called = (set(_NAME.findall(waiting.pop().lower())) & MACROS.keys()) - wanted
        wanted |= called
        waiting += [MACROS[name] for name in called]
    return [
        f"CREATE OR REPLACE TEMP MACRO {name} {body}"
        for name, body in MACROS.items()
        if name in wanted
    ]
