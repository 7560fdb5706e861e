"""A small site for tests: whole, sound, and short enough to see what a change does."""

from __future__ import annotations

import shutil
from pathlib import Path

from catalog.reading import parse

SITE = Path(__file__).parent / "site"
SOURCE = "schemas/population/birth_certificate.odcs.yaml"
GOLDEN = "schemas/population/person.odcs.yaml"
REGISTER = "schemas/population/person_key.odcs.yaml"
CODES = "schemas/reference/sex.odcs.yaml"
COUNT = "schemas/population/birth_count.odcs.yaml"
MODEL = "pipelines/thematic/population/birth_count.sql"
DEPARTMENTS = "conf/departments.yaml"


def text_of(path: str) -> str:
    """The text of a file of the site."""
    return (SITE / path).read_text("utf-8")


def line_of(text: str, fragment: str) -> int:
    """The line on which a fragment stands, which must stand once."""
    lines = [n for n, line in enumerate(text.splitlines(), start=1) if fragment in line]
    assert len(lines) == 1, f"{fragment!r} stands on lines {lines}"
    return lines[0]


def changed(text: str, old: str, new: str) -> str:
    """`text` with `old`, which must stand once, replaced by `new`."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)


def copy_site(folder: Path, **changes: str) -> Path:
    """A copy of the site; `changes` give whole files by the constants' lower-case names."""
    site = folder / "site"
    shutil.copytree(SITE, site)
    for name, text in changes.items():
        (site / str(globals()[name.upper()])).write_text(text, "utf-8")
    return site


def findings_of(text: str, path: str) -> list[tuple[int, str]]:
    """Line and message of everything that is wrong with one contract."""
    return sorted((finding.line, finding.message) for finding in parse(text, path).findings)
