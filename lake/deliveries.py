"""
What a department hands over at one time for one dataset (交付批次), and what became of it.

These are values: how they are kept is the business of `lake.ledger` and `lake.landing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from catalog.errors import LedgerBroken
from catalog.vocabulary import Mode
from lake.splits import Split

SHOWN_ZONE = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The zone in which people are shown instants; stored ones are UTC."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands; `landed` is the only one that a run takes up."""

    LANDED = "landed"
    SETTLED = "settled"
    HELD = "held"
    REFUSED = "refused"


def utc_now() -> datetime:
    """The instant of the call in UTC, cut to milliseconds as every instant of the platform."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def delivery_id(dataset: str, business_date: date, mode: Mode, sha256s: Iterable[str]) -> str:
    """
    The identity of a delivery: 32 hexadecimal characters that follow from its content.

    Neither the names of the files nor their order nor the time of arrival count, so that a
    delivery that comes twice is known again.

    >>> day = date(2025, 3, 3)
    >>> one = delivery_id("population.person", day, Mode.SNAPSHOT, ["bb", "aa"])
    >>> one == delivery_id("population.person", day, Mode.SNAPSHOT, ["aa", "bb"])
    True
    >>> one == delivery_id("population.person", day, Mode.APPEND, ["aa", "bb"])
    False
    """
    # JSON keeps the parts apart, so that no two different lists give the same text.
    text = json.dumps([dataset, business_date.isoformat(), mode.value, sorted(sha256s)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class DeliveredFile:
    """
    One file as delivered; `rows` is what the department says, and None when it says nothing.

    `split` says where a large text file may be parted.
    """

    name: str
    sha256: str
    bytes: int
    rows: int | None = None
    split: Split | None = None

    def document(self) -> dict[str, Any]:
        """The file for JSON."""
        document: dict[str, Any] = {
            "name": self.name,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "rows": self.rows,
        }
        return document | ({"split": self.split.document()} if self.split else {})

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> DeliveredFile:
        """The file that `document` tells of."""
        split = Split.of(document["split"]) if "split" in document else None
        return cls(document["name"], document["sha256"], document["bytes"], document["rows"], split)


@dataclass(frozen=True)
class Delivery:
    """
    All files of one dataset at one business date, as they were received.

    `provider` is the department that delivered. `revision` counts the deliveries of one dataset
    and date that differ in content, from 1; a delivery refused before it got a place among them
    has revision 0. `received_at` is recorded once, in UTC, to the millisecond.
    """

    delivery_id: str
    dataset: str
    provider: str
    business_date: date
    revision: int
    mode: Mode
    files: tuple[DeliveredFile, ...]
    received_at: datetime

    @property
    def order(self) -> tuple[date, int]:
        """Its place among the deliveries of its dataset."""
        return self.business_date, self.revision

    def document(self) -> dict[str, Any]:
        """The delivery for JSON."""
        return {
            "delivery_id": self.delivery_id,
            "dataset": self.dataset,
            "provider": self.provider,
            "business_date": self.business_date.isoformat(),
            "revision": self.revision,
            "mode": self.mode.value,
            "files": [file.document() for file in self.files],
            "received_at": self.received_at.isoformat(timespec="milliseconds"),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Delivery:
        """The delivery that `document` tells of; `LedgerBroken` when its id does not fit."""
        delivery = cls(
            document["delivery_id"],
            document["dataset"],
            document["provider"],
            date.fromisoformat(document["business_date"]),
            document["revision"],
            Mode(document["mode"]),
            tuple(DeliveredFile.of(file) for file in document["files"]),
            datetime.fromisoformat(document["received_at"]),
        )
        expected = delivery_id(
            delivery.dataset,
            delivery.business_date,
            delivery.mode,
            (file.sha256 for file in delivery.files),
        )
        if delivery.delivery_id != expected:
            raise LedgerBroken(
                f"{delivery.dataset} {delivery.business_date}: the record of delivery "
                f"{delivery.delivery_id} tells of files that make {expected}; "
                "restore the record from a backup"
            )
        return delivery


@dataclass(frozen=True)
class Counts:
    """
    What became of the rows of one delivery; made only when the ledger equation holds.

    received = accepted + quarantined + duplicates, and accepted = applied + unchanged +
    superseded. `deleted` stands beside the sum. `warned` and `broken` count rows by rule: those
    that passed with a warning, and those in quarantine.
    """

    received: int
    accepted: int
    quarantined: int
    duplicates: int
    deleted: int
    applied: int
    unchanged: int
    superseded: int
    warned: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.type == "int"}
        if negative := [name for name, number in numbers.items() if number < 0]:
            raise LedgerBroken(f"a count is below zero: {', '.join(negative)} in {numbers}")
        if self.received != self.accepted + self.quarantined + self.duplicates:
            raise LedgerBroken(
                f"received {self.received} is not accepted {self.accepted} + quarantined "
                f"{self.quarantined} + duplicates {self.duplicates}"
            )
        if self.accepted != self.applied + self.unchanged + self.superseded:
            raise LedgerBroken(
                f"accepted {self.accepted} is not applied {self.applied} + unchanged "
                f"{self.unchanged} + superseded {self.superseded}"
            )

    def document(self) -> dict[str, Any]:
        """The counts for JSON."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        return document | {"warned": dict(self.warned), "broken": dict(self.broken)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Counts:
        """The counts that `document` tells of; `LedgerBroken` when they do not add up."""
        return cls(**document)


@dataclass(frozen=True)
class Plan:
    """
    What a delivery is going to do, written before its first commit.

    `base_versions` names the version of every table it reads and writes (None: no such table
    yet). A rerun after a crash follows the same plan and skips the steps that stand.
    """

    delivery_id: str
    contract_hash: str
    base_versions: Mapping[str, int | None]
    counts: Counts
    held: bool
    steps: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The plan for JSON."""
        return {
            "delivery_id": self.delivery_id,
            "contract_hash": self.contract_hash,
            "base_versions": dict(self.base_versions),
            "counts": self.counts.document(),
            "held": self.held,
            "steps": list(self.steps),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that `document` tells of."""
        return cls(
            document["delivery_id"],
            document["contract_hash"],
            document["base_versions"],
            Counts.of(document["counts"]),
            document["held"],
            tuple(document["steps"]),
        )


def receipt(delivery: Delivery, plan: Plan, versions: Mapping[str, int]) -> dict[str, Any]:
    """
    The receipt of a settled delivery (回执): what came, what was done, the versions that stand.

    It holds no clock reading, so that a rerun after a crash makes the same receipt.
    """
    return {
        "status": DeliveryStatus.SETTLED.value,
        "delivery": delivery.document(),
        "plan": plan.document(),
        "versions": dict(versions),
    }
