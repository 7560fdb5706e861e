from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.doctor import Check, examine

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "REDCLIFF_SITE": str(REPOSITORY),
        "REDCLIFF_CACHE": str(tmp_path / "cache"),
        "PATH": os.defpath,
    }


def look(environ: dict[str, str], home: Path) -> dict[str, Check]:
    checks = examine(environ, profile=None, home=home, fetch=False)
    return {check.name: check for check in checks}


def test_everything_is_looked_at_and_what_is_there_needs_no_mending(
    environ: dict[str, str], tmp_path: Path
) -> None:
    checks = look(environ, tmp_path / "home")

    assert list(checks) == ["python", "packages", "java", "jars", "memory", "home", "contracts"]
    assert [c.name for c in checks.values() if c.ok == (c.mend is not None)] == []
    assert checks["python"].ok


def test_an_empty_cache_is_told_without_fetching_anything(
    environ: dict[str, str], tmp_path: Path
) -> None:
    jars = look(environ, tmp_path / "home")["jars"]

    assert not jars.ok
    assert jars.found.startswith("not fetched yet: delta-spark")
    assert jars.mend == "make setup"
    assert not (tmp_path / "cache" / "jars").exists()


def test_a_home_that_is_a_file_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")

    home = look(environ, taken)["home"]

    assert not home.ok
    assert str(taken) in home.found


def test_wrong_contracts_are_counted_and_the_command_that_lists_them_is_named(
    environ: dict[str, str], tmp_path: Path
) -> None:
    schemas = tmp_path / "site" / "schemas" / "population"
    schemas.mkdir(parents=True)
    (schemas / "person.odcs.yaml").write_text("apiVersion: v3.1.0\nkind: Nonsense\n")

    checks = look({**environ, "REDCLIFF_SITE": str(tmp_path / "site")}, tmp_path / "home")

    assert not checks["contracts"].ok
    assert "finding" in checks["contracts"].found
    assert checks["contracts"].mend == "redcliff contracts check"
