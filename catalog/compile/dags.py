"""
Contracts → manifest: which batches and libraries a scheduler runs, and what starts them.
"""

from __future__ import annotations

from catalog.calendar import closed_days, is_hourly
from catalog.catalog import Catalog
from catalog.compile.manifest import Batch, Library, Manifest, files_hash
from catalog.contract import Contract
from catalog.models import model_inputs, model_order
from catalog.naming import table_name
from catalog.vocabulary import Layer, Theme

CODE_TABLES_BATCH = "code_tables"


def compile_manifest(catalog: Catalog) -> Manifest:
    """
    The manifest of a site.

    One batch for the code tables, which others are judged by, and one for each department that
    provides something else; one library for each theme that has models, each after those that its
    first model reads.
    """
    by_batch: dict[str, list[Contract]] = {}
    for contract in catalog.sources():
        is_code_table = contract.theme is Theme.REFERENCE
        name = CODE_TABLES_BATCH if is_code_table else contract.provider
        by_batch.setdefault(name, []).append(contract)
    batches = [_batch(catalog, name, contracts) for name, contracts in sorted(by_batch.items())]
    themes = dict.fromkeys(contract.theme for contract in model_order(catalog))
    return Manifest(
        files_hash(catalog.site),
        tuple(batches),
        tuple(_library(catalog, theme) for theme in themes),
        tuple(day.isoformat() for day in sorted(closed_days(catalog.site))),
    )


def _batch(catalog: Catalog, name: str, contracts: list[Contract]) -> Batch:
    title = "代码表" if name == CODE_TABLES_BATCH else catalog.departments[name].name
    tables = {c.id: table_name(c.id, Layer.CURATED) for c in contracts}
    hourly = any(is_hourly(c) for c in contracts)
    return Batch(name, title, tables, hourly)


def _library(catalog: Catalog, theme: Theme) -> Library:
    own = [c for c in catalog.thematic() if c.theme is theme]
    outputs = {table_name(c.id, Layer.THEMATIC) for c in own}
    inputs = {table for c in own for table in model_inputs(catalog, c)} - outputs
    return Library(theme.value, tuple(sorted(inputs)), tuple(sorted(outputs)))
