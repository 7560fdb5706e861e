"""
The numbers by which persons and entities are known, made here and nowhere read.

This module is an independent witness: its check digits are computed apart from
`catalog.identifiers`, so that a mistake there cannot hide behind the same mistake here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.city.dice import Bools, Dice, Numbers
from jobs.city.text import (
    Text,
    digit_characters,
    from_characters,
    join,
    listed,
    take,
    vocabulary,
    where,
)

Characters = NDArray[np.uint8]

LOWEST_SEQUENCE = 500
SEQUENCES_PER_SEX = 248
"""Sequence codes 500–995: a county of this size never issues them (odd for men, even for women)."""

_ZERO = np.uint8(48)
_CITIZEN_WEIGHTS = np.array([2 ** (17 - i) % 11 for i in range(17)], dtype=np.int64)
_CITIZEN_CHECKS = np.frombuffer(b"10X98765432", dtype=np.uint8)
_CREDIT_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", dtype=np.uint8)
_CREDIT_WEIGHTS = np.array([3**i % 31 for i in range(17)], dtype=np.int64)
_ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)


def sequence_codes(county: Numbers, birth_day: Numbers, is_male: Bools) -> Numbers:
    """
    A sequence code for each person, no two alike for one county, birth date and sex.

    Persons earlier in the arrays keep their codes when more are appended. OverflowError when a
    day has more births of one sex than there are codes.
    """
    group = (county.astype(np.int64) * 200_000 + birth_day + 50_000) * 2 + is_male
    order = np.argsort(group, kind="stable")
    _, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
    if len(counts) and int(counts.max()) > SEQUENCES_PER_SEX:
        raise OverflowError(f"more than {SEQUENCES_PER_SEX} births of one sex on one day")
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, counts)
    # Spread the ranks, so that numbers do not tell in which order people were made.
    spread = (rank * 101 + Dice(0, "sequence").below(group, SEQUENCES_PER_SEX)) % SEQUENCES_PER_SEX
    return np.asarray(LOWEST_SEQUENCE + spread * 2 + is_male)


def _citizen_check(body: Characters) -> Characters:
    values = (body - _ZERO).astype(np.int64)
    return np.asarray(_CITIZEN_CHECKS[(values @ _CITIZEN_WEIGHTS) % 11])


def citizen_ids(county: Numbers, birth_date: Text, sequence: Numbers) -> Characters:
    """18 characters for each person (GB 11643); `birth_date` is yyyy-MM-dd."""
    rows = np.empty((len(county), 18), dtype=np.uint8)
    rows[:, :6] = digit_characters(county, 6)
    rows[:, 6:14] = _date_characters(birth_date)
    rows[:, 14:17] = digit_characters(sequence, 3)
    rows[:, 17] = _citizen_check(rows[:, :17])
    return rows


def _date_characters(dates: Text) -> Characters:
    flat = np.frombuffer(dates.buffers()[2], dtype=np.uint8)
    start = 10 * dates.offset
    rows = flat[start : start + 10 * len(dates)].reshape(-1, 10)
    return np.asarray(rows[:, [0, 1, 2, 3, 5, 6, 8, 9]])


def old_citizen_ids(rows: Characters) -> Text:
    """The 15-digit form in which numbers were issued until 1999: no century, no check digit."""
    return from_characters(np.delete(rows, [6, 7, 17], axis=1))


def lower_case_ids(rows: Characters) -> Text:
    """The same numbers with a small x."""
    return from_characters(np.where(rows == ord("X"), np.uint8(ord("x")), rows))


def wrong_citizen_ids(rows: Characters, dice: Dice, records: Numbers) -> Text:
    """
    Numbers that look like these and are nobody's.

    A wrong check character, 17 digits, a number that a spreadsheet turned into 4.21281E+17,
    and a number masked by somebody careful.
    """
    wrong = rows.copy()
    shift = dice.of("check").between(records, 1, 10)
    place = np.searchsorted(np.sort(_CITIZEN_CHECKS), rows[:, 17])
    wrong[:, 17] = np.sort(_CITIZEN_CHECKS)[(place + shift) % 11]
    kind = dice.of("kind").pick(records, (0.55, 0.2, 0.15, 0.1))
    mangled = join(from_characters(rows[:, :1]), ".", from_characters(rows[:, 1:6]), "E+17")
    masked = join(from_characters(rows[:, :6]), "********", from_characters(rows[:, 14:]))
    text = where(kind == 1, from_characters(rows[:, :17]), from_characters(wrong))
    return where(kind == 3, masked, where(kind == 2, mangled, text))


def organisation_codes(serial: Numbers, prefix: str = "MA") -> Characters:
    """9 characters (GB 11714): the prefix, base-31 digits of the serial, and a check character."""
    count, width = len(serial), 8 - len(prefix)
    rows = np.empty((count, 9), dtype=np.uint8)
    rows[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    powers = 31 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    rows[:, len(prefix) : 8] = _CREDIT_ALPHABET[(serial.astype(np.int64)[:, None] // powers) % 31]
    values = rows[:, :8].astype(np.int64)
    values = np.where(values >= 65, values - 55, values - 48)
    check = 11 - (values @ _ORGANISATION_WEIGHTS) % 11
    checks = np.frombuffer(b"0123456789X0", dtype=np.uint8)
    rows[:, 8] = checks[np.where(check == 11, 0, check)]
    return rows


def credit_codes(
    kind: Sequence[str], which: Numbers, county: str, organisation: Characters
) -> Characters:
    """18 characters (GB 32100): authority and kind, county, organisation code, check character."""
    rows = np.empty((len(which), 18), dtype=np.uint8)
    kinds = np.array([[ord(c) for c in word] for word in kind], dtype=np.uint8)
    rows[:, :2] = kinds[which]
    rows[:, 2:8] = np.frombuffer(county.encode(), dtype=np.uint8)
    rows[:, 8:17] = organisation
    place = np.zeros(128, dtype=np.int64)
    place[_CREDIT_ALPHABET] = np.arange(31)
    total = place[rows[:, :17]] @ _CREDIT_WEIGHTS
    rows[:, 17] = _CREDIT_ALPHABET[(31 - total % 31) % 31]
    return rows


def wrong_credit_codes(rows: Characters, dice: Dice, records: Numbers) -> Text:
    """Codes that look like these and are nobody's: another check character, or one too few."""
    wrong = rows.copy()
    place = np.zeros(128, dtype=np.int64)
    place[_CREDIT_ALPHABET] = np.arange(31)
    wrong[:, 17] = _CREDIT_ALPHABET[
        (place[rows[:, 17]] + dice.of("check").between(records, 1, 30)) % 31
    ]
    short = dice.of("kind").chance(records, 0.3)
    return where(short, from_characters(rows[:, :17]), from_characters(wrong))


def registration_numbers(serial: Numbers, county: str = "421281") -> Text:
    """15 digits: county, 8 digits, check digit (ISO 7064 mod 11, 10), as issued until 2015."""
    body = np.empty((len(serial), 14), dtype=np.uint8)
    body[:, :6] = np.frombuffer(county.encode(), dtype=np.uint8)
    body[:, 6:] = digit_characters(serial, 8)
    rest = np.full(len(serial), 10, dtype=np.int64)
    for column in range(14):
        total = (rest + body[:, column] - 48) % 10
        rest = np.where(total == 0, 10, total) * 2 % 11
    check = (11 - rest) % 10
    return from_characters(np.column_stack([body, (check + 48).astype(np.uint8)]))


def phones(dice: Dice, records: Numbers) -> Text:
    """Mobile numbers: 11 digits beginning with 1."""
    prefixes = vocabulary(
        listed(
            "130 131 135 136 137 138 139 150 151 155 157 158 159 166 177 180 181 182 183 186 187 "
            "188 189 199"
        )
    )
    prefix = take(prefixes, dice.of("prefix").below(records, len(prefixes)))
    return join(prefix, from_characters(digit_characters(dice.of("rest").below(records, 10**8), 8)))


def bank_accounts(dice: Dice, records: Numbers) -> Text:
    """19 digits of a bank card; the last one is a Luhn digit."""
    body = np.empty((len(records), 18), dtype=np.uint8)
    issuers = np.array(
        [[ord(c) for c in word] for word in ("621799", "622848", "621700", "621787")]
    )
    body[:, :6] = issuers[dice.of("issuer").below(records, len(issuers))]
    body[:, 6:] = digit_characters(dice.of("account").below(records, 10**12), 12)
    values = (body - _ZERO).astype(np.int64)
    doubled = values.copy()
    doubled[:, 1::2] *= 2
    doubled -= np.where(doubled > 9, 9, 0)
    check = (10 - doubled.sum(axis=1) % 10) % 10
    return from_characters(np.column_stack([body, (check + 48).astype(np.uint8)]))
