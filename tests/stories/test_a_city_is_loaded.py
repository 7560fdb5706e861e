"""The main job: three days of a small city become curated and thematic tables, exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from jobs.deliver import deliver
from jobs.progress import SilentProgress
from jobs.run import RunReport
from lake.engine import Engine
from tests.stories.conftest import DAYS
from tests.stories.homes import Home, make_home, truth

LAST = DAYS[1]
"""Two of the three days are enough: a first load, and a day of changes."""


@pytest.fixture(scope="module")
def loaded(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog, engine: Engine, city: Path
) -> tuple[Home, list[RunReport]]:
    """A home into which the whole city was delivered and run, day by day."""
    home = make_home(tmp_path_factory.mktemp("loaded") / "home", catalog, engine, city)
    deliver(home.settings, catalog, city / "inbox", SilentProgress())
    return home, [home.run(through=day) for day in DAYS if day <= LAST]


def test_every_delivery_has_the_counts_and_rules_of_the_truth(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, reports = loaded
    outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    rules: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in truth(home.city, "rows").to_pylist():
        if row["business_date"] <= LAST:
            key = row["dataset"], row["business_date"].isoformat()
            outcomes[key][row["outcome"]] += 1
            rules[key].update(row["rules"])

    found = {
        (r.delivery.dataset, r.delivery.business_date.isoformat()): r.counts
        for report in reports
        for r in report.deliveries
    }

    assert found.keys() == outcomes.keys()
    told = {
        key: (counts.accepted, counts.quarantined, counts.duplicates, dict(counts.broken))
        for key, counts in found.items()
        if counts is not None
    }
    expected = {
        key: (n["accepted"], n["quarantined"], n["duplicate"], dict(rules[key]))
        for key, n in outcomes.items()
    }
    assert told == expected
    assert sum(n["quarantined"] for n in outcomes.values()) > 0
    assert sum(n["duplicate"] for n in outcomes.values()) > 0


def test_quarantine_holds_the_bad_rows_with_what_stood_there(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    bad: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for row in truth(home.city, "rows").to_pylist():
        if row["outcome"] == "quarantined" and row["business_date"] <= LAST:
            bad[row["dataset"]].add((row["file"], row["row_number"]))

    for dataset, places in bad.items():
        table = f"curated.{dataset.replace('.', '__')}__quarantine"
        rows = home.rows(table)
        assert {(r["_file"], r["_row_number"]) for r in rows} <= places
        assert all(r["_record"] and r["_broken_rules"] for r in rows)
        assert len({r["_row_hash"] for r in rows if r["_closed_by"] is None}) == len(
            [r for r in rows if r["_closed_by"] is None]
        )


def test_golden_records_are_the_true_ones_that_have_an_identifier(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    for table, name, identity in (
        ("thematic.population__person", "persons", "citizen_id"),
        ("thematic.legal_entity__entity", "entities", "uscc"),
    ):
        expected = {
            row[identity]
            for row in truth(home.city, name).to_pylist()
            if row["first_identified_date"] is not None
            and row["first_identified_date"] <= LAST
            and (row["last_identified_date"] is None or row["last_identified_date"] >= LAST)
        }

        found = [row[identity] for row in home.rows(table)]

        assert len(found) == len(set(found))
        assert set(found) == expected


def test_every_golden_field_names_a_source_that_is_allowed_to_give_it(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    contract = home.catalog.get("population.person")
    allowed = {c.name: set(c.authority) for c in contract.columns if c.authority}

    for row in home.rows("thematic.population__person"):
        sources = dict(row["_sources"])
        assert set(sources) == {name for name in allowed if row[name] is not None}
        assert all(source in allowed[name] for name, source in sources.items())


def test_another_run_of_the_same_day_changes_no_table(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    before = home.versions()

    again = home.run(through=LAST)

    assert again.deliveries == ()
    assert home.versions() == before


def test_the_same_files_delivered_again_change_no_table(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    before = home.versions()

    report = deliver(home.settings, home.catalog, home.city / "inbox", SilentProgress()).to_json()
    home.run(through=LAST)

    assert report["outcomes"]["landed"] == 0
    assert report["outcomes"]["already"] > 0
    assert home.versions() == before


def test_another_delta_reader_sees_the_same_rows(loaded: tuple[Home, list[RunReport]]) -> None:
    home, reports = loaded
    told = {name: facts["rows"] for name, facts in reports[-1].tables.items()}

    assert told == {name: len(home.rows(name)) for name in home.tables.names()}
    assert {name.partition(".")[0] for name in told} == {"raw", "curated", "thematic"}


def test_tables_carry_chinese_comments_and_stay_inside_the_serving_profile(
    loaded: tuple[Home, list[RunReport]],
) -> None:
    home, _ = loaded
    for name in home.tables.names():
        table = home.tables.open(name)
        assert table is not None
        protocol = table.protocol()
        assert set(protocol.reader_features or ()) <= {"timestampNtz"}, name
        assert table.metadata().configuration["delta.enableChangeDataFeed"] == "true"
        assert table.metadata().description
        assert all(field.metadata.get("comment") for field in table.schema().fields), name
