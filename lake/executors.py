"""
What Spark's executors import, as one archive: a machine of the cluster needs a Python and no more.

The archive (`spark.archives`) is unpacked beside each executor, and its folder is on their path.
Libraries that pack whole environments (venv-pack, pex) would bring Spark, DuckDB and the command
line along or fetch everything anew; here are the installed files of the few packages that readers
stand on, and the same ones make the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from catalog.errors import EnvironmentProblem, UsageError

ARCHIVE = "redcliff-env.tar.gz"
FOLDER = "redcliff-env"
"""Where it is unpacked, below the executor's working directory."""

LABEL = "redcliff-env.json"
"""The first member, which says what the others are."""

PACKAGES = ("catalog", "lake")
DISTRIBUTIONS = (
    "argon2-cffi",
    "argon2-cffi-bindings",
    "certifi",
    "cffi",
    "minio",
    "pyarrow",
    "pycparser",
    "pycryptodome",
    "python-calamine",
    "typing-extensions",
    "urllib3",
)
"""What these packages import where files are read, with what that needs itself."""

_LEFT_OUT = ("pyarrow/tests/", "pyarrow/include/", "pyarrow/src/")
_COMPILED = {".pyc", ".pyo"}


@dataclass(frozen=True)
class Label:
    """For which Python the archive is, on which kind of machine, and what is in it."""

    python: str
    platform: str
    code: str
    distributions: Mapping[str, str]


@dataclass(frozen=True)
class Packed:
    """An archive that was written; `unpacked` are the bytes that an executor has of it."""

    path: Path
    files: int
    bytes: int
    unpacked: int
    label: Label


def pack(out: Path) -> Packed:
    """
    Write the archive to `out`, whole or not at all.

    `EnvironmentProblem` when a package is missing, or is installed in a way that cannot be packed;
    `UsageError` when `out` is no place for it.
    """
    if not out.name.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"{out}: Spark knows an archive by its name; call it *.tar.gz")
    found = {name: _installed(name) for name in DISTRIBUTIONS}
    label = _label(found)
    files = dict(_own_files())
    for one in found.values():
        files |= dict(_files(one))
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pack-") as folder:
            made = Path(folder) / out.name
            _write(made, label, files)
            size = made.stat().st_size
            made.replace(out)
    except OSError as error:
        raise UsageError(
            f"{out}: the archive cannot be written ({error.strerror}); name another with --out"
        ) from error
    unpacked = sum(path.stat().st_size for path in files.values())
    return Packed(out, len(files), size, unpacked, label)


def check_archive(path: Path) -> None:
    """`EnvironmentProblem` when this archive is none, or was packed from other code or packages."""
    remedy = "run `redcliff pack` and name its archive in the profile: spark.archive"
    try:
        with tarfile.open(path, "r:gz") as archive:
            member = archive.next()
            content = archive.extractfile(member) if member and member.name == LABEL else None
            told = json.loads(content.read()) if content else None
    except FileNotFoundError as error:
        raise EnvironmentProblem(
            f"{path}: no such archive for Spark's executors; {remedy}"
        ) from error
    except (OSError, tarfile.TarError, ValueError) as error:
        raise EnvironmentProblem(f"{path}: cannot be read ({error}); {remedy}") from error
    if told is None:
        raise EnvironmentProblem(f"{path}: is not what `redcliff pack` makes; {remedy}")
    here = asdict(_label({name: _installed(name) for name in DISTRIBUTIONS}))
    other = [key for key in here if told.get(key) != here[key]]
    if other:
        raise EnvironmentProblem(
            f"{path}: was packed with other {' and '.join(other)} than redcliff has here; {remedy}"
        )


def python_name() -> str:
    """What the Python is called on which the packed files run."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _write(made: Path, label: Label, files: Mapping[str, Path]) -> None:
    told = json.dumps(asdict(label), indent=1, sort_keys=True).encode()
    with (
        made.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_member(LABEL, len(told)), io.BytesIO(told))
        for name, path in sorted(files.items()):
            with path.open("rb") as content:
                archive.addfile(_member(name, path.stat().st_size), content)


def _label(found: Mapping[str, Distribution]) -> Label:
    code = hashlib.sha256()
    for name, path in sorted(_own_files()):
        code.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return Label(
        python=python_name(),
        platform=f"{platform.system()} {platform.machine()}",
        code=code.hexdigest()[:16],
        distributions={name: one.version for name, one in found.items()},
    )


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise EnvironmentProblem(
            f"the package {name} is missing, which Spark's executors need; run: make cluster"
        ) from error


def _own_files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise EnvironmentProblem(f"the package {package} of redcliff itself is missing")
        folder = Path(spec.origin).parent
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in _COMPILED:
                yield f"{package}/{path.relative_to(folder).as_posix()}", path


def _files(one: Distribution) -> Iterator[tuple[str, Path]]:
    name = one.metadata["Name"]
    if one.files is None:
        raise _not_packed(name, "its list of files is missing")
    packed = False
    for file in one.files:
        path = Path(str(file.locate()))
        if file.suffix == ".pth":
            raise _not_packed(name, "it is installed as a link to a folder of sources")
        if ".." in file.parts or file.suffix in _COMPILED or _is_left_out(file):
            continue
        if not path.is_file():
            raise _not_packed(name, f"{file} is gone")
        packed |= not file.parts[0].endswith(".dist-info")
        yield file.as_posix(), path
    if not packed:
        raise _not_packed(name, "it has no files")


def _is_left_out(file: PurePosixPath) -> bool:
    # Flight, a server protocol, is a quarter of Arrow; nothing else is linked to it.
    return file.as_posix().startswith(_LEFT_OUT) or (
        file.parts[0] == "pyarrow" and "flight" in file.name
    )


def _not_packed(name: str, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"the package {name} cannot be packed: {why}; install it anew from its wheel: "
        "run `make clean && make cluster`"
    )


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A file without owner and date: the same content makes the same bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
