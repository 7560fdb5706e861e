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


def test_what_changes_do_not_surely_tell_is_computed_whole(home: Home, tmp_path: Path) -> None:
    """Each of these concerns tables of its own, so that one run shows them all."""
    clean_feed(home, "curated.population__household_register")
    change_by_hand(home, "thematic.geography__address", gone="status_code = '1'")
    make_anew(home, "curated.licence__food_licence")
    register = home.catalog.get("legal_entity.market_register")
    assert register.source is not None
    assert register.source.sequence is not None
    source = replace(register.source, sequence=None)  # of two records the later one is another
    another = replace(register, source=source, content_hash="another")
    contracts = {**home.catalog.contracts, register.id: another}

    with closing(EmbeddedEngine(tmp_path / "scratch")) as engine:  # as a later process has one
        catalog = replace(home.catalog, contracts=contracts)
        home = replace(home, catalog=catalog, engine=engine)
        report = home.run(through=DAYS[1])

        whole = {PERSON, PERSON_KEY, ADDRESS, LICENCE, ENTITY, ENTITY_KEY}
        assert computed(report, in_part=True) == FOLLOWING - whole
        assert computed(report, in_part=False) >= whole
        assert_it_is_as_if_computed_whole(home)


def clean_feed(home: Home, table: str) -> None:
    """As VACUUM does, once the files are old enough."""
    for file in (Path(home.tables.path(table)) / "_change_data").iterdir():
        file.unlink()


def change_by_hand(home: Home, table: str, *, gone: str) -> None:
    deleted = DeltaTable(home.tables.path(table)).delete(gone)
    assert deleted["num_deleted_rows"] > 0


def make_anew(home: Home, table: str) -> None:
    """Another table in the place of the old one, as new as that, with a row less."""
    path = home.tables.path(table)
    held = DeltaTable(path)
    rows, schema = held.to_pyarrow_table(), held.schema()
    shutil.rmtree(path)
    made = DeltaTable.create(path, schema, configuration={"delta.enableChangeDataFeed": "true"})
    for part in (rows.slice(1, 1), rows.slice(2)):
        write_deltalake(made, part, mode="append")
    assert DeltaTable(path).version() == held.version()
