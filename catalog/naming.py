"""
Names of tables and folders: `<layer>.<theme>__<dataset>`.

The double underscore parts the theme from the dataset; neither holds one of its own.
"""

from __future__ import annotations

import re

from catalog.vocabulary import Layer, Theme

DATASET_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
"""A dataset, column or rule: lower-case words of ASCII, parted by single underscores."""


def contract_id(theme: Theme, dataset: str) -> str:
    """
    The id of a contract, the same as its path under `schemas/`.

    >>> contract_id(Theme.POPULATION, "person")
    'population.person'
    """
    return f"{theme}.{dataset}"


def folder_name(contract_id: str) -> str:
    """
    The name of a dataset's folder in every layer.

    >>> folder_name("population.person")
    'population__person'
    """
    theme, _, dataset = contract_id.partition(".")
    return f"{theme}__{dataset}"


def table_name(contract_id: str, layer: Layer) -> str:
    """
    The name of a dataset's table in a layer.

    >>> table_name("population.person", Layer.THEMATIC)
    'thematic.population__person'
    """
    return f"{layer}.{folder_name(contract_id)}"


def split_table_name(table: str) -> tuple[Layer, str]:
    """
    The layer and the contract id of a dataset's table; ValueError when it is no such name.

    The tables beside it (`…__quarantine`, `…__history`) are not names of datasets.

    >>> split_table_name("curated.population__person")
    (<Layer.CURATED: 'curated'>, 'population.person')
    """
    layer, _, folder = table.partition(".")
    theme, _, dataset = folder.partition("__")
    if not DATASET_NAME.fullmatch(theme) or not DATASET_NAME.fullmatch(dataset):
        raise ValueError(f"{table!r} is not <layer>.<theme>__<dataset>")
    return Layer(layer), f"{theme}.{dataset}"
