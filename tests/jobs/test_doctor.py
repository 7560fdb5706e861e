from __future__ import annotations

import importlib.metadata
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


def look(environ: dict[str, str], home: Path, engine: str | None = None) -> dict[str, Check]:
    checks = examine(environ, profile=None, home=home, fetch=False, engine=engine)
    return {check.name: check for check in checks}


BASE = ["python", "packages", "engine", "memory", "home", "contracts"]
SPARK = ["python", "packages", "engine", "java", "jars", "memory", "home", "contracts"]


def test_everything_is_looked_at_and_what_is_there_needs_no_mending(
    environ: dict[str, str], tmp_path: Path
) -> None:
    checks = look(environ, tmp_path / "home")

    assert list(checks) == BASE
    assert [c.name for c in checks.values() if c.ok == (c.mend is not None)] == []
    assert checks["python"].ok
    assert checks["engine"].found == "embedded: DuckDB v1.5.5 and its Delta extension"


def test_java_and_jars_are_looked_at_for_spark_only(
    environ: dict[str, str], tmp_path: Path
) -> None:
    profile = tmp_path / "spark.yaml"
    profile.write_text("engine: spark\n")
    asked = {**environ, "REDCLIFF_ENGINE": "spark"}

    assert list(look(environ, tmp_path / "home", "spark")) == SPARK
    assert list(look(asked, tmp_path / "home")) == SPARK
    assert list(look(asked, tmp_path / "home", "embedded")) == BASE
    checks = examine(environ, profile=str(profile), home=tmp_path / "home", fetch=False)
    assert [check.name for check in checks] == SPARK


def test_an_unknown_engine_is_told_with_those_there_are(
    environ: dict[str, str], tmp_path: Path
) -> None:
    engine = look(environ, tmp_path / "home", "sprk")["engine"]

    assert not engine.ok
    assert engine.found == "there is no engine 'sprk'; choose one of: embedded, spark"


def test_without_its_packages_spark_is_missing_and_the_rest_is_not(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version

    def without_pyspark(name: str) -> str:
        if name == "pyspark":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_pyspark)

    spark = look(environ, tmp_path / "home", "spark")
    assert not spark["engine"].ok
    assert spark["engine"].found.startswith("spark: pyspark==")
    assert spark["engine"].found.endswith(" is missing")
    assert spark["engine"].mend == "make setup"
    assert spark["packages"].ok
    assert look(environ, tmp_path / "home")["engine"].ok


def test_an_empty_cache_is_told_without_fetching_anything(
    environ: dict[str, str], tmp_path: Path
) -> None:
    jars = look(environ, tmp_path / "home", "spark")["jars"]

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
