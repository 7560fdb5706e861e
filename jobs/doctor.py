"""
What this machine has of what redcliff needs, and for each thing missing the one command.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import RedcliffError
from lake.machine import memory_bytes

if TYPE_CHECKING:
    from lake.store import Store

GIB = 1024**3
DISK_BYTES = 2 * GIB
MEMORY_GIB = {"embedded": 2, "spark": 4}
OLDEST_PYTHON = (3, 11)
SETUP = "make setup"
UP = "redcliff up"


@dataclass(frozen=True)
class Check:
    """One thing: whether it is there, what was found, and the command that mends it if not."""

    name: str
    ok: bool
    found: str
    mend: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The check for JSON."""
        return {"name": self.name, "ok": self.ok, "found": self.found, "mend": self.mend}


def examine(
    environ: Mapping[str, str],
    *,
    profile: str | None,
    home: Path | None,
    fetch: bool,
    engine: str | None = None,
) -> list[Check]:
    """
    Look at everything that the engine needs, and never raise: what cannot be looked at is missing.

    The engine is `engine`, else the profile's. Java and Delta's jars are looked at for Spark only,
    and with `fetch`, which brings the jars into the cache first when it lacks them. Makes the home
    when there is none, as every other command does.
    Where the lake lies on S3, the endpoint is asked whether it keeps writers apart.
    """
    engine = engine or _chosen(profile, home, environ)
    gib = MEMORY_GIB.get(engine, max(MEMORY_GIB.values()))
    checks = [
        _python(),
        _looked("packages", SETUP, lambda: _packages(None)),
        _looked("engine", SETUP, lambda: _engine(engine)),
    ]
    if fetch or engine == "spark":
        checks += [
            _looked("java", SETUP, lambda: _java(environ)),
            _looked("jars", SETUP, lambda: _jars(environ, fetch)),
        ]
    if s3 := _store_of_the_lake(profile, home, environ):
        lake, store = s3
        mend = f"{UP}, or let the profile name an endpoint that honours If-None-Match"
        checks.append(_looked("s3", mend, lambda: _s3(lake, store, engine, environ)))
    return [
        *checks,
        _looked(
            "memory", f"use a machine or container with at least {gib} GiB", lambda: _memory(gib)
        ),
        _looked("home", "redcliff doctor --home DIR", lambda: _home(profile, home, environ)),
        _looked("contracts", "redcliff contracts check", lambda: _contracts(environ)),
    ]


def _looked(name: str, mend: str, look: Callable[[], tuple[bool, str]]) -> Check:
    try:
        ok, found = look()
    except RedcliffError as error:
        ok, found = False, str(error).splitlines()[0]
    except ImportError as error:
        ok, found = False, f"the package {error.name} is missing"
    except OSError as error:
        ok, found = False, f"{error.filename}: {error.strerror}"
    return Check(name, ok, found, None if ok else mend)


def _python() -> Check:
    ok = sys.version_info >= OLDEST_PYTHON
    mend = None if ok else "make clean && make PYTHON=/path/to/python3.11 setup"
    return Check("python", ok, f"{platform.python_version()} ({sys.executable})", mend)


def _chosen(profile: str | None, home: Path | None, environ: Mapping[str, str]) -> str:
    """The engine that the settings name; the default where they cannot be read."""
    try:
        from jobs.profile import settle
        from lake.settings import DEFAULTS
    except ImportError:  # `packages` says what is missing
        return "embedded"
    try:
        return settle(profile, home, environ).engine
    except (RedcliffError, OSError):  # `home` says what is wrong
        return str(DEFAULTS["engine"])


def _store_of_the_lake(
    profile: str | None, home: Path | None, environ: Mapping[str, str]
) -> tuple[str, Store] | None:
    """Where the lake lies on S3; None where it does not, or the settings cannot be read."""
    try:
        from jobs.profile import settle
        from lake.s3 import is_s3

        settings = settle(profile, home, environ)
    except (ImportError, RedcliffError, OSError):  # `packages` and `home` say what is wrong
        return None
    return (settings.lake, settings.store) if is_s3(settings.lake) else None


def _s3(lake: str, store: Store, engine: str, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the endpoint lets nobody overwrite a commit, in each way in which one is made."""
    from lake.engines.log_store import by_spark
    from lake.fences import FENCES, examine_fences
    from lake.toolchain import S3_LOCK, missing_jars

    fences = dict(FENCES)
    if engine == "spark" and not missing_jars(environ, lock=S3_LOCK):
        fences["S3A"] = partial(by_spark, environ=environ)
    found = examine_fences(lake, store, fences)
    endpoint = store.login(lake).endpoint
    if broken := [name for name, holds in found.items() if not holds]:
        return False, (
            f"{endpoint} overwrites despite If-None-Match (by {', '.join(broken)}): two writers "
            "of one table could lose a commit"
        )
    return True, f"{endpoint}: of many writers of one name one wins (by {', '.join(found)})"


def _engine(name: str) -> tuple[bool, str]:
    """Whether what this engine needs of Python's packages is there."""
    from jobs.engines import choose

    choose(name)
    if name == "embedded":
        from lake.engines.embedded import extension_file

        version = extension_file("delta").parent.name
        return True, f"{name}: DuckDB {version} and its Delta extension"
    ok, found = _packages(name)
    return ok, f"{name}: {found}"


def _packages(extra: str | None) -> tuple[bool, str]:
    """Every requirement of the distribution, or of one extra, installed and as pinned."""
    try:
        wanted = importlib.metadata.requires("redcliff") or []
    except importlib.metadata.PackageNotFoundError:
        return False, "redcliff itself is not installed"
    wrong, right = [], 0
    for line in wanted:
        requirement, _, marker = line.partition(";")
        of = re.search(r"extra == ['\"](\w+)['\"]", marker)
        if (of[1] if of else None) != extra:
            continue
        name = re.match(r"[\w.-]+", requirement)
        pinned = re.search(r"==([\w.]+)$", requirement.strip())
        try:
            version = importlib.metadata.version(name[0] if name else requirement)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.strip()} is missing")
            continue
        if pinned and version != pinned[1]:
            wrong.append(f"{requirement.strip()} is wanted, {version} is installed")
        right += 1
    return not wrong, "; ".join(wrong) or f"{right} as pinned"


def _java(environ: Mapping[str, str]) -> tuple[bool, str]:
    from lake.toolchain import find_java

    java = find_java(environ)
    return True, f"{java.version} ({java.origin}: {java.path})"


def _jars(environ: Mapping[str, str], fetch: bool) -> tuple[bool, str]:
    from lake.toolchain import cache_folder, delta_jars, missing_jars

    missing = missing_jars(environ)
    if missing and not fetch:
        return False, f"not fetched yet: {', '.join(missing)}"
    jars = delta_jars(environ)
    return True, f"{len(jars)} as locked ({cache_folder(environ) / 'jars'})"


def _memory(gib: int) -> tuple[bool, str]:
    size = memory_bytes()
    # Machines sold as 4 GiB show a little less.
    return size >= 0.9 * gib * GIB, f"{size / GIB:.1f} GiB"


def _home(profile: str | None, home: Path | None, environ: Mapping[str, str]) -> tuple[bool, str]:
    from jobs.profile import settle

    folder = settle(profile, home, environ).home
    if not os.access(folder, os.W_OK | os.X_OK):
        return False, f"{folder} cannot be written"
    free = shutil.disk_usage(folder).free
    return free >= DISK_BYTES, f"{folder}, {free / GIB:.1f} GiB free (2 GiB are needed)"


def _contracts(environ: Mapping[str, str]) -> tuple[bool, str]:
    from catalog.catalog import Catalog
    from lake.settings import find_site

    site = find_site(environ)
    return True, f"{len(Catalog.load(site).contracts)} valid ({site})"
