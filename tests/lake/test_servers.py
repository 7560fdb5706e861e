from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from catalog.errors import EnvironmentProblem
from lake.servers import TRINO_PLUGINS, fetch_s3_server, fetch_trino, find_go, s3_server

KEPT = TRINO_PLUGINS[0]


def archive(path: Path) -> None:
    """A small Trino: what a kept plugin shares with another lies with the other."""
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as packed:
        for name, content in (
            ("lib/server.jar", b"server"),
            ("plugin/another/shared.jar", b"shared"),
            (f"plugin/{KEPT}/own.jar", b"own"),
            ("bin/launcher", b"launcher"),
            ("NOTICE", b"notice"),
        ):
            member = tarfile.TarInfo(f"trino-server-1/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(f"trino-server-1/plugin/{KEPT}/shared.jar")
        link.type = tarfile.LNKTYPE
        link.linkname = "trino-server-1/plugin/another/shared.jar"
        packed.addfile(link)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A repository of files, and a cache."""
    place = f"{tmp_path / 'repository'}/[module]-[revision].[ext]"
    settings = tmp_path / "ivysettings.xml"
    settings.write_text(
        '<ivysettings><settings defaultResolver="here"/><resolvers>'
        f'<filesystem name="here"><artifact pattern="{place}"/></filesystem>'
        "</resolvers></ivysettings>"
    )
    own = {"REDCLIFF_CACHE": str(tmp_path / "cache"), "REDCLIFF_IVY_SETTINGS": str(settings)}
    return {**os.environ, **own}


def lock_of(tmp_path: Path, sha256: str) -> Path:
    lock = tmp_path / "trino.lock"
    lock.write_text(f"{sha256}  io.example:trino-server:1:tar.gz\n")
    return lock


def fake_go(folder: Path, said: str, *, status: int = 0) -> Path:
    path = folder / "go"
    folder.mkdir()
    path.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && {{ echo "{said}"; exit 0; }}\n'
        f"echo first >&2; echo no route to host >&2; exit {status}\n"
    )
    path.chmod(0o755)
    return path


def test_of_trino_the_kept_plugins_stay_whole_and_the_archive_goes(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    packed = tmp_path / "repository" / "trino-server-1.tar.gz"
    archive(packed)
    lock = lock_of(tmp_path, hashlib.sha256(packed.read_bytes()).hexdigest())

    place = fetch_trino(environ, lock=lock)
    packed.unlink()
    offline = fetch_trino({"REDCLIFF_CACHE": environ["REDCLIFF_CACHE"], "PATH": ""}, lock=lock)

    assert offline == place
    files = {str(path.relative_to(place)): path for path in place.rglob("*") if path.is_file()}
    assert set(files) == {"lib/server.jar", f"plugin/{KEPT}/own.jar", f"plugin/{KEPT}/shared.jar"}
    assert files[f"plugin/{KEPT}/shared.jar"].read_bytes() == b"shared"
    assert list(place.parent.iterdir()) == [place]


def test_another_archive_than_the_locked_one_is_not_kept(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    archive(tmp_path / "repository" / "trino-server-1.tar.gz")

    with pytest.raises(EnvironmentProblem, match=r"not the locked file .* redcliff up --fetch$"):
        fetch_trino(environ, lock=lock_of(tmp_path, "0" * 64))

    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_go_that_is_recent_enough_is_taken_from_the_path(tmp_path: Path) -> None:
    go = fake_go(tmp_path / "new", "go version go1.26.8 linux/amd64")

    assert find_go({"PATH": str(go.parent)}) == go


def test_without_a_recent_go_one_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = fake_go(tmp_path / "old", "go version go1.19.8 linux/amd64")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "go", raising=False)

    with pytest.raises(
        EnvironmentProblem, match=r"no Go from 1\.25 on PATH .*; run: make cluster$"
    ):
        find_go({"PATH": str(go.parent)})


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    go = fake_go(tmp_path / "new", "go version go1.26.8 linux/amd64", status=1)
    environ = {"PATH": str(go.parent), "REDCLIFF_CACHE": str(tmp_path / "cache")}

    with pytest.raises(EnvironmentProblem) as raised:
        fetch_s3_server(environ)

    assert str(raised.value) == (
        "versitygw could not be built (no route to host); "
        "check the network, then run: redcliff up --fetch"
    )
    assert not s3_server(environ).exists()
    assert list((tmp_path / "cache" / "s3").iterdir()) == []
