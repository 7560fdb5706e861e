from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from catalog.errors import EnvironmentProblem, UsageError
from jobs.engines import PREFIX, open_engine
from lake.settings import Settings, load_settings

SITE = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, tmp_path / "home", {"REDCLIFF_SITE": str(SITE)})


def test_the_local_profile_opens_the_embedded_engine(settings: Settings) -> None:
    with open_engine(settings) as engine:
        assert engine.name == settings.engine == "embedded"


def test_what_a_killed_engine_left_is_removed_by_the_next_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, another = tmp_path / f"{PREFIX}left", tmp_path / "another"
    with open_engine(settings):
        (used,) = tmp_path.glob(f"{PREFIX}*")
        for folder in (left, another, used):
            folder.mkdir(exist_ok=True)
            (folder / "spilled").touch()
            os.utime(folder, (0, 0))

        with open_engine(settings):
            assert not left.exists()
            assert (used / "spilled").exists()
            assert (another / "spilled").exists()

    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_an_unknown_engine_is_told_with_those_there_are(settings: Settings) -> None:
    with (
        pytest.raises(UsageError, match="no engine 'sprk'; choose one of: embedded, spark"),
        open_engine(replace(settings, engine="sprk")),
    ):
        pytest.fail("opened")


def test_spark_without_its_packages_is_told_and_nothing_else_takes_its_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "lake.engines.spark", raising=False)
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with (
        pytest.raises(
            EnvironmentProblem, match=r"spark needs the package pyspark; run `make setup`"
        ),
        open_engine(replace(settings, engine="spark")),
    ):
        pytest.fail("opened")


def test_spark_without_its_jars_is_told_and_they_are_not_fetched(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDCLIFF_CACHE", str(tmp_path / "cache"))

    with (
        pytest.raises(
            EnvironmentProblem, match=r"needs delta-spark.*jar, not fetched yet; run `make"
        ),
        open_engine(replace(settings, engine="spark")),
    ):
        pytest.fail("opened")

    assert not (tmp_path / "cache" / "jars").exists()


def test_spark_that_finds_nothing_to_do_is_never_started(settings: Settings) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    with open_engine(replace(settings, engine="spark")) as engine:
        assert (engine.name, engine.parallel > 1) == ("spark", True)

    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
