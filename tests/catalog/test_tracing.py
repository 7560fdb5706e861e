from __future__ import annotations

from dataclasses import astuple

import pytest

from catalog.catalog import Catalog
from catalog.errors import UsageError
from catalog.tracing import column_graph, trace


def test_a_column_is_traced_up_to_what_was_delivered_and_down_to_its_readers(
    catalog: Catalog,
) -> None:
    (found,) = trace(catalog, "legal_entity.entity.uscc")

    up = {astuple(edge) for edge in found.upstream}
    down = {edge.made for edge in found.downstream}
    market = "legal_entity__market_register.uscc"
    assert (f"curated.{market}", "thematic.legal_entity__entity.uscc") in up
    assert (f"raw.{market}", f"curated.{market}") in up
    assert {
        "thematic.credit__credit_file.uscc",
        "thematic.legal_entity__entity_profile.uscc",
    } <= down


def test_a_derived_column_is_made_from_the_delivered_one(catalog: Catalog) -> None:
    (found,) = trace(catalog, "curated.population__household_register.citizen_id_delivered")

    assert [edge.source for edge in found.upstream] == [
        "raw.population__household_register.citizen_id"
    ]


def test_a_table_is_traced_column_by_column(catalog: Catalog) -> None:
    found = trace(catalog, "population.town_indicator")

    columns = [c.name for c in catalog.get("population.town_indicator").columns]
    assert [one.column.rpartition(".")[2] for one in found] == columns


def test_every_step_leads_to_a_column_that_there_is(catalog: Catalog) -> None:
    graph = column_graph(catalog)

    lost = {
        source
        for sources in graph.values()
        for source in sources
        if source not in graph and not source[0].startswith("raw.")
    }
    assert lost == set()


def test_a_name_that_there_is_not_is_told_with_what_is_near(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"no table or column 'population\.person\.citizen_ids'"):
        trace(catalog, "population.person.citizen_ids")
