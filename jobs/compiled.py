"""
The catalogue of a site, read once: the same files are not parsed again by the next command.

What was read lies in the user's cache with the hash of all that it followed from: the files of the
site, the code that read them, and Python itself. One that is stale, damaged, or that somebody else
could have written is as good as none. A site with faults is never kept.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import catalog
from catalog.catalog import MODELS, SCHEMAS, Catalog
from catalog.compile.manifest import files_hash
from catalog.departments import FILE as DEPARTMENTS
from catalog.errors import EnvironmentProblem
from lake.toolchain import cache_folder, make_folder

READ = (f"{SCHEMAS}/**/*", f"{MODELS}/**/*", str(DEPARTMENTS))
"""The files of a site that a catalogue, and the hash that it carries, follow from."""


def load_catalog(site: Path, environ: Mapping[str, str] = os.environ) -> Catalog:
    """
    As `Catalog.load`, in a twentieth of the time when nothing has changed since.

    `ContractInvalid` and `UsageError` as there; a cache that cannot be written is done without.
    """
    name = hashlib.sha256(str(site.absolute()).encode()).hexdigest()[:16]
    file = cache_folder(environ) / "catalogues" / f"{name}.pickle"
    wanted = _hash(site)
    if (held := _kept(file, wanted)) is not None:
        found = pickle.loads(held)
        assert isinstance(found, Catalog)
        return found
    loaded = Catalog.load(site)
    # Asked for here so that it is kept as well: every run notes this hash over all files.
    assert loaded.content_hash
    if _hash(site) == wanted:  # nobody has edited the site meanwhile
        _keep(file, wanted, pickle.dumps(loaded, pickle.HIGHEST_PROTOCOL))
    return loaded


def _hash(site: Path) -> bytes:
    """What stands, in hexadecimal digits, for all that a read catalogue follows from."""
    code = Path(catalog.__path__[0])
    follows = sys.version, site, files_hash(site, READ), files_hash(code, ("**/*.py",))
    return hashlib.sha256(repr(follows).encode()).hexdigest().encode()


def _kept(file: Path, wanted: bytes) -> bytes | None:
    """What was kept under the hash `wanted`, whole; None unless this user alone could write it."""
    try:
        with file.open("rb") as opened:
            about = os.fstat(opened.fileno())
            if about.st_uid != os.geteuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            found, sound, held = opened.readline(), opened.readline(), opened.read()
    except OSError:
        return None
    is_whole = sound.rstrip() == hashlib.sha256(held).hexdigest().encode()
    return held if found.rstrip() == wanted and is_whole else None


def _keep(file: Path, wanted: bytes, held: bytes) -> None:
    """Whole or not at all; several may write at once."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    sound = hashlib.sha256(held).hexdigest().encode()
    try:
        make_folder(file.parent)
        with os.fdopen(
            os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb"
        ) as opened:
            opened.writelines([wanted, b"\n", sound, b"\n", held])
        aside.replace(file)
    except (OSError, EnvironmentProblem):
        return
