from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from catalog.catalog import Catalog
from catalog.compile.delta import compile_delta, create_table
from catalog.contract import Contract
from catalog.reading import parse_contract
from catalog.shapes import history_shape, quarantine_shape, raw_shape
from tests.catalog.samples import SOURCE, changed, text_of
from tests.golden.golden import check_golden

REPOSITORY = Path(__file__).parents[2]

DATASETS = (
    "population.household_register",
    "credit.administrative_penalty",
    "reference.working_day",
    "population.person",
    "credit.credit_file",
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load(REPOSITORY)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_table_of_a_contract_is_the_reviewed_one(catalog: Catalog, dataset: str) -> None:
    check_golden(f"delta/{dataset}.sql", compile_delta(catalog.get(dataset)))


def test_every_contract_of_the_site_gives_ddl_with_its_columns(catalog: Catalog) -> None:
    for contract in catalog.contracts.values():
        tree = sqlglot.parse_one(compile_delta(contract), dialect="spark")

        definitions = {c.name: c for c in tree.find_all(exp.ColumnDef)}
        required = {name for name, c in definitions.items() if c.find(exp.NotNullColumnConstraint)}
        assert list(definitions)[: len(contract.columns)] == [c.name for c in contract.columns]
        assert {c.name for c in contract.columns if c.required} <= required, contract.id


def test_every_table_beside_the_main_one_can_be_created_too(catalog: Catalog) -> None:
    contract = catalog.get("population.household_register")

    shapes = [shape(contract) for shape in (raw_shape, quarantine_shape, history_shape)]
    texts = [create_table(shape).sql(dialect="spark") for shape in shapes]

    assert [text.partition(" (")[0] for text in texts] == [
        "CREATE TABLE raw.population__household_register",
        "CREATE TABLE curated.population__household_register__quarantine",
        "CREATE TABLE curated.population__household_register__history",
    ]
    assert "`_broken_rules` ARRAY<STRING> NOT NULL COMMENT '未通过的规则'" in texts[1]


def test_a_quotation_mark_in_a_comment_stays_within_it() -> None:
    text = changed(text_of(SOURCE), "businessName: 证明编号", "businessName: 证明'编\\号")

    ddl = compile_delta(parse_contract(text, SOURCE))

    comment = sqlglot.parse_one(ddl, dialect="spark").find(exp.CommentColumnConstraint)
    assert comment is not None
    assert comment.this.name == "证明'编\\号:出生医学证明的编号。"


@pytest.mark.parametrize(
    ("physical", "logical", "written"),
    [
        ("varchar(20)", "string", "STRING"),
        ("bigint", "integer", "BIGINT"),
        ("decimal(9,6)", "number", "DECIMAL(9, 6)"),
        ("timestamp", "timestamp", "TIMESTAMP_NTZ"),
        ("timestamp with time zone", "timestamp", "TIMESTAMP_LTZ"),
    ],
)
def test_a_type_has_one_form_in_delta(physical: str, logical: str, written: str) -> None:
    text = changed(
        text_of(SOURCE),
        "logicalType: date\n        physicalType: date\n      - name: is_permanent",
        f"logicalType: {logical}\n        physicalType: {physical}\n      - name: is_permanent",
    )
    text = changed(text, "{from: valid_to, how: permanent}", "{from: birth_date, how: permanent}")

    contract: Contract = parse_contract(text, SOURCE)

    assert f"`valid_to` {written} COMMENT" in compile_delta(contract)
