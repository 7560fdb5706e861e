"""Key registers and golden tables look at what has changed alone, and are as if computed whole."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.catalog import Catalog
from jobs import thematic
from jobs.changed import add_changed
from lake.engine import Engine
from lake.engines.embedded import EmbeddedEngine
from lake.state import opened, refreshes, writing
from tests.stories.conftest import DAYS
from tests.stories.homes import Home, make_home

PERSON, PERSON_KEY = "thematic.population__person", "thematic.population__person_key"
ENTITY, ENTITY_KEY = "thematic.legal_entity__entity", "thematic.legal_entity__entity_key"
HOUSEHOLD = "population.household_register"

Looked = Mapping[str, set[str]]
"""The datasets at whose changes a table's refresh looked; none where these did not tell enough."""


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Looked:
    """What refreshes look at; a table of which all was computed from the start is not in it."""
    seen: dict[str, set[str]] = {}

    def noted(context: Any, workspace: Any, table: str, *rest: Any) -> Collection[str]:
        found = add_changed(context, workspace, table, *rest)
        seen[table] = set(found)
        return found

    monkeypatch.setattr(thematic, "add_changed", noted)
    return seen


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


def assert_it_is_as_if_computed_whole(home: Home) -> None:
    """Where it is forgotten from what tables were computed, all is, and nothing is found to do."""
    before = home.versions()
    with opened(home.settings.state_url) as state, writing(state) as connection:
        connection.execute(refreshes.delete())
    report = home.run(through=DAYS[-1])
    assert all(model.read for model in report.models)
    assert home.versions() == before


def test_after_the_first_day_refreshes_look_at_changes_alone(home: Home, looked: Looked) -> None:
    home.run(through=DAYS[1])
    on_day_two = dict(looked)
    deliver_all(home, DAYS[2])
    home.run(through=DAYS[2])

    for seen in (on_day_two, looked):
        assert seen.keys() == {PERSON, PERSON_KEY, ENTITY, ENTITY_KEY}
        assert {"population.person_key", HOUSEHOLD} < seen[PERSON]
        assert HOUSEHOLD in seen[PERSON_KEY]
        # It came on the first day and not again.
        assert "population.public_payroll" not in seen[PERSON] | seen[PERSON_KEY]
    assert_it_is_as_if_computed_whole(home)


def test_where_the_change_feed_was_cleaned_all_is_computed(home: Home, looked: Looked) -> None:
    folder = Path(home.tables.path("curated.population__household_register")) / "_change_data"
    for file in folder.iterdir():
        file.unlink()

    home.run(through=DAYS[1])

    assert (looked[PERSON], looked[PERSON_KEY]) == (set(), set())
    assert looked[ENTITY]
    assert_it_is_as_if_computed_whole(home)


def test_a_table_that_somebody_else_has_changed_is_computed_whole(
    home: Home, looked: Looked
) -> None:
    table = DeltaTable(home.tables.path(PERSON))
    before = home.tables.rows(PERSON)
    table.delete("sex_code = '1'")

    home.run(through=DAYS[1])

    assert PERSON not in looked
    assert home.tables.rows(PERSON) >= before
    assert_it_is_as_if_computed_whole(home)


def test_from_an_input_that_was_made_anew_all_is_computed(
    home: Home, looked: Looked, tmp_path: Path
) -> None:
    path = home.tables.path("curated.population__public_payroll")
    held = DeltaTable(path)
    rows, schema = held.to_pyarrow_table(), held.schema()
    shutil.rmtree(path)
    made = DeltaTable.create(path, schema, configuration={"delta.enableChangeDataFeed": "true"})
    write_deltalake(made, rows.slice(1), mode="append")

    with closing(EmbeddedEngine(tmp_path / "scratch")) as another:  # as a later process has one
        home = replace(home, engine=another)
        home.run(through=DAYS[1])
        assert looked.keys() == {ENTITY, ENTITY_KEY}
        assert_it_is_as_if_computed_whole(home)


def test_by_another_definition_all_is_computed(home: Home, looked: Looked) -> None:
    register = home.catalog.get(HOUSEHOLD)
    assert register.source is not None
    source = replace(register.source, sequence=None)  # of two records, the later one is another
    contracts = {**home.catalog.contracts, HOUSEHOLD: replace(register, source=source)}
    home = replace(home, catalog=replace(home.catalog, contracts=contracts))

    home.run(through=DAYS[1])

    assert looked.keys() == {PERSON_KEY, ENTITY, ENTITY_KEY}
    assert_it_is_as_if_computed_whole(home)
