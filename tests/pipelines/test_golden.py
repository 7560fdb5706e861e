"""Each field of a golden record comes from the most trusted source that has it, and says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from catalog.catalog import Catalog
from catalog.shapes import Shape, curated_shape, thematic_shape
from jobs.thematic import localized, relation
from lake.engine import Engine, Workspace
from lake.tables import no_rows
from pipelines.golden import affected, golden_select
from pipelines.keys import record_keys

HOUSEHOLD, FLOATING = "population.household_register", "population.floating_register"
INSURANCE = "population.insurance_register"

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def golden(engine: Engine, catalog: Catalog, rows: Rows, persons: Mapping[str, str]) -> Any:
    """The golden persons of records, by id; `persons` says whose the record of a key is."""
    assigned = [
        (source, key, 1, persons[key])
        for source, records in rows.items()
        for key in (str(next(iter(record.values()))) for record in records)
        if key in persons
    ]
    with engine.workspace(date(2025, 3, 3), small=True) as workspace:
        add_inputs(workspace, catalog, rows, assigned)
        contract = catalog.get("population.person")
        found = workspace.rows(localized(golden_select(catalog, contract))).to_pylist()
    return {row["person_id"]: row for row in found}


def add_inputs(
    workspace: Workspace,
    catalog: Catalog,
    rows: Rows,
    assigned: Sequence[tuple[str, str, int, str]],
) -> None:
    """The key register with these assignments (dataset, key, ordinal, id), and all its sources."""
    contract = catalog.get("population.person")
    assert contract.golden is not None
    register = thematic_shape(catalog.get(contract.golden.key_register))
    columns = ("source_dataset", "source_key", "ordinal", "person_id")
    assignments = [dict(zip(columns, one, strict=True)) for one in assigned]
    workspace.add_rows(relation(register.table), held(register, assignments))
    for source in contract.golden.sources:
        shape = curated_shape(catalog.get(source))
        workspace.add_rows(relation(shape.table), held(shape, rows.get(source, ())))


def held(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a table of that shape; what a test does not tell is absent."""
    fields = [field.with_nullable(True) for field in no_rows(shape).schema]
    return pa.Table.from_pylist(list(rows), pa.schema(fields))


def test_the_most_trusted_source_that_has_a_value_gives_it(
    any_engine: Engine, catalog: Catalog
) -> None:
    rows: Rows = {
        HOUSEHOLD: [{"register_id": "h1", "person_name": "张三", "phone": None}],
        FLOATING: [{"register_id": "f1", "person_name": "张山", "phone": "021"}],
        INSURANCE: [
            {"insured_person_id": "i1", "person_name": "章三", "phone": "022"},
            {"insured_person_id": "i2", "person_name": "李四", "phone": "023"},
        ],
    }
    persons = {"h1": "p1", "f1": "p1", "i1": "p1", "i2": "p2"}

    found = golden(any_engine, catalog, rows, persons)

    assert {i: (p["person_name"], p["phone"]) for i, p in found.items()} == {
        "p1": ("张三", "021"),
        "p2": ("李四", "023"),
    }
    assert dict(found["p1"]["_sources"]) == {"person_name": HOUSEHOLD, "phone": FLOATING}
    assert dict(found["p2"]["_sources"]) == {"person_name": INSURANCE, "phone": INSURANCE}


def test_of_several_records_in_one_source_the_latest_that_has_a_value_gives_it(
    any_engine: Engine, catalog: Catalog
) -> None:
    def register(key: str, day: int, **values: str | None) -> dict[str, Any]:
        return {"register_id": key, "updated_at": datetime(2025, 3, day), **values}

    rows: Rows = {
        HOUSEHOLD: [
            register("h1", 1, person_name="旧名", former_name="小名", registered_address="甲街"),
            register("h2", 3, person_name="新名", former_name=None, registered_address=None),
            register("h3", 2, person_name="中名", former_name=None, registered_address="乙街"),
            register("h4", 1, person_name="别人", former_name=None, registered_address=None),
        ],
    }
    persons = {"h1": "p1", "h2": "p1", "h3": "p1", "h4": "p2"}

    found = golden(any_engine, catalog, rows, persons)

    names = ("person_name", "former_name", "registered_address")
    assert {i: tuple(p[n] for n in names) for i, p in found.items()} == {
        "p1": ("新名", "小名", "乙街"),
        "p2": ("别人", None, None),
    }


def test_a_record_that_nobody_was_assigned_makes_no_person(
    any_engine: Engine, catalog: Catalog
) -> None:
    rows: Rows = {HOUSEHOLD: [{"register_id": "h1", "person_name": "张三"}, {"register_id": "h2"}]}

    assert set(golden(any_engine, catalog, rows, {"h1": "p1"})) == {"p1"}


def test_all_whose_record_has_changed_or_was_theirs_before_are_computed_again(
    any_engine: Engine, catalog: Catalog
) -> None:
    register = catalog.get("population.person_key")
    person = catalog.get("population.person")
    keys = [(HOUSEHOLD, "h1", 1, "p1"), (HOUSEHOLD, "h1", 2, "p2"), (FLOATING, "h1", 1, "p3")]
    keys += [(INSURANCE, "i1", 1, "p1"), (INSURANCE, "i2", 1, "p2"), (INSURANCE, "i4", 1, "p4")]
    insured = [
        {"insured_person_id": key, "person_name": name}
        for key, name in (("i1", "甲"), ("i2", "乙"), ("i4", "丁"))
    ]
    rows: Rows = {HOUSEHOLD: [{"register_id": "h1", "person_name": "新名"}], INSURANCE: insured}
    changes = held(curated_shape(catalog.get(HOUSEHOLD)), [{"register_id": "h1"}] * 2)

    with any_engine.workspace(date(2025, 3, 3), small=True) as workspace:
        add_inputs(workspace, catalog, rows, keys)
        workspace.add_rows("changes", changes)
        workspace.add_query("changed", record_keys(catalog.get(HOUSEHOLD), "changes"))
        workspace.add_query("among", localized(affected(person, register, "changed")), keep=True)
        found = workspace.rows(localized(golden_select(catalog, person, "among"))).to_pylist()

    assert {p["person_id"]: p["person_name"] for p in found} == {"p1": "甲", "p2": "新名"}
