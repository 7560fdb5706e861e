"""Refreshes compute only the rows that changes can touch: tables are as if computed whole."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.catalog import Catalog
from jobs.run import RunReport
from lake.engine import Engine
from lake.engines.embedded import EmbeddedEngine
from lake.state import opened, refreshes, writing
from tests.stories.conftest import DAYS
from tests.stories.homes import Home, make_home

PERSON, PERSON_KEY = "population.person", "population.person_key"
ENTITY, ENTITY_KEY = "legal_entity.entity", "legal_entity.entity_key"
EVENT, LICENCE, ADDRESS = "credit.credit_event", "licence.licence", "geography.address"
FOLLOWING = {PERSON, PERSON_KEY, ENTITY, ENTITY_KEY, EVENT, LICENCE, ADDRESS}
"""What follows changes: the registers, the golden tables, the models that make each row of one."""

HOUSEHOLD = "population.household_register"


@pytest.fixture(scope="module")
def first_day(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog, engine: Engine, city: Path
) -> Home:
    """A home that has run the first day; to be copied."""
    home = make_home(tmp_path_factory.mktemp("first") / "home", catalog, engine, city)
    deliver_all(home, DAYS[0])
    home.run(through=DAYS[0])
    return home


@pytest.fixture
def home(tmp_path: Path, first_day: Home) -> Home:
    """Where the second day has been loaded as well, and the models wait."""
    shutil.copytree(first_day.settings.home, tmp_path / "home")
    home = make_home(tmp_path / "home", first_day.catalog, first_day.engine, first_day.city)
    deliver_all(home, DAYS[1])
    home.run(through=DAYS[1], models=False)
    return home


def deliver_all(home: Home, day: date) -> None:
    home.deliver(*(contract.id for contract in home.catalog.sources()), day=day)


def computed(report: RunReport, *, in_part: bool) -> set[str]:
    """The datasets whose rows were computed in part, or all of them."""
    return {m.dataset for m in report.models if m.read and m.is_partial == in_part}


def assert_it_is_as_if_computed_whole(home: Home) -> None:
    """Where it is forgotten from what tables were computed, all is, and nothing is found to do."""
    before = home.versions()
    with opened(home.settings.state_url) as state, writing(state) as connection:
        connection.execute(refreshes.delete())
    report = home.run(through=DAYS[-1])
    assert len(computed(report, in_part=False)) == len(report.models)
    assert home.versions() == before


def test_after_the_first_day_changes_tell_what_to_compute(home: Home) -> None:
    second = home.run(through=DAYS[1])
    deliver_all(home, DAYS[2])
    third = home.run(through=DAYS[2])

    assert computed(second, in_part=True) == computed(third, in_part=True) == FOLLOWING
    models = (*second.models, *third.models)
    assert {m.dataset for m in models if m.upserted} >= FOLLOWING
    assert {m.dataset for m in models if m.deleted} >= {ENTITY, EVENT, LICENCE, ADDRESS}
    assert_it_is_as_if_computed_whole(home)


def test_where_the_change_feed_was_cleaned_all_is_computed(home: Home) -> None:
    folder = Path(home.tables.path("curated.population__household_register")) / "_change_data"
    for file in folder.iterdir():
        file.unlink()

    report = home.run(through=DAYS[1])

    assert computed(report, in_part=True) == FOLLOWING - {PERSON, PERSON_KEY}
    assert_it_is_as_if_computed_whole(home)


def test_a_table_that_somebody_else_has_changed_is_computed_whole(home: Home) -> None:
    table = DeltaTable(home.tables.path("thematic.population__person"))
    before = table.count()
    table.delete("sex_code = '1'")

    report = home.run(through=DAYS[1])

    assert computed(report, in_part=True) == FOLLOWING - {PERSON, EVENT, LICENCE}
    assert home.tables.rows("thematic.population__person") >= before
    assert_it_is_as_if_computed_whole(home)


def test_from_an_input_that_was_made_anew_all_is_computed(home: Home, tmp_path: Path) -> None:
    path = home.tables.path("curated.population__public_payroll")
    held = DeltaTable(path)
    rows, schema = held.to_pyarrow_table(), held.schema()
    shutil.rmtree(path)
    made = DeltaTable.create(path, schema, configuration={"delta.enableChangeDataFeed": "true"})
    write_deltalake(made, rows.slice(1), mode="append")

    with closing(EmbeddedEngine(tmp_path / "scratch")) as another:  # as a later process has one
        home = replace(home, engine=another)
        report = home.run(through=DAYS[1])
        assert computed(report, in_part=True) == FOLLOWING - {PERSON, PERSON_KEY}
        assert_it_is_as_if_computed_whole(home)


def test_by_another_definition_all_is_computed(home: Home) -> None:
    register = home.catalog.get(HOUSEHOLD)
    assert register.source is not None
    source = replace(register.source, sequence=None)  # of two records, the later one is another
    contracts = {**home.catalog.contracts, HOUSEHOLD: replace(register, source=source)}
    home = replace(home, catalog=replace(home.catalog, contracts=contracts))

    report = home.run(through=DAYS[1])

    assert computed(report, in_part=True) == FOLLOWING - {PERSON}
    assert_it_is_as_if_computed_whole(home)
