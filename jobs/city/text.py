"""Columns of text, built without a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.city.dice import Bools, Ints, Numbers

Text: TypeAlias = pa.StringArray
Vocabulary: TypeAlias = pa.StringArray


def listed(text: str) -> tuple[str, ...]:
    """The words of a text that white space parts."""
    return tuple(text.split())


@lru_cache(maxsize=512)
def _vocabulary(words: tuple[str, ...]) -> Vocabulary:
    return pa.array(words, pa.string())


def vocabulary(words: Sequence[str]) -> Vocabulary:
    """Words to be taken by their place; made once, however often it is asked for."""
    return _vocabulary(tuple(words))


def take(words: Vocabulary, places: Numbers) -> Text:
    """The word at each place; no word where the place is negative."""
    if len(places) and int(places.min()) < 0:
        return words.take(pa.array(places, mask=np.asarray(places) < 0))
    return words.take(pa.array(places))


def constant(value: str | None, length: int) -> Text:
    """The same text, `length` times."""
    return pa.repeat(pa.scalar(value, pa.string()), length)


def nothing(length: int) -> Text:
    """No text, `length` times."""
    return pa.nulls(length, pa.string())


def join(*parts: Text | str) -> Text:
    """The parts of each row side by side; no text where a part has none."""
    return pc.binary_join_element_wise(
        *[pa.scalar(p, pa.string()) if isinstance(p, str) else p for p in parts], ""
    )


def join_present(*parts: Text | str) -> Text:
    """The parts of each row side by side; absent parts are left out."""
    return pc.binary_join_element_wise(
        *[pa.scalar(p, pa.string()) if isinstance(p, str) else p for p in parts],
        "",
        null_handling="skip",
    )


def number(values: Numbers) -> Text:
    """Whole numbers as plain digits."""
    return pa.array(values).cast(pa.string())


def from_characters(rows: NDArray[np.uint8]) -> Text:
    """Text from a matrix of ASCII characters, one row each."""
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(rows, dtype=np.uint8)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


@lru_cache(maxsize=1)
def _groups() -> NDArray[np.uint8]:
    """The four characters of every number below 10,000."""
    values = np.arange(10_000)[:, None] // np.array([1000, 100, 10, 1])
    characters: NDArray[np.uint8] = (values % 10 + 48).astype(np.uint8)
    return characters


def digit_characters(values: Numbers, width: int) -> NDArray[np.uint8]:
    """The last `width` decimal digits of each number, as ASCII characters."""
    groups = -(-width // 4)
    rows = np.empty((len(values), groups * 4), dtype=np.uint8)
    rest = np.asarray(values, dtype=np.int64)
    for place in range(groups - 1, -1, -1):
        rest, group = np.divmod(rest, 10_000)
        rows[:, place * 4 : place * 4 + 4] = _groups()[group]
    characters: NDArray[np.uint8] = rows[:, groups * 4 - width :]
    return characters


def digits(values: Numbers, width: int) -> Text:
    """Whole numbers with leading zeros to `width` digits."""
    return from_characters(digit_characters(values, width))


def decimal(values: Numbers, scale: int) -> Text:
    """Whole numbers as decimals with `scale` digits behind the point: 1250 at scale 2 is 12.50."""
    unit = 10**scale
    magnitude = np.abs(values)
    sign = pc.if_else(pa.array(np.asarray(values) < 0), "-", "")
    return join(sign, number(magnitude // unit), ".", digits(magnitude % unit, scale))


FIRST_DAY = int(np.datetime64("1890-01-01").astype(np.int64))
LAST_DAY = int(np.datetime64("2110-12-31").astype(np.int64))


@lru_cache(maxsize=1)
def _dates() -> Vocabulary:
    days = np.arange(FIRST_DAY, LAST_DAY + 1).astype("datetime64[D]")
    return pa.array(np.datetime_as_string(days).tolist(), pa.string())


def iso_date(days: Numbers) -> Text:
    """Days since 1970 as yyyy-MM-dd; no text where the day lies before 1890."""
    return take(_dates(), np.maximum(np.asarray(days, dtype=np.int64) - FIRST_DAY, -1))


@lru_cache(maxsize=1)
def _compact_dates() -> Vocabulary:
    return pc.replace_substring(_dates(), "-", "")


def compact_date(days: Numbers) -> Text:
    """Days since 1970 as yyyyMMdd; no text where the day lies before 1890."""
    return take(_compact_dates(), np.maximum(np.asarray(days, dtype=np.int64) - FIRST_DAY, -1))


@lru_cache(maxsize=1)
def _clocks() -> Vocabulary:
    seconds = np.arange(86_400)
    return join(
        digits(seconds // 3600, 2), ":", digits(seconds // 60 % 60, 2), ":", digits(seconds % 60, 2)
    )


def iso_time(days: Numbers, seconds: Numbers) -> Text:
    """Wall-clock times as yyyy-MM-dd HH:mm:ss."""
    clock = np.asarray(seconds, dtype=np.int64) % 86_400
    return join(iso_date(days), " ", take(_clocks(), clock))


def only_where(mask: Bools, values: Text | str) -> Text:
    """The values where the mask holds, no text elsewhere."""
    chosen = pa.scalar(values, pa.string()) if isinstance(values, str) else values
    return pc.if_else(pa.array(mask), chosen, pa.scalar(None, pa.string()))


def where(mask: Bools, values: Text | str, otherwise: Text | str) -> Text:
    """The values where the mask holds, `otherwise` elsewhere."""
    one = pa.scalar(values, pa.string()) if isinstance(values, str) else values
    other = pa.scalar(otherwise, pa.string()) if isinstance(otherwise, str) else otherwise
    return pc.if_else(pa.array(mask), one, other)


def replaced(values: Text, mask: Bools, replacement: Text) -> Text:
    """`values` with those under the mask taken from `replacement`, a column of the same length."""
    return pc.if_else(pa.array(mask), replacement, values)


def places(mask: Bools) -> Ints:
    """The row numbers where the mask holds."""
    return np.flatnonzero(mask).astype(np.int64)
