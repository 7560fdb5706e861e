"""Regular expressions that every engine reads alike (Java's in Trino and Spark, RE2 in DuckDB)."""

from __future__ import annotations

import re

_UNPORTABLE = (
    (r"\(\?", "groups that begin with (? "),
    (r"\\[1-9]", "references back to a group "),
    (r"\\[pPuUxXQEGZzKkN]", "classes and escapes other than \\d, \\w, \\s and \\b "),
    (r"[*+?}]\+", "possessive repetition "),
)


def why_not_portable(pattern: str) -> str | None:
    """
    Why a pattern cannot be used, or None when it can.

    >>> why_not_portable("^[0-9]{6}$") is None
    True
    >>> why_not_portable("(?=a)b")
    "groups that begin with (? are not read alike by every engine: '(?=a)b'"
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"no pattern, {error}: {pattern!r}"
    unescaped = pattern.replace("\\\\", "")
    for form, what in _UNPORTABLE:
        if re.search(form, unescaped):
            return f"{what}are not read alike by every engine: {pattern!r}"
    return None
