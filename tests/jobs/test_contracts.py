from __future__ import annotations

from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.errors import ContractNotFound, Finding, UsageError
from jobs.contracts import check, compile_contract
from tests.catalog.samples import MODEL, SITE, SOURCE, changed, copy_site, text_of

REPOSITORY = Path(__file__).parents[2]


def test_a_sound_site_has_no_findings() -> None:
    assert check(SITE) == []


def test_the_contracts_and_models_of_the_repository_are_sound() -> None:
    assert check(REPOSITORY) == []


def test_a_contract_is_told_before_the_models_over_it(tmp_path: Path) -> None:
    site = copy_site(
        tmp_path,
        source=changed(text_of(SOURCE), "format: csv", "format: cvs"),
        model=changed(text_of(MODEL), "count(*)", "count(*) / 2"),
    )

    (finding,) = check(site)

    told = "expected one of csv, xlsx, jsonl, geojson, found the text 'cvs'; did you mean 'csv'?"
    assert finding == Finding(SOURCE, 18, told)


def test_the_models_of_sound_contracts_are_judged(tmp_path: Path) -> None:
    site = copy_site(tmp_path, model=changed(text_of(MODEL), "count(*)", "count(*) / 2"))

    (finding,) = check(site)

    assert (finding.file, finding.line) == (MODEL, 4)


def test_a_contract_compiles_to_what_a_target_asks_for() -> None:
    catalog = Catalog.load(SITE)

    ddl = compile_contract(catalog, "population.birth_count", "delta")

    assert ddl.startswith("CREATE TABLE thematic.population__birth_count (")


def test_a_target_or_dataset_that_is_not_there_is_told() -> None:
    catalog = Catalog.load(SITE)

    with pytest.raises(UsageError, match="there is no target 'iceberg'; choose one of delta"):
        compile_contract(catalog, "population.birth_count", "iceberg")
    with pytest.raises(ContractNotFound):
        compile_contract(catalog, "population.births", "delta")
