from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LedgerBroken
from catalog.vocabulary import Mode
from lake.deliveries import (
    Counts,
    DeliveredFile,
    Delivery,
    Plan,
    delivery_id,
    receipt,
    utc_now,
)
from lake.splits import Split

DAY = date(2025, 3, 3)
HASHES = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=4)
DATASETS = st.sampled_from(["population.person", "population.household", "credit.tax_rating"])


def delivery(dataset: str = "population.person", *hashes: str) -> Delivery:
    return Delivery(
        delivery_id(dataset, DAY, Mode.SNAPSHOT, hashes),
        dataset,
        "public_security",
        DAY,
        1,
        Mode.SNAPSHOT,
        tuple(DeliveredFile(f"{n}.csv", one, 10, n) for n, one in enumerate(hashes)),
        datetime(2025, 3, 4, 1, 2, 3, 456000, UTC),
    )


COUNTS = Counts(10, 7, 2, 1, 3, 4, 2, 1, {"name_length": 1}, {"id_required": 2})


def test_the_id_is_known_by_value() -> None:
    made = delivery_id("population.person", DAY, Mode.SNAPSHOT, ["bb", "aa"])

    text = b'["population.person", "2025-03-03", "snapshot", ["aa", "bb"]]'
    assert made == sha256(text).hexdigest()[:32]


@given(HASHES, st.randoms())
def test_the_id_does_not_depend_on_the_order_of_files(hashes: list[str], random: Random) -> None:
    shuffled = list(hashes)
    random.shuffle(shuffled)

    assert delivery_id("a.b", DAY, Mode.APPEND, hashes) == delivery_id(
        "a.b", DAY, Mode.APPEND, shuffled
    )


@given(
    st.tuples(DATASETS, st.dates(), st.sampled_from(Mode), HASHES.map(sorted)),
    st.tuples(DATASETS, st.dates(), st.sampled_from(Mode), HASHES.map(sorted)),
)
def test_two_deliveries_have_one_id_only_when_they_are_equal(
    one: tuple[str, date, Mode, list[str]], other: tuple[str, date, Mode, list[str]]
) -> None:
    assert (delivery_id(*one) == delivery_id(*other)) is (one == other)


def test_a_file_that_comes_twice_in_one_delivery_counts_twice() -> None:
    once = delivery_id("a.b", DAY, Mode.APPEND, ["a" * 64])
    twice = delivery_id("a.b", DAY, Mode.APPEND, ["a" * 64, "a" * 64])

    assert once != twice


@given(st.lists(st.tuples(st.dates(), st.integers(1, 20)), min_size=2, max_size=8))
def test_deliveries_stand_in_the_order_of_date_then_revision(
    places: list[tuple[date, int]],
) -> None:
    made = [replace(delivery(), business_date=day, revision=r) for day, r in places]

    ordered = sorted(made, key=lambda d: d.order)

    assert [(d.business_date, d.revision) for d in ordered] == sorted(places)


def test_a_delivery_survives_json() -> None:
    made = delivery("population.person", "a" * 64, "b" * 64)

    assert Delivery.of(json.loads(json.dumps(made.document()))) == made


def test_where_a_file_may_be_parted_survives_json_and_is_absent_elsewhere() -> None:
    plain = delivery("population.person", "a" * 64)
    split = Split("0123456789abcdef", ((7, 0), (70_000_000, 500_000)))
    made = replace(plain, files=(replace(plain.files[0], split=split),))

    assert Delivery.of(json.loads(json.dumps(made.document()))) == made
    assert "split" not in plain.document()["files"][0]


def test_a_record_whose_files_were_changed_is_not_believed() -> None:
    document = delivery("population.person", "a" * 64).document()
    document["files"][0]["sha256"] = "c" * 64

    with pytest.raises(LedgerBroken, match=r"population\.person 2025-03-03.*restore the record"):
        Delivery.of(document)


def test_a_plan_survives_json() -> None:
    plan = Plan("ab", "hash", {"raw.a__b": None, "curated.a__b": 4}, COUNTS, False, ("raw",))

    assert Plan.of(json.loads(json.dumps(plan.document()))) == plan


def test_counts_that_add_up_are_taken() -> None:
    assert COUNTS.received == 10
    assert Counts.of(json.loads(json.dumps(COUNTS.document()))) == COUNTS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"received": 11}, "received 11 is not accepted 7", id="a-row-is-lost"),
        pytest.param({"duplicates": 2}, "duplicates 2", id="a-row-counts-twice"),
        pytest.param({"applied": 5}, "accepted 7 is not applied 5", id="accepted-does-not-add-up"),
        pytest.param({"superseded": 0}, "superseded 0", id="superseded-is-part-of-accepted"),
        pytest.param({"deleted": -1}, "below zero: deleted", id="a-count-is-negative"),
    ],
)
def test_counts_that_do_not_add_up_cannot_be_made(change: dict[str, int], told: str) -> None:
    with pytest.raises(LedgerBroken, match=told):
        replace(COUNTS, **change)  # type: ignore[arg-type]


def test_deleted_rows_stand_beside_the_sum() -> None:
    assert replace(COUNTS, deleted=99).received == 10


def test_a_receipt_tells_the_same_each_time_it_is_made() -> None:
    made = delivery("population.person", "a" * 64)
    plan = Plan(made.delivery_id, "hash", {"raw.a__b": None}, COUNTS, False, ("raw",))

    first, again = (receipt(made, plan, {"raw.a__b": 0}) for _ in range(2))

    assert first == again
    assert first["status"] == "settled"
    assert first["plan"]["counts"]["quarantined"] == 2
    assert first["versions"] == {"raw.a__b": 0}


def test_now_is_utc_to_the_millisecond() -> None:
    now = utc_now()

    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
