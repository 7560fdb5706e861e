"""Every fault does what it says, on rows as the registers write them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog.catalog import Catalog
from catalog.contract import Contract
from jobs.city.dress import change_words, dressed, headers_of
from jobs.city.faults import Fault, applies, faults_of, untouched_rules
from jobs.city.registers import REGISTERS
from jobs.city.registers.register import Batch
from jobs.city.text import Text
from jobs.city.world import World
from tests.jobs.city.judge import Judge

LOOKED_AT = 400
SQUARE = "POLYGON ((0 0, 1 0, 1 1, 0 0))"
UNTOUCHED = {
    "credit.tax_rating": ["published_after_year"],
    "population.marriage_register": ["spouses_differ"],
}
"""Rules over two columns whose consequence on others is not simple enough."""


@pytest.fixture(scope="module")
def city() -> World:
    return World(seed=3, scale=0.01, start=(date(2025, 3, 3) - date(1970, 1, 1)).days, days=2)


def _batch(contract: Contract, city: World) -> tuple[Batch, dict[str, Text]]:
    register = REGISTERS[contract.id]
    batch = list(register.due(city))[-1]
    batch = Batch(batch.records[:LOOKED_AT], None, batch.headers, batch.member)
    columns = dict(register.write(city, batch.records))
    return batch, columns


def _row(contract: Contract, columns: dict[str, Text], place: int) -> dict[str, Any]:
    style = REGISTERS[contract.id].style
    one = {name: values.slice(place, 1) for name, values in columns.items()}
    worn = dressed(contract, one, style)
    row = {name: values[0].as_py() or None for name, values in worn.items()}
    change = None
    if contract.source and contract.source.change:
        change = change_words(contract, style, np.zeros(1, dtype=np.int64))[0].as_py()
    return {**row, "_change": change, "_extra": None, "_missing": None}


def _with(fault: Fault, columns: dict[str, Text], value: str | None) -> dict[str, Text]:
    spoilt = dict(columns)
    for name, text in {fault.column: value, **fault.also}.items():
        spoilt[name] = pa.array([text] * len(columns[name]), pa.string())
    return spoilt


@pytest.mark.parametrize("dataset", sorted(REGISTERS))
def test_a_fault_breaks_exactly_the_rules_it_names(
    dataset: str, catalog: Catalog, codes: dict[str, set[str]], city: World
) -> None:
    contract = catalog.get(dataset)
    judge = Judge(contract, codes)
    day = date(2025, 3, 3)
    batch, columns = _batch(contract, city)
    delivered = set(batch.headers or headers_of(contract, REGISTERS[dataset].style))
    nothing = pa.nulls(len(batch.records), pa.string())
    columns = {
        c.name: columns[c.name] if c.name in delivered else nothing
        for c in contract.delivered_columns
    }
    tried = 0

    for fault in faults_of(contract, codes):
        if not fault.writes <= delivered or fault.kind == "no polygon":
            continue
        rows = [n for n in range(len(batch.records)) if applies(fault, columns, n)]
        for place in rows[:2]:
            for value in fault.values:
                row = _row(contract, _with(fault, columns, value), place)
                if "boundary" in row:  # which readers turn into another text
                    row["boundary"] = row["boundary"] and SQUARE
                broken = judge.broken(row, day)
                assert sorted(broken) == sorted(fault.broken), (fault, row)
                tried += 1
    assert tried >= 5


@pytest.mark.parametrize("dataset", sorted(REGISTERS))
def test_every_hard_rule_is_broken_by_some_fault(
    dataset: str, catalog: Catalog, codes: dict[str, set[str]]
) -> None:
    contract = catalog.get(dataset)

    untouched = untouched_rules(contract, faults_of(contract, codes))

    assert untouched == UNTOUCHED.get(dataset, [])


@pytest.mark.parametrize("dataset", sorted(REGISTERS))
def test_a_register_fills_every_column_of_its_contract(
    dataset: str, catalog: Catalog, city: World
) -> None:
    contract = catalog.get(dataset)

    _, columns = _batch(contract, city)

    assert set(columns) == {c.name for c in contract.delivered_columns}
    assert len({len(values) for values in columns.values()}) == 1
    for column in contract.delivered_columns:
        if column.required or column.is_key:
            assert columns[column.name].null_count == 0, column.name


def test_every_source_dataset_has_its_register(catalog: Catalog) -> None:
    sources = {c.id for c in catalog.sources() if c.source and not c.source.code_table}

    assert set(REGISTERS) == sources
