"""Which members of a delivered zip archive are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Format
from lake.readers.contents import Content
from lake.readers.zip_archives import Member, open_archive

MAX_BYTES = 4 << 30
"""What all members of an archive may inflate to."""

_SUFFIXES = {
    Format.CSV: {".csv", ".txt"},
    Format.XLSX: {".xlsx"},
    Format.JSON_LINES: {".jsonl", ".ndjson", ".json"},
    Format.GEOJSON: {".geojson", ".json"},
}
_TABLES = {".csv", ".tsv", ".xls", ".xlsx", ".et", ".jsonl", ".ndjson", ".geojson", ".dbf", ".mdb"}
_ARCHIVES = {".zip", ".rar", ".7z", ".gz", ".tgz", ".tar", ".bz2", ".xz"}
_LEFT_BY_SYSTEMS = {".ds_store", "thumbs.db", "desktop.ini"}


def members_to_read(content: Content, form: Format) -> Iterator[Content]:
    """
    The members that are files of this format, by name.

    Documents beside them are passed over. Refused: what `open_archive` refuses, an archive in an
    archive, a table of another format (it would be lost in silence), and an archive without a
    usable member.
    """
    usable = []
    members = open_archive(content, MAX_BYTES).members
    for member in members:
        suffix = PurePosixPath(member.name.lower()).suffix
        if _is_left_by_system(member):
            continue
        if suffix in _ARCHIVES:
            raise DeliveryRefused(
                "the archive holds another archive",
                file=member.content.name,
                remedy="pack the plain files into one archive",
            )
        if suffix in _SUFFIXES[form]:
            usable.append(member)
        elif suffix in _TABLES:
            raise DeliveryRefused(
                f"the contract expects {form.value}, but the archive holds a {suffix} file",
                file=member.content.name,
                remedy=f"deliver the table as {form.value}",
            )
    # A text beside tables is a remark; alone it may be the table.
    named = [member for member in usable if not member.name.lower().endswith(".txt")] or usable
    if not named:
        found = ", ".join(repr(member.name) for member in members[:10]) or "nothing"
        raise DeliveryRefused(
            f"the archive holds no {form.value} file, but {found}",
            file=content.name,
            remedy=f"pack the {form.value} files of the dataset into the archive",
        )
    return (member.content for member in sorted(named, key=lambda member: member.name))


def _is_left_by_system(member: Member) -> bool:
    path = PurePosixPath(member.name)
    return (
        path.name.lower() in _LEFT_BY_SYSTEMS
        or path.name.startswith("._")
        or "__MACOSX" in path.parts
    )
