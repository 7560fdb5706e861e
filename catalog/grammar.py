"""
A small grammar of documents: which keys may stand where, and what their values look like.

A form reads a value and gives it back in its typed shape. What does not fit is told, with its
place, and left out, so that everything that does fit can still be judged: all findings of a
file come together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, Protocol

from catalog.nodes import Where

Tell = Callable[[Where, str], None]
"""Takes a finding: the place in the document, and what is wrong there."""


class Fields(dict[str, Any]):
    """What a record holds, with its place; `written` are its keys, right or wrong."""

    def __init__(self, where: Where, written: Iterable[str] = ()) -> None:
        super().__init__()
        self.where = where
        self.written = frozenset(written)

    def at(self, *inner: str | int) -> Where:
        """The place of something within the record."""
        return (*self.where, *inner)


class _Wrong:
    """The value of what was told and is left out."""


WRONG: Final = _Wrong()


class Form(Protocol):
    """What a value has to look like."""

    def read(self, value: Any, where: Where, tell: Tell) -> Any:
        """The typed value, or `WRONG` after telling why."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """
    The end of a message about an unknown word.

    >>> did_you_mean("requierd", ["required", "unique"])
    "; did you mean 'required'?"
    >>> did_you_mean("colour", ["required", "unique"])
    ''
    """
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def describe(value: Any) -> str:
    """
    A value in the words of a message.

    >>> describe({}), describe(True), describe(1.0)
    ('a mapping', 'true', 'the number 1.0')
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value if len(value) <= 40 else value[:40] + '…'!r}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _expected(what: str, value: Any, where: Where, tell: Tell) -> _Wrong:
    remedy = ""
    if what.startswith("text") and isinstance(value, bool | int | float):
        remedy = "; write it in quotes"
    tell(where, f"expected {what}, found {describe(value)}{remedy}")
    return WRONG


@dataclass(frozen=True)
class Text:
    """Text that is not empty; `like` in full where it is given, described by `what`."""

    what: str = "text"
    like: re.Pattern[str] | None = None

    def read(self, value: Any, where: Where, tell: Tell) -> str | _Wrong:
        """The text itself."""
        if not isinstance(value, str) or not value.strip():
            return _expected("text" if self.like is None else self.what, value, where, tell)
        if self.like is not None and not self.like.fullmatch(value):
            return _expected(self.what, value, where, tell)
        return value


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""

    def read(self, value: Any, where: Where, tell: Tell) -> bool | _Wrong:
        """The truth value."""
        return value if isinstance(value, bool) else _expected("true or false", value, where, tell)


@dataclass(frozen=True)
class Number:
    """A number between two bounds, both included; `whole` takes no fractions."""

    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False

    def read(self, value: Any, where: Where, tell: Tell) -> int | float | _Wrong:
        """The number as it stands."""
        kind = "a whole number" if self.whole else "a number"
        fits = isinstance(value, int) or (isinstance(value, float) and not self.whole)
        if not fits or isinstance(value, bool):
            return _expected(kind, value, where, tell)
        if self.minimum is not None and value < self.minimum:
            return _expected(f"{kind} of at least {self.minimum}", value, where, tell)
        if self.maximum is not None and value > self.maximum:
            return _expected(f"{kind} of at most {self.maximum}", value, where, tell)
        assert isinstance(value, int | float)
        return value


@dataclass(frozen=True)
class Day:
    """A date as ISO 8601 writes it, in quotes or not."""

    def read(self, value: Any, where: Where, tell: Tell) -> date | _Wrong:
        """The date."""
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        return _expected("a date such as 2025-03-03", value, where, tell)


@dataclass(frozen=True)
class OneOf:
    """A word of a closed list."""

    words: type[StrEnum] | tuple[str, ...]

    def read(self, value: Any, where: Where, tell: Tell) -> str | _Wrong:
        """The word; a member where the list is an enumeration."""
        known = [str(word) for word in self.words]
        if not isinstance(value, str) or value not in known:
            hint = did_you_mean(value, known) if isinstance(value, str) else ""
            tell(where, f"expected one of {', '.join(known)}, found {describe(value)}{hint}")
            return WRONG
        return value if isinstance(self.words, tuple) else self.words(value)


@dataclass(frozen=True)
class Items:
    """A list of which every item has one form; `single` also takes one item without its list."""

    of: Form
    single: bool = False
    empty: bool = False

    def read(self, value: Any, where: Where, tell: Tell) -> tuple[Any, ...] | _Wrong:
        """The items that fit, in their order."""
        if self.single and not isinstance(value, list):
            item = self.of.read(value, where, tell)
            return WRONG if isinstance(item, _Wrong) else (item,)
        if not isinstance(value, list):
            return _expected("a list", value, where, tell)
        if not value and not self.empty:
            tell(where, "the list is empty")
            return WRONG
        items = [self.of.read(item, (*where, i), tell) for i, item in enumerate(value)]
        return tuple(item for item in items if not isinstance(item, _Wrong))


@dataclass(frozen=True)
class Entries:
    """A mapping with free keys, of which every value has one form."""

    of: Form

    def read(self, value: Any, where: Where, tell: Tell) -> dict[str, Any] | _Wrong:
        """The entries that fit."""
        if not isinstance(value, dict):
            return _expected("a mapping", value, where, tell)
        entries = {key: self.of.read(v, (*where, key), tell) for key, v in value.items()}
        return {key: entry for key, entry in entries.items() if not isinstance(entry, _Wrong)}


@dataclass(frozen=True)
class Anything:
    """Whatever JSON can hold."""

    def read(self, value: Any, where: Where, tell: Tell) -> Any:
        """The value itself."""
        return value


@dataclass(frozen=True)
class Record:
    """
    A mapping with a closed list of keys.

    `refused` are keys that the standard knows and redcliff does not take, each with the reason;
    `open` lets unknown keys stand unread.
    """

    keys: Mapping[str, Form]
    required: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    open: bool = False

    def read(self, value: Any, where: Where, tell: Tell) -> Fields | _Wrong:
        """The known keys with their typed values; what was told is absent."""
        if not isinstance(value, dict):
            return _expected("a mapping", value, where, tell)
        record = Fields(where, value)
        for key, held in value.items():
            if key in self.keys:
                read = self.keys[key].read(held, (*where, key), tell)
                if not isinstance(read, _Wrong):
                    record[key] = read
            elif key in self.refused:
                tell((*where, key), f"{key!r} is not taken: {self.refused[key]}")
            elif not self.open:
                tell((*where, key), f"unknown key {key!r}{did_you_mean(key, self.keys)}")
        for key in self.required:
            if key not in value:
                tell(where, f"the key {key!r} is missing")
        return record


@dataclass(frozen=True)
class Properties:
    """The `redcliff.*` properties of one element, by name without the prefix."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Where] = field(default_factory=dict)
    around: Where = ()

    def get(self, name: str, default: Any = None) -> Any:
        """The typed value, or `default` where it is absent or was told to be wrong."""
        return self.values.get(name, default)

    def where(self, name: str, *inner: str | int) -> Where:
        """The place of a property, or of something within its value."""
        return (*self.places.get(name, self.around), *inner)

    def __contains__(self, name: object) -> bool:
        """Whether the property is written at all, right or wrong."""
        return name in self.places


@dataclass(frozen=True)
class Custom:
    """
    A `customProperties` list: our properties by their forms; those of others stand unread.

    A name that is nearly one of ours is taken for a slip.
    """

    prefix: str
    known: Mapping[str, Form]

    def read(self, value: Any, where: Where, tell: Tell) -> Properties | _Wrong:
        """The properties with our prefix."""
        listed = Items(CUSTOM_PROPERTY, empty=True).read(value, where, tell)
        if isinstance(listed, _Wrong):
            return WRONG
        names = [f"{self.prefix}{name}" for name in self.known]
        values: dict[str, Any] = {}
        places: dict[str, Where] = {}
        for i, item in enumerate(value):
            full = item.get("property") if isinstance(item, dict) else None
            if not isinstance(full, str):
                continue
            at = (*where, i, "property")
            if full not in names:
                slip = get_close_matches(full, names, n=1, cutoff=0.85)
                if full.startswith(self.prefix) or slip:
                    tell(at, f"unknown property {full!r}{did_you_mean(full, names)}")
                continue
            name = full.removeprefix(self.prefix)
            if name in places:
                tell(at, f"the property {full!r} stands twice")
                continue
            places[name] = (*where, i, "value")
            if "value" in item:
                read = self.known[name].read(item["value"], places[name], tell)
                if not isinstance(read, _Wrong):
                    values[name] = read
        return Properties(values, places, where)


CUSTOM_PROPERTY = Record(
    {"id": Text(), "property": Text(), "value": Anything(), "description": Text()},
    required=("property", "value"),
)
"""ODCS: how a custom property is written, whoever owns it."""
