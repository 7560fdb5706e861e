"""Every delivered row gets exactly one outcome, and the rules it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import pyarrow as pa
import pytest
from sqlglot import exp

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.dialect import named
from lake.engine import Engine, Workspace
from pipelines.difference import (
    Base,
    Moment,
    classified,
    contested,
    key_text,
    placed,
    recognised,
    tally,
    tally_recognised,
    unrecognised,
    vanished,
)
from pipelines.difference import outcomes as outcomes_of
from pipelines.rules import Codes, judge, row_rules
from pipelines.standardize import standardize
from tests.pipelines.contracts import CHANGES, REGISTER, delivered

DAY = date(2025, 3, 3)
SEXES = {"sex_code": Codes(listed=("1", "2"))}
Row = Mapping[str, str | None]


def judge_rows(
    workspace: Workspace,
    contract: Contract,
    base: Base,
    delivered_: str = "delivered",
    codes: Mapping[str, Codes] = SEXES,
) -> None:
    """Name `judged` and `outcomes` for the delivered rows."""
    rules = row_rules(contract, codes, datetime(2025, 3, 4))
    judged = judge(contract, standardize(contract, delivered_), rules, codes)
    workspace.add_query("judged", placed(contract, judged, Moment(DAY, 1)), keep=True)
    workspace.add_query("outcomes", outcomes_of(contract, "judged", base), keep=True)


def outcomes(
    engine: Engine,
    contract: Contract,
    rows: Sequence[Row],
    current: Sequence[Mapping[str, str]] = (),
    codes: Mapping[str, Codes] = SEXES,
) -> list[tuple[str | None, list[str]]]:
    """Outcome and broken rules of every row, in the order given."""
    with engine.workspace(DAY) as workspace:
        workspace.add_rows("delivered", delivered(contract, rows))
        workspace.add_rows("sexes", pa.table({"_value": ["1", "2"]}))
        base = Base()
        if current:
            workspace.add_rows("current", pa.Table.from_pylist(list(current)))
            base = Base(current="current")
        judge_rows(workspace, contract, base, codes=codes)
        chosen = exp.select("_outcome", "_broken_rules").from_("outcomes").order_by("_row_number")
        found = workspace.rows(chosen).to_pylist()
    return [(row["_outcome"], row["_broken_rules"]) for row in found]


def test_text_is_told_as_it_was_delivered_and_held_once(engine: Engine) -> None:
    rows: list[Row] = [
        {"register_id": "1", "person_name": "王伟", "sex_code": "1"},
        {"register_id": "2", "person_name": " 王伟", "sex_code": "１"},
        {"register_id": "3", "person_name": "无", "citizen_id": "123"},
        {"register_id": "4", "person_name": None, "birth_date": "19900307"},
    ]
    names = ("register_id", "person_name", "sex_code", "citizen_id", "birth_date")

    with engine.workspace(DAY) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, rows))
        judge_rows(workspace, REGISTER, Base())
        workspace.add_query("classified", classified(REGISTER, "judged", "outcomes"))
        texts = exp.select(*[f"_text_{name}" for name in names]).order_by("_row_number")
        held = workspace.rows(texts.from_("judged")).to_pylist()
        told = workspace.rows(texts.from_("classified")).to_pylist()
        given = workspace.rows(exp.select(*names).from_("delivered").order_by("_row_number"))

    assert [tuple(row.values()) for row in told] == [
        tuple(row.values()) for row in given.to_pylist()
    ]
    assert [row["_text_person_name"] for row in held] == [None, " 王伟", "无", None]
    assert [row["_text_sex_code"] for row in held][:2] == [None, "１"]


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        pytest.param({}, [], id="keeps-a-good-row"),
        pytest.param({"person_name": None}, ["person_name_required"], id="absence-breaks-required"),
        pytest.param({"person_name": " / "}, ["person_name_required"], id="a-null-word-is-absence"),
        pytest.param(
            {"birth_date": "20201340"}, ["birth_date_type"], id="untypable-breaks-type-alone"
        ),
        pytest.param(
            {"birth_date": "2025-03-04"}, ["birth_date_past"], id="judged-by-business-date"
        ),
        pytest.param({"sex_code": "9"}, ["sex_code_code"], id="names-the-unknown-code"),
        pytest.param({"citizen_id": "123"}, [], id="a-wrong-identifier-is-soft"),
        pytest.param({"is_head": "是", "members": "0"}, ["head_has_members"], id="several-columns"),
        pytest.param({"is_head": "是"}, [], id="not-judged-without-its-operands"),
        pytest.param(
            {"updated_at": "2025-03-06"}, [], id="a-snapshot-without-sequence-may-be-late"
        ),
        pytest.param(
            {"person_name": None, "sex_code": "x", "birth_date": "x"},
            ["person_name_required", "sex_code_code", "birth_date_type"],
            id="tells-all-at-once",
        ),
        pytest.param({"_extra": '{"x": 1}'}, ["unknown_column"], id="drift-of-unknown-columns"),
        pytest.param({"_missing": '["uscc"]'}, ["missing_column"], id="drift-of-missing-columns"),
        pytest.param(
            {
                "_fault": "record_readable",
                "_record": '["a"]',
                "register_id": None,
                "person_name": None,
            },
            ["record_readable"],
            id="an-unreadable-record-breaks-one-rule",
        ),
    ],
)
def test_a_row_is_kept_or_told_why(engine: Engine, row: Row, broken: list[str]) -> None:
    outcome, rules = outcomes(engine, REGISTER, [row])[0]

    assert rules == broken
    assert outcome == ("quarantined" if broken else "applied")


def test_a_large_code_table_is_joined_with_the_same_result(engine: Engine) -> None:
    rows: list[Row] = [{"sex_code": "1"}, {"sex_code": "9"}, {"sex_code": None}]

    listed = outcomes(engine, REGISTER, rows)
    joined = outcomes(engine, REGISTER, rows, codes={"sex_code": Codes(relation="sexes")})

    assert joined == listed
    assert [rules for _, rules in joined] == [[], ["sex_code_code"], []]


def test_the_same_row_twice_is_a_duplicate_and_a_bad_one_is_not(engine: Engine) -> None:
    good: Row = {"register_id": "1"}
    bad: Row = {"register_id": "2", "person_name": None}

    found = [outcome for outcome, _ in outcomes(engine, REGISTER, [good, bad, good, bad])]

    assert found == ["applied", "quarantined", "duplicate", "quarantined"]


def test_a_snapshot_that_contradicts_itself_on_a_key_is_believed_in_neither_row(
    engine: Engine,
) -> None:
    rows: list[Row] = [
        {"register_id": "1", "person_name": "张三"},
        {"register_id": "1", "person_name": "李四"},
        {"register_id": "2"},
    ]

    assert outcomes(engine, REGISTER, rows) == [
        ("quarantined", ["key_unique"]),
        ("quarantined", ["key_unique"]),
        ("applied", []),
    ]


def test_a_snapshot_row_is_compared_with_the_current_one(engine: Engine) -> None:
    rows: list[Row] = [{"register_id": "1"}, {"register_id": "2"}, {"register_id": "3"}]
    with engine.workspace(DAY) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, rows))
        hashes = workspace.rows(
            exp.select("register_id", "_row_hash").from_(
                standardize(REGISTER, "delivered").subquery("r")
            )
        ).to_pylist()
    known = {row["register_id"]: row["_row_hash"] for row in hashes}
    current = [
        {"register_id": "1", "_row_hash": known["1"], "_order": "2025-03-02|000001"},
        {"register_id": "2", "_row_hash": "other", "_order": "2025-03-02|000001"},
    ]

    found = [outcome for outcome, _ in outcomes(engine, REGISTER, rows, current)]

    assert found == ["unchanged", "applied", "applied"]


def test_what_is_known_by_its_hash_is_not_judged_unless_another_row_claims_its_key(
    engine: Engine,
) -> None:
    before: list[Row] = [{"register_id": str(n)} for n in range(1, 5)]
    today: list[Row] = [
        {"register_id": "1"},
        {"register_id": "1"},
        {"register_id": "2"},
        {"register_id": "2", "person_name": "李四"},
        {"register_id": "3", "person_name": "李四"},
        {"register_id": "5"},
    ]
    with engine.workspace(DAY) as workspace:
        workspace.add_rows("yesterday", delivered(REGISTER, before))
        standard = standardize(REGISTER, "yesterday")
        workspace.add_query("current", standard, keep=True)
        workspace.add_rows("delivered", delivered(REGISTER, today))
        known = recognised(REGISTER, "delivered", "current")
        workspace.add_query("recognised", known, keep=True)
        workspace.add_query("fresh", unrecognised("delivered", "recognised"))
        judge_rows(workspace, REGISTER, Base(current="current"), "fresh")
        workspace.add_query("contested", contested(REGISTER, "recognised", "judged"), keep=True)

        fresh = workspace.rows(exp.select("_row_number").from_("judged").order_by("_row_number"))
        rivals = workspace.rows(exp.select("_row_number").from_("contested"))
        counted = workspace.rows(tally_recognised("recognised", "contested")).to_pylist()
        gone = workspace.rows(vanished(REGISTER, "outcomes", "recognised", "current"))

    assert fresh["_row_number"].to_pylist() == [4, 5, 6]
    assert rivals["_row_number"].to_pylist() == [3]
    assert {row["_outcome"]: row["n"] for row in counted} == {"unchanged": 1, "duplicate": 1}
    assert gone["register_id"].to_pylist() == ["4"]


def test_changes_are_ordered_by_their_sequence_and_older_ones_never_win(engine: Engine) -> None:
    def change(key: str, at: str | None, word: str = "修改", **rest: str) -> Row:
        return {"register_id": key, "updated_at": at, "_change": word, **rest}

    rows = [
        change("1", "2025-03-03 09:00:00", person_name="新"),
        change("1", "2025-03-03 08:00:00", person_name="旧"),
        change("2", "2025-03-01 08:00:00"),
        change("3", "2025-03-03 08:00:00", "删除"),
        change("4", None, "删除"),
        change("5", "2025-03-03 08:00:00", "不明"),
        change("6", "2025-03-06 08:00:00"),
    ]
    current = [
        {
            "register_id": "2",
            "_row_hash": "x",
            "_order": "2025-03-02 00:00:00.000|2025-03-02|000001",
        },
        {
            "register_id": "3",
            "_row_hash": "y",
            "_order": "2025-03-02 00:00:00.000|2025-03-02|000001",
        },
    ]

    assert outcomes(engine, CHANGES, rows, current) == [
        ("applied", []),
        ("superseded", []),
        ("superseded", []),
        ("applied", []),
        ("unchanged", []),
        ("quarantined", ["change_known"]),
        ("quarantined", ["updated_at_not_after_receipt"]),
    ]


def test_the_parts_of_a_key_cannot_be_taken_for_others(
    any_engine: Engine, catalog: Catalog
) -> None:
    contract = catalog.get("credit.administrative_penalty")
    keys = [
        ("a|b", "c", "d"),
        ("a", "b|c", "d"),
        ("a", r"\|b", "c"),
        ("a\\", "b", "c"),
        ("a", "b", None),
    ]
    with any_engine.workspace(small=True) as workspace:
        rows = pa.table([list(part) for part in zip(*keys, strict=True)], names=contract.key)
        workspace.add_rows("given", rows)
        named_key = named(key_text(contract), "_key")
        found = workspace.rows(exp.select(*contract.key, named_key).from_("given")).to_pylist()

    assert {tuple(row.values())[:-1]: row["_key"] for row in found} == {
        keys[0]: r"a\|b|c|d",
        keys[1]: r"a|b\|c|d",
        keys[2]: r"a|\\\|b|c",
        keys[3]: r"a\\|b|c",
        keys[4]: None,
    }


def test_the_tally_counts_every_row_once(engine: Engine) -> None:
    rows: list[Row] = [{"register_id": "1"}, {"register_id": "1"}, {"person_name": None}]
    with engine.workspace(DAY) as workspace:
        workspace.add_rows("delivered", delivered(REGISTER, rows))
        judge_rows(workspace, REGISTER, Base())

        counted = workspace.rows(tally("outcomes")).to_pylist()

    assert sum(row["n"] for row in counted) == 3
    assert {row["_outcome"]: row["n"] for row in counted} == {
        "applied": 1,
        "duplicate": 1,
        "quarantined": 1,
    }
