from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.catalog import Catalog
from catalog.errors import ContractNotFound
from catalog.vocabulary import Mode
from jobs.status import delivery_document, status
from lake.deliveries import Counts, Delivery, DeliveryStatus
from lake.ledger import Ledger
from lake.settings import Settings, load_settings
from lake.state import open_state

REPOSITORY = Path(__file__).parents[2]
REGISTER = "population.household_register"
COUNTS = Counts(10, 8, 1, 1, 2, 6, 2, 0)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load(REPOSITORY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, tmp_path / "home", {"REDCLIFF_SITE": str(REPOSITORY)})


def delivered(number: int, dataset: str = REGISTER) -> Delivery:
    return Delivery(
        delivery_id=f"{number:032}",
        dataset=dataset,
        provider="public_security",
        business_date=date(2025, 3, number),
        revision=1,
        mode=Mode.SNAPSHOT,
        files=(),
        received_at=datetime(2025, 3, 9, tzinfo=UTC),
    )


def test_a_new_home_has_nothing_to_tell(settings: Settings, catalog: Catalog) -> None:
    report = status(settings, catalog)

    nothing: dict[str, list[object]] = {
        "datasets": [],
        "pending": [],
        "held": [],
        "refused": [],
        "runs": [],
    }
    assert report.to_json() == nothing


def test_the_last_runs_are_told_with_their_records(settings: Settings, catalog: Catalog) -> None:
    ledger = Ledger(open_state(settings.state_url))
    record: dict[str, list[object]] = {"deliveries": [], "models": []}
    for number in range(7):
        run_id = ledger.start_run(run_date=date(2025, 3, number + 1), dataset=None, engine="spark")
        if number < 6:
            ledger.end_run(run_id, "ended", record)

    runs = status(settings, catalog).to_json()["runs"]

    assert [run["run_date"] for run in runs] == [f"2025-03-0{n}" for n in (7, 6, 5, 4, 3)]
    assert (runs[0]["outcome"], runs[0]["record"], runs[0]["ended_at"]) == (None, None, None)
    assert (runs[1]["outcome"], runs[1]["record"], runs[1]["engine"]) == ("ended", record, "spark")


def test_a_dataset_is_told_with_its_last_settled_delivery_and_its_tables(
    settings: Settings, catalog: Catalog
) -> None:
    ledger = Ledger(open_state(settings.state_url))
    for number in (3, 4, 5):
        ledger.record(delivered(number), DeliveryStatus.LANDED)
    ledger.settle(f"{4:032}", COUNTS, {}, 1.5)
    ledger.settle(f"{3:032}", COUNTS, {}, 1.5)
    for part, rows in (("", 3), ("__quarantine", 1), ("_other", 9)):
        place = f"{settings.lake}/curated/population__household_register{part}"
        write_deltalake(place, pa.table({"n": list(range(rows))}))

    (dataset,) = status(settings, catalog).datasets

    assert dataset.dataset == REGISTER
    assert dataset.business_name == "户籍人口登记"
    assert dataset.deliveries == {"landed": 1, "settled": 2, "held": 0, "refused": 0}
    assert dataset.last is not None
    assert dataset.last.delivery.business_date == date(2025, 3, 4)
    assert dataset.tables == {
        "curated.population__household_register": {"rows": 3, "version": 0},
        "curated.population__household_register__quarantine": {"rows": 1, "version": 0},
    }


def test_what_waits_is_told_by_who_has_to_act(settings: Settings, catalog: Catalog) -> None:
    ledger = Ledger(open_state(settings.state_url))
    for number in (3, 4, 5):
        ledger.record(delivered(number), DeliveryStatus.LANDED)
    ledger.hold(f"{4:032}", "200 of 300 keys vanish", COUNTS)
    ledger.refuse(f"{5:032}", "a.csv: cannot be decoded")

    report = status(settings, catalog)

    assert [delivery_document(e) for e in report.held] == [
        {
            "dataset": REGISTER,
            "delivery_id": f"{4:032}",
            "business_date": "2025-03-04",
            "status": "held",
            "reason": "200 of 300 keys vanish",
            "received": 10,
            "accepted": 8,
            "quarantined": 1,
            "duplicates": 1,
            "deleted": 2,
        }
    ]
    assert [e.delivery.delivery_id for e in report.pending] == [f"{3:032}"]
    assert [(e.reason, e.counts) for e in report.refused] == [("a.csv: cannot be decoded", None)]


def test_a_held_delivery_that_a_newer_one_has_ended_waits_no_more(
    settings: Settings, catalog: Catalog
) -> None:
    ledger = Ledger(open_state(settings.state_url))
    for number in (3, 4):
        ledger.record(delivered(number), DeliveryStatus.LANDED)
    ledger.hold(f"{3:032}", "200 of 300 keys vanish", COUNTS)
    ledger.settle(f"{4:032}", COUNTS, {}, 1.5)

    assert status(settings, catalog).held == ()


def test_one_dataset_can_be_asked_for(settings: Settings, catalog: Catalog) -> None:
    ledger = Ledger(open_state(settings.state_url))
    ledger.record(delivered(3), DeliveryStatus.LANDED)
    ledger.record(delivered(4, "population.floating_register"), DeliveryStatus.LANDED)

    report = status(settings, catalog, "population.floating_register")

    assert [d.dataset for d in report.datasets] == ["population.floating_register"]
    assert [e.delivery.dataset for e in report.pending] == ["population.floating_register"]
    with pytest.raises(ContractNotFound):
        status(settings, catalog, "population.floating_registr")
