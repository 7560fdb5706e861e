"""The bytes of one file to read, wherever they lie, and what their first bytes give away."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from catalog.errors import DeliveryRefused
from catalog.vocabulary import Format

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_HEAD = 4096


@dataclass(frozen=True)
class Content:
    """
    One file, on disk or inside an archive, by the name under which it was delivered.

    `open` gives its bytes from the start, each time anew.
    """

    name: str
    open: Callable[[], BinaryIO]

    @classmethod
    def of_file(cls, path: Path, name: str) -> Content:
        """The file at a local path."""

        def from_start() -> BinaryIO:
            return path.open("rb")

        return cls(name, from_start)

    @classmethod
    def of_range(cls, path: Path, name: str, start: int, length: int) -> Content:
        """So many bytes of the file at a local path, from byte `start` on."""
        return cls(name, lambda: io.BufferedReader(_Range(path, start, length)))

    def held(self, max_bytes: int) -> Content:
        """The same bytes such that one can seek in them, held in memory where they must be."""
        with self.open() as stream:
            if stream.seekable():
                return self
            whole = stream.read(max_bytes + 1)
        if len(whole) > max_bytes:
            raise DeliveryRefused(
                f"the file is larger than {max_bytes} bytes",
                file=self.name,
                remedy="deliver it outside of an archive",
            )
        return Content(self.name, partial(io.BytesIO, whole))

    def head(self) -> bytes:
        """The first bytes; none when the file is empty."""
        with self.open() as stream:
            return stream.read(_HEAD)


class _Range(io.RawIOBase):
    def __init__(self, path: Path, start: int, length: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        given = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= given
        return given

    def close(self) -> None:
        self._file.close()
        super().close()


def check_kind(content: Content, expected: Format) -> None:
    """
    Refuse a file whose bytes are of another kind than the contract expects, or that is empty.

    Only kinds that give themselves away by their first bytes are told apart; whether text is the
    right text is for the header to say.
    """
    head = content.head()
    if not head:
        raise DeliveryRefused(
            "the file is empty (0 bytes)",
            file=content.name,
            remedy="deliver the file again; with no records, deliver its header alone",
        )
    kind = _kind(head)
    if expected is Format.XLSX:
        if kind != "a zip archive or an XLSX workbook":
            raise _other_kind(content, expected, kind or "text, such as CSV")
    elif kind is not None or (expected is not Format.CSV and _looks_tabular(content.name, head)):
        raise _other_kind(content, expected, kind or "a table, not JSON")


def _kind(head: bytes) -> str | None:
    for start, kind in (
        (b"PK\x03\x04", "a zip archive or an XLSX workbook"),
        (b"PK\x05\x06", "a zip archive or an XLSX workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls) or an encrypted one"),
        (b"Rar!", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"\x1f\x8b", "a gzip file"),
        (b"%PDF-", "a PDF document"),
    ):
        if head.startswith(start):
            return kind
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:16].lower()
    if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml")):
        return "HTML or XML"  # what many systems call an Excel export
    return None


def _looks_tabular(name: str, head: bytes) -> bool:
    tabular = PurePosixPath(name.lower()).suffix in {".csv", ".tsv", ".xls", ".xlsx"}
    return tabular and not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _other_kind(content: Content, expected: Format, kind: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"the contract expects {expected.value}, but the bytes are {kind}",
        file=content.name,
        remedy=f"deliver the file as {expected.value}",
    )
