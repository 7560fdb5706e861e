from __future__ import annotations

import pytest

from catalog.contract import Contract, Rule
from catalog.quality import implied_rules
from catalog.reading import parse_contract
from catalog.vocabulary import Consumer, Gate
from tests.catalog.samples import GOLDEN, SOURCE, changed, text_of


def contract_with(item: str, *, on: str = "citizen_id_delivered") -> Contract:
    """The sample contract with one more quality item on a column."""
    anchor = f"      - name: {on}\n"
    indented = "\n".join(f"            {line}" for line in item.strip().splitlines())
    quality = f"        quality:\n          -\n{indented}\n"
    return parse_contract(changed(text_of(SOURCE), anchor, anchor + quality), SOURCE)


def rule_of(item: str, *, on: str = "citizen_id_delivered") -> Rule:
    contract = contract_with(item, on=on)
    return next(rule for rule in contract.rules if rule.name == "added")


NAMED = "name: added\ndescription: 供测试。\n"
CONDITION = NAMED + "type: custom\nengine: redcliff\nimplementation: {holds: sex_code <> '9'}\n"
COUNTING = NAMED + "metric: nullValues\nmustBe: 0\n"
TABLE_GATE = "customProperties: [{property: redcliff.gate, value: {block: share}}]\n"


@pytest.mark.parametrize(
    ("item", "gate", "blocks"),
    [
        pytest.param(CONDITION, Gate.QUARANTINE, (), id="a-row-rule-is-hard-by-default"),
        pytest.param(CONDITION + "severity: error", Gate.QUARANTINE, (), id="error-quarantines"),
        pytest.param(CONDITION + "severity: warning", Gate.WARN, (), id="warning-counts"),
        pytest.param(CONDITION + "severity: info", Gate.WARN, (), id="info-counts"),
        pytest.param(
            CONDITION
            + "severity: warning\n"
            + "customProperties: [{property: redcliff.gate, value: quarantine}]",
            Gate.QUARANTINE,
            (),
            id="the-gate-overrides-the-severity",
        ),
        pytest.param(COUNTING, Gate.WARN, (), id="a-table-rule-warns"),
        pytest.param(COUNTING + "severity: error", Gate.WARN, (), id="an-error-of-a-table-warns"),
        pytest.param(
            COUNTING + TABLE_GATE, Gate.BLOCK, (Consumer.SHARE,), id="one-consumer-is-blocked"
        ),
        pytest.param(
            COUNTING + TABLE_GATE.replace("share", "[open, feed]"),
            Gate.BLOCK,
            (Consumer.OPEN, Consumer.FEED),
            id="several-consumers-are-blocked",
        ),
    ],
)
def test_the_gate_follows_from_severity_and_gate(
    item: str, gate: Gate, blocks: tuple[Consumer, ...]
) -> None:
    rule = rule_of(item)

    assert (rule.gate, rule.blocks) == (gate, blocks)


def test_a_pattern_becomes_a_condition() -> None:
    rule = rule_of(NAMED + "metric: invalidValues\nmustBe: 0\narguments: {pattern: '^[0-9]''$'}")

    assert rule.holds == "REGEXP_LIKE(\"citizen_id_delivered\", '^[0-9]''$')"
    assert rule.is_row_rule


def test_valid_values_become_a_condition_that_quotes_them() -> None:
    item = NAMED + 'metric: invalidValues\nmustBe: 0\narguments: {validValues: [甲, "o\'k"]}'

    assert rule_of(item).holds == "\"citizen_id_delivered\" IN ('甲', 'o''k')"


def test_invalid_values_in_percent_are_a_rule_on_the_table() -> None:
    item = (
        NAMED
        + "metric: invalidValues\nmustBeLessThan: 5\nunit: percent\narguments: {pattern: '^A'}"
    )

    rule = rule_of(item)

    assert (rule.holds, rule.metric, rule.is_row_rule) == (None, "invalidValues", False)
    assert (rule.operator, rule.operand) == ("mustBeLessThan", 5)
    assert rule.arguments == {"pattern": "^A"}


def test_a_query_is_a_rule_on_the_table() -> None:
    item = NAMED + "type: sql\nquery: SELECT count(*) AS n FROM ${table}\nmustBeBetween: [1, 9]"

    rule = rule_of(item)

    assert rule.query == "SELECT count(*) AS n FROM ${table}"
    assert (rule.operator, rule.operand) == ("mustBeBetween", [1, 9])
    assert rule.column == "citizen_id_delivered"


def test_every_implied_rule_of_the_reference_has_its_name() -> None:
    contract = parse_contract(text_of(SOURCE), SOURCE)

    implied = list(implied_rules(contract.columns, contract.source))

    assert len(implied) == len(set(implied))
    assert {
        "certificate_number_required",
        "certificate_number_type",
        "certificate_number_length",
        "certificate_number_pattern",
        "sex_code_code",
        "birth_date_range",
        "fee_yuan_range",
        "updated_at_not_after_receipt",
        "key_unique",
        "record_readable",
        "unknown_column",
        "missing_column",
    } <= set(implied)
    assert "change_known" not in implied
    assert not [name for name in implied if name.startswith(("citizen_id_delivered", "is_perm"))]
    assert not {"sex_code_required", "sex_code_length", "sex_code_range"} & set(implied)


def test_a_thematic_contract_may_name_its_rules_freely() -> None:
    text = changed(
        text_of(GOLDEN),
        "        primaryKey: true\n",
        "        primaryKey: true\n        quality:\n          - name: person_id_required\n"
        "            description: 不得为空。\n            metric: nullValues\n"
        "            mustBe: 0\n",
    )

    (rule,) = parse_contract(text, GOLDEN).rules

    assert rule.name == "person_id_required"
