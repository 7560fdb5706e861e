"""The whole city on either engine, and on both by turns: the same lake."""

from __future__ import annotations

from itertools import cycle, islice

import pytest

from lake.deliveries import DeliveryStatus
from lake.ledger import Ledger
from lake.state import open_state
from tests.extent import DAYS
from tests.parity.chronicles import EMBEDDED, LARGE, SPARK, Chronicle, only_wide
from tests.parity.comparing import differences


def test_both_engines_make_the_same_lake_of_a_city(chronicle: Chronicle) -> None:
    embedded, spark = chronicle.home(*[EMBEDDED] * DAYS), chronicle.home(*[SPARK] * DAYS)

    found = differences(embedded, spark)

    assert not found, found


def test_the_city_that_is_compared_has_every_kind_of_table_and_fault(chronicle: Chronicle) -> None:
    home = chronicle.home(*[SPARK] * DAYS)
    tables = home.tables.names()
    state = open_state(home.settings.state_url)
    settled = [e.counts for e in Ledger(state).entries() if e.status is DeliveryStatus.SETTLED]
    state.dispose()

    assert {table.partition(".")[0] for table in tables} == {"raw", "curated", "thematic"}
    assert {table.rpartition("__")[2] for table in tables} >= {"quarantine", "history"}
    assert all(home.tables.rows(t) for t in tables if t.startswith("thematic."))
    for outcome in ("accepted", "quarantined", "duplicates", "deleted"):
        assert sum(getattr(counts, outcome) for counts in settled) > 0, outcome


@pytest.mark.parametrize(
    ("turns", "last"),
    [
        pytest.param((EMBEDDED,), SPARK, id="embedded-begins"),
        pytest.param((SPARK, EMBEDDED), SPARK, id="spark-begins"),
        pytest.param((EMBEDDED, SPARK), EMBEDDED, id="by-turns", marks=only_wide),
        pytest.param((EMBEDDED,), LARGE, id="spark-ends-at-large", marks=only_wide),
    ],
)
def test_a_lake_that_one_engine_began_is_continued_by_the_other(
    chronicle: Chronicle, turns: tuple[str, ...], last: str
) -> None:
    twin = chronicle.home(*[EMBEDDED] * (DAYS + 1))
    home = chronicle.home(*islice(cycle(turns), DAYS), last)

    found = differences(twin, home)

    assert not found, found
