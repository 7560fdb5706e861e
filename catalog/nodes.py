"""
YAML with line numbers: a file becomes plain values, and every value knows its line.

A contract is a JSON document in YAML's clothes. What JSON cannot hold, and what YAML readers
disagree about, is a fault: aliases, tags, keys that are no text, a key written twice. Dates stay
text. The parser's events are read one by one: its own composer recurses without a limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

Where = tuple[str | int, ...]
"""The place of a value in a document: keys and list positions from the root."""

DEEPEST = 32
"""Levels of nesting; ODCS needs nine."""

_STRING = "tag:yaml.org,2002:str"
_CONSTRUCTORS = {
    "tag:yaml.org,2002:null": yaml.SafeLoader.construct_yaml_null,
    "tag:yaml.org,2002:bool": yaml.SafeLoader.construct_yaml_bool,
    "tag:yaml.org,2002:int": yaml.SafeLoader.construct_yaml_int,
    "tag:yaml.org,2002:float": yaml.SafeLoader.construct_yaml_float,
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the file as YAML, and on which line."""

    line: int
    message: str


@dataclass(frozen=True)
class Document:
    """The values of a YAML file, the line of each, and what is wrong with it as YAML."""

    value: Any
    lines: Mapping[Where, int]
    faults: tuple[Fault, ...] = ()

    def line(self, where: Where) -> int:
        """The line of the value at `where`; where there is none, of the nearest value around it."""
        while where not in self.lines and where:
            where = where[:-1]
        return self.lines.get(where, 1)


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


class _GivenUp(yaml.YAMLError):
    """The rest of the file cannot be read so that its lines are right."""

    def __init__(self, event: yaml.Event, message: str) -> None:
        self.fault = Fault(_line(event), message)
        super().__init__(message)


@dataclass
class _Open:
    """A list or mapping that is not yet closed; `key` waits for its value."""

    value: list[Any] | dict[str, Any]
    where: Where
    key: str | None = None


@dataclass
class _Builder:
    lines: dict[Where, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    root: Any = None
    documents: int = 0
    open: list[_Open] = field(default_factory=list)

    def fault(self, event: yaml.Event, message: str) -> None:
        self.faults.append(Fault(_line(event), message))

    def add(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents == 2:
                    self.fault(event, "a second document; one file holds one contract")
            case yaml.ScalarEvent():
                self.check_plain(event)
                if self.waits_for_key():
                    self.take_key(event)
                else:
                    self.place(event, self.scalar(event))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self.check_plain(event)
                if self.waits_for_key():
                    raise _GivenUp(event, "a list or mapping cannot be a key")
                if len(self.open) == DEEPEST:
                    raise _GivenUp(event, f"more than {DEEPEST} levels deep")
                value: list[Any] | dict[str, Any]
                value = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                self.open.append(_Open(value, self.place(event, value)))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self.open.pop()
            case yaml.AliasEvent():
                self.fault(event, f"the alias *{event.anchor} is not allowed; write the value out")
                if self.waits_for_key():
                    self.open[-1].key = f"*{event.anchor}"
                else:
                    self.place(event, None)

    def check_plain(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self.fault(event, f"the anchor &{event.anchor} is not allowed")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in (_STRING, "!"):
            self.fault(event, f"the tag {tag} is not allowed")

    def waits_for_key(self) -> bool:
        return (
            bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None
        )

    def take_key(self, event: yaml.ScalarEvent) -> None:
        into = self.open[-1]
        key = self.scalar(event)
        if not isinstance(key, str):
            self.fault(event, f"the key {event.value} is not text; write it in quotes")
            key = str(event.value)
        if key in into.value:
            self.fault(event, f"the key {key!r} stands twice")
        into.key = key
        self.lines[(*into.where, key)] = _line(event)

    def scalar(self, event: yaml.ScalarEvent) -> Any:
        plain, _ = event.implicit
        value = resolve(event.value) if plain and event.tag is None else event.value
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(event, f"{event.value} is not a number")
        return value

    def place(self, event: yaml.Event, value: Any) -> Where:
        """Put the value where it belongs and give its place."""
        if not self.open:
            if self.documents == 1:
                self.root = value
            self.lines.setdefault((), _line(event))
            return ()
        into = self.open[-1]
        if isinstance(into.value, dict):
            assert into.key is not None
            where = (*into.where, into.key)
            into.value[into.key] = value
            into.key = None
        else:
            where = (*into.where, len(into.value))
            into.value.append(value)
            self.lines[where] = _line(event)
        return where


_RESOLVER = yaml.SafeLoader("")


@lru_cache(maxsize=4096)
def resolve(text: str) -> Any:
    """
    The value of an unquoted scalar, as YAML 1.1 reads it, dates excepted.

    >>> resolve("08"), resolve("8"), resolve("no"), resolve("2025-03-03"), resolve("~")
    ('08', 8, False, '2025-03-03', None)
    """
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    construct = _CONSTRUCTORS.get(tag)
    try:
        return text if construct is None else construct(_RESOLVER, yaml.ScalarNode(tag, text))
    except ValueError:  # more digits than Python makes a number of
        return text


def read_document(text: str) -> Document:
    """
    The document in `text`; never raises: what is wrong stands in `faults`.

    Where the text is no YAML at all, `value` is None.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.add(event)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        return Document(None, builder.lines, (*builder.faults, _fault(error, text)))
    if not builder.documents:
        return Document(None, {}, (Fault(1, "the file is empty"),))
    return Document(builder.root, builder.lines, tuple(builder.faults))


def _fault(error: yaml.YAMLError | UnicodeEncodeError, text: str) -> Fault:
    if isinstance(error, UnicodeEncodeError):
        return Fault(text[: error.start].count("\n") + 1, "not YAML: half of a surrogate pair")
    if isinstance(error, _GivenUp):
        return error.fault
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return Fault(error.problem_mark.line + 1, f"not YAML: {error.problem}")
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        return Fault(before.count("\n") + 1, f"not YAML: {error.reason}")
    return Fault(1, f"not YAML: {error}")
