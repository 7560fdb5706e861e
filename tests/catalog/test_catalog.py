from __future__ import annotations

from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.departments import Department
from catalog.errors import ContractError, ContractInvalid, ContractNotFound, ModelError, UsageError
from tests.catalog.samples import (
    CODES,
    COUNT,
    DEPARTMENTS,
    GOLDEN,
    MODEL,
    REGISTER,
    SITE,
    SOURCE,
    changed,
    copy_site,
    line_of,
    text_of,
)


def findings_of(site: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(ContractInvalid) as raised:
        Catalog.load(site)
    return [(finding.file, finding.line, finding.message) for finding in raised.value.findings]


def test_a_catalog_holds_every_contract_by_its_id() -> None:
    catalog = Catalog.load(SITE)

    assert list(catalog.contracts) == [
        "population.birth_certificate",
        "population.birth_count",
        "population.person",
        "population.person_key",
        "reference.sex",
    ]
    assert [contract.dataset for contract in catalog.sources()] == ["birth_certificate", "sex"]
    assert [c.dataset for c in catalog.thematic()] == ["birth_count", "person", "person_key"]
    assert catalog.get("reference.sex").name == "样例"


def test_a_provider_is_a_department_of_the_site() -> None:
    catalog = Catalog.load(SITE)

    provider = catalog.provider(catalog.get("population.person"))

    assert provider == Department("health", "市卫生健康局", "Health Bureau")


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("population.persons", "population.person"),
        ("credit.person", "population.person"),
        ("person", "population.person"),
        ("sex", "reference.sex"),
    ],
)
def test_a_dataset_that_is_not_there_is_told_with_near_names(asked: str, near: str) -> None:
    with pytest.raises(ContractNotFound) as raised:
        Catalog.load(SITE).get(asked)

    assert raised.value.known[0] == near


def test_a_name_like_no_other_has_no_near_names() -> None:
    with pytest.raises(ContractNotFound, match=r"no contract has the id 'zzz'$"):
        Catalog.load(SITE).get("zzz")


def test_a_model_is_read_by_the_name_of_its_dataset() -> None:
    catalog = Catalog.load(SITE)

    assert catalog.model_sql(catalog.get("population.birth_count")) == text_of(MODEL)


@pytest.mark.parametrize(
    "dataset", ["population.person", "population.person_key", "population.birth_certificate"]
)
def test_what_is_generated_or_delivered_has_no_model(dataset: str) -> None:
    catalog = Catalog.load(SITE)

    assert catalog.model_sql(catalog.get(dataset)) is None


def test_a_missing_model_is_told_with_its_path(tmp_path: Path) -> None:
    site = copy_site(tmp_path)
    (site / MODEL).unlink()
    catalog = Catalog.load(site)

    with pytest.raises(ModelError, match=f"population.birth_count has no model: {MODEL}"):
        catalog.model_sql(catalog.get("population.birth_count"))


def test_a_code_table_leads_to_its_file() -> None:
    catalog = Catalog.load(SITE)

    file = catalog.code_table_file(catalog.get("reference.sex"))

    assert file.read_text("utf-8").splitlines()[0] == "code,name"
    with pytest.raises(ContractError, match=r"population\.person names no code_table"):
        catalog.code_table_file(catalog.get("population.person"))


@pytest.mark.parametrize(
    "path", [SOURCE, DEPARTMENTS, MODEL, "schemas/code_tables/sex.csv"], ids=lambda p: Path(p).name
)
def test_the_hash_of_a_catalog_changes_with_everything_a_run_depends_on(
    tmp_path: Path, path: str
) -> None:
    site = copy_site(tmp_path)
    before = Catalog.load(site).content_hash
    file = site / path
    text = file.read_text("utf-8")

    file.write_text(text.replace("男", "雄").replace("Bureau", "Office").replace("-- One", "-- A"))

    assert Catalog.load(site).content_hash != before
    file.write_text(text)
    assert Catalog.load(site).content_hash == before


def test_a_folder_without_schemas_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no site"):
        Catalog.load(tmp_path)


def test_the_findings_of_all_files_come_at_once(tmp_path: Path) -> None:
    site = copy_site(
        tmp_path,
        source=changed(text_of(SOURCE), "mode: snapshot", "mode: snapshots"),
        codes=changed(text_of(CODES), "physicalType: varchar(20)", "physicalType: real"),
        departments=changed(text_of(DEPARTMENTS), "code: health", "code: heath"),
    )
    (site / "schemas" / "population" / "notes.yaml").write_text("a: 1\n")

    found = findings_of(site)

    expected = [
        (COUNT, 9, "unknown department 'health'; did you mean 'heath'?"),
        (GOLDEN, 9, "unknown department 'health'; did you mean 'heath'?"),
        (REGISTER, 9, "unknown department 'health'; did you mean 'heath'?"),
        (SOURCE, 9, "unknown department 'health'; did you mean 'heath'?"),
        (
            SOURCE,
            17,
            "expected one of snapshot, changes, append, found the text 'snapshots'; "
            "did you mean 'snapshot'?",
        ),
        ("schemas/population/notes.yaml", 1, "a contract's file name ends in .odcs.yaml"),
        (CODES, 9, "unknown department 'health'; did you mean 'heath'?"),
        (
            CODES,
            line_of((site / CODES).read_text("utf-8"), "physicalType: real"),
            "'real' is floating point; write decimal(p,s)",
        ),
    ]
    assert found == sorted(expected)


def test_a_contract_that_cannot_be_read_is_not_reported_as_missing(tmp_path: Path) -> None:
    site = copy_site(tmp_path, source="a: [1\n", codes="b: }\n")

    assert [file for file, _, _ in findings_of(site)] == [SOURCE, CODES]


CASES = [
    pytest.param(
        "source",
        "value: reference.sex",
        "value: reference.sexes",
        "reference.sexes",
        "unknown dataset 'reference.sexes'; did you mean 'reference.sex'?",
        id="code-table-unknown",
    ),
    pytest.param(
        "source",
        '女: "2"}',
        '女: "3"}',
        '女: "3"',
        "reference.sex knows no code '3'",
        id="code-unknown",
    ),
    pytest.param(
        "source",
        "        businessName: 有效期止\n",
        "        businessName: 有效期止\n        relationships: [{to: persons.birth_date}]\n",
        "relationships",
        "unknown dataset 'population.persons'; did you mean 'population.person'?",
        id="relationship-to-no-dataset",
    ),
    pytest.param(
        "source",
        "        businessName: 有效期止\n",
        "        businessName: 有效期止\n        relationships: [{to: reference__sex.cod}]\n",
        "relationships",
        "reference.sex has no column 'cod'; did you mean 'code'?",
        id="relationship-to-no-column",
    ),
    pytest.param(
        "source",
        "        businessName: 有效期止\n",
        "        businessName: 有效期止\n        relationships: [{to: reference__sex.code}]\n",
        "relationships",
        "'valid_to' is date, 'code' string",
        id="relationship-to-another-type",
    ),
    pytest.param(
        "golden",
        "key_register: population.person_key",
        "key_register: population.person_keys",
        "key_register",
        "unknown dataset 'population.person_keys'; did you mean 'population.person_key'?",
        id="key-register-unknown",
    ),
    pytest.param(
        "golden",
        "key_register: population.person_key",
        "key_register: population.birth_count",
        "key_register",
        "population.birth_count is no key register",
        id="key-register-is-none",
    ),
    pytest.param(
        "golden",
        "- name: person_id",
        "- name: human_id",
        "key_register",
        "the key is human_id, the entity of population.person_key is person_id",
        id="key-is-not-the-entity",
    ),
    pytest.param(
        "golden",
        "sources: [population.birth_certificate]",
        "sources: [population.birth_certificate, reference.sex]",
        "sources: [",
        "population.person_key assigns no records of 'reference.sex'",
        id="source-without-assignments",
    ),
    pytest.param(
        "golden",
        "sources: [population.birth_certificate]",
        "sources: [population.birth_certificate, population.birth]",
        "sources: [",
        "unknown dataset 'population.birth'; did you mean 'population.birth_count'?",
        id="golden-source-unknown",
    ),
    pytest.param(
        "register",
        "sources: [population.birth_certificate]",
        "sources: [population.birth_certificate, population.birth_count]",
        "sources: [",
        "population.birth_count is delivered by no department",
        id="source-is-a-model",
    ),
    pytest.param(
        "register",
        "sources: [population.birth_certificate]",
        "sources: [population.birth_certificate, reference.sex]",
        "sources: [",
        "reference.sex has no column 'citizen_id'",
        id="source-without-the-identity",
    ),
    pytest.param(
        "count",
        "  - {property: redcliff.opening,",
        "  - {property: redcliff.await, value: [population.births]}\n"
        "  - {property: redcliff.opening,",
        "redcliff.await",
        "unknown dataset 'population.births'; did you mean 'population.birth_count'?",
        id="awaited-dataset-unknown",
    ),
    pytest.param(
        "count",
        "  - {property: redcliff.opening,",
        "  - {property: redcliff.await, value: [population.person]}\n"
        "  - {property: redcliff.opening,",
        "redcliff.await",
        "population.person is made by a model; await what departments deliver for it",
        id="awaited-dataset-is-a-model",
    ),
    pytest.param(
        "count",
        "team: {name: health}",
        "team: {name: heath}",
        "team:",
        "unknown department 'heath'; did you mean 'health'?",
        id="department-unknown",
    ),
    pytest.param(
        "count",
        "  - {property: redcliff.opening,",
        '  - {property: redcliff.resource_code, value: "307014212810002/000001"}\n'
        "  - {property: redcliff.opening,",
        "redcliff.resource_code",
        "population.birth_certificate has the code '307014212810002/000001' already",
        id="resource-code-taken",
    ),
    pytest.param(
        "codes",
        "code_table: sex.csv",
        "code_table: sexes.csv",
        "code_table:",
        "there is no file schemas/code_tables/sexes.csv",
        id="edition-missing",
    ),
    pytest.param(
        "codes",
        "name: name,",
        "name: title,",
        "code_table:",
        "sex.csv has no column 'title'",
        id="edition-without-a-column",
    ),
    pytest.param(
        "departments",
        "english_name: Health Bureau",
        "english: Health Bureau",
        "code: health",
        "the key 'english_name' is missing",
        id="department-without-a-name",
    ),
]
PATHS = {
    "source": SOURCE,
    "golden": GOLDEN,
    "register": REGISTER,
    "count": COUNT,
    "codes": CODES,
    "departments": DEPARTMENTS,
}


@pytest.mark.parametrize(("name", "old", "new", "at", "told"), CASES)
def test_what_does_not_agree_with_the_others_is_told_on_its_line(
    tmp_path: Path, name: str, old: str, new: str, at: str, told: str
) -> None:
    text = changed(text_of(PATHS[name]), old, new)
    site = copy_site(tmp_path, **{name: text})

    found = [finding for finding in findings_of(site) if finding[0] == PATHS[name]]

    assert found == [(PATHS[name], line_of(text, at), told)]


def test_a_code_is_one_column(tmp_path: Path) -> None:
    text = changed(text_of(CODES), "primaryKey: true}", "primaryKey: true, primaryKeyPosition: 1}")
    text = changed(text, "varchar(20)}", "varchar(20), primaryKey: true, primaryKeyPosition: 2}")
    site = copy_site(tmp_path, codes=text)

    line = line_of(text_of(SOURCE), "redcliff.code_table")
    told = "reference.sex has a key of 2 columns, a code is one"
    assert findings_of(site) == [(SOURCE, line, told)]


def test_an_authority_holds_the_column_in_the_same_type(tmp_path: Path) -> None:
    site = copy_site(
        tmp_path,
        golden=changed(text_of(GOLDEN), "- name: citizen_id", "- name: citizen")
        .replace("identity: [citizen_id]", "identity: [citizen]")
        .replace("      - {name: _sources", BIRTH_DATE + "      - {name: _sources"),
    )

    text = (site / GOLDEN).read_text("utf-8")
    first, second = (n for n, line in enumerate(text.splitlines(), 1) if "authority" in line)
    assert findings_of(site) == [
        (
            GOLDEN,
            first,
            "population.birth_certificate has no column 'citizen'; did you mean 'citizen_id'?",
        ),
        (GOLDEN, second, "'birth_date' is date in population.birth_certificate, here string"),
    ]


BIRTH_DATE = """\
      - name: birth_date
        businessName: 出生日期
        logicalType: string
        physicalType: varchar(10)
        customProperties:
          - {property: redcliff.authority, value: [population.birth_certificate]}
"""


def test_a_department_stands_once(tmp_path: Path) -> None:
    text = text_of(DEPARTMENTS) + "  - {code: health, name: 二, english_name: Second}\n"
    site = copy_site(tmp_path, departments=text)

    told = "the department 'health' stands twice"
    assert findings_of(site) == [(DEPARTMENTS, 3, told)]


def test_a_site_without_departments_is_told(tmp_path: Path) -> None:
    site = copy_site(tmp_path)
    (site / DEPARTMENTS).unlink()

    assert findings_of(site)[0] == (DEPARTMENTS, 1, "the file is missing")
