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
from pathlib import Path
from typing import Any

from catalog.errors import RedcliffError

GIB = 1024**3
DISK_BYTES = 2 * GIB
MEMORY_BYTES = 4 * GIB
OLDEST_PYTHON = (3, 11)
SETUP = "make setup"
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


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
    environ: Mapping[str, str], *, profile: str | None, home: Path | None, fetch: bool
) -> list[Check]:
    """
    Look at everything, and never raise: what cannot be looked at is missing.

    With `fetch` the Delta jars are brought into the cache first when it lacks them. Makes the
    home when there is none, as every other command does.
    """
    return [
        _python(),
        _looked("packages", SETUP, _packages),
        _looked("java", SETUP, lambda: _java(environ)),
        _looked("jars", SETUP, lambda: _jars(environ, fetch)),
        _looked("memory", "use a machine or container with at least 4 GiB", _memory),
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


def _packages() -> tuple[bool, str]:
    """Every requirement of the distribution and of its engine, installed and as pinned."""
    try:
        wanted = importlib.metadata.requires("redcliff") or []
    except importlib.metadata.PackageNotFoundError:
        return False, "redcliff itself is not installed"
    wrong, right = [], 0
    for line in wanted:
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker and not re.search(r"extra == ['\"]spark['\"]", marker):
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


def _memory() -> tuple[bool, str]:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if CGROUP_LIMIT.is_file() and (limit := CGROUP_LIMIT.read_text().strip()).isdecimal():
        size = min(size, int(limit))
    # Machines sold as 4 GiB show a little less.
    return size >= 0.9 * MEMORY_BYTES, f"{size / GIB:.1f} GiB"


def _home(profile: str | None, home: Path | None, environ: Mapping[str, str]) -> tuple[bool, str]:
    from lake.settings import load_settings

    folder = load_settings(profile, home, environ).home
    if not os.access(folder, os.W_OK | os.X_OK):
        return False, f"{folder} cannot be written"
    free = shutil.disk_usage(folder).free
    return free >= DISK_BYTES, f"{folder}, {free / GIB:.1f} GiB free (2 GiB are needed)"


def _contracts(environ: Mapping[str, str]) -> tuple[bool, str]:
    from catalog.catalog import Catalog
    from lake.settings import find_site

    site = find_site(environ)
    return True, f"{len(Catalog.load(site).contracts)} valid ({site})"
