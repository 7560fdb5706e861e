from __future__ import annotations

import pytest

from catalog.naming import contract_id, folder_name, split_table_name, table_name
from catalog.vocabulary import Layer, Theme


@pytest.mark.parametrize("layer", list(Layer))
@pytest.mark.parametrize("theme", list(Theme))
def test_a_table_name_gives_layer_and_id_back(layer: Layer, theme: Theme) -> None:
    dataset = contract_id(theme, "register_2")

    table = table_name(dataset, layer)

    assert table == f"{layer}.{folder_name(dataset)}"
    assert split_table_name(table) == (layer, dataset)


@pytest.mark.parametrize(
    "table",
    [
        "population__person",
        "curated.person",
        "cooked.population__person",
        "curated.population__person__history",
        "curated.population___person",
        "curated.__person",
        "curated.Population__Person",
        "curated.population__person; DROP TABLE x",
        "",
    ],
)
def test_what_is_no_table_of_a_dataset_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match=r"is not|Layer"):
        split_table_name(table)
