"""
What departments write and what it means, by hand.

The vectors are the third opinion beside generator and pipeline: the city uses only values that
stand in them, and the plain judge of these tests says of each what they say.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.catalog import Catalog
from catalog.contract import Column, DataType, TypeName
from catalog.vocabulary import SemanticType, Unit
from jobs.city.faults import NULL_WORDS, UNTYPED, WRONG_AUTHORITY, faults_of
from tests.jobs.city.judge import UNTYPED as NO_VALUE
from tests.jobs.city.judge import Judge, standard, typed

VECTORS = Path(__file__).parent / "vectors"
DAY = date(2025, 3, 3)


def _vectors(name: str) -> list[dict[str, str]]:
    with (VECTORS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


VALUES = _vectors("values.csv")
ROWS = _vectors("rows.csv")
GOOD_ROWS: Mapping[str, dict[str, str]] = json.loads(
    (VECTORS / "good_rows.json").read_text(encoding="utf-8")
)


def _column(kind: str) -> Column:
    string, money = DataType(TypeName.STRING), DataType(TypeName.DECIMAL, precision=20, scale=2)
    sexes = {"男": "1", "女": "2"}
    columns = {
        "date": Column("x_date", DataType(TypeName.DATE), "列"),
        "timestamp": Column("x_at", DataType(TypeName.TIMESTAMP), "列"),
        "integer": Column("x_count", DataType(TypeName.INTEGER), "列"),
        "decimal": Column("x_area", DataType(TypeName.DECIMAL, precision=12, scale=2), "列"),
        "yuan": Column("x_yuan", money, "列", unit=Unit.YUAN),
        "ten_thousand_yuan": Column("x_yuan", money, "列", unit=Unit.TEN_THOUSAND_YUAN),
        "sex": Column("sex_code", string, "列", code_table="reference.sex", codes=sexes),
        "town": Column("town_code", string, "列", code_table="reference.division"),
        "ethnicity": Column("ethnicity_code", string, "列", code_table="reference.ethnicity"),
        "name": Column("person_name", string, "列", required=True),
        "citizen_id": Column("id", string, "列", semantic_type=SemanticType.CITIZEN_ID),
        "uscc": Column("uscc", string, "列", semantic_type=SemanticType.USCC),
    }
    return columns[kind]


def _told(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime() | date():
            return str(value)
        case _:
            return f"{value:.2f}" if hasattr(value, "as_tuple") else str(value)


@pytest.mark.parametrize("vector", VALUES, ids=lambda v: f"{v['type']}: {v['delivered']}")
def test_a_delivered_value_means_what_the_vector_says(
    vector: dict[str, str], codes: dict[str, set[str]]
) -> None:
    column = _column(vector["type"])

    text = standard(column, vector["delivered"])
    value = typed(column, text)

    if vector["broken"] == "required":
        assert text is None
    elif vector["broken"] == "type":
        assert value is NO_VALUE
    elif vector["broken"] == "code":
        assert column.code_table is not None
        assert value not in codes[column.code_table]
    else:
        assert _told(value) == vector["standard"]
        assert column.code_table is None or value in codes[column.code_table]


@pytest.mark.parametrize(
    ("name", "kind", "index"),
    [("citizen_ids.csv", "citizen_id", 0), ("credit_codes.csv", "uscc", 0)],
)
def test_identifiers_mean_what_the_vectors_say(name: str, kind: str, index: int) -> None:
    column = _column(kind)

    for vector in _vectors(name):
        value = typed(column, standard(column, vector["delivered"]))

        assert (value if value is not NO_VALUE else "") == vector["standard"], vector


@pytest.mark.parametrize(
    "vector", ROWS, ids=lambda v: f"{v['dataset']}: {v['kind']} {v['changes']}"
)
def test_a_row_breaks_what_the_vector_says(
    vector: dict[str, str], catalog: Catalog, codes: dict[str, set[str]]
) -> None:
    contract = catalog.get(vector["dataset"])
    row: dict[str, Any] = dict.fromkeys(c.name for c in contract.delivered_columns)
    row |= {"_change": None, "_extra": None, "_missing": None, **GOOD_ROWS[contract.id]}
    for change in filter(None, vector["changes"].split(";")):
        column, _, value = change.partition("=")
        row[column] = value or None

    broken = Judge(contract, codes).broken(row, DAY)

    assert sorted(broken) == vector["broken"].split()


def test_the_city_uses_no_value_that_the_vectors_do_not_know() -> None:
    types = {
        TypeName.DATE: "date",
        TypeName.TIMESTAMP: "timestamp",
        TypeName.INTEGER: "integer",
        TypeName.DECIMAL: "decimal",
    }
    known = {(v["type"], v["delivered"]) for v in VALUES if v["broken"] == "type"}

    assert known >= {(types[t], w) for t, words in UNTYPED.items() if t in types for w in words}
    assert {v["delivered"] for v in VALUES if v["kind"] == "null word"} >= set(NULL_WORDS)
    refused = {v["delivered"] for v in _vectors("credit_codes.csv") if not v["standard"]}
    assert refused >= set(WRONG_AUTHORITY)


def test_every_kind_of_fault_has_a_vector(catalog: Catalog, codes: dict[str, set[str]]) -> None:
    kinds = {
        fault.kind
        for contract in catalog.sources()
        if contract.source and not contract.source.code_table
        for fault in faults_of(contract, codes)
    }

    assert kinds <= {v["kind"] for v in (*ROWS, *VALUES)}


def test_faults_break_what_the_vectors_say_of_the_same_change(
    catalog: Catalog, codes: dict[str, set[str]]
) -> None:
    told = {(v["dataset"], v["changes"]): v["broken"].split() for v in ROWS if v["changes"]}
    compared = 0

    for (dataset, changes), broken in told.items():
        for fault in faults_of(catalog.get(dataset), codes):
            written = [f"{fault.column}={v or ''}" for v in fault.values]
            written = [";".join([w, *(f"{c}={v}" for c, v in fault.also.items())]) for w in written]
            if (
                changes in written
                and not fault.present
                and not GOOD_ROWS[dataset].keys() & {*fault.absent}
            ):
                assert sorted(fault.broken) == broken, (dataset, changes)
                compared += 1
    assert compared >= 15


@pytest.mark.parametrize("vector", _vectors("records.csv"), ids=lambda v: v["line"])
def test_a_record_can_be_read_or_not(vector: dict[str, str]) -> None:
    if vector["format"] == "csv":
        readable = len(next(csv.reader(io.StringIO(vector["line"])))) == 3
    else:
        try:
            readable = isinstance(json.loads(vector["line"]), dict)
        except ValueError:
            readable = False

    assert readable is (vector["broken"] == "")
