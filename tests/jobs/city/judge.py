"""
A slow and plain judge of delivered rows: what `docs/reference/contract.md` says, row by row.

It shares nothing with the generator, which knows what it did, nor with the pipeline, which says
the same in SQL. It exists so that the city's truth is checked by something that only looks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.identifiers import is_citizen_id, is_uscc, to_18_digits
from catalog.vocabulary import Derivation, Drift, Gate, Mode, SemanticType, Unit

NULL_WORDS = {"", "\\N", "/", "无", "—", "-", "null", "NULL", "NaN", "N/A", "#N/A", "0000-00-00"}
PERMANENT = {date(2099, 12, 31), date(9999, 9, 9)}
DATES = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]00:00(?::00(?:\.0+)?)?)?"),
    re.compile(r"(\d{4})(\d{2})(\d{2})"),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})"),
    re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})"),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日"),
)
TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})")
HALF_WIDTH = {0xFEE0 + c: c for c in range(0x21, 0x7F)}
LATEST = datetime(2031, 1, 1)
"""No sequence of a good row lies after it, whenever the delivery is received."""


@dataclass(frozen=True)
class Untyped:
    """A value that cannot be typed."""


UNTYPED = Untyped()


def standard(column: Column, text: str | None) -> str | None:
    """The standard text of a delivered value."""
    if text is None:
        return None
    code_like = (
        column.is_key
        or column.type.name is not TypeName.STRING
        or column.semantic_type is not None
        or column.code_table is not None
        or bool(column.codes)
        or column.name.endswith("_code")
    )
    text = (text.translate(HALF_WIDTH) if code_like else text).strip(" \t\r\n\u3000\u00a0\ufeff")
    if text in NULL_WORDS:
        return None
    return column.codes.get(text, text)


def typed(column: Column, text: str | None) -> Any:
    """The typed value; `UNTYPED` where there is none."""
    if text is None:
        return None
    match column.type.name:
        case TypeName.DATE:
            return _date(text)
        case TypeName.TIMESTAMP:
            match = TIME.fullmatch(text)
            try:
                return datetime.fromisoformat(f"{match[1]} {match[2]}") if match else UNTYPED
            except ValueError:
                return UNTYPED
        case TypeName.INTEGER | TypeName.BIGINT:
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else UNTYPED
        case TypeName.DECIMAL:
            return _decimal(column, text)
        case _:
            return _text(column, text)


def _date(text: str) -> Any:
    for form in DATES:
        if match := form.fullmatch(text):
            try:
                return date(*(int(part) for part in match.groups()[:3]))
            except ValueError:
                return UNTYPED
    return UNTYPED


def _decimal(column: Column, text: str) -> Any:
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        return UNTYPED
    try:
        value = Decimal(text)
    except InvalidOperation:
        return UNTYPED
    if column.unit is None:
        return value
    if column.unit is Unit.TEN_THOUSAND_YUAN:
        value *= 10_000
    return value if value == round(value, 2) else UNTYPED


def _text(column: Column, text: str) -> Any:
    if column.semantic_type is SemanticType.CITIZEN_ID:
        number = to_18_digits(text.upper())
        return number if number and is_citizen_id(number) else UNTYPED
    if column.semantic_type is SemanticType.USCC:
        return text.upper() if is_uscc(text.upper()) else UNTYPED
    return text


@cache
def _parsed(holds: str) -> exp.Expression:
    tree = sqlglot.parse_one(holds, dialect="trino")
    assert isinstance(tree, exp.Expression)
    return tree


FUNCTIONS: Mapping[type[exp.Expression], Callable[..., Any]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
    exp.Sub: lambda a, b: a - b,
    exp.Mul: lambda a, b: a * b,
    exp.Mod: lambda a, b: a % b,
}


def evaluate(node: exp.Expression, row: Mapping[str, Any], day: date) -> Any:
    """The value of a predicate's part over a row."""

    def of(part: Any) -> Any:
        return evaluate(part, row, day)

    match node:
        case exp.Column():
            return row[node.name]
        case exp.Literal():
            return node.name if node.is_string else Decimal(node.name)
        case exp.Paren() | exp.Cast():
            value = of(node.this)
            return int(value) if isinstance(node, exp.Cast) else value
        case exp.And():
            return of(node.left) and of(node.right)
        case exp.Or():
            return of(node.left) or of(node.right)
        case exp.Not():
            return not of(node.this)
        case exp.Between():
            return of(node.args["low"]) <= of(node.this) <= of(node.args["high"])
        case exp.In():
            return of(node.this) in [of(e) for e in node.expressions]
        case exp.Substring():
            start, length = int(of(node.args["start"])), int(of(node.args["length"]))
            return of(node.this)[start - 1 : start - 1 + length]
        case exp.StrPosition():
            return of(node.this).find(of(node.args["substr"])) + 1
        case exp.RegexpLike():
            return re.search(of(node.expression), of(node.this)) is not None
        case exp.Length():
            return len(of(node.this))
        case exp.Abs():
            return abs(of(node.this))
        case exp.Year() | exp.Month() | exp.Day():
            value = of(node.this)
            return getattr(value, type(node).__name__.lower())
        case exp.Anonymous():
            name = str(node.this).lower()
            if name == "business_date":
                return day
            check = {"is_citizen_id": is_citizen_id, "is_uscc": is_uscc}[name]
            return check(of(node.expressions[0]).upper())
        case exp.TsOrDsToDate():
            return of(node.this)
        case _:
            return FUNCTIONS[type(node)](of(node.this), of(node.args["expression"]))


class Judge:
    """Judges rows of one dataset by its contract's hard rules."""

    def __init__(self, contract: Contract, codes: Mapping[str, Collection[str]]) -> None:
        assert contract.source is not None
        self.contract = contract
        self.source = contract.source
        self.codes = codes
        self.permanent = {
            c.derive.column
            for c in contract.columns
            if c.derive and c.derive.how is Derivation.PERMANENT
        }

    def is_delete(self, row: Mapping[str, Any]) -> bool:
        """Whether the row takes its key away."""
        change = self.source.change
        return change is not None and row["_change"] in change.delete

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The typed key; None when a part is absent."""
        values = [
            typed(c, standard(c, row[c.name])) for c in map(self.contract.column, self.contract.key)
        ]
        return None if any(v is None or v is UNTYPED for v in values) else tuple(values)

    def sequence(self, row: Mapping[str, Any]) -> Any:
        """The typed sequence; None where there is none."""
        if self.source.sequence is None:
            return None
        column = self.contract.column(self.source.sequence)
        value = typed(column, standard(column, row[column.name]))
        return None if value is UNTYPED else value

    def broken(self, row: Mapping[str, Any], day: date) -> set[str]:
        """The hard rules that a readable row breaks, key conflicts aside."""
        deletes = self.is_delete(row)
        found = {name for name, on_delete in self._implied(row) if on_delete or not deletes}
        change = self.source.change
        if change and row["_change"] not in (*change.upsert, *change.delete):
            found.add("change_known")
        if row["_extra"] is not None and self.source.drift.unknown_column is Drift.QUARANTINE:
            found.add("unknown_column")
        if row["_missing"] is not None and self.source.drift.missing_column is Drift.QUARANTINE:
            found.add("missing_column")
        found = {name for name in found if self.contract.gates.get(name) is not Gate.WARN}
        return found if deletes else found | set(self._written(row, day))

    def _implied(self, row: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
        for c in self.contract.delivered_columns:
            text = standard(c, row[c.name])
            value = typed(c, text)
            if (c.required or c.is_key) and text is None:
                yield f"{c.name}_required", c.is_key
            if text is None:
                continue
            must_type = c.type.name is not TypeName.STRING
            must_type |= c.semantic_type is not None and (c.required or c.is_key)
            if value is UNTYPED:
                if must_type:
                    yield f"{c.name}_type", c.is_key
                continue
            if c.code_table and value not in self.codes[c.code_table]:
                yield f"{c.name}_code", False
            if c.name == self.source.sequence and isinstance(value, datetime) and value > LATEST:
                yield f"{c.name}_not_after_receipt", True

    def _written(self, row: Mapping[str, Any], day: date) -> Iterator[str]:
        values: dict[str, Any] = {}
        for c in self.contract.columns:
            if c.derive is None:
                value = typed(c, standard(c, row[c.name]))
                permanent = c.name in self.permanent and value in PERMANENT
                values[c.name] = None if value is UNTYPED or permanent else value
            elif c.derive.how is Derivation.DELIVERED:
                values[c.name] = row[c.derive.column]
        for rule in self.contract.rules:
            if rule.holds is None or rule.gate is Gate.WARN:
                continue
            tree = _parsed(rule.holds)
            operands = {c.name for c in tree.find_all(exp.Column)}
            judged = all(values.get(name) is not None for name in operands)
            if judged and not evaluate(tree, values, day):
                yield rule.name


def outcomes(
    judge: Judge, rows: list[dict[str, Any]], day: date, received: set[tuple[Any, ...]]
) -> list[tuple[str, list[str]]]:
    """Outcome and broken rules of every row of a delivery; `received` grows by what is accepted."""
    names = [c.name for c in judge.contract.delivered_columns]
    hashes, broken = [], []
    rivals: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for row in rows:
        if row["_fault"] is not None:
            hashes.append(("unreadable", row["_record"]))
            broken.append({str(row["_fault"])})
            continue
        hashes.append((*(row[n] for n in names), row["_change"]))
        broken.append(judge.broken(row, day))
        if judge.source.mode is Mode.SNAPSHOT and (key := judge.key(row)) is not None:
            rivals.setdefault((key, judge.sequence(row)), set()).add(hashes[-1])
    seen: set[tuple[Any, ...]] = set()
    told: list[tuple[str, list[str]]] = []
    for row, digest, rules in zip(rows, hashes, broken, strict=True):
        if row["_fault"] is None and judge.source.mode is Mode.SNAPSHOT:
            key = judge.key(row)
            if key is not None and len(rivals[(key, judge.sequence(row))]) > 1:
                rules.add("key_unique")
        if rules:
            told.append(("quarantined", sorted(rules)))
        elif digest in seen or (judge.source.mode is not Mode.SNAPSHOT and digest in received):
            told.append(("duplicate", []))
        else:
            told.append(("accepted", []))
            seen.add(digest)
    received |= seen
    return told
