from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import ContractNotFound, UsageError
from catalog.vocabulary import Theme
from jobs.demo import FIRST_DAY
from jobs.selection import EVERYTHING, Selection, select
from lake.engine import Engine
from tests.stories.homes import make_home


def ids(contracts: Iterable[Contract]) -> set[str]:
    return {contract.id for contract in contracts}


def test_nothing_said_is_everything(catalog: Catalog) -> None:
    assert select(catalog) == EVERYTHING
    assert EVERYTHING.deliveries(catalog) is None
    assert ids(EVERYTHING.affected(catalog)) == {c.id for c in catalog.thematic()}


def test_a_department_s_batch_brings_all_that_its_rows_are_judged_by(catalog: Catalog) -> None:
    chosen = select(catalog, provider="market_regulation", only="loads")

    assert chosen.datasets == {
        "credit.abnormal_operation",
        "legal_entity.change_record",
        "legal_entity.market_register",
        "licence.food_licence",
    }
    assert (chosen.loads, chosen.models) == (True, False)
    wanted = chosen.deliveries(catalog)
    assert wanted is not None
    assert {"reference.industry", "reference.division"} <= wanted
    assert "population.household_register" not in wanted


def test_a_theme_has_its_models_alone(catalog: Catalog) -> None:
    chosen = select(catalog, theme="credit", only="models")

    assert ids(chosen.affected(catalog)) == {"credit.credit_event", "credit.credit_file"}
    assert not chosen.loads


def test_a_dataset_touches_the_models_that_read_it(catalog: Catalog) -> None:
    affected = ids(Selection(frozenset({"geography.grid_register"})).affected(catalog))

    assert "geography.grid_cell" in affected
    assert "credit.credit_file" not in affected
    everywhere = Selection(frozenset({"geography.address_register"}))
    within = Selection(everywhere.datasets, Theme.GEOGRAPHY)
    own = {c.id for c in everywhere.affected(catalog) if c.theme is Theme.GEOGRAPHY}
    assert own
    assert ids(within.affected(catalog)) == own


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param({"provider": "navy"}, "no department 'navy'", id="department"),
        pytest.param({"provider": "audit"}, "audit provides no dataset", id="no-provider"),
        pytest.param({"theme": "weather"}, "no theme 'weather'; choose one of", id="theme"),
        pytest.param({"only": "all"}, "--only takes loads or models", id="only"),
    ],
)
def test_a_word_that_does_not_fit_is_told(
    catalog: Catalog, words: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        select(catalog, **words)


def test_an_unknown_dataset_is_told(catalog: Catalog) -> None:
    with pytest.raises(ContractNotFound, match=r"population\.person"):
        select(catalog, datasets=["population.persons"])


def test_a_model_waits_for_what_it_awaits_and_no_other_does(
    tmp_path: Path,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> None:
    grid = replace(catalog.get("geography.grid_cell"), awaits=("geography.grid_register",))
    site = replace(catalog, contracts={**catalog.contracts, grid.id: grid})
    city = city_of(0.001, 1, 1)
    home = make_home(tmp_path / "home", site, engine, city)
    home.deliver("geography.address_register", "geography.building_register", day=FIRST_DAY)

    late = home.run(through=FIRST_DAY)
    home.deliver("geography.grid_register", day=FIRST_DAY)
    caught_up = home.run(through=FIRST_DAY)

    assert dict(late.waiting) == {"geography.grid_cell": ("geography.grid_register",)}
    assert "geography.address" in {model.dataset for model in late.models}
    assert dict(caught_up.waiting) == {}
    assert "geography.grid_cell" in {m.dataset for m in caught_up.models if m.upserted}
