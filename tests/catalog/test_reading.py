"""A contract is read into its typed view; each thing that can be wrong is told with its line."""

from __future__ import annotations

import json
import pickle
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.contract import (
    DataType,
    Derive,
    DriftModes,
    Golden,
    KeyRegister,
    Mask,
    Opening,
    Rule,
    Sharing,
    Source,
    TypeName,
)
from catalog.errors import ContractInvalid, Finding
from catalog.nodes import read_document
from catalog.reading import content_hash, parse_contract, read_contract
from catalog.vocabulary import (
    Consumer,
    DateForm,
    Derivation,
    Drift,
    Format,
    Gate,
    Kind,
    Layer,
    MaskKind,
    Mode,
    OpenLevel,
    SemanticType,
    Sensitivity,
    SharingLevel,
    Theme,
    Unit,
)
from tests.catalog.samples import (
    CODES,
    GOLDEN,
    REGISTER,
    SITE,
    SOURCE,
    changed,
    findings_of,
    line_of,
    text_of,
)


def test_a_source_contract_is_read_whole() -> None:
    contract = read_contract(SITE / SOURCE, SITE)

    assert contract.id == "population.birth_certificate"
    assert (contract.theme, contract.kind) == (Theme.POPULATION, Kind.SOURCE)
    assert contract.layer is Layer.CURATED
    assert contract.provider == "health"
    assert contract.business_name == "出生医学证明"
    assert contract.description == "一行是一张出生医学证明。"
    assert contract.key == ("certificate_number",)
    assert contract.source == Source(
        mode=Mode.SNAPSHOT,
        format=Format.CSV,
        sequence="updated_at",
        drift=DriftModes(Drift.ACCEPT, Drift.REFUSE, Drift.QUARANTINE),
    )
    assert contract.sharing == Sharing(
        SharingLevel.CONDITIONAL, condition="依据法定职责", modes=("table",)
    )
    assert contract.opening == Opening(OpenLevel.CLOSED, reason="含个人敏感信息")
    assert contract.resource_code == "307014212810002/000001"
    assert contract.gates == {"sex_code_code": Gate.WARN}
    assert (contract.frequency, contract.retention) == ("1d", "3y")
    assert contract.path == SOURCE
    assert [column.name for column in contract.delivered_columns] == [
        "certificate_number",
        "citizen_id",
        "sex_code",
        "birth_date",
        "valid_to",
        "fee_yuan",
        "updated_at",
    ]


def test_the_columns_carry_all_that_the_contract_says() -> None:
    contract = read_contract(SITE / SOURCE, SITE)

    number = contract.column("certificate_number")
    assert number.type == DataType(TypeName.STRING, length=20)
    assert (number.min_length, number.max_length) == (10, 20)
    assert number.pattern == "^[A-Z][0-9]+$"
    assert number.delivered_as == ("证明编号", "CSZMBH")
    assert (number.is_key, number.required) == (True, True)
    identity = contract.column("citizen_id")
    assert identity.semantic_type is SemanticType.CITIZEN_ID
    assert identity.sensitivity is Sensitivity.L4
    assert identity.mask == Mask(MaskKind.PARTIAL, keep_first=6, keep_last=1)
    delivered = contract.column("citizen_id_delivered")
    assert delivered.derive == Derive("citizen_id", Derivation.DELIVERED)
    assert contract.column("is_permanent").derive == Derive("valid_to", Derivation.PERMANENT)
    sex = contract.column("sex_code")
    assert (sex.code_table, sex.codes) == ("reference.sex", {"男": "1", "女": "2"})
    birth = contract.column("birth_date")
    assert birth.date_forms == (DateForm.COMPACT, DateForm.ISO)
    assert birth.minimum == date(1900, 1, 1)
    assert contract.column("valid_to").date_forms == tuple(DateForm)
    fee = contract.column("fee_yuan")
    assert fee.type == DataType(TypeName.DECIMAL, precision=20, scale=2)
    assert (fee.minimum, fee.maximum) == (Decimal(0), Decimal("99.5"))
    assert fee.unit is Unit.YUAN
    assert fee.sensitivity is None
    assert fee.description is None


def test_the_rules_are_those_the_contract_writes_out() -> None:
    contract = read_contract(SITE / SOURCE, SITE)

    identity, sex, enough = contract.rules
    assert identity == Rule(
        name="citizen_id_valid",
        description="身份号码应正确。",
        gate=Gate.WARN,
        column="citizen_id",
        dimension="conformity",
        holds="is_citizen_id(citizen_id_delivered)",
    )
    assert (sex.gate, sex.column, sex.is_row_rule) == (Gate.QUARANTINE, "sex_code", True)
    assert sex.holds == "\"sex_code\" IN ('1', '2')"
    assert (enough.gate, enough.blocks) == (Gate.BLOCK, (Consumer.LOAD,))
    assert (enough.column, enough.holds, enough.metric) == (None, None, "rowCount")
    assert (enough.operator, enough.operand) == ("mustBeGreaterThan", 0)


def test_a_golden_contract_and_its_register_are_read() -> None:
    person = read_contract(SITE / GOLDEN, SITE)
    register = read_contract(SITE / REGISTER, SITE)

    assert person.layer is Layer.THEMATIC
    assert person.golden == Golden(
        "population.person_key", ("citizen_id",), ("population.birth_certificate",)
    )
    assert person.column("citizen_id").authority == ("population.birth_certificate",)
    assert person.column("_sources").type == DataType(TypeName.MAP)
    assert person.column("person_id").required
    assert register.key == ("source_dataset", "source_key", "ordinal")
    assert register.key_register == KeyRegister(
        "person_id", "citizen_id", ("population.birth_certificate",)
    )


def test_a_code_table_names_its_edition() -> None:
    contract = read_contract(SITE / CODES, SITE)

    assert contract.source is not None
    assert contract.source.code_table == "sex.csv"
    assert contract.source.edition == date(2025, 1, 1)


def test_the_hash_is_that_of_the_content_not_of_its_layout() -> None:
    text = text_of(SOURCE)
    contract = parse_contract(text, SOURCE)

    commented = parse_contract(f"# a comment\n{text}", SOURCE)
    renamed = parse_contract(changed(text, "businessName: 性别\n", "businessName: 男女\n"), SOURCE)

    assert commented.content_hash == contract.content_hash
    assert renamed.content_hash != contract.content_hash
    assert content_hash({"b": 1, "a": "中"}) == content_hash({"a": "中", "b": 1})
    assert contract.content_hash == content_hash(json.loads(json.dumps(contract.document)))


def test_findings_survive_a_process_boundary() -> None:
    with pytest.raises(ContractInvalid) as raised:
        parse_contract("a: 1", "schemas/x/y.odcs.yaml")

    again = pickle.loads(pickle.dumps(raised.value))
    assert again.findings == raised.value.findings


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "population" / "person.odcs.yaml"
    file.parent.mkdir()
    file.write_bytes("a: 1\nname: 人\n".encode("gb18030"))

    with pytest.raises(ContractInvalid) as raised:
        read_contract(file, tmp_path)

    told = "not UTF-8: byte 0xc8 at position 11"
    assert raised.value.findings == (Finding("population/person.odcs.yaml", 2, told),)


def test_all_findings_come_at_once_and_in_order() -> None:
    text = text_of(SOURCE)
    text = changed(text, "mode: snapshot", "mode: snapshots")
    text = changed(text, "physicalType: char(1)", "physicalType: double")
    text = changed(text, "redcliff.unit", "redcliff.units")
    text = changed(text, "holds: is_citizen_id", "holds: is_citizen")

    with pytest.raises(ContractInvalid) as raised:
        parse_contract(text, SOURCE)

    assert [finding.line for finding in raised.value.findings] == [17, 58, 67, 103]
    assert "4 finding(s)" in str(raised.value)
    assert f"{SOURCE}:67: 'double' is floating point" in str(raised.value)


FINDINGS = read_document((Path(__file__).parent / "findings.yaml").read_text("utf-8")).value
FILES = {"source": SOURCE, "golden": GOLDEN, "register": REGISTER, "code_table": CODES}
CASES = [
    pytest.param(FILES[file], case, id=f"{file}-{name}")
    for file, cases in FINDINGS.items()
    for name, case in cases.items()
]


@pytest.mark.parametrize(("path", "case"), CASES)
def test_what_is_wrong_is_told_on_its_line(path: str, case: dict[str, str]) -> None:
    text = changed(text_of(path), case["old"], case["new"])

    assert findings_of(text, path) == [(line_of(text, case.get("at", "# here")), case["says"])]


@pytest.mark.parametrize("path", FILES.values())
def test_the_contracts_that_the_cases_change_are_sound(path: str) -> None:
    assert findings_of(text_of(path), path) == []
