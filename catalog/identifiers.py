"""
The identifiers a Chinese city lives by: citizen id, unified social credit code, division code.

Pure functions over text. They judge form, date and check character; whether an identifier was
ever issued is a question for the libraries.
"""

from __future__ import annotations

import re
from datetime import date

CITIZEN_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""2^(18 - i) mod 11 for the places 1 to 17 (GB 11643-1999, ISO 7064 MOD 11-2)."""

CITIZEN_ID_CHECKS = "10X98765432"
"""The check character by the weighted sum mod 11."""

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 characters of GB 32100-2015: no I, O, S, V or Z."""

USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
"""3^(i - 1) mod 31 for the places 1 to 17 (GB 32100-2015)."""

PROVINCES = frozenset(
    str(code)
    for region in (
        range(11, 16),
        range(21, 24),
        range(31, 38),
        range(41, 47),
        range(50, 55),
        range(61, 66),
        (71, 81, 82),
    )
    for code in region
)
"""The first two digits of a division code (GB/T 2260)."""

HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}
"""Full-width letters and digits, as officers type them, to ASCII."""

_CITIZEN_ID = re.compile(r"[1-9][0-9]{16}[0-9X]")
_OLD_CITIZEN_ID = re.compile(r"[1-9][0-9]{14}")
_USCC = re.compile(f"[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}")
_DIVISION = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}")


def is_citizen_id(text: str, on: date | None = None) -> bool:
    """
    Tell whether `text` stands for a citizen identification number (公民身份号码, GB 11643).

    The 15-digit form of before 1999, a lower-case x and full-width digits stand for the
    18-digit form. The county code is not judged: numbers keep the code of their first
    registration, also of counties long gone. Born after the day `on` is refused when it is given.

    >>> is_citizen_id("421281198503155026")
    True
    >>> is_citizen_id("421281198503155027")  # check character off by one
    False
    >>> is_citizen_id("421281850315502")  # as issued until 1999
    True
    """
    return to_18_digits(text, on) is not None


def to_18_digits(text: str, on: date | None = None) -> str | None:
    """
    The 18-digit form of a citizen id with an upper-case X; None when `text` stands for none.

    Fifteen digits were issued in the 20th century only: the century is 19.

    >>> to_18_digits("421281850315502")
    '421281198503155026'
    >>> to_18_digits("42128119900101501x")
    '42128119900101501X'
    >>> to_18_digits("421281198502305029") is None  # 30 February
    True
    """
    digits = text.translate(HALF_WIDTH).upper()
    if _OLD_CITIZEN_ID.fullmatch(digits):
        body = f"{digits[:6]}19{digits[6:]}"
        digits = body + citizen_id_check(body)
    elif not _CITIZEN_ID.fullmatch(digits) or citizen_id_check(digits) != digits[-1]:
        return None
    born = _date(digits[6:14])
    if born is None or (on is not None and born > on):
        return None
    return digits


def citizen_id_check(body: str) -> str:
    """
    The check character of the first 17 digits (校验码).

    >>> citizen_id_check("42128119850315502")
    '6'
    """
    total = sum(
        int(digit) * weight for digit, weight in zip(body, CITIZEN_ID_WEIGHTS, strict=False)
    )
    return CITIZEN_ID_CHECKS[total % 11]


def is_uscc(text: str) -> bool:
    """
    Tell whether `text` is a well-formed unified social credit code (统一社会信用代码, GB 32100).

    Lower-case and full-width letters stand for the upper-case ones. Only form and check
    character are judged; whether the code was ever issued is a question for the legal-entity
    library.

    >>> is_uscc("91421281MA4900000T")
    True
    >>> is_uscc("91421281MA4900000U")  # check character off by one
    False
    """
    code = text.translate(HALF_WIDTH).upper()
    return bool(_USCC.fullmatch(code)) and uscc_check(code) == code[-1]


def uscc_check(body: str) -> str:
    """
    The check character of the first 17 characters, each of `USCC_ALPHABET`.

    >>> uscc_check("91421281MA4900000")
    'T'
    """
    total = sum(
        USCC_ALPHABET.index(character) * weight
        for character, weight in zip(body, USCC_WEIGHTS, strict=False)
    )
    return USCC_ALPHABET[-total % 31]


def is_division_code(text: str) -> bool:
    """
    Tell whether `text` has the form of an administrative division code (行政区划代码, GB/T 2260).

    Six digits to the county, nine to the town or sub-district, twelve to the village or
    community (GB/T 10114), of a province that exists. Which codes are in force on a date is
    what the code table `reference.division` says.

    >>> is_division_code("421281"), is_division_code("421281003"), is_division_code("991281")
    (True, True, False)
    """
    return bool(_DIVISION.fullmatch(text)) and text[:2] in PROVINCES


def _date(compact: str) -> date | None:
    try:
        return date(int(compact[:4]), int(compact[4:6]), int(compact[6:]))
    except ValueError:
        return None
