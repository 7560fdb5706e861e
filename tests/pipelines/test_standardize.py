"""Delivered text becomes typed values, the same on every engine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlglot import exp

from lake.engine import Engine
from pipelines.standardize import standardize
from tests.pipelines.contracts import REGISTER, delivered

# column, delivered text, value
VECTORS: list[tuple[str, str | None, Any]] = [
    ("person_name", "  张三　", "张三"),
    ("person_name", "ＡＢ·古丽", "ＡＢ·古丽"),
    ("person_name", "𬱖䶮", "𬱖䶮"),
    ("person_name", "/", None),
    ("person_name", "无", None),
    ("person_name", "\\N", None),
    ("person_name", "", None),
    ("register_id", "１２Ａ", "12A"),
    ("citizen_id", "421281199003075016", "421281199003075016"),
    ("citizen_id", "421281900307501", "421281199003075016"),
    ("citizen_id", "４２１２８１１９９００３０７５０１６", "421281199003075016"),
    ("citizen_id", "42128119900307502X", None),
    ("citizen_id", "421281199002305019", None),
    ("citizen_id", "4.21281E+17", None),
    ("citizen_id_delivered", None, None),
    ("uscc", "91421281ma4900000t", "91421281MA4900000T"),
    ("uscc", "91421281MA4900000U", None),
    ("uscc", "9142128IMA4900000T", None),
    ("sex_code", "男", "1"),
    ("sex_code", "２", "2"),
    ("sex_code", "其他", "其他"),
    ("birth_date", "19900307", date(1990, 3, 7)),
    ("birth_date", "1990-03-07", date(1990, 3, 7)),
    ("birth_date", "1990-3-7", date(1990, 3, 7)),
    ("birth_date", "1990/3/7", date(1990, 3, 7)),
    ("birth_date", "1990.03.7", date(1990, 3, 7)),
    ("birth_date", "1990年3月7日", date(1990, 3, 7)),
    ("birth_date", "1990-03-07 00:00:00", date(1990, 3, 7)),
    ("birth_date", "1990-03-07 08:00:00", None),
    ("birth_date", "0000-03-07", None),
    ("birth_date", "1990-02-30", None),
    ("birth_date", "2020-13-40", None),
    ("birth_date", "0000-00-00", None),
    ("valid_to", "2099-12-31", None),
    ("valid_to", "9999/9/9", None),
    ("valid_to", "长期", None),
    ("valid_to", "2030-01-01", date(2030, 1, 1)),
    ("fine_yuan", "1.5", Decimal("15000.00")),
    ("fine_yuan", "0.000001", Decimal("0.01")),
    ("fine_yuan", "0.0000001", None),
    ("fine_yuan", "-2", Decimal("-20000.00")),
    ("fine_yuan", "999999.999999", Decimal("9999999999.99")),
    ("fine_yuan", "-1000000.000001", Decimal("-10000000000.01")),
    ("fine_yuan", "99999999999999.999999", Decimal("999999999999999999.99")),
    ("fine_yuan", "100000000000000", None),
    ("paid_yuan", "12.30", Decimal("12.30")),
    ("paid_yuan", "12.345", None),
    ("paid_yuan", "9999999999999999.99", Decimal("9999999999999999.99")),
    ("paid_yuan", "-10000000000000000.01", Decimal("-10000000000000000.01")),
    ("paid_yuan", "999999999999999999.990", Decimal("999999999999999999.99")),
    ("paid_yuan", "1000000000000000000", None),
    ("paid_yuan", "１２", Decimal("12.00")),
    ("paid_yuan", "1e3", None),
    ("longitude", "113.9001234", Decimal("113.900123")),
    ("longitude", "东经113", None),
    ("members", "007", 7),
    ("members", "7.0", None),
    ("members", "99999999999", None),
    ("is_head", "是", True),
    ("is_head", "否", False),
    ("is_head", "Y", True),
    ("is_head", "也许", None),
    ("updated_at", "2025-03-03 01:02:03", datetime(2025, 3, 3, 1, 2, 3)),
    ("updated_at", "2025-03-03T01:02:03.123456", datetime(2025, 3, 3, 1, 2, 3, 123000)),
    ("updated_at", "20250303010203", datetime(2025, 3, 3, 1, 2, 3)),
    ("updated_at", "2025/3/3 1:02", datetime(2025, 3, 3, 1, 2)),
    ("updated_at", "2025-03-03", datetime(2025, 3, 3)),
    ("updated_at", "2025-03-03 25:00:00", None),
    ("updated_at", "2025-03-03 24:00:00", None),
    ("updated_at", "2025-03-03 23:60", None),
    ("updated_at", "2025-02-29 01:00:00", None),
    ("updated_at", "0000-03-03 00:00:00", None),
    ("updated_at", "20250303240000", None),
    ("updated_at", "2025/3/3 24:00", None),
    ("seen_at", "2025-03-03T08:00:00+08:00", datetime(2025, 3, 3, tzinfo=UTC)),
    ("seen_at", "2025-03-03T08:00:00Z", datetime(2025, 3, 3, 8, tzinfo=UTC)),
    ("seen_at", "2025-03-03 08:00:00", datetime(2025, 3, 3, 8, tzinfo=UTC)),
    ("seen_at", "2025-03-03 08:00", None),
    ("seen_at", "2025-03-03T24:00:00Z", None),
    ("seen_at", "2025-03-03T08:00:00+14:30", None),
    ("seen_at", "0000-03-03T08:00:00Z", None),
]


def test_every_form_of_a_value_becomes_the_one_standard_value(any_engine: Engine) -> None:
    rows = [{name: text} for name, text, _ in VECTORS]

    with any_engine.workspace(date(2025, 3, 3)) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, rows))
        typed = standardize(REGISTER, "delivered").order_by("_row_number")
        found = workspace.rows(typed).to_pylist()

    wrong = [
        (name, text, value, row[name])
        for (name, text, value), row in zip(VECTORS, found, strict=True)
        if row[name] != value
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "permanent"),
    [
        ("2099-12-31", True),
        ("9999-09-09", True),
        ("长期", True),
        ("2030-01-01", False),
        (None, False),
    ],
)
def test_a_date_that_stands_for_ever_is_told_apart(
    engine: Engine, text: str | None, permanent: bool
) -> None:
    with engine.workspace(date(2025, 3, 3)) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, [{"valid_to": text}]))
        row = workspace.rows(standardize(REGISTER, "delivered")).to_pylist()[0]

    assert row["is_permanent"] is permanent


def test_rows_of_other_content_never_share_a_hash(engine: Engine) -> None:
    """Null, empty-looking text and text that looks like a separator are all different rows."""
    rows: list[dict[str, str | None]] = [
        {"register_id": "1", "citizen_id": "a", "uscc": None},
        {"register_id": "1", "citizen_id": None, "uscc": "a"},
        {"register_id": "1", "citizen_id": "a-", "uscc": None},
        {"register_id": "1", "citizen_id": "1:a", "uscc": None},
        {"register_id": "1", "citizen_id": "a1:", "uscc": None},
        {"register_id": "1", "citizen_id": "-", "uscc": None},
    ]

    with engine.workspace(date(2025, 3, 3)) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, [*rows, rows[0]]))
        hashes = workspace.rows(
            exp.select("_row_hash")
            .from_(standardize(REGISTER, "delivered").subquery("r"))
            .order_by("_row_number")
        )["_row_hash"].to_pylist()

    assert len(set(hashes)) == len(rows)
    assert hashes[0] == hashes[-1]
    assert all(len(h) == 32 for h in hashes)
