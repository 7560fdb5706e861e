"""
Rows for other programs, written as they come: CSV, JSON or Arrow.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from catalog.errors import UsageError
from lake.engine import Answer

SPOOLED_BYTES = 64 * 1024**2
"""What a JSON document may hold in memory; beyond that it waits on disk."""

QUOTED = re.compile(r'[",\r\n]')


def write_csv(answer: Answer, out: BinaryIO) -> None:
    """
    CSV as RFC 4180 has it: UTF-8, a header, CRLF.

    NULL is nothing and an empty text is `""`; dates are ISO, decimals in full, lists and maps JSON.
    """
    out.write(_line(_cell(name) for name in answer.schema.names))
    for batch in answer.batches:
        columns = [[_cell(value) for value in values(column)] for column in batch.columns]
        out.write(b"".join(_line(row) for row in zip(*columns, strict=True)))


def write_json(answer: Answer, out: BinaryIO) -> None:
    """The document `{"columns": [name], "rows": [[value]]}`: whole, or nothing of it."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as document:
        document.write(f'{{"columns": {_json(answer.schema.names)}, "rows": ['.encode())
        separator = ""
        for batch in answer.batches:
            for row in zip(*map(values, batch.columns), strict=True):
                document.write(f"{separator}{_json(row)}".encode())
                separator = ", "
        document.write(b"]}\n")
        document.seek(0)
        shutil.copyfileobj(document, out)


def write_arrow(answer: Answer, out: BinaryIO) -> None:
    """An Arrow IPC stream."""
    with pa.ipc.new_stream(out, answer.schema) as writer:
        for batch in answer.batches:
            writer.write_batch(batch)


WRITERS: Mapping[str, Callable[[Answer, BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
}


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears when all of it is written, readable for its owner alone."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: there is no such folder to write into")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def values(column: pa.Array) -> list[Any]:
    """The values of a column in Python's types; a map is a dict."""
    listed: list[Any] = column.to_pylist()
    if pa.types.is_map(column.type):
        return [None if pairs is None else dict(pairs) for pairs in listed]
    return listed


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + "\r\n").encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            text = str(value).lower()
        case Decimal():
            text = format(value, "f")
        case list() | dict() | tuple():
            text = _json(value)
        case _:
            text = _plain(value)
    return '"' + text.replace('"', '""') + '"' if not text or QUOTED.search(text) else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    """Dates and instants in ISO form, decimals in full."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else str(value)
