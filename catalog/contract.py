"""
The typed view of a data contract (数据契约): what a file under `schemas/` says, ready to be used.

A `Contract` is made by `catalog.reading` only, which has checked it; nothing here can be wrong
in itself. `document` is the whole file as read, so that writing loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from catalog.vocabulary import (
    Consumer,
    DateForm,
    Derivation,
    Drift,
    Format,
    Gate,
    Kind,
    Layer,
    MaskKind,
    Mode,
    OpenLevel,
    SemanticType,
    Sensitivity,
    SharingLevel,
    Theme,
    Unit,
)


class TypeName(StrEnum):
    """The types a table may hold: what Trino, Delta and both engines agree on."""

    STRING = "string"
    INTEGER = "integer"
    BIGINT = "bigint"
    BOOLEAN = "boolean"
    DATE = "date"
    DECIMAL = "decimal"
    TIMESTAMP = "timestamp"  # wall clock of Asia/Shanghai, stored without zone
    INSTANT = "instant"  # an instant in UTC
    MAP = "map"  # map<varchar,varchar>
    STRINGS = "strings"  # array(varchar), only in tables of our own


@dataclass(frozen=True)
class DataType:
    """A `physicalType`; `length` for varchar and char, `precision` and `scale` for decimal."""

    name: TypeName
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True)
class Mask:
    """How the column is shown to those who may not see it whole (脱敏)."""

    kind: MaskKind
    keep_first: int = 0
    keep_last: int = 0
    to: str | None = None


@dataclass(frozen=True)
class Rule:
    """
    A rule written in the contract (`quality`).

    `holds` is a Trino predicate over the contract's columns for row rules and None for table
    rules, whose operator is then in `metric`, `arguments`, `operator` and `operand`.
    """

    name: str
    description: str
    gate: Gate
    blocks: tuple[Consumer, ...] = ()
    column: str | None = None
    dimension: str | None = None
    holds: str | None = None
    metric: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    operator: str | None = None
    operand: Any = None
    query: str | None = None

    @property
    def is_row_rule(self) -> bool:
        """Whether it judges each row by itself."""
        return self.holds is not None


@dataclass(frozen=True)
class Reference:
    """A relationship: the column's values stand in `column` of `dataset`."""

    dataset: str
    column: str


@dataclass(frozen=True)
class Derive:
    """Which delivered column this one follows from, and how."""

    column: str
    how: Derivation


@dataclass(frozen=True)
class Column:
    """One column of the table, with all that the contract says of it."""

    name: str
    type: DataType
    business_name: str
    description: str | None = None
    required: bool = False
    unique: bool = False
    key_position: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: Decimal | date | None = None
    maximum: Decimal | date | None = None
    sensitivity: Sensitivity | None = None
    delivered_as: tuple[str, ...] = ()
    semantic_type: SemanticType | None = None
    code_table: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    date_forms: tuple[DateForm, ...] = tuple(DateForm)
    unit: Unit | None = None
    derive: Derive | None = None
    mask: Mask | None = None
    quasi_identifier: bool = False
    authority: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    declassified: str | None = None

    @property
    def is_key(self) -> bool:
        """Whether it is part of the primary key."""
        return self.key_position is not None

    @property
    def comment(self) -> str:
        """What an analyst reads beside the column: 业务名称, then the description."""
        return (
            f"{self.business_name}:{self.description}" if self.description else self.business_name
        )


@dataclass(frozen=True)
class Change:
    """How a `changes` delivery says what became of a row."""

    headers: tuple[str, ...]
    upsert: tuple[str, ...]
    delete: tuple[str, ...]


@dataclass(frozen=True)
class DriftModes:
    """What to do about what the contract does not expect."""

    unknown_column: Drift = Drift.QUARANTINE
    missing_column: Drift = Drift.QUARANTINE
    untypable_value: Drift = Drift.QUARANTINE


@dataclass(frozen=True)
class Source:
    """How a department delivers the dataset."""

    mode: Mode
    format: Format
    encoding: str = "utf-8"
    delimiter: str = ","
    sequence: str | None = None
    change: Change | None = None
    drift: DriftModes = DriftModes()
    max_vanished: float = 0.05
    code_table: str | None = None
    edition: date | None = None


@dataclass(frozen=True)
class Golden:
    """A golden dataset: a row per person or entity, each field from its most trusted source."""

    key_register: str
    identity: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class KeyRegister:
    """An append-only register: which record of which source belongs to which person or entity."""

    entity: str
    identity: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Sharing:
    """共享属性."""

    level: SharingLevel
    condition: str | None = None
    reason: str | None = None
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opening:
    """开放属性."""

    level: OpenLevel
    condition: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Contract:
    """One dataset: `<theme>.<dataset>`, its columns, its rules, and how it comes into being."""

    id: str
    name: str
    version: str
    theme: Theme
    kind: Kind
    provider: str
    description: str
    business_name: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    sharing: Sharing
    opening: Opening
    resource_code: str | None = None
    source: Source | None = None
    golden: Golden | None = None
    key_register: KeyRegister | None = None
    history: bool = False
    gates: Mapping[str, Gate] = field(default_factory=dict)
    awaits: tuple[str, ...] = ()
    frequency: str | None = None
    latency: str | None = None
    retention: str | None = None
    path: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    content_hash: str = ""

    @property
    def dataset(self) -> str:
        """The second part of the id."""
        return self.id.partition(".")[2]

    @property
    def layer(self) -> Layer:
        """The layer of the dataset's main table."""
        return Layer.CURATED if self.kind is Kind.SOURCE else Layer.THEMATIC

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The names of the primary key's columns, in their order."""
        keyed = [c for c in self.columns if c.key_position is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda c: c.key_position or 0))

    @cached_property
    def delivered_columns(self) -> tuple[Column, ...]:
        """The columns that departments deliver: those of the raw table."""
        return tuple(c for c in self.columns if c.derive is None)

    @cached_property
    def looked_up(self) -> frozenset[str]:
        """The other datasets by which delivered rows are judged: code tables, references."""
        if self.kind is not Kind.SOURCE:
            return frozenset()
        named = {c.code_table for c in self.columns if c.code_table}
        named |= {r.dataset for c in self.columns for r in c.references}
        return frozenset(named - {self.id})

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns}

    def column(self, name: str) -> Column:
        """The column of this name; KeyError when there is none."""
        return self._by_name[name]
