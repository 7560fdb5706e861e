"""
From an ODCS file to a `Contract`: everything that is wrong with the file is told at once.

What can be judged within one file is judged here; what contracts say of each other, in
`catalog.references`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from catalog.columns import read_columns
from catalog.contract import Column, Contract, Opening, Rule, Sharing
from catalog.errors import ContractInvalid, Finding
from catalog.grammar import Fields, Properties, did_you_mean
from catalog.naming import folder_name
from catalog.nodes import Document, Where, read_document
from catalog.odcs import DOCUMENT
from catalog.parsed import Parsed
from catalog.provenance import read_golden, read_key_register, read_source
from catalog.quality import implied_rules, read_rule
from catalog.vocabulary import Gate, Kind, OpenLevel, SharingLevel, Theme

SUFFIX = ".odcs.yaml"
UNITS = ("h", "d", "m", "y")
"""Units of service levels: hour, day, month, year."""

TABLE: Where = ("schema", 0)


def read_contract(path: Path, root: Path) -> Contract:
    """
    The contract in the file `path`; findings name the file relative to `root`.

    `ContractInvalid` carries everything that is wrong with the file.
    """
    return _sound(parse_file(path, root))


def parse_contract(text: str, path: str) -> Contract:
    """
    The contract in `text`, which stands at `path` (`…/<theme>/<dataset>.odcs.yaml`).

    `ContractInvalid` carries everything that is wrong with it.
    """
    return _sound(parse(text, path))


def _sound(parsed: Parsed) -> Contract:
    if parsed.findings or parsed.contract is None:
        raise ContractInvalid(parsed.findings)
    return parsed.contract


def parse_file(path: Path, root: Path) -> Parsed:
    """The file as far as it can be read; never raises on what stands in it."""
    name = path.relative_to(root).as_posix()
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        told = f"not UTF-8: byte {error.object[error.start]:#04x} at position {error.start}"
        return Parsed(name, Document(None, {}), [Finding(name, line, told)])
    return parse(text, name)


def parse(text: str, path: str) -> Parsed:
    """The document as far as it can be read; never raises on what stands in it."""
    document = read_document(text)
    parsed = Parsed(path, document)
    parsed.findings += [Finding(path, fault.line, fault.message) for fault in document.faults]
    if document.value is None:
        return parsed
    fields = DOCUMENT.read(document.value, (), parsed.tell)
    if isinstance(fields, Fields):
        _build(parsed, fields)
    return parsed


def content_hash(document: Any) -> str:
    """SHA-256 over the document as canonical JSON: keys sorted, no white space, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _build(parsed: Parsed, fields: Fields) -> None:
    own = parsed.own = fields.get("customProperties", Properties())
    _check_names(parsed, fields)
    kind = _kind(parsed)
    table = _table(parsed, fields)
    if "id" not in fields or kind is None or table is None:
        return
    theme, _, _ = fields["id"].partition(".")
    listed = table.get("properties", ())
    parsed.items = {item["name"]: item for item in reversed(listed) if "name" in item}
    columns = read_columns(listed, kind, Theme(theme), parsed.tell)
    if listed and not any(column.is_key for column in columns):
        parsed.tell((*TABLE, "properties"), "no column has primaryKey: true")
    source = read_source(parsed, Theme(theme), columns) if kind is Kind.SOURCE else None
    implied = set(implied_rules(columns, source)) if kind is Kind.SOURCE else set()
    levels = _service_levels(parsed, fields)
    if reason := own.get("declassified"):
        columns = [replace(c, declassified=c.declassified or reason) for c in columns]
    parsed.contract = Contract(
        id=fields["id"],
        name=fields.get("name", ""),
        version=fields.get("version", ""),
        theme=Theme(theme),
        kind=kind,
        provider=fields.get("team", {}).get("name", ""),
        description=table.get("description", ""),
        business_name=table.get("businessName", ""),
        columns=tuple(columns),
        rules=tuple(_rules(parsed, table, columns, implied)),
        sharing=_sharing(parsed),
        opening=_opening(parsed),
        resource_code=own.get("resource_code"),
        source=source,
        golden=read_golden(parsed, columns) if kind is Kind.THEMATIC else None,
        key_register=read_key_register(parsed, columns) if kind is Kind.THEMATIC else None,
        history=own.get("history", False),
        gates=_gates(parsed, columns, implied),
        awaits=own.get("await", ()),
        frequency=levels.get("frequency"),
        latency=levels.get("latency"),
        retention=levels.get("retention"),
        path=parsed.path,
        document=parsed.document.value,
        content_hash=content_hash(parsed.document.value),
    )


def _check_names(parsed: Parsed, fields: Fields) -> None:
    path = PurePosixPath(parsed.path)
    expected = f"{path.parent.name}.{path.name.removesuffix(SUFFIX)}"
    if fields.get("id", expected) != expected:
        parsed.tell(("id",), f"the id is {fields['id']!r}, its path says {expected!r}")
        return
    theme = path.parent.name
    if fields.get("domain", theme) != theme:
        told = f"the domain is '{fields['domain']}', the id says {theme!r}"
        parsed.tell(("domain",), told)


def _kind(parsed: Parsed) -> Kind | None:
    """The layer; and whether the properties go with it."""
    own = parsed.own
    for name in ("layer", "sharing", "opening"):
        if name not in own and own.around:
            parsed.tell(own.around, f"the property 'redcliff.{name}' is missing")
    kind: Kind | None = own.get("layer")
    if kind is None:
        return None
    only = {
        Kind.SOURCE: ("source", "history", "gates"),
        Kind.THEMATIC: ("golden", "key_register", "await", "declassified"),
    }
    for other, names in only.items():
        for name in names:
            if other is not kind and name in own:
                told = f"redcliff.{name} goes with redcliff.layer {other} only"
                parsed.tell(own.where(name), told)
    if kind is Kind.SOURCE and "source" not in own:
        parsed.tell(own.around, "the property 'redcliff.source' is missing")
    if "golden" in own and "key_register" in own:
        parsed.tell(own.where("golden"), "a golden dataset is no key register")
    return kind


def _table(parsed: Parsed, fields: Fields) -> Fields | None:
    tables = fields.get("schema", ())
    if len(tables) > 1:
        parsed.tell(tables[1].where, "a second table; one contract describes one")
    if not tables:
        return None
    table: Fields = tables[0]
    path = PurePosixPath(parsed.path)
    dataset = path.name.removesuffix(SUFFIX)
    if fields.get("id") == f"{path.parent.name}.{dataset}":
        for key, expected in (("name", dataset), ("physicalName", folder_name(fields["id"]))):
            if table.get(key, expected) != expected:
                parsed.tell(table.at(key), f"expected {expected!r}, found {table[key]!r}")
    return table


def _rules(parsed: Parsed, table: Fields, columns: list[Column], implied: set[str]) -> list[Rule]:
    by_name = {column.name: column for column in columns}
    written: list[tuple[Column | None, Fields]] = [(None, i) for i in table.get("quality", ())]
    for listed in table.get("properties", ()):
        column = by_name.get(listed.get("name", ""))
        written += [(column, item) for item in listed.get("quality", ()) if column is not None]
    written.sort(key=lambda pair: parsed.document.line(pair[1].where))
    rules: dict[str, Rule] = {}
    for column, item in written:
        rule = read_rule(item, column, by_name, parsed.tell)
        if rule is None:
            continue
        if rule.name in rules:
            parsed.tell(item.at("name"), f"the rule {rule.name!r} stands twice")
        elif rule.name in implied:
            told = f"the contract implies a rule {rule.name!r} already; choose another name"
            parsed.tell(item.at("name"), told)
        rules.setdefault(rule.name, rule)
    return list(rules.values())


def _gates(parsed: Parsed, columns: list[Column], implied: set[str]) -> dict[str, Gate]:
    fixed = {"record_readable", "key_unique", "change_known"}
    fixed |= {f"{c.name}_{what}" for c in columns if c.is_key for what in ("required", "type")}
    gates = {}
    for rule, gate in parsed.own.get("gates", {}).items():
        where = parsed.own.where("gates", rule)
        if rule not in implied and not parsed.findings:  # a column in error implies less
            hint = did_you_mean(rule, implied)
            parsed.tell(where, f"the contract implies no rule {rule!r}{hint}")
        elif rule in fixed:
            parsed.tell(where, f"a row that breaks {rule!r} has no place in the table")
        gates[rule] = Gate(gate)
    return gates


def _sharing(parsed: Parsed) -> Sharing:
    said = parsed.own.get("sharing", {})
    level = said.get("level", SharingLevel.UNSHARED)
    if said:
        _check_reasons(parsed, "sharing", level, SharingLevel.CONDITIONAL, SharingLevel.UNSHARED)
    return Sharing(level, said.get("condition"), said.get("reason"), said.get("modes", ()))


def _opening(parsed: Parsed) -> Opening:
    said = parsed.own.get("opening", {})
    level = said.get("level", OpenLevel.CLOSED)
    if said:
        _check_reasons(parsed, "opening", level, OpenLevel.CONDITIONAL, OpenLevel.CLOSED)
    return Opening(level, said.get("condition"), said.get("reason"))


def _check_reasons(parsed: Parsed, name: str, level: str, conditional: str, closed: str) -> None:
    """A conditional level states its condition, a closed one its reason, and no other does."""
    said = parsed.own.get(name)
    for word, needing in (("condition", conditional), ("reason", closed)):
        if level == needing and word not in said.written:
            parsed.tell(parsed.own.where(name), f"level {level} needs a {word}")
        elif level != needing and word in said:
            told = f"{word!r} goes with level {needing} only"
            parsed.tell(parsed.own.where(name, word), told)
    if level == closed and "modes" in said:
        parsed.tell(parsed.own.where(name, "modes"), f"level {level} is shared in no mode")


def _service_levels(parsed: Parsed, fields: Fields) -> dict[str, str]:
    """`frequency`, `latency` and `retention` as number and unit, such as `1d` or `3y`."""
    levels: dict[str, str] = {}
    for item in fields.get("slaProperties", ()):
        name, value, unit = item.get("property"), item.get("value"), item.get("unit")
        if name not in ("frequency", "latency", "retention"):
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            parsed.tell(item.at("value"), f"{name} is a whole number of at least 1")
        elif unit not in UNITS:
            parsed.tell(item.where, f"{name} needs a unit: {', '.join(UNITS)}")
        elif name in levels:
            parsed.tell(item.where, f"{name!r} stands twice")
        levels[name] = f"{value}{unit}"
    return levels
