from __future__ import annotations

import pyarrow as pa
import pytest

from catalog.contract import (
    Change,
    Column,
    Contract,
    DataType,
    Derive,
    DriftModes,
    Opening,
    Sharing,
    Source,
    TypeName,
)
from catalog.errors import ContractError
from catalog.vocabulary import (
    Derivation,
    Drift,
    Format,
    Kind,
    Mode,
    OpenLevel,
    SharingLevel,
    Theme,
)
from lake.readers import Reading
from lake.readers.reading import Field

TEXT = DataType(TypeName.STRING)


def contract(source: Source | None) -> Contract:
    return Contract(
        id="population.sample",
        name="样例",
        version="1.0.0",
        theme=Theme.POPULATION,
        kind=Kind.SOURCE,
        provider="health",
        description="",
        business_name="样例",
        columns=(
            Column("name", TEXT, "姓名", delivered_as=("XM", "姓名")),
            Column("id", TEXT, "编号", key_position=1),
            Column("name_delivered", TEXT, "", derive=Derive("name", Derivation.DELIVERED)),
        ),
        rules=(),
        sharing=Sharing(SharingLevel.UNSHARED),
        opening=Opening(OpenLevel.CLOSED),
        source=source,
    )


def test_a_reading_holds_what_the_contract_says_of_the_files() -> None:
    source = Source(
        Mode.CHANGES,
        Format.CSV,
        encoding="gb18030",
        delimiter="|",
        change=Change(("OP", "操作"), ("U",), ("D",)),
        drift=DriftModes(Drift.ACCEPT, Drift.REFUSE, Drift.QUARANTINE),
    )

    assert Reading.of(contract(source)) == Reading(
        dataset="population.sample",
        format=Format.CSV,
        encoding="gb18030",
        delimiter="|",
        fields=(Field("name", ("name", "XM", "姓名")), Field("id", ("id",))),
        key=("id",),
        change_headers=("OP", "操作"),
        unknown_column=Drift.ACCEPT,
        missing_column=Drift.REFUSE,
    )


def test_the_schema_is_the_delivered_columns_and_what_the_reader_knows_of_them() -> None:
    schema = Reading.of(contract(Source(Mode.SNAPSHOT, Format.XLSX))).schema

    assert schema.names == [
        *("name", "id", "_extra", "_change", "_file"),
        *("_row_number", "_missing", "_fault", "_record"),
    ]
    assert [field.name for field in schema if field.type != pa.string()] == ["_row_number"]
    assert schema.field("_row_number").type == pa.int64()


def test_a_dataset_that_nobody_delivers_has_no_reading() -> None:
    with pytest.raises(ContractError, match=r"population\.sample is not delivered"):
        Reading.of(contract(None))
