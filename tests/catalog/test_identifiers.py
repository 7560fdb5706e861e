"""The vectors are written by hand; ISO 7064 is computed here in its recursive form."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.identifiers import (
    USCC_ALPHABET,
    citizen_id_check,
    is_citizen_id,
    is_division_code,
    is_uscc,
    to_18_digits,
    uscc_check,
)

VECTORS = Path(__file__).parent / "vectors"


def vectors(name: str) -> list[tuple[str, str, str]]:
    with (VECTORS / name).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [(text, expected, why) for text, expected, why in rows]


def named(name: str) -> list[object]:
    return [pytest.param(text, expected, id=why) for text, expected, why in vectors(name)]


@pytest.mark.parametrize(("text", "eighteen"), named("citizen_ids.csv"))
def test_a_citizen_id_gets_its_standard_form_or_none(text: str, eighteen: str) -> None:
    assert to_18_digits(text) == (eighteen or None)
    assert is_citizen_id(text) == bool(eighteen)


@pytest.mark.parametrize(("text", "valid"), named("usccs.csv"))
def test_a_uscc_is_told_by_form_and_check_character(text: str, valid: str) -> None:
    assert is_uscc(text) == (valid == "yes")


@pytest.mark.parametrize(("text", "valid"), named("division_codes.csv"))
def test_a_division_code_is_told_by_form_and_province(text: str, valid: str) -> None:
    assert is_division_code(text) == (valid == "yes")


def test_the_valid_citizen_ids_satisfy_iso_7064_mod_11_2() -> None:
    ids = [eighteen for _, eighteen, _ in vectors("citizen_ids.csv") if eighteen]

    for text in ids:
        rest = 0
        for digit in text[:-1]:
            rest = (rest + int(digit)) * 2 % 11
        assert (rest + "0123456789X".index(text[-1])) % 11 == 1, text
    assert len(ids) == 11


def test_the_valid_usccs_satisfy_mod_31_of_gb_32100() -> None:
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1)

    codes = [text for text, valid, _ in vectors("usccs.csv") if valid == "yes" and text.isupper()]
    ascii_codes = [text for text in codes if text.isascii()]

    for text in ascii_codes:
        total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(text, weights, strict=True))
        assert total % 31 == 0, text
    assert len(ascii_codes) == 6


def test_a_birth_date_after_the_given_day_is_refused() -> None:
    born = date(2025, 3, 3)
    text = "421281202503035007"

    assert is_citizen_id(text, on=born)
    assert not is_citizen_id(text, on=date(2025, 3, 2))


@given(
    st.dates(date(1900, 1, 1), date(1999, 12, 31)),
    st.integers(500, 995),
)
def test_fifteen_and_eighteen_digits_stand_for_the_same_person(born: date, sequence: int) -> None:
    body = f"421281{born:%Y%m%d}{sequence}"
    eighteen = body + citizen_id_check(body)

    assert to_18_digits(f"421281{born:%y%m%d}{sequence}") == eighteen
    assert to_18_digits(eighteen) == eighteen


@given(st.text(USCC_ALPHABET, min_size=9, max_size=9), st.integers(0, 16))
def test_one_changed_character_breaks_a_uscc(organisation: str, place: int) -> None:
    body = f"91421281{organisation}"
    code = body + uscc_check(body)
    other = "1" if code[place] == "0" else "0"

    assert is_uscc(code)
    assert not is_uscc(code[:place] + other + code[place + 1 :])


@given(st.text(max_size=20))
def test_no_text_at_all_makes_the_checks_fail(text: str) -> None:
    assert is_citizen_id(text) in {True, False}
    assert is_uscc(text) in {True, False}
    assert is_division_code(text) in {True, False}
