"""The kept catalogue: the same as one that is read, and never an older one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from catalog.errors import ContractInvalid
from jobs.compiled import load_catalog
from tests.conftest import REPOSITORY

PARTS = ("conf", "schemas", "pipelines/thematic")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, tmp_path / "site" / part)
    return tmp_path / "site"


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    return {"REDCLIFF_CACHE": str(tmp_path / "cache")}


def kept(environ: Mapping[str, str]) -> list[Path]:
    return list((Path(environ["REDCLIFF_CACHE"]) / "catalogues").glob("*.pickle"))


def test_a_site_is_parsed_once_and_the_next_command_gets_the_same(
    site: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Catalog.load(site)
    assert load_catalog(site, environ) == read
    assert [file.stat().st_mode & 0o777 for file in kept(environ)] == [0o600]

    monkeypatch.setattr("catalog.catalog.read_site", lambda _: pytest.fail("it was parsed again"))
    again = load_catalog(site, environ)
    assert again == read
    assert again.content_hash == read.content_hash


@pytest.mark.parametrize(
    "changed",
    [
        "schemas/population/household_register.odcs.yaml",
        "schemas/code_tables/sex.csv",
        "conf/departments.yaml",
        "pipelines/thematic/credit/credit_event.sql",
    ],
)
def test_a_change_to_any_file_of_the_site_is_read(
    changed: str, site: Path, environ: Mapping[str, str]
) -> None:
    before = load_catalog(site, environ)
    with (site / changed).open("a", encoding="utf-8") as file:
        file.write({".sql": "-- said later\n", ".csv": "7,seventh\n"}.get(Path(changed).suffix, ""))
    if changed == "conf/departments.yaml":
        with (site / changed).open("a", encoding="utf-8") as file:
            file.write("  - {code: archives, name: 档案局, english_name: Archives}\n")
    elif changed.endswith(".odcs.yaml"):
        text = (site / changed).read_text("utf-8")
        (site / changed).write_text(text.replace("status: active", "status: draft"), "utf-8")
    after = load_catalog(site, environ)
    assert after == Catalog.load(site)
    assert after.content_hash != before.content_hash


def test_a_contract_that_was_taken_away_or_is_wrong_is_not_answered_from_the_cache(
    site: Path, environ: Mapping[str, str]
) -> None:
    load_catalog(site, environ)
    register = site / "schemas" / "environment" / "air_reading.odcs.yaml"
    text = register.read_text("utf-8")
    register.unlink()
    assert "environment.air_reading" not in load_catalog(site, environ).contracts
    register.write_text(text.replace("id: environment.air_reading", "id: other.name"), "utf-8")
    for _ in range(2):
        with pytest.raises(ContractInvalid, match=r"other\.name"):
            load_catalog(site, environ)


@pytest.mark.parametrize("fault", ["cut", "flipped", "empty", "writable by others"])
def test_what_is_damaged_or_not_ours_is_read_anew(
    fault: str, site: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = load_catalog(site, environ)
    (file,) = kept(environ)
    held = file.read_bytes()
    if fault == "writable by others":
        file.chmod(0o622)
        monkeypatch.setattr("pickle.loads", lambda _: pytest.fail("it was trusted"))
    else:
        flipped = held[:-500] + bytes([held[-500] ^ 1]) + held[-499:]
        file.write_bytes({"cut": held[:-7], "flipped": flipped, "empty": b""}[fault])
    assert load_catalog(site, environ) == read
    assert file.read_bytes() == held
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_cache_that_cannot_be_written_is_done_without(site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"REDCLIFF_CACHE": str(tmp_path / "file")}
    assert load_catalog(site, environ) == Catalog.load(site)
