from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from unittest import mock

import pytest

from catalog.errors import EnvironmentProblem, UsageError
from lake import executors
from lake.executors import LABEL, check_archive, pack, python_name


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow takes its time, and the client of S3 is no part of the base."""
    monkeypatch.setattr(executors, "DISTRIBUTIONS", ("python-calamine",))


def test_the_same_packages_make_the_same_bytes(tmp_path: Path) -> None:
    one, other = pack(tmp_path / "one.tar.gz"), pack(tmp_path / "other.tgz")
    again = pack(tmp_path / "one.tar.gz")

    assert one.path.read_bytes() == other.path.read_bytes()
    assert (one.bytes, again) == (one.path.stat().st_size, one)
    assert one.label.python == python_name()
    check_archive(one.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tar.gz", "other.tgz"]


def test_what_was_unpacked_is_imported(tmp_path: Path) -> None:
    with tarfile.open(pack(tmp_path / "env.tar.gz").path) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "env", filter="data")

    assert names[0] == LABEL
    assert not [name for name in names if name.endswith(".pyc") or ".." in name]
    script = "import sys; sys.path.insert(0, '.'); import lake.splits, python_calamine as p; "
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", script + "print(lake.splits.__file__, p.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path / "env",
    )
    assert done.stdout.count(str(tmp_path / "env")) == 2, done.stderr


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(executors, "DISTRIBUTIONS", ("no-such-package",))

    with pytest.raises(EnvironmentProblem, match=r"no-such-package is missing.*make cluster"):
        pack(tmp_path / "env.tar.gz")


def test_what_is_installed_as_a_link_is_not_packed(tmp_path: Path) -> None:
    folder = tmp_path / "editable-1.dist-info"
    folder.mkdir()
    (tmp_path / "editable.pth").write_text("/somewhere\n")
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: editable\nVersion: 1\n")
    (folder / "RECORD").write_text("editable.pth,,\n")

    with (
        mock.patch.object(executors, "DISTRIBUTIONS", ("editable",)),
        mock.patch.object(sys, "path", [*sys.path, str(tmp_path)]),
        pytest.raises(EnvironmentProblem, match=r"editable cannot be packed: .* link to a folder"),
    ):
        pack(tmp_path / "env.tar.gz")
    assert not (tmp_path / "env.tar.gz").exists()


def test_an_archive_goes_where_it_can_be_written_under_a_name_that_spark_knows(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match=r"call it \*\.tar\.gz"):
        pack(tmp_path / "env.rar")
    with pytest.raises(UsageError, match=r"cannot be written .*--out"):
        pack(tmp_path / "nowhere" / "env.tar.gz")


def test_an_archive_of_other_code_is_not_given_to_executors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "env.tar.gz").path
    monkeypatch.setattr(executors, "PACKAGES", ("catalog",))

    with pytest.raises(EnvironmentProblem, match=r"packed with other code than .*redcliff pack"):
        check_archive(path)


@pytest.mark.parametrize(
    ("content", "told"), [(None, "no such archive"), (b"x", "cannot be read")], ids=["none", "text"]
)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "env.tar.gz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EnvironmentProblem, match=f"{told}.*redcliff pack"):
        check_archive(path)
