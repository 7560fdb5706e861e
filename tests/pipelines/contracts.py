"""A hand-made contract with one column of every kind, and rows delivered to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from catalog.contract import (
    Change,
    Column,
    Contract,
    DataType,
    Derive,
    Opening,
    Rule,
    Sharing,
    Source,
    TypeName,
)
from catalog.vocabulary import (
    Derivation,
    Format,
    Gate,
    Kind,
    Mode,
    OpenLevel,
    SemanticType,
    Sensitivity,
    SharingLevel,
    Theme,
    Unit,
)
from pipelines.standardize import TECHNICAL

STRING = DataType(TypeName.STRING)


def make_column(name: str, data_type: DataType = STRING, **facts: Any) -> Column:
    return Column(name, data_type, "列", sensitivity=Sensitivity.L1, **facts)


COLUMNS = (
    make_column("register_id", key_position=1, required=True),
    make_column("citizen_id", semantic_type=SemanticType.CITIZEN_ID),
    make_column("citizen_id_delivered", derive=Derive("citizen_id", Derivation.DELIVERED)),
    make_column("uscc", semantic_type=SemanticType.USCC),
    make_column("person_name", required=True),
    make_column("sex_code", codes={"男": "1", "女": "2"}, code_table="reference.sex"),
    make_column("birth_date", DataType(TypeName.DATE)),
    make_column("valid_to", DataType(TypeName.DATE)),
    make_column(
        "is_permanent",
        DataType(TypeName.BOOLEAN),
        derive=Derive("valid_to", Derivation.PERMANENT),
    ),
    make_column("fine_yuan", DataType(TypeName.DECIMAL, None, 20, 2), unit=Unit.TEN_THOUSAND_YUAN),
    make_column("paid_yuan", DataType(TypeName.DECIMAL, None, 20, 2), unit=Unit.YUAN),
    make_column("longitude", DataType(TypeName.DECIMAL, None, 9, 6)),
    make_column("members", DataType(TypeName.INTEGER)),
    make_column("is_head", DataType(TypeName.BOOLEAN)),
    make_column("updated_at", DataType(TypeName.TIMESTAMP)),
    make_column("seen_at", DataType(TypeName.INSTANT)),
)

RULES = (
    Rule(
        "birth_date_past",
        "出生日期不得晚于业务日期。",
        Gate.QUARANTINE,
        holds="birth_date <= business_date()",
    ),
    Rule(
        "citizen_id_valid", "号码应正确。", Gate.WARN, holds="is_citizen_id(citizen_id_delivered)"
    ),
    Rule(
        "head_has_members", "户主户应有成员。", Gate.QUARANTINE, holds="NOT is_head OR members > 0"
    ),
)

REGISTER = Contract(
    id="population.test_register",
    name="测试登记",
    version="1.0.0",
    theme=Theme.POPULATION,
    kind=Kind.SOURCE,
    provider="public_security",
    description="一行是一名测试人员。",
    business_name="测试登记",
    columns=COLUMNS,
    rules=RULES,
    sharing=Sharing(SharingLevel.UNSHARED, reason="测试"),
    opening=Opening(OpenLevel.CLOSED, reason="测试"),
    source=Source(Mode.SNAPSHOT, Format.CSV),
)

CHANGES = replace(
    REGISTER,
    source=Source(
        Mode.CHANGES,
        Format.CSV,
        sequence="updated_at",
        change=Change(("操作",), ("新增", "修改"), ("删除",)),
    ),
)


def delivered(contract: Contract, rows: Sequence[Mapping[str, str | None]]) -> pa.Table:
    """What a reader would give for these rows of one file; names not given are absent."""
    filled = [
        {"register_id": str(number), "person_name": "张三", "_file": "a.csv", **row}
        for number, row in enumerate(rows, start=1)
    ]
    names = [c.name for c in contract.delivered_columns] + list(TECHNICAL)
    table = pa.table(
        {
            n: pa.array([row.get(n) for row in filled], pa.string())
            for n in names
            if n != "_row_number"
        }
    )
    return table.append_column("_row_number", pa.array(range(1, len(rows) + 1), pa.int64()))
