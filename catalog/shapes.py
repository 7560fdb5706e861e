"""
The tables a contract asks for: raw, curated, quarantine, history, thematic.

A shape is what any Delta writer needs to create the table: columns with types and comments, and
table properties inside the serving profile (what Trino reads and delta-rs writes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from catalog.contract import Column, Contract, DataType, TypeName
from catalog.naming import folder_name, table_name
from catalog.vocabulary import Layer

STRING = DataType(TypeName.STRING)
BIGINT = DataType(TypeName.BIGINT)
INSTANT = DataType(TypeName.INSTANT)
DATE = DataType(TypeName.DATE)
STRINGS = DataType(TypeName.STRINGS)


@dataclass(frozen=True)
class ShapeColumn:
    """One column of a table in the lake; `comment` is what an analyst reads."""

    name: str
    type: DataType
    comment: str
    required: bool = False


@dataclass(frozen=True)
class Shape:
    """A table of the lake: `<layer>.<theme>__<dataset>[__<part>]`, its columns and properties."""

    table: str
    description: str
    columns: tuple[ShapeColumn, ...]
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(c.name for c in self.columns)


DELIVERY_ID = ShapeColumn("_delivery_id", STRING, "交付批次标识", required=True)
ROW_HASH = ShapeColumn("_row_hash", STRING, "交付行的散列值", required=True)


def raw_table(contract: Contract) -> str:
    """`raw.<theme>__<dataset>`."""
    return table_name(contract.id, Layer.RAW)


def main_table(contract: Contract) -> str:
    """The curated table of a source, the thematic table of a model."""
    return table_name(contract.id, contract.layer)


def quarantine_table(contract: Contract) -> str:
    """`curated.<theme>__<dataset>__quarantine`."""
    return f"{Layer.CURATED}.{folder_name(contract.id)}__quarantine"


def history_table(contract: Contract) -> str:
    """`curated.<theme>__<dataset>__history`."""
    return f"{Layer.CURATED}.{folder_name(contract.id)}__history"


def _properties(contract: Contract, *, append_only: bool = False) -> dict[str, str]:
    properties = {
        "delta.enableChangeDataFeed": "true",
        "redcliff.contract": contract.id,
        "redcliff.contract.version": contract.version,
        "redcliff.contract.hash": contract.content_hash,
    }
    if append_only:
        properties["delta.appendOnly"] = "true"
    return properties


def _contract_columns(columns: tuple[Column, ...]) -> tuple[ShapeColumn, ...]:
    return tuple(ShapeColumn(c.name, c.type, c.comment, c.required or c.is_key) for c in columns)


def raw_shape(contract: Contract) -> Shape:
    """Rows as they came: every delivered column as text, with delivery, file and row number."""
    texts = tuple(
        ShapeColumn(c.name, STRING, f"{c.business_name}(交付原文)")
        for c in contract.delivered_columns
    )
    return Shape(
        raw_table(contract),
        f"{contract.business_name}(原始层):按交付原样保存的新增、变化和消失的行。",
        (
            *texts,
            ShapeColumn("_extra", STRING, "契约之外的字段(JSON)"),
            ShapeColumn("_op", STRING, "upsert 为新增或变化,delete 为消失或删除", required=True),
            DELIVERY_ID,
            ShapeColumn("_file", STRING, "所在文件"),
            ShapeColumn("_row_number", BIGINT, "在文件中的记录序号,从 1 起"),
            ShapeColumn("_row_hash", STRING, "交付行的散列值"),
            ShapeColumn("_received_at", INSTANT, "收到时间", required=True),
        ),
        _properties(contract, append_only=True),
    )


def main_shape(contract: Contract) -> Shape:
    """That of the main table."""
    is_curated = contract.layer is Layer.CURATED
    return curated_shape(contract) if is_curated else thematic_shape(contract)


def curated_shape(contract: Contract) -> Shape:
    """The contract's columns, typed and keyed, one current row per key."""
    return Shape(
        main_table(contract),
        f"{contract.business_name}:{contract.description}",
        (*_contract_columns(contract.columns), DELIVERY_ID, ROW_HASH),
        _properties(contract),
    )


def thematic_shape(contract: Contract) -> Shape:
    """The columns of a model's contract and the hash by which a refresh finds changed rows."""
    return Shape(
        main_table(contract),
        f"{contract.business_name}:{contract.description}",
        (*_contract_columns(contract.columns), replace(ROW_HASH, comment="本行各字段的散列值")),
        _properties(contract),
    )


def history_shape(contract: Contract) -> Shape:
    """Every version of every row with the business dates between which it held."""
    return Shape(
        history_table(contract),
        f"{contract.business_name}(历史):每行在业务时间上的有效区间,更正只追加和标记。",
        (
            *_contract_columns(contract.columns),
            ROW_HASH,
            ShapeColumn("_valid_from", DATE, "生效日期(含)", required=True),
            ShapeColumn("_valid_to", DATE, "失效日期(不含),空为至今"),
            DELIVERY_ID,
            ShapeColumn("_replaced_by", STRING, "更正本区间的交付批次,空为仍然采信"),
        ),
        _properties(contract),
    )


def quarantine_shape(contract: Contract) -> Shape:
    """The rows that broke a hard rule; one schema for all datasets (grade L4)."""
    return Shape(
        quarantine_table(contract),
        f"{contract.business_name}(问题数据):未通过规则的行,整改后关闭。",
        (
            DELIVERY_ID,
            ShapeColumn("_last_delivery_id", STRING, "最近一次出现的交付批次", required=True),
            ShapeColumn("_file", STRING, "所在文件", required=True),
            ShapeColumn("_row_number", BIGINT, "在文件中的记录序号,从 1 起", required=True),
            ROW_HASH,
            ShapeColumn("_key", STRING, "主键各列以 | 相连,不可读时为空"),
            ShapeColumn("_record", STRING, "交付原文(JSON)", required=True),
            ShapeColumn("_broken_rules", STRINGS, "未通过的规则", required=True),
            ShapeColumn("_contract_version", STRING, "判定所依据的契约版本", required=True),
            ShapeColumn("_closed_by", STRING, "关闭本行的交付批次,空为未整改"),
        ),
        _properties(contract),
    )
