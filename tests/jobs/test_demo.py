from __future__ import annotations

import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalog.errors import UsageError
from catalog.vocabulary import Mode
from jobs.demo import City, DemoReport, demo_settings
from lake.deliveries import Counts, Delivery, DeliveryStatus
from lake.entries import Entry
from lake.ledger import Ledger
from lake.settings import Settings, load_settings
from lake.state import open_state, opened

ENVIRON = {"REDCLIFF_SITE": str(Path(__file__).parents[2])}


def prepared(home: Path, city: City, engine: str | None = None) -> Settings:
    return demo_settings(city, profile=None, home=home, engine=engine, environ=ENVIRON)


def test_two_homes_of_one_seed_have_one_secret(tmp_path: Path) -> None:
    one = prepared(tmp_path / "one", City(seed=7))
    two = prepared(tmp_path / "two", City(seed=7, days=9))
    other = prepared(tmp_path / "other", City(seed=8))

    assert one.site_secret == two.site_secret != other.site_secret
    secret = tmp_path / "one" / "secret"
    assert secret.read_text() == one.site_secret.decode()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_same_demo_goes_on_in_its_home_also_with_another_engine(tmp_path: Path) -> None:
    first = prepared(tmp_path / "home", City(0.01, 2, 3))
    open_state(first.state_url).dispose()

    again = prepared(tmp_path / "home", City(0.01, 2, 3), engine="embedded")

    assert again.site_secret == first.site_secret
    assert again.engine == "embedded"


def test_another_demo_does_not_touch_the_home(tmp_path: Path) -> None:
    prepared(tmp_path / "home", City(0.01, 2, 3))

    with pytest.raises(UsageError, match=r"holds a demo with scale 0.01, days 2, seed 3; use"):
        prepared(tmp_path / "home", City(0.01, 2, 4))


def test_a_home_in_use_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("a secret of a real city")
    day, received = date(2025, 3, 3), datetime(2025, 3, 4, tzinfo=UTC)
    delivery = Delivery("a" * 32, "a.b", "health", day, 1, Mode.APPEND, (), received)
    with opened(f"sqlite:///{home / 'state.db'}") as state:
        Ledger(state).record(delivery, DeliveryStatus.LANDED)

    with pytest.raises(UsageError, match="is in use, and not by a demo"):
        prepared(home, City())

    assert (home / "secret").read_text() == "a secret of a real city"


def test_a_home_that_was_only_looked_at_takes_a_demo(tmp_path: Path) -> None:
    looked_at = load_settings("local", tmp_path / "home", ENVIRON)
    open_state(looked_at.state_url).dispose()

    found = prepared(tmp_path / "home", City())

    assert (tmp_path / "home" / "demo.json").exists()
    assert found.site_secret != looked_at.site_secret


def test_the_document_holds_every_delivery_and_table_and_nothing_else() -> None:
    day, received = date(2025, 3, 3), datetime(2025, 3, 4, tzinfo=UTC)
    dataset = "benefit.subsidy_payment"
    delivery = Delivery("a" * 32, dataset, "finance", day, 1, Mode.APPEND, (), received)
    settled = Entry(delivery, DeliveryStatus.SETTLED, counts=Counts(5, 3, 1, 1, 0, 3, 0, 0))
    refused = Entry(delivery, DeliveryStatus.REFUSED, "a.csv is empty")
    tables = {"curated.benefit__subsidy_payment": {"rows": 3, "version": 1}}

    document = DemoReport("spark", 1.23456, (settled, refused), tables, {}).to_json()

    same = {
        "dataset": dataset,
        "delivery_id": "a" * 32,
        "business_date": "2025-03-03",
    }
    counts = {"received": 5, "accepted": 3, "quarantined": 1, "duplicates": 1, "deleted": 0}
    assert document == {
        "engine": "spark",
        "seconds": 1.235,
        "deliveries": [
            {**same, "status": "settled", "reason": None, **counts},
            {**same, "status": "refused", "reason": "a.csv is empty", **dict.fromkeys(counts)},
        ],
        "tables": tables,
    }
