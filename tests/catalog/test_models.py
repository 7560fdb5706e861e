from __future__ import annotations

from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.errors import Finding, ModelError
from catalog.models import check_models, model_inputs, model_order
from tests.catalog.samples import COUNT, GOLDEN, MODEL, SITE, changed, copy_site, text_of


def test_the_inputs_of_a_model_come_from_its_sql_or_its_contract() -> None:
    catalog = Catalog.load(SITE)

    def inputs(dataset: str) -> tuple[str, ...]:
        return model_inputs(catalog, catalog.get(dataset))

    certificates = "curated.population__birth_certificate"
    assert inputs("population.birth_count") == (certificates,)
    assert inputs("population.person_key") == (certificates,)
    assert inputs("population.person") == ("thematic.population__person_key", certificates)
    assert inputs("population.birth_certificate") == ()


def test_every_model_comes_after_those_it_reads(tmp_path: Path) -> None:
    model = text_of(MODEL).replace("curated.population__birth_certificate", PERSON)
    site = copy_site(tmp_path, model=model)

    ordered = [contract.dataset for contract in model_order(Catalog.load(site))]

    assert ordered == ["person_key", "person", "birth_count"]


PERSON = "thematic.population__person"


def test_the_site_is_sound() -> None:
    assert check_models(Catalog.load(SITE)) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        pytest.param(
            "    sex_code,\n",
            "    sex AS sex_code,\n",
            3,
            "unknown column 'sex'",
            id="column-unknown",
        ),
        pytest.param(
            "birth_certificate\n",
            "birth_certificates\n",
            5,
            "unknown table 'curated.population__birth_certificates'; "
            "did you mean 'curated.population__birth_certificate'?",
            id="table-unknown",
        ),
        pytest.param(
            "curated.population__birth_certificate",
            "thematic.population__birth_count",
            1,
            "population.birth_count reads itself",
            id="reads-itself",
        ),
        pytest.param(
            "    sex_code,\n    count(*) AS births\n",
            "    count(*) AS births,\n    sex_code\n",
            1,
            "column 1 of the SELECT is births, the contract's is sex_code; write them in one order",
            id="another-order",
        ),
        pytest.param(
            "count(*) AS births",
            "count(*) AS births,\n    max(fee_yuan) AS fee_yuan",
            1,
            "the SELECT should not give fee_yuan",
            id="a-column-too-many",
        ),
        pytest.param(
            "    sex_code,\n    count(*) AS births\n",
            "    count(*) AS number\n",
            1,
            "the SELECT lacks sex_code, births and should not give number",
            id="other-columns",
        ),
        pytest.param(
            "GROUP BY sex_code",
            "WHERE valid_to > run_date()\nGROUP BY sex_code",
            6,
            "run_date would make the table change with the day; keep the date itself",
            id="changes-with-the-day",
        ),
        pytest.param(
            "GROUP BY sex_code",
            "GROUP BY sex_code\nLIMIT 1",
            7,
            "LIMIT 1 is not allowed",
            id="limit",
        ),
        pytest.param("SELECT", "SELECTS", 3, "not SQL: ", id="no-sql"),
    ],
)
def test_what_is_wrong_with_a_model_is_told_on_its_line(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    site = copy_site(tmp_path, model=changed(text_of(MODEL), old, new))

    (finding,) = check_models(Catalog.load(site))

    assert (finding.file, finding.line) == (MODEL, line)
    assert finding.message == told or (told.endswith(": ") and finding.message.startswith(told))


def test_a_missing_model_is_told_at_its_contract(tmp_path: Path) -> None:
    site = copy_site(tmp_path)
    (site / MODEL).unlink()

    told = f"its model is missing: {MODEL}"
    assert check_models(Catalog.load(site)) == [Finding(COUNT, 1, told)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("population/births.sql", "there is no sound contract population.births"),
        ("population/birth_certificate.sql", "population.birth_certificate is delivered"),
        ("population/person.sql", "the model of population.person is generated"),
    ],
)
def test_a_file_that_nothing_reads_is_told(tmp_path: Path, name: str, told: str) -> None:
    site = copy_site(tmp_path)
    (site / "pipelines" / "thematic" / name).write_text("SELECT 1 AS a\n")

    (finding,) = check_models(Catalog.load(site))

    assert (finding.file, finding.line) == (f"pipelines/thematic/{name}", 1)
    assert finding.message.startswith(told)


def test_models_that_wait_for_each_other_are_told_with_path_and_files(tmp_path: Path) -> None:
    site = copy_site(tmp_path, model="SELECT sex_code, births FROM thematic.population__a_count\n")
    for name, reads in (("a", "b"), ("b", "birth")):
        contract = text_of(COUNT).replace("birth_count", f"{name}_count")
        (site / "schemas" / "population" / f"{name}_count.odcs.yaml").write_text(contract)
        model = f"SELECT sex_code, births FROM thematic.population__{reads}_count\n"
        (site / "pipelines" / "thematic" / "population" / f"{name}_count.sql").write_text(model)
    catalog = Catalog.load(site)

    with pytest.raises(ModelError) as raised:
        model_order(catalog)

    path = "population.a_count → population.b_count → population.birth_count → population.a_count"
    folder = "pipelines/thematic/population"
    files = f"{folder}/a_count.sql, {folder}/b_count.sql, {folder}/birth_count.sql"
    told = f"models wait for each other: {path}; break the circle in one of {files}"
    assert str(raised.value) == told
    assert check_models(catalog) == [Finding("pipelines/thematic", 1, told)]


GRADED = "physicalType: char(1), primaryKey: true, classification: {}{}}}"


@pytest.mark.parametrize(
    ("grade", "more", "told"),
    [
        ("L2", "", None),
        ("L3", "", None),
        (
            "L1",
            "",
            "sex_code is L1, made from curated.population__birth_certificate.sex_code (L2); "
            "grade it as high, or say why not in redcliff.declassified",
        ),
        ("L1", ", customProperties: [{property: redcliff.declassified, value: 合计数}]", None),
    ],
)
def test_a_column_is_graded_no_lower_than_what_it_is_made_from(
    tmp_path: Path, grade: str, more: str, told: str | None
) -> None:
    text = changed(
        text_of(COUNT), "physicalType: char(1), primaryKey: true}", GRADED.format(grade, more)
    )
    site = copy_site(tmp_path, count=text)

    assert check_models(Catalog.load(site)) == ([] if told is None else [Finding(MODEL, 1, told)])


def test_what_no_grade_was_given_to_is_above_every_grade(tmp_path: Path) -> None:
    text = changed(
        text_of(COUNT),
        "logicalType: integer, physicalType: bigint}",
        "logicalType: integer, physicalType: bigint, classification: L4}",
    )
    model = changed(text_of(MODEL), "count(*)", "count(fee_yuan)")
    site = copy_site(tmp_path, count=text, model=model)

    (finding,) = check_models(Catalog.load(site))

    assert "curated.population__birth_certificate.fee_yuan (ungraded)" in finding.message


def test_a_golden_column_is_graded_no_lower_than_its_authorities(tmp_path: Path) -> None:
    text = changed(
        text_of(GOLDEN),
        "physicalType: char(18)\n",
        "physicalType: char(18)\n        classification: L3\n",
    )
    site = copy_site(tmp_path, golden=text)

    (finding,) = check_models(Catalog.load(site))

    assert finding.file == GOLDEN
    assert finding.message.startswith(
        "citizen_id is L3, made from curated.population__birth_certificate.citizen_id (L4)"
    )


def test_a_reason_at_the_dataset_covers_all_its_columns(tmp_path: Path) -> None:
    text = changed(
        text_of(COUNT), "physicalType: char(1), primaryKey: true}", GRADED.format("L1", "")
    )
    text = changed(
        text,
        "  - {property: redcliff.opening,",
        "  - {property: redcliff.declassified, value: 合计数}\n  - {property: redcliff.opening,",
    )
    site = copy_site(tmp_path, count=text)

    catalog = Catalog.load(site)

    assert catalog.get("population.birth_count").column("sex_code").declassified == "合计数"
    assert check_models(catalog) == []
