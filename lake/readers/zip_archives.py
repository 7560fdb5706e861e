"""
Zip archives that nobody has to trust: checked before anything is inflated, and again while it is.

The directory of an archive is a claim. Sizes, names, methods and places are checked against the
limits first; each member is then inflated no further than it claims to be, and its size, its end
and its checksum must be as claimed.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from catalog.errors import DeliveryRefused
from lake.readers.contents import Content

MAX_ENTRIES = 10_000
MAX_RATIO = 200
_HARMLESS_BYTES = 1 << 20  # a smaller member may shrink as much as it likes
_MAX_DIRECTORY_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 18

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END_OF_DIRECTORY = struct.Struct("<4s4H2IH")
_ENCRYPTED, _UTF8_NAME = 0x1, 0x800


@dataclass(frozen=True)
class Archive:
    """A checked archive; `members` are its files, without folders, in the directory's order."""

    content: Content
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    archive: Content
    name: str
    info: zipfile.ZipInfo

    @property
    def content(self) -> Content:
        """Its bytes, under `<archive>/<member>`."""
        return Content(f"{self.archive.name}/{self.name}", self._open)

    def _open(self) -> BinaryIO:
        return io.BufferedReader(_Inflating(self), _CHUNK_BYTES)


def open_archive(content: Content, max_bytes: int) -> Archive:
    """
    Check the archive's directory; `max_bytes` is the most that all members may inflate to.

    Refused: what is not a zip archive, is encrypted, too large, too many, too well compressed, or
    overlaps; links, and names that lead out of the archive or stand twice.
    """
    with content.open() as stream:
        _check_directory(content, stream)
        try:
            with zipfile.ZipFile(stream) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error):
            raise _refused(content, "it is damaged or not a zip archive") from None
    if len(infos) > MAX_ENTRIES:
        raise _refused(content, f"it has more than {MAX_ENTRIES} entries")
    members = [Member(content, _name(info), info) for info in infos]
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise _refused(content, f"it inflates to {total} bytes, more than {max_bytes}")
    for member in members:
        _check_member(member)
    _check_places(content, members)
    files = [member for member in members if not member.info.is_dir()]
    seen: set[str] = set()
    for member in files:
        if member.name in seen:
            raise _refused(member.content, "its name stands twice in the archive")
        seen.add(member.name)
    return Archive(content, tuple(files))


def _check_directory(content: Content, stream: BinaryIO) -> None:
    # zipfile reads the whole directory before it can be asked how long it is.
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - 65_535 - _END_OF_DIRECTORY.size))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_DIRECTORY.size:
        raise _refused(content, "it is cut off, damaged or not a zip archive")
    _, _, _, _, entries, directory_bytes, _, _ = _END_OF_DIRECTORY.unpack_from(tail, at)
    if entries > MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise _refused(content, f"it has more than {MAX_ENTRIES} entries or is a Zip64 archive")
    stream.seek(0)


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name; without a flag it is UTF-8 (macOS) or GBK (Chinese Windows)."""
    if info.flag_bits & _UTF8_NAME or info.orig_filename.isascii():
        return info.orig_filename.replace("\\", "/")
    raw = info.orig_filename.encode("cp437")  # how zipfile has decoded it
    for encoding in ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Two GBK characters may look like UTF-8, but then for letters that no Chinese name has.
        if encoding == "gb18030" or all(char.isascii() or char >= "\u0800" for char in name):
            return name.replace("\\", "/")
    return info.orig_filename.replace("\\", "/")


def _check_member(member: Member) -> None:
    info, name = member.info, member.name
    reason = None
    if "\0" in name or name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        reason = "its name leads out of the archive"
    elif info.flag_bits & _ENCRYPTED:
        reason = "it is encrypted"
    elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = "it is a link or a device, not a file"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        reason = f"its compression method {info.compress_type} is not deflate"
    elif info.file_size > max(MAX_RATIO * info.compress_size, _HARMLESS_BYTES):
        reason = f"it inflates to more than {MAX_RATIO} times its size"
    if reason:
        raise _refused(member.content, reason)


def _check_places(content: Content, members: list[Member]) -> None:
    end = 0
    for member in sorted(members, key=lambda member: member.info.header_offset):
        info = member.info
        if info.header_offset < end:
            raise _refused(content, f"its entries overlap at {member.name!r}")
        end = info.header_offset + _LOCAL_HEADER.size + info.compress_size


class _Inflating(io.RawIOBase):
    """The bytes of a member, refused where they are not as the directory claims."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._crc = 0
        self._given = 0
        self._stream = member.archive.open()
        self._chunks = self._inflated()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._ready:
            self._ready = next(self._chunks, b"")
        taken = self._ready[: len(buffer)]
        buffer[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def _inflated(self) -> Iterator[bytes]:
        info = self._member.info
        for chunk in (
            self._stored() if info.compress_type == zipfile.ZIP_STORED else self._deflated()
        ):
            self._given += len(chunk)
            self._crc = zlib.crc32(chunk, self._crc)
            if self._given > info.file_size:
                raise self._damaged("it is larger than the archive claims")
            yield chunk
        if self._given != info.file_size or self._crc != info.CRC:
            raise self._damaged("its bytes are not those that were packed (checksum)")

    def _stored(self) -> Iterator[bytes]:
        self._seek()
        left = self._member.info.compress_size
        while left and (chunk := self._stream.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk

    def _deflated(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._stored():
                left = packed
                while left and not inflater.eof:
                    if chunk := inflater.decompress(left, _CHUNK_BYTES):
                        yield chunk
                    left = inflater.unconsumed_tail
                if inflater.unused_data or (left and inflater.eof):
                    raise self._damaged("more was packed than its end says")
        except zlib.error:
            raise self._damaged("it is damaged") from None
        if not inflater.eof:
            raise self._damaged("it is cut off")

    def _seek(self) -> None:
        self._stream.seek(self._member.info.header_offset)
        header = self._stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise self._damaged("it is not where the archive says")
        *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        self._stream.seek(name_bytes + extra_bytes, io.SEEK_CUR)

    def _damaged(self, reason: str) -> DeliveryRefused:
        return _refused(self._member.content, reason)


def _refused(content: Content, reason: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"the archive cannot be taken: {reason}",
        file=content.name,
        remedy="pack the plain files anew as an ordinary zip archive, without password",
    )
