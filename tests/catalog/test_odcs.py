"""Our closed lists against the JSON schema of ODCS, which stands outside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft201909Validator

from catalog import odcs
from catalog.grammar import Record
from catalog.nodes import read_document
from catalog.reading import parse_contract
from catalog.writing import write_contract
from tests.catalog.samples import CODES, COUNT, GOLDEN, REGISTER, SOURCE, findings_of, text_of

SHARED = Path(__file__).parents[3] / "shared"
SCHEMA = SHARED / "corpora" / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json"
EXAMPLES = SHARED / "examples"
CONTRACTS = sorted((Path(__file__).parents[2] / "schemas").rglob("*.odcs.yaml"))

pytestmark = pytest.mark.skipif(not SCHEMA.exists(), reason="the ODCS JSON schema is not here")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return loaded


def keys_of(schema: dict[str, Any], definition: str) -> set[str]:
    """The keys of a definition, those of what it refers to and of its alternatives included."""

    def collect(part: dict[str, Any]) -> set[str]:
        keys = set(part.get("properties", {}))
        if "$ref" in part:
            keys |= collect(schema["$defs"][part["$ref"].rpartition("/")[2]])
        for group in ("allOf", "oneOf", "anyOf"):
            for branch in part.get(group, ()):
                keys |= collect(branch) | collect(branch.get("then", {}))
        return keys

    return collect(schema["$defs"][definition])


def known_to(record: Record) -> set[str]:
    return set(record.keys) | set(record.refused)


@pytest.mark.parametrize(
    ("record", "definition"),
    [
        (odcs.TABLE, "SchemaObject"),
        (odcs.COLUMN, "SchemaProperty"),
        (odcs.RULE, "DataQuality"),
        (odcs.TEAM, "Team"),
        (odcs.MEMBER, "TeamMember"),
        (odcs.SERVICE_LEVEL, "ServiceLevelAgreementProperty"),
        (odcs.SUPPORT, "SupportItem"),
        (odcs.PRICE, "Pricing"),
        (odcs.RELATIONSHIP, "RelationshipPropertyLevel"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_key_of_odcs_is_taken_or_refused_with_a_reason(
    schema: dict[str, Any], record: Record, definition: str
) -> None:
    expected = keys_of(schema, definition)
    if record is odcs.COLUMN:
        expected.add("properties")  # of nested columns; the schema allows it below items only

    assert known_to(record) - {"businessName"} == expected - {"businessName"}


def test_every_key_of_the_document_is_taken_or_refused(schema: dict[str, Any]) -> None:
    assert known_to(odcs.DOCUMENT) == set(schema["properties"])
    assert set(odcs.DOCUMENT.required) >= set(schema["required"])


def test_every_option_of_a_logical_type_is_taken_or_refused(schema: dict[str, Any]) -> None:
    options: set[str] = set()
    for branch in schema["$defs"]["SchemaBaseProperty"]["allOf"]:
        then = branch.get("then", {}).get("properties", {}).get("logicalTypeOptions", {})
        options |= set(then.get("properties", {}))

    assert options
    assert known_to(odcs.LOGICAL_TYPE_OPTIONS) == options


@pytest.mark.parametrize("path", [SOURCE, GOLDEN, REGISTER, COUNT, CODES])
def test_what_we_write_is_valid_odcs(schema: dict[str, Any], path: str) -> None:
    contract = parse_contract(text_of(path), path)

    written = read_document(write_contract(contract)).value

    assert list(Draft201909Validator(schema).iter_errors(written)) == []


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: f"{p.parent.name}.{p.name}")
def test_every_contract_of_the_site_is_valid_odcs(schema: dict[str, Any], path: Path) -> None:
    document = read_document(path.read_text("utf-8")).value

    assert list(Draft201909Validator(schema).iter_errors(document)) == []


@pytest.mark.parametrize(
    ("name", "line"), [("household_register.odcs.yaml", 34), ("person.odcs.yaml", 20)]
)
def test_an_example_is_valid_but_for_a_comma_that_parts_its_condition(
    schema: dict[str, Any], name: str, line: int
) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    path = f"schemas/population/{name}"

    assert list(Draft201909Validator(schema).iter_errors(read_document(text).value)) == []
    assert findings_of(text, path) == [(line, "unknown key '说明用途和使用范围'")]
    assert findings_of(text.replace("依据法定职责,", "依据法定职责，"), path) == []
