from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import LedgerBroken, UsageError
from catalog.vocabulary import Mode
from lake.deliveries import (
    Counts,
    DeliveredFile,
    Delivery,
    DeliveryStatus,
    Plan,
    delivery_id,
    receipt,
)
from lake.landing import Landing
from lake.ledger import Computed, Ledger, Verdict, rebuild
from lake.state import deliveries, opened, writing
from tests.databases import NewStore

DAY = date(2025, 3, 3)
COUNTS = Counts(3, 2, 1, 0, 0, 2, 0, 0, {}, {"id_required": 1})
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0)
VERSIONS = {"raw.a__b": 0, "curated.a__b": 1}
LANDED, SETTLED, HELD, REFUSED = DeliveryStatus


@pytest.fixture
def ledger(state: sa.Engine) -> Ledger:
    return Ledger(state)


def delivery(
    dataset: str = "a.b", day: date = DAY, revision: int = 1, content: str = ""
) -> Delivery:
    sha256 = content or f"{dataset}{day}{revision}"
    return Delivery(
        delivery_id(dataset, day, Mode.SNAPSHOT, [sha256]),
        dataset,
        "health",
        day,
        revision,
        Mode.SNAPSHOT,
        (DeliveredFile("a.csv", sha256, 10, 3), DeliveredFile("b.csv", sha256, 10)),
        datetime(2025, 3, 4, 1, 2, 3, 456000, UTC),
    )


def made_id(one: Delivery) -> Delivery:
    hashes = [file.sha256 for file in one.files]
    return replace(one, delivery_id=delivery_id(one.dataset, one.business_date, one.mode, hashes))


def plan(one: Delivery) -> Plan:
    return Plan(one.delivery_id, "hash", {"raw.a__b": None}, COUNTS, False, ("raw", "settle"))


def test_a_landed_delivery_comes_back_as_it_went_in(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)

    entry = ledger.entry(delivery().delivery_id)
    assert entry.delivery == delivery()
    assert (entry.status, entry.reason, entry.counts, entry.released) == (LANDED, None, None, False)


def test_recording_what_is_known_changes_nothing(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)

    ledger.record(replace(delivery(), revision=9, provider="tax"), LANDED)

    assert [entry.delivery for entry in ledger.entries()] == [delivery()]


def test_an_unknown_delivery_is_told_apart(ledger: Ledger) -> None:
    assert ledger.find("0123") is None
    with pytest.raises(UsageError, match="the ledger knows no delivery '0123'; see `redcliff"):
        ledger.entry("0123")


def test_pending_takes_dates_in_order_and_code_tables_first(ledger: Ledger) -> None:
    later = DAY + timedelta(days=1)
    expected = [
        delivery("reference.sex"),
        delivery("a.b"),
        delivery("a.b", revision=2),
        delivery("referencelike.x"),
        delivery("reference.sex", later),
        delivery("a.b", later),
    ]
    for one in reversed(expected):
        ledger.record(one, LANDED)

    assert ledger.pending(None) == expected
    assert ledger.pending(DAY) == expected[:4]
    assert ledger.pending(DAY - timedelta(days=1)) == []


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # emptied for each example
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a.b", "a.c"]), st.integers(0, 3), st.integers(1, 3)),
        unique=True,
        max_size=6,
    )
)
def test_what_is_settled_comes_in_business_order_whatever_the_order_of_arrival(
    state: sa.Engine, places: list[tuple[str, int, int]]
) -> None:
    ledger = Ledger(state)
    with writing(state) as connection:
        connection.execute(deliveries.delete())
    for dataset, days, revision in places:
        one = delivery(dataset, DAY + timedelta(days), revision)
        ledger.record(one, LANDED)
        ledger.settle(one.delivery_id, COUNTS, VERSIONS, 1.0)

    found = [d.order for d in ledger.settled("a.b")]

    assert found == sorted(
        (DAY + timedelta(days), revision) for name, days, revision in places if name == "a.b"
    )


def test_settling_keeps_counts_versions_and_the_contract_of_the_plan(ledger: Ledger) -> None:
    one = delivery()
    ledger.record(one, LANDED)
    ledger.save_plan(plan(one))

    ledger.settle(one.delivery_id, COUNTS, VERSIONS, 1.5)

    entry = ledger.entry(one.delivery_id)
    assert (entry.status, entry.counts, entry.versions) == (SETTLED, COUNTS, VERSIONS)
    assert (entry.contract_hash, entry.seconds) == ("hash", 1.5)
    assert ledger.pending(None) == []


def test_settling_again_is_only_possible_with_the_same_counts(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)
    ledger.settle(delivery().delivery_id, COUNTS, VERSIONS, 1.5)

    ledger.settle(delivery().delivery_id, COUNTS, {}, 99.0)
    with pytest.raises(LedgerBroken, match="is settled and cannot become settled"):
        ledger.settle(delivery().delivery_id, NOTHING, {}, 99.0)

    entry = ledger.entry(delivery().delivery_id)
    assert (entry.counts, entry.versions, entry.seconds) == (COUNTS, VERSIONS, 1.5)


def land(ledger: Ledger, id_: str) -> None:
    ledger.record(delivery(), LANDED)


def settle(ledger: Ledger, id_: str) -> None:
    ledger.settle(id_, COUNTS, VERSIONS, 1.0)


def hold(ledger: Ledger, id_: str) -> None:
    ledger.hold(id_, "60 % of the keys vanish", COUNTS)


def refuse(ledger: Ledger, id_: str) -> None:
    ledger.refuse(id_, "a.csv: undecodable")


def release(ledger: Ledger, id_: str) -> None:
    ledger.decide(id_, Verdict.RELEASED, "officer")


Step = Callable[[Ledger, str], None]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        pytest.param([settle], SETTLED, id="landed-settles"),
        pytest.param([hold], HELD, id="landed-is-held"),
        pytest.param([hold, release], LANDED, id="held-is-released"),
        pytest.param([hold, release, settle], SETTLED, id="released-settles"),
        pytest.param([refuse], REFUSED, id="landed-is-refused"),
        pytest.param([refuse, land], LANDED, id="refused-comes-again"),
        pytest.param([refuse, refuse], REFUSED, id="refused-for-another-reason"),
    ],
)
def test_a_status_changes_along_its_ways(
    ledger: Ledger, steps: list[Step], status: DeliveryStatus
) -> None:
    ledger.record(delivery(), LANDED)

    for step in steps:
        step(ledger, delivery().delivery_id)

    assert ledger.entry(delivery().delivery_id).status is status


@pytest.mark.parametrize(
    ("before", "step", "told"),
    [
        pytest.param([settle], hold, "settled and cannot become held", id="settled-is-not-held"),
        pytest.param([settle], refuse, "settled and cannot become refused", id="settled-stays"),
        pytest.param([settle], release, "only a held delivery can be released", id="not-held"),
        pytest.param([hold], settle, "held and cannot become settled", id="held-waits"),
        pytest.param([hold], refuse, "held and cannot become refused", id="held-is-not-refused"),
        pytest.param([refuse], settle, "refused and cannot become settled", id="refused-stays"),
        pytest.param([refuse], release, "is refused, and only a held", id="refused-not-released"),
    ],
)
def test_other_ways_are_closed(ledger: Ledger, before: list[Step], step: Step, told: str) -> None:
    ledger.record(delivery(), LANDED)
    for earlier in before:
        earlier(ledger, delivery().delivery_id)
    standing = ledger.entry(delivery().delivery_id)

    with pytest.raises((LedgerBroken, UsageError), match=told):
        step(ledger, delivery().delivery_id)

    assert ledger.entry(delivery().delivery_id) == standing


def test_a_held_delivery_says_why_and_is_marked_when_released(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)
    ledger.save_plan(replace(plan(delivery()), held=True))
    hold(ledger, delivery().delivery_id)
    assert ledger.entry(delivery().delivery_id).reason == "60 % of the keys vanish"

    released = ledger.decide(delivery().delivery_id, Verdict.RELEASED, "officer")

    entry = ledger.entry(delivery().delivery_id)
    assert released == delivery()
    assert (entry.released, entry.reason, entry.counts) == (True, None, None)
    assert ledger.plan(delivery().delivery_id) is None
    assert ledger.pending(None) == [delivery()]


def test_a_newer_settled_delivery_ends_a_held_one_for_good(ledger: Ledger) -> None:
    held, other, newer = (
        delivery(),
        delivery("a.other"),
        delivery(revision=2),
    )
    for one in (held, other, newer):
        ledger.record(one, LANDED)
    hold(ledger, held.delivery_id)
    hold(ledger, other.delivery_id)

    settle(ledger, newer.delivery_id)

    assert ledger.entry(held.delivery_id).status is HELD
    assert ledger.entry(held.delivery_id).ended_by == newer.delivery_id
    assert ledger.entry(other.delivery_id).ended_by is None
    with pytest.raises(UsageError, match=f"ended by the newer delivery {newer.delivery_id}"):
        ledger.decide(held.delivery_id, Verdict.RELEASED, "officer")


def test_an_older_settled_delivery_does_not_end_a_held_one(ledger: Ledger) -> None:
    older, held = delivery(day=DAY - timedelta(days=1)), delivery()
    for one in (older, held):
        ledger.record(one, LANDED)
    hold(ledger, held.delivery_id)

    settle(ledger, older.delivery_id)

    assert ledger.entry(held.delivery_id).ended_by is None


def test_a_delivery_held_after_a_newer_one_settled_is_ended_at_once(ledger: Ledger) -> None:
    late, newer = delivery(), delivery(day=DAY + timedelta(days=1))
    for one in (late, newer):
        ledger.record(one, LANDED)
    settle(ledger, newer.delivery_id)

    hold(ledger, late.delivery_id)

    assert ledger.entry(late.delivery_id).ended_by == newer.delivery_id


def test_a_refused_delivery_gets_its_place_when_it_comes_in_order(ledger: Ledger) -> None:
    refused = replace(delivery(), revision=0, provider="tax")
    ledger.record(refused, REFUSED, "the wrong department")
    ledger.record(refused, REFUSED, "another reason")
    assert ledger.entry(refused.delivery_id).reason == "another reason"

    ledger.record(delivery(), LANDED)

    entry = ledger.entry(refused.delivery_id)
    assert (entry.status, entry.reason, entry.delivery) == (LANDED, None, delivery())


def test_a_kept_plan_is_never_changed(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)
    ledger.save_plan(plan(delivery()))
    ledger.save_plan(plan(delivery()))

    with pytest.raises(LedgerBroken, match="has another plan already"):
        ledger.save_plan(replace(plan(delivery()), contract_hash="other"))

    assert ledger.plan(delivery().delivery_id) == plan(delivery())


def test_a_refusal_forgets_the_plan(ledger: Ledger) -> None:
    ledger.record(delivery(), LANDED)
    ledger.save_plan(plan(delivery()))

    refuse(ledger, delivery().delivery_id)

    assert ledger.plan(delivery().delivery_id) is None


def test_the_last_refresh_of_a_model_is_remembered(ledger: Ledger) -> None:
    assert ledger.refreshed("population.person") is None
    inputs = {"curated.population__household_register": 3}
    one, other, two = (Computed(d, inputs, n) for n, d in enumerate(("one", "other", "two")))

    ledger.record_refresh("population.person", one, 0.5)
    ledger.record_refresh("population.household", other, 0.5)
    ledger.record_refresh("population.person", two, 0.5)

    assert ledger.refreshed("population.person") == two
    assert ledger.refreshed("population.household") == other


def test_runs_are_noted_with_how_they_ended(ledger: Ledger) -> None:
    first = ledger.start_run(run_date=DAY, dataset="a.b", engine="spark")
    ledger.end_run(first, "done", {"models": []})
    second = ledger.start_run(run_date=None, dataset=None, engine="spark")

    running, ended = ledger.runs()

    assert (ended.run_id, ended.run_date, ended.dataset) == (first, DAY, "a.b")
    assert (ended.outcome, ended.record) == ("done", {"models": []})
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at
    assert (running.run_id, running.outcome, running.ended_at) == (second, None, None)


def test_a_lost_ledger_is_rebuilt_from_landing(
    ledger: Ledger, new_store: NewStore, tmp_path: Path
) -> None:
    landing = Landing.at(str(tmp_path / "landing"))
    settled, landed = made_id(delivery()), made_id(delivery(revision=2, content="other"))
    for one in (settled, landed):
        landing.write_delivery(one)
        ledger.record(one, LANDED)
    ledger.save_plan(plan(settled))
    landing.write_receipt(settled, receipt(settled, plan(settled), VERSIONS))
    ledger.settle(settled.delivery_id, COUNTS, VERSIONS, 2.0)
    with opened(new_store()) as other:
        empty = Ledger(other)

        restored = rebuild(empty, landing)

        assert restored == [settled, landed]
        before, after = ledger.entries(), empty.entries()
        assert after == [replace(before[0], seconds=None), before[1]]
        assert empty.plan(settled.delivery_id) == plan(settled)
        assert empty.pending(None) == [landed]


def test_rebuilding_adds_only_what_is_missing(ledger: Ledger, tmp_path: Path) -> None:
    landing = Landing.at(str(tmp_path / "landing"))
    known, lost = made_id(delivery()), made_id(delivery("a.c"))
    for one in (known, lost):
        landing.write_delivery(one)
    ledger.record(known, LANDED)
    hold(ledger, known.delivery_id)
    standing = ledger.entry(known.delivery_id)

    assert rebuild(ledger, landing, "a.b") == []
    assert rebuild(ledger, landing) == [lost]
    assert rebuild(ledger, landing) == []
    assert ledger.entry(known.delivery_id) == standing


def test_a_record_wins_over_a_refusal_that_came_before_it(ledger: Ledger, tmp_path: Path) -> None:
    landing = Landing.at(str(tmp_path / "landing"))
    one = made_id(delivery())
    ledger.record(replace(one, revision=0), REFUSED, "wrong manifest")
    landing.write_delivery(one)

    assert rebuild(ledger, landing) == [one]

    entry = ledger.entry(one.delivery_id)
    assert (entry.status, entry.reason, entry.delivery.revision) == (LANDED, None, 1)


def test_a_decision_on_a_held_delivery_is_kept_with_who_made_it(ledger: Ledger) -> None:
    one = made_id(delivery())
    ledger.record(one, LANDED)
    ledger.hold(one.delivery_id, "60 % of the keys vanish", COUNTS)

    ledger.decide(one.delivery_id, Verdict.KEPT, "first officer")
    held = ledger.entry(one.delivery_id).status
    ledger.decide(one.delivery_id, Verdict.RELEASED, "second officer")

    assert held is DeliveryStatus.HELD
    assert ledger.entry(one.delivery_id).released
    assert [(d.verdict, d.decided_by) for d in ledger.decisions(one.delivery_id)] == [
        (Verdict.KEPT, "first officer"),
        (Verdict.RELEASED, "second officer"),
    ]
    with pytest.raises(UsageError, match="only a held delivery can be released"):
        ledger.decide(one.delivery_id, Verdict.KEPT, "third officer")
