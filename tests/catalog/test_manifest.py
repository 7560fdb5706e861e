from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.compile.dags import compile_manifest
from catalog.compile.manifest import Manifest, files_hash, read_manifest, write_manifest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the repository's content that may be changed."""
    copy = tmp_path / "site"
    for part in ("schemas", "conf", "pipelines/thematic"):
        shutil.copytree(REPOSITORY / part, copy / part)
    return copy


def compiled(site: Path) -> Manifest:
    return compile_manifest(Catalog.load(site))


def test_batches_are_departments_and_the_code_tables(catalog: Catalog) -> None:
    manifest = compile_manifest(catalog)

    assert {id_ for batch in manifest.batches for id_ in batch.datasets} == {
        c.id for c in catalog.sources()
    }
    names = [batch.name for batch in manifest.batches]
    assert "code_tables" in names
    assert "platform" not in names
    found = manifest.batch_of("credit.tax_rating")
    assert found is not None
    assert (found.name, found.title) == ("tax", "国家税务总局赤壁市税务局")
    assert [batch.name for batch in manifest.batches if batch.is_hourly] == ["environment"]


def test_a_library_reads_the_tables_of_others_and_makes_its_own(catalog: Catalog) -> None:
    libraries = {one.theme: one for one in compile_manifest(catalog).libraries}

    assert libraries["credit"].outputs == (
        "thematic.credit__credit_event",
        "thematic.credit__credit_file",
    )
    assert "thematic.legal_entity__entity" in libraries["credit"].inputs
    assert not set(libraries["credit"].inputs) & set(libraries["credit"].outputs)
    order = list(libraries)
    assert max(order.index("population"), order.index("legal_entity")) < order.index("credit")
    assert "reference" not in libraries


def test_a_manifest_comes_back_as_it_was_written(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "there" / "manifest.json"

    write_manifest(compiled(site), file)

    assert read_manifest(file, site) == compiled(site)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "changed",
    [
        "schemas/credit/tax_rating.odcs.yaml",
        "schemas/code_tables/working_day.csv",
        "conf/departments.yaml",
        "pipelines/thematic/credit/credit_file.sql",
    ],
)
def test_a_stale_manifest_is_not_trusted(site: Path, tmp_path: Path, changed: str) -> None:
    write_manifest(compiled(site), tmp_path / "manifest.json")

    with (site / changed).open("a", encoding="utf-8") as file:
        file.write("\n")

    assert read_manifest(tmp_path / "manifest.json", site) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 0, "files_hash": ""}'],
    ids=["empty", "list", "bare", "old"],
)
def test_what_is_no_manifest_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)

    assert read_manifest(tmp_path / "manifest.json", REPOSITORY) is None
    assert read_manifest(tmp_path / "none.json", REPOSITORY) is None


def test_a_contract_that_comes_or_goes_changes_its_batch_alone(site: Path) -> None:
    before = compiled(site)
    (site / "schemas/credit/tax_rating.odcs.yaml").unlink()
    without = [batch for batch in before.batches if batch.name != "tax"]

    assert files_hash(site) != before.files_hash
    assert list(compiled_sources(site).batches) == without


def compiled_sources(site: Path) -> Manifest:
    """The manifest without models, which may read what is gone."""
    shutil.rmtree(site / "pipelines")
    for file in site.glob("schemas/*/*.yaml"):
        if "value: thematic" in file.read_text():
            file.unlink()
    return compiled(site)


def test_reading_costs_no_parser_and_little_time(tmp_path: Path) -> None:
    write_manifest(compiled(REPOSITORY), tmp_path / "manifest.json")
    code = (
        "import sys, time; from pathlib import Path; begun = time.process_time(); "
        "from catalog.compile.manifest import read_manifest; "
        "found = read_manifest(Path(sys.argv[1]), Path(sys.argv[2])); "
        "print(found is not None, time.process_time() - begun, "
        "[m for m in ('yaml', 'sqlglot', 'pydantic') if m in sys.modules])"
    )

    words = [sys.executable, "-c", code, str(tmp_path / "manifest.json"), str(REPOSITORY)]
    said = subprocess.run(
        words, check=True, capture_output=True, text=True, cwd=REPOSITORY
    ).stdout.split(maxsplit=2)

    assert said[0] == "True"
    assert float(said[1]) < 0.5
    assert said[2].strip() == "[]"
