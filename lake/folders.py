"""
Which folders of an inbox have been read already: an inbox is only looked at, never emptied, and
may hold years.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lake.deliveries import DeliveryStatus
from lake.state import deliveries, folders, reading, writing


@dataclass(frozen=True)
class KnownFolder:
    """A folder that was read: by what it is known again, and where its delivery stands."""

    content: str
    delivery_id: str
    revision: int
    status: DeliveryStatus
    received_at: datetime


def known_folders(state: sa.Engine) -> dict[str, KnownFolder]:
    """Every folder that was read, by its place in the inbox."""
    columns = deliveries.c.revision, deliveries.c.status, deliveries.c.received_at
    query = sa.select(folders, *columns).join(deliveries)
    with reading(state) as connection:
        return {
            place: KnownFolder(content, id_, revision, DeliveryStatus(status), received_at)
            for place, content, id_, revision, status, received_at in connection.execute(query)
        }


def remember(state: sa.Engine, read: Mapping[str, tuple[str, str]]) -> None:
    """
    Keep by what each of these places is known again, and of which delivery it is.

    What is lost of it is read once more, and nothing else.
    """
    if not read:
        return
    rows = [
        {"place": place, "content": content, "delivery_id": id_}
        for place, (content, id_) in read.items()
    ]
    with writing(state, durable=False) as connection:
        places = [{"known": place} for place in read]
        connection.execute(folders.delete().where(folders.c.place == sa.bindparam("known")), places)
        connection.execute(folders.insert(), rows)
