"""
From bytes in the contract's encoding to UTF-8, strictly, in blocks of whole lines.

GB18030 is Python's codec, the 2000 edition of the standard with its four-byte characters: it reads
GBK and GB2312 too. It gives private-use characters for the 20 two-byte codes to which the editions
of 2005 and 2022 gave characters of their own.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from catalog.errors import DeliveryRefused
from lake.readers.contents import Content

BLOCK_BYTES = 4 << 20
"""How many bytes are read at a time; what a reader holds is a small multiple of it."""

LINE_BYTES = 64 << 20
"""A line longer than this is refused: it would have to be held whole."""

_TELLING_BYTES = 32  # so many non-ASCII bytes of GB18030 are never valid UTF-8 by accident

_LINE_ENDS = re.compile(rb"[\r\n]")

_UNICODE_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Utf8Blocks:
    """
    The text as UTF-8 without byte order mark, in blocks that end with a line's end.

    The last line gets an end when it has none. A line ends with LF, CR or CRLF, as it stands; with
    `cr` false, with LF alone. Refused, with byte offset and line, where the bytes are not in the
    encoding; also when a file that should be GB18030 is UTF-8 from beginning to end, though GB18030
    could read it as rubbish.

    With `start` the content is a part of a file that was read whole before and not refused.
    """

    def __init__(
        self, content: Content, encoding: str, *, start: int | None = None, cr: bool = True
    ) -> None:
        self.source = b""
        """The latest block as it stands in the file."""
        self._content = content
        self._decoder = _Decoder(content, encoding, start)
        self._is_part = start is not None
        self._cr = cr
        self._blocks = self._read()

    @property
    def end(self) -> int:
        """Where the latest block ends in the file, in bytes."""
        return self._decoder.offset

    def offset(self, block: bytes, at: int) -> int:
        """Where the line that begins at `at` of the latest block, `block`, begins in the file."""
        if at == len(block):
            return self.end
        # Line ends are the same bytes in every encoding here, and as many.
        ends = len(_LINE_ENDS.findall(block, 0, at))
        last = (
            next(islice(_LINE_ENDS.finditer(self.source), ends - 1, None), None) if ends else None
        )
        return self.end - len(self.source) + (last.end() if last else 0)

    def __iter__(self) -> Utf8Blocks:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)

    def _read(self) -> Iterator[bytes]:
        decoder = self._decoder
        with self._content.open() as stream:
            rest = stream.read(BLOCK_BYTES)
            if not decoder.offset:
                decoder.check_marks(rest)
            while more := stream.read(BLOCK_BYTES):
                cut = self._end_of_lines(rest)
                if cut:
                    yield self._utf8(rest[:cut])
                rest = rest[cut:] + more
                if len(rest) > LINE_BYTES + BLOCK_BYTES and not self._is_part:
                    raise DeliveryRefused(
                        f"line {decoder.lines + 1} is longer than {LINE_BYTES} bytes",
                        file=self._content.name,
                        remedy="end every record with a line break",
                    )
        if rest and (block := self._utf8(rest)):
            yield block if block.endswith((b"\n", b"\r")) else block + b"\n"
        decoder.check_end()

    def _utf8(self, source: bytes) -> bytes:
        self.source = source
        return self._decoder.utf8(source)

    def _end_of_lines(self, block: bytes) -> int:
        # Neither byte occurs inside a character of UTF-8 or GB18030, so that a block that ends with
        # one ends with a character. A CR at the very end may still be followed by its LF.
        cr = block.rfind(b"\r", 0, max(len(block) - 1, 0)) if self._cr else -1
        return max(block.rfind(b"\n"), cr) + 1


class _Decoder:
    """Decodes the blocks of one file in order and knows where it stands."""

    def __init__(self, content: Content, encoding: str, start: int | None) -> None:
        self.lines = 0
        self.offset = start or 0
        self._content = content
        self._encoding = encoding
        self._telling = 0
        self._could_be_utf8 = encoding != "utf-8" and start is None

    def check_marks(self, head: bytes) -> None:
        """Refuse a byte order mark of another encoding."""
        found = next((name for mark, name in _UNICODE_MARKS if head.startswith(mark)), None)
        if found is None and self._encoding != "utf-8" and head.startswith(codecs.BOM_UTF8):
            found = "UTF-8"
        if found:
            raise DeliveryRefused(
                f"the file begins with the byte order mark of {found}; "
                f"the contract expects {self._encoding}",
                file=self._content.name,
                remedy=f"save it as {self._encoding}, or have the contract's encoding changed",
            )

    def utf8(self, block: bytes) -> bytes:
        """The block as UTF-8; refused at the first byte that is not in the encoding."""
        if self._could_be_utf8:
            self._could_be_utf8 = _is_utf8(block)
            self._telling += len(block) - len(block.decode("ascii", "ignore"))
        try:
            if self._encoding != "utf-8":
                text = block.decode(self._encoding).encode()
            else:
                text = block if _is_utf8(block) else block.decode("utf-8").encode()
        except UnicodeDecodeError as error:
            raise self._undecodable(block, error) from None
        first = self.offset == 0
        self.offset += len(block)
        self.lines += block.count(b"\n")
        return text.removeprefix(codecs.BOM_UTF8) if first else text

    def check_end(self) -> None:
        """Refuse what was read as GB18030 but is UTF-8 throughout."""
        if self._could_be_utf8 and self._telling >= _TELLING_BYTES:
            raise DeliveryRefused(
                f"the contract expects {self._encoding}, but the bytes are UTF-8 from beginning "
                "to end",
                file=self._content.name,
                remedy=f"save it as {self._encoding}, or have the contract's encoding changed",
            )

    def _undecodable(self, block: bytes, error: UnicodeDecodeError) -> DeliveryRefused:
        line = self.lines + block.count(b"\n", 0, error.start) + 1
        other = "gb18030" if self._encoding == "utf-8" else "utf-8"
        looks = f"; every byte of the file is valid {other}" if self._all_valid(other) else ""
        return DeliveryRefused(
            f"the bytes at offset {self.offset + error.start} (line {line}), "
            f"{block[error.start : error.end].hex(' ')}, are not {self._encoding}, which the "
            f"contract expects{looks}",
            file=self._content.name,
            remedy=f"save it as {self._encoding}, or have the contract's encoding changed",
        )

    def _all_valid(self, encoding: str) -> bool:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with self._content.open() as stream:
                while block := stream.read(BLOCK_BYTES):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True


def _is_utf8(block: bytes) -> bool:
    # Arrow's check is five times as fast as decoding; it does not say where the error is.
    try:
        pa.array([block], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
