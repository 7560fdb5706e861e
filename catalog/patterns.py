r"""
Regular expressions that every engine reads alike (Java's in Trino and Spark, RE2 in DuckDB).

They mean what ODCS says patterns mean, ECMA-262's: `$` is the very end of the text, `.` anything
but a line feed, `\d`, `\w` and `\s` are ASCII's. Engines differ in all of these, and are given the
pattern in plain classes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

_UNPORTABLE = (
    (r"\(\?", "groups that begin with (? "),
    (r"\\[1-9]", "references back to a group "),
    (r"\\[a-zA-Z0](?<!\\[dwsDWStnrf])", "classes and escapes other than \\d, \\w and \\s "),
    (r"[*+?}]\+", "possessive repetition "),
)
_UNPORTABLE_IN_BRACKETS = (
    (r"\[|&&", "brackets and && within brackets "),
    (r"^\^?\]", "brackets that begin with ] "),
    (r"\\[DWS]", "\\D, \\W and \\S within brackets "),
)
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\x0B\f\r"}


def why_not_portable(pattern: str) -> str | None:
    """
    Why a pattern cannot be used, or None when it can.

    >>> why_not_portable("^[0-9]{6}$") is None
    True
    >>> why_not_portable("(?=a)b")
    "groups that begin with (? are not read alike by every engine: '(?=a)b'"
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of sets to come, which are refused below
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"no pattern, {error}: {pattern!r}"
    forms = [(form, what, pattern.replace("\\\\", "")) for form, what in _UNPORTABLE]
    for brackets in _brackets(pattern):
        forms += [(form, what, brackets) for form, what in _UNPORTABLE_IN_BRACKETS]
    for form, what, found_in in forms:
        if re.search(form, found_in):
            return f"{what}are not read alike by every engine: {pattern!r}"
    return None


def in_plain_classes(pattern: str) -> str:
    r"""
    The same pattern in words that need no knowledge of the engine.

    >>> in_plain_classes(r"^\d+[\s.].$")
    '^[0-9]+[ \\t\\n\\x0B\\f\\r.][^\\n]\\z'
    """
    return "".join(_plain(token, within) for token, within in _tokens(pattern))


def _plain(token: str, within: bool) -> str:
    if token.startswith("\\") and (members := _CLASSES.get(token[1:].lower())):
        negated = "^" if token[1:].isupper() else ""
        return members if within else f"[{negated}{members}]"
    if within:
        return token
    return {"$": r"\z", ".": r"[^\n]"}.get(token, token)


def _tokens(pattern: str) -> Iterator[tuple[str, bool]]:
    """Characters and escapes, each with whether it stands within brackets."""
    within = False
    for token in re.findall(r"\\.|.", pattern, re.DOTALL):
        yield token, within
        within = token == "[" or (within and token != "]")


def _brackets(pattern: str) -> Iterator[str]:
    """What stands within each pair of brackets."""
    held: list[str] = []
    for token, within in _tokens(pattern):
        if within and (token != "]" or held in ([], ["^"])):
            held.append(token)
        elif within:
            yield "".join(held)
            held = []
    if held:
        yield "".join(held)
