"""Small contracts and files for the tests of the readers."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import xlsxwriter
from hypothesis import settings

from catalog.vocabulary import Drift, Format
from lake.readers import REFUSED, Reading, find_split, read, text
from lake.readers.reading import Field
from lake.splits import Split

Row = dict[str, Any]

steady = settings(deadline=None, derandomize=True, database=None)
"""For property tests: the same cases each time, on however slow a machine."""


def reading(
    *columns: str | tuple[str, ...],
    form: Format = Format.CSV,
    key: Sequence[str] | None = None,
    encoding: str = "utf-8",
    delimiter: str = ",",
    change: Sequence[str] = (),
    unknown: Drift = Drift.QUARANTINE,
    missing: Drift = Drift.QUARANTINE,
) -> Reading:
    """A reading of these columns, each a name or (name, header, …); the first is the key."""
    fields = tuple(Field(c, (c,)) if isinstance(c, str) else Field(c[0], tuple(c)) for c in columns)
    return Reading(
        dataset="population.sample",
        format=form,
        encoding=encoding,
        delimiter=delimiter,
        fields=fields,
        key=tuple(key) if key is not None else (fields[0].name,),
        change_headers=tuple(change),
        unknown_column=unknown,
        missing_column=missing,
    )


def rows_of(how: Reading, path: Path, name: str | None = None) -> list[Row]:
    """All rows of the file, the refusal included."""
    rows: list[Row] = []
    for batch in read(how, str(path), name or path.name):
        assert batch.schema == how.schema
        assert 0 < batch.num_rows <= 20_000
        rows.extend(batch.to_pylist())
    return rows


def written(path: Path, content: bytes | str) -> Path:
    """The file with this content; text is written as UTF-8, as it stands."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def written_in_parts(
    path: Path, how: Reading, records: int, *, block_bytes: int, part_bytes: int
) -> Split:
    """
    A register of `编号` and `name` at `path`, with line breaks in quotes and broken records, and
    where it may be parted when blocks and parts are so small.
    """
    lines = [f'{n},"李\n四{n}"' if n % 3 else f'{n},"x"y' for n in range(records)]
    path.write_bytes(("编号,name\r\n" + "\r\n".join(lines)).encode(how.encoding))
    with mock.patch.object(text, "BLOCK_BYTES", block_bytes):
        split = find_split(how, path, larger_than=0, part_bytes=part_bytes)
    assert split is not None
    assert len(split.borders) == 4
    return split


def refused(rows: Sequence[Row]) -> dict[str, Any]:
    """Why the file was refused; fails when it was not."""
    assert rows[-1]["_fault"] == REFUSED, rows[-1]
    assert rows[-1]["_row_number"] == 0
    assert [row["_fault"] for row in rows].count(REFUSED) == 1
    why: dict[str, Any] = json.loads(rows[-1]["_record"])
    assert set(why) == {"reason", "file", "row", "column", "remedy"}
    return why


def values(rows: Iterable[Row], *names: str) -> list[Any]:
    """The values of one column, or tuples of several, in order."""
    if len(names) == 1:
        return [row[names[0]] for row in rows]
    return [tuple(row[name] for name in names) for row in rows]


def rewritten(path: Path, part: str, change: Callable[[str], str]) -> Path:
    """A one-sheet workbook in which one part is changed."""
    plain = io.BytesIO()
    with xlsxwriter.Workbook(plain) as book:
        book.add_worksheet("s").write_row(0, 0, ["a", "b"])
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, change(text) if name == part else text)
    return path
