from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from catalog.errors import EnvironmentProblem
from lake.engines import log_store
from lake.engines.log_store import log_store_jar
from lake.toolchain import delta_jars


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A cache of the test's own with Delta's jars, and no Java but the packaged one."""
    cache = tmp_path / "cache"
    for jar in delta_jars():
        link = cache / "jars" / jar.parent.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(jar.parent)
    return {"REDCLIFF_CACHE": str(cache), "PATH": str(tmp_path)}


def test_it_is_compiled_once_and_without_a_jdk(environ: dict[str, str]) -> None:
    made = log_store_jar(environ)
    at = made.stat().st_mtime_ns

    with zipfile.ZipFile(made) as jar:
        assert jar.namelist() == ["redcliff/ConditionalLogStore.class"]
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    assert log_store_jar(environ).stat().st_mtime_ns == at


def test_what_cannot_be_compiled_is_told_with_its_place(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logstore").mkdir()
    for source in log_store.SOURCES.iterdir():
        text = source.read_text(encoding="utf-8").replace("throw conflict;", "throw nothing;")
        (tmp_path / "logstore" / source.name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(log_store, "SOURCES", tmp_path / "logstore")

    with pytest.raises(EnvironmentProblem, match=r"Compile.java, .* failed \(.*nothing.*\)"):
        log_store_jar(environ)

    assert not list((tmp_path / "cache").rglob("redcliff-log-store.jar"))
