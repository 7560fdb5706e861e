from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from catalog.calendar import closed_days, late_from
from catalog.catalog import Catalog

REPOSITORY = Path(__file__).parents[2]


def test_the_calendar_knows_holidays_and_weekends_that_are_worked() -> None:
    closed = closed_days(REPOSITORY)

    assert date(2025, 10, 1) in closed
    assert date(2025, 3, 8) in closed
    assert date(2025, 3, 10) not in closed
    assert date(2025, 1, 26) not in closed  # a Sunday that makes up for the Spring Festival


@pytest.mark.parametrize(
    ("frequency", "latency", "newest", "late"),
    [
        pytest.param("1d", "1d", date(2025, 3, 4), date(2025, 3, 7), id="the-day-after-tomorrow"),
        pytest.param("1d", "1d", date(2025, 3, 7), date(2025, 3, 12), id="over-a-weekend"),
        pytest.param("1h", "2h", date(2025, 3, 7), date(2025, 3, 10), id="machines-know-none"),
        pytest.param("1m", "5d", date(2025, 1, 31), date(2025, 3, 6), id="a-month-is-a-month"),
        pytest.param("1y", "30d", date(2024, 2, 29), date(2025, 3, 31), id="a-leap-year"),
        pytest.param(None, None, date(2025, 3, 4), None, id="no-frequency"),
    ],
)
def test_a_dataset_is_late_after_its_period_and_latency(
    catalog: Catalog, frequency: str | None, latency: str | None, newest: date, late: date | None
) -> None:
    contract = replace(
        catalog.get("population.household_register"), frequency=frequency, latency=latency
    )

    assert late_from(contract, newest, closed_days(REPOSITORY)) == late
