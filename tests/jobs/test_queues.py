"""Which deliveries wait for which."""

from __future__ import annotations

from datetime import UTC, date, datetime
from random import Random

from catalog.catalog import Catalog
from catalog.vocabulary import Mode
from jobs.parallel import in_dependency_order
from jobs.queues import Queue, queues_of, waits_for
from lake.deliveries import DeliveredFile, Delivery

READING, STATION = "environment.air_reading", "environment.air_station"
PENALTY, CLASSES = "credit.administrative_penalty", "reference.penalty_class"
DAYS = tuple(date(2025, 3, day) for day in (3, 4, 5))


def delivery(dataset: str, day: date, revision: int = 1, size: int = 1) -> Delivery:
    """One that has landed."""
    file = DeliveredFile("a.csv", "0" * 64, size)
    received_at = datetime(2025, 3, 6, tzinfo=UTC)
    name = f"{dataset} {day} {revision}"
    return Delivery(name, dataset, "bureau", day, revision, Mode.SNAPSHOT, (file,), received_at)


def begun(catalog: Catalog, *queues: Queue) -> list[Queue]:
    """The queues in the order in which one thread begins them."""
    order: list[Queue] = []
    in_dependency_order(waits_for(catalog, queues), order.append, threads=1, stop=lambda: None)
    return order


def test_a_queue_holds_the_revisions_of_a_date_and_the_largest_of_a_date_comes_first() -> None:
    first, second = delivery(STATION, DAYS[0], 1, size=5), delivery(STATION, DAYS[0], 2, size=5)
    large, later = delivery(READING, DAYS[0], size=11), delivery(PENALTY, DAYS[1], size=99)

    queues = queues_of([later, second, large, first])

    assert list(queues.items()) == [
        ((READING, DAYS[0]), [large]),
        ((STATION, DAYS[0]), [first, second]),
        ((PENALTY, DAYS[1]), [later]),
    ]


def test_what_is_looked_up_as_of_a_date_comes_before_and_its_next_state_after(
    catalog: Catalog,
) -> None:
    given = [(name, day) for day in DAYS for name in (READING, STATION)]

    assert begun(catalog, *given) == [(name, day) for day in DAYS for name in (STATION, READING)]


def test_a_lookup_that_was_not_delivered_on_the_date_is_taken_as_it_was_before(
    catalog: Catalog,
) -> None:
    waiting = waits_for(catalog, [(STATION, DAYS[0]), (READING, DAYS[1]), (STATION, DAYS[2])])

    assert waiting == {
        (STATION, DAYS[0]): [],
        (READING, DAYS[1]): [(STATION, DAYS[0])],
        (STATION, DAYS[2]): [(STATION, DAYS[0]), (READING, DAYS[1])],
    }


def test_datasets_that_do_not_look_each_other_up_do_not_wait_for_each_other(
    catalog: Catalog,
) -> None:
    waiting = waits_for(catalog, [(PENALTY, DAYS[0]), (READING, DAYS[1]), (READING, DAYS[2])])

    assert waiting == {
        (PENALTY, DAYS[0]): [],
        (READING, DAYS[1]): [],
        (READING, DAYS[2]): [(READING, DAYS[1])],
    }


def test_every_delivery_of_the_city_sees_exactly_what_it_looks_up_as_of_its_date(
    catalog: Catalog,
) -> None:
    dice = Random(7)
    names = [contract.id for contract in catalog.sources()]
    given = [(name, day) for name in names for day in DAYS if dice.random() < 0.7]
    dice.shuffle(given)

    place = {queue: number for number, queue in enumerate(begun(catalog, *given))}

    assert place.keys() == set(given)
    for name, day in given:
        for looked_up in catalog.get(name).looked_up & set(names):
            for at in DAYS:
                if (looked_up, at) in place:
                    assert (place[looked_up, at] < place[name, day]) == (at <= day)
