"""
Where this scheduler finds the site, its manifest, and the command that does the work.

Read from the environment of Airflow's processes, here and nowhere else:

    REDCLIFF_SITE      the site; default: the checkout that this file lies in
    REDCLIFF_MANIFEST  the compiled manifest (`redcliff contracts compile --target dags --out FILE`)
    REDCLIFF_INBOX     the inbox to watch; without it no arrival is noticed
    REDCLIFF_SETTLE_SECONDS  when a folder without a marker counts as whole (300)
    REDCLIFF_COMMAND   what a task runs; default: the `redcliff` beside this Python, or on PATH

What a task runs finds home, profile and the rest in the same environment, as `redcliff` does.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
from pathlib import Path

from catalog.compile.manifest import Manifest, read_manifest, write_manifest

log = logging.getLogger(__name__)


def site() -> Path:
    """The folder of the site."""
    named = os.environ.get("REDCLIFF_SITE")
    return Path(named).absolute() if named else Path(__file__).resolve().parents[2]


def inbox() -> Path | None:
    """The inbox to watch, if one is named."""
    named = os.environ.get("REDCLIFF_INBOX")
    return Path(named) if named else None


def settle_seconds() -> float:
    """After how long without change a folder without a marker counts as whole."""
    return float(os.environ.get("REDCLIFF_SETTLE_SECONDS") or 300)


def command() -> list[str]:
    """The words before the words of a `redcliff` command."""
    if named := os.environ.get("REDCLIFF_COMMAND"):
        return shlex.split(named)
    beside = Path(sys.executable).with_name("redcliff")
    return [str(beside)] if beside.exists() else ["redcliff"]


def load_manifest() -> Manifest:
    """
    The manifest of the site as it stands.

    One that is absent or stale is not trusted: the contracts are compiled here and now, which
    takes seconds, and the manifest is written anew where that is allowed. Contracts that are wrong
    raise their findings, with file and line, which Airflow shows as an import error.
    """
    named = os.environ.get("REDCLIFF_MANIFEST")
    file = Path(named) if named else None
    if file is not None and (manifest := read_manifest(file, site())) is not None:
        return manifest
    log.warning(
        "the manifest %s is absent or stale: compiling %s", file or "(REDCLIFF_MANIFEST)", site()
    )
    # Only now: the whole catalogue and its parsers.
    from catalog.catalog import Catalog
    from catalog.compile.dags import compile_manifest

    manifest = compile_manifest(Catalog.load(site()))
    if file is not None:
        try:
            write_manifest(manifest, file)
        except OSError as error:
            log.warning("the manifest %s cannot be written: %s", file, error.strerror)
    return manifest
