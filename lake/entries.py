"""
One entry of the ledger: a delivery and where it stands, as a value and as a row of the state store.

A status changes only along these ways:

    landed  → settled, held, refused
    held    → landed, by release; once a newer delivery has settled it stays held for good
    refused → landed, when the department delivers it again in a form that can be taken;
              refused, when it comes again with another fault
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from catalog.errors import LedgerBroken, UsageError
from catalog.vocabulary import Mode
from lake.deliveries import Counts, DeliveredFile, Delivery, DeliveryStatus
from lake.state import deliveries

WAYS = {
    DeliveryStatus.LANDED: {
        DeliveryStatus.SETTLED,
        DeliveryStatus.HELD,
        DeliveryStatus.REFUSED,
    },
    DeliveryStatus.HELD: {DeliveryStatus.LANDED},
    DeliveryStatus.REFUSED: {DeliveryStatus.LANDED, DeliveryStatus.REFUSED},
    DeliveryStatus.SETTLED: set[DeliveryStatus](),
}


@dataclass(frozen=True)
class Entry:
    """
    What the ledger knows of one delivery.

    `counts` are there once it was judged (settled or held), `versions` (of the tables, after it)
    and `seconds` once it settled. `released`: an officer has said that it shall be applied
    although keys vanish. `ended_by`: the newer delivery that took its place while it was held.
    """

    delivery: Delivery
    status: DeliveryStatus
    reason: str | None = None
    released: bool = False
    ended_by: str | None = None
    contract_hash: str | None = None
    counts: Counts | None = None
    versions: Mapping[str, int] | None = None
    seconds: float | None = None


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """The delivery as columns of its row."""
    return {
        "delivery_id": delivery.delivery_id,
        "dataset": delivery.dataset,
        "provider": delivery.provider,
        "business_date": delivery.business_date,
        "revision": delivery.revision,
        "mode": delivery.mode.value,
        "files": [file.document() for file in delivery.files],
        "received_at": delivery.received_at,
    }


def delivery_of(row: sa.Row[Any]) -> Delivery:
    """The delivery of a row."""
    return Delivery(
        row.delivery_id,
        row.dataset,
        row.provider,
        row.business_date,
        row.revision,
        Mode(row.mode),
        tuple(DeliveredFile.of(file) for file in row.files),
        row.received_at,
    )


def entry_of(row: sa.Row[Any]) -> Entry:
    """The entry of a row."""
    return Entry(
        delivery_of(row),
        DeliveryStatus(row.status),
        row.reason,
        row.released,
        row.ended_by,
        row.contract_hash,
        None if row.counts is None else Counts.of(row.counts),
        row.versions,
        row.seconds,
    )


def find_entry(connection: sa.Connection, delivery_id: str) -> Entry | None:
    """The entry of a delivery, or None; while one writes, nobody else can change it."""
    query = sa.select(deliveries).where(deliveries.c.delivery_id == delivery_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else entry_of(row)


def known_entry(connection: sa.Connection, delivery_id: str) -> Entry:
    """The entry of a delivery; `UsageError` when the ledger does not know it."""
    entry = find_entry(connection, delivery_id)
    if entry is None:
        raise UsageError(f"the ledger knows no delivery {delivery_id!r}; see `redcliff status`")
    return entry


def move(
    connection: sa.Connection,
    entry: Entry,
    status: DeliveryStatus,
    values: Mapping[str, Any],
) -> None:
    """Change the status along one of `WAYS`, and `values` with it."""
    if status not in WAYS[entry.status]:
        raise LedgerBroken(
            f"{entry.delivery.dataset}: delivery {entry.delivery.delivery_id} is {entry.status} "
            f"and cannot become {status}; see `redcliff status`"
        )
    connection.execute(
        deliveries.update()
        .where(deliveries.c.delivery_id == entry.delivery.delivery_id)
        .values({"status": status.value, **values})
    )
