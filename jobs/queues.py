"""
In which order deliveries are loaded: dates and revisions of a dataset one after the other, and each
delivery between what it looks up as of its date and what changes that later.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date

from catalog.catalog import Catalog
from lake.deliveries import Delivery

Queue = tuple[str, date]
"""The deliveries of one dataset and business date, of which there may be several revisions."""


def queues_of(pending: Iterable[Delivery]) -> dict[Queue, list[Delivery]]:
    """The deliveries by dataset and date; dates in order, and of one date the largest first."""
    queues: dict[Queue, list[Delivery]] = {}
    for delivery in sorted(pending, key=lambda d: d.order):
        queues.setdefault((delivery.dataset, delivery.business_date), []).append(delivery)

    def place(queue: Queue) -> tuple[date, int, str]:
        # The longest delivery of a day should not begin last.
        return queue[1], -sum(f.bytes for d in queues[queue] for f in d.files), queue[0]

    return {queue: queues[queue] for queue in sorted(queues, key=place)}


def waits_for(catalog: Catalog, queues: Iterable[Queue]) -> dict[Queue, list[Queue]]:
    """
    Each queue with those that come right before it: its dataset's last one, what it looks up as of
    its date, and what has looked its dataset up as it was before.
    """
    queues = list(queues)
    days: dict[str, list[date]] = {}
    for name, day in sorted(queues, key=lambda queue: queue[1]):
        days.setdefault(name, []).append(day)
    looked_up = {name: catalog.get(name).looked_up & days.keys() for name in days}
    readers = {name: [one for one in days if name in looked_up[one]] for name in days}

    def before(name: str, place: int) -> list[Queue]:
        return [(name, days[name][place - 1])] if place else []

    def awaited(name: str, day: date) -> list[Queue]:
        found = [before(one, bisect_left(days[one], day)) for one in (name, *readers[name])]
        found += [before(one, bisect_right(days[one], day)) for one in looked_up[name]]
        return [queue for one in found for queue in one]

    return {queue: awaited(*queue) for queue in queues}
