"""
The inbox: how departments lay down what they deliver.

    <department>/<dataset>/<business date>/…

`<dataset>` is the contract's id, or its second part alone. `<business date>` is `YYYY-MM-DD`, or
`YYYY-MM-DD_r2` for the second revision of that date. All files of such a folder are one delivery.
Nothing here writes, moves or deletes: an inbox may be mounted read-only.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

MANIFEST = "manifest.json"
DONE = "_DONE"
UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart")
"""What file transfer programs call a file that is still on its way."""

NAME_BYTES = 255
DEPTH = 3
"""How many folders below the inbox a delivery lies."""

_DATE_FOLDER = re.compile(r"(\d{4}-\d{2}-\d{2})(?:_r([1-9]\d{0,3}))?", re.ASCII)


@dataclass(frozen=True)
class DeliveryFolder:
    """A folder in which a delivery lies; `problem` says why what stands here can be none."""

    path: Path
    place: str
    department: str = ""
    dataset: str = ""
    business_date: date | None = None
    revision: int = 1
    problem: str | None = None


@dataclass(frozen=True)
class Listing:
    """
    What lies in a delivery folder at one moment, with size and time of the last change.

    `content` is another one as soon as anything here is; what changed less than a tick of the
    file system's clock ago may change once more and keep it: see `touched_at`.
    """

    files: dict[str, tuple[int, int]]
    markers: frozenset[str]
    unfinished: tuple[str, ...]
    strange: tuple[str, ...]
    folder_changed_at: int
    content: str
    touched_at: float

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all lies there."""
        return not (self.files or self.markers or self.unfinished or self.strange)

    @cached_property
    def changed_at(self) -> float:
        """When anything changed last, in seconds since 1970."""
        times = [changed for _, changed in self.files.values()]
        return max([self.folder_changed_at, *times]) / 1e9


def scan(inbox: Path) -> Iterator[DeliveryFolder]:
    """Every delivery folder, and everything that lies where none can be; hidden names aside."""
    return _walk(inbox, inbox, 0)


def list_folder(path: Path) -> Listing:
    """Look at a delivery folder; links are not followed, files not opened."""
    files: dict[str, tuple[int, int]] = {}
    markers, unfinished, strange = set(), [], []
    folder = path.stat()
    content, touched_at = hashlib.sha256(_marks("", folder)), folder.st_ctime_ns
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        status = entry.stat(follow_symlinks=False)
        content.update(_marks(entry.name, status))
        touched_at = max(touched_at, status.st_ctime_ns)
        if is_unfinished(entry.name):
            unfinished.append(entry.name)
        elif not stat.S_ISREG(status.st_mode):
            strange.append(entry.name)
        elif entry.name in (MANIFEST, DONE):
            markers.add(entry.name)
        else:
            files[entry.name] = (status.st_size, status.st_mtime_ns)
    return Listing(
        files,
        frozenset(markers),
        tuple(unfinished),
        tuple(strange),
        folder.st_mtime_ns,
        content.hexdigest(),
        touched_at / 1e9,
    )


def _marks(name: str, status: os.stat_result) -> bytes:
    """What changes with the thing: ctime too, which nobody can set back."""
    told = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return f"{name}\0{told}\n".encode("utf-8", "surrogateescape")


def is_unfinished(name: str) -> bool:
    """Whether a transfer program, or a person, means that this is not there yet."""
    return name.startswith(".") or name.lower().endswith(UNFINISHED_SUFFIXES)


def is_plain_name(name: str) -> bool:
    r"""
    Whether a file may be called so: a name and no path, that every system can show and keep.

    >>> is_plain_name("户籍人口 2025.csv"), is_plain_name("../a.csv"), is_plain_name("a\x00.csv")
    (True, False, False)
    """
    return (
        name not in ("", ".", "..")
        and not any(c in "/\\" or unicodedata.category(c) in ("Cc", "Cs") for c in name)
        and len(name.encode()) <= NAME_BYTES
    )


def shown(name: str) -> str:
    """The name with everything escaped that cannot be written down as text."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(
        c if unicodedata.category(c) != "Cc" else c.encode("unicode_escape").decode() for c in text
    )


def _walk(inbox: Path, path: Path, depth: int) -> Iterator[DeliveryFolder]:
    if not _is_folder(path) and depth:
        yield _stray(inbox, path)
    elif depth == DEPTH:
        yield _delivery_folder(inbox, path)
    else:
        try:
            children = sorted(child for child in path.iterdir() if child.name[0] != ".")
        except OSError as error:
            problem = f"the folder cannot be read ({error.strerror}); give access to it"
            yield DeliveryFolder(path, _place(inbox, path), problem=problem)
            return
        found = [folder for child in children for folder in _walk(inbox, child, depth + 1)]
        if depth == DEPTH - 1:
            found.sort(key=lambda f: (f.business_date or date.max, f.revision, f.place))
        yield from found


def _is_folder(path: Path) -> bool:
    # A link could lead into another department's folder.
    return path.is_dir() and not path.is_symlink()


def _place(inbox: Path, path: Path) -> str:
    return shown(path.relative_to(inbox).as_posix())


def _stray(inbox: Path, path: Path) -> DeliveryFolder:
    what = "a link" if path.is_symlink() else "a file"
    problem = (
        f"{what} outside a delivery folder; put it into <department>/<dataset>/<YYYY-MM-DD>/ "
        "and send it again"
    )
    return DeliveryFolder(path, _place(inbox, path), problem=problem)


def _delivery_folder(inbox: Path, path: Path) -> DeliveryFolder:
    parts = (path, _place(inbox, path), path.parents[1].name, path.parent.name)
    if is_unfinished(path.name):
        return DeliveryFolder(*parts)
    match = _DATE_FOLDER.fullmatch(path.name)
    try:
        business_date = date.fromisoformat(match[1]) if match else None
    except ValueError:
        business_date = None
    if match is None or business_date is None:
        problem = (
            f"{shown(path.name)!r} is no business date (YYYY-MM-DD, or YYYY-MM-DD_r2 for a second "
            "revision); name the folder for the date of its data and send it again"
        )
        return DeliveryFolder(*parts, problem=problem)
    return DeliveryFolder(*parts, business_date, int(match[2] or 1))
