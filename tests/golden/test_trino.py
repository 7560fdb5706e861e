from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from catalog.catalog import Catalog
from catalog.compile.delta import compile_delta
from catalog.compile.trino import compile_trino, trino_tables
from catalog.vocabulary import Layer
from tests.golden.golden import check_golden

DATASETS = (
    "population.household_register",
    "environment.air_reading",
    "population.person",
    "reference.working_day",
)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_served_tables_of_a_contract_are_the_reviewed_ones(
    catalog: Catalog, dataset: str
) -> None:
    check_golden(f"trino/{dataset}.sql", compile_trino(catalog.get(dataset)))


def test_no_raw_table_is_served_and_every_name_once(catalog: Catalog) -> None:
    tables = [table for c in catalog.contracts.values() for table in trino_tables(c)]

    assert {table.schema for table in tables} == {Layer.CURATED, Layer.THEMATIC}
    assert len({table.full_name for table in tables}) == len(tables)
    assert all(table.comment for table in tables)
    assert all(column.comment for table in tables for column in table.columns)


def test_the_first_served_table_has_the_columns_and_comments_of_the_delta_table(
    catalog: Catalog,
) -> None:
    for contract in catalog.contracts.values():
        tree = sqlglot.parse_one(compile_delta(contract), dialect="spark")
        made = {
            column.name: column.find(exp.CommentColumnConstraint).name  # type: ignore[union-attr]
            for column in tree.find_all(exp.ColumnDef)
        }

        main, *_ = trino_tables(contract)

        assert {column.name: column.comment for column in main.columns} == made


def test_what_is_served_parses_as_trino_s_sql(catalog: Catalog) -> None:
    for contract in catalog.contracts.values():
        statements = sqlglot.parse(compile_trino(contract), dialect="trino")

        assert len(statements) == len(trino_tables(contract))
