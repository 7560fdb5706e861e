"""
How a register writes down a person: mostly right, at times from hearsay.

Outside the household register every fifth record has no number and some have a wrong one, names
are misheard or written in an older script, birth dates are off. What a clerk once wrote of a
record he writes every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from jobs.city import identifiers, names
from jobs.city.dice import Bools, Dice, Ints, Numbers
from jobs.city.people import People
from jobs.city.text import Text, from_characters, iso_date, only_where, replaced, where

WITHOUT_ID = 0.20
WRONG_ID = 0.03
HOMOPHONE = 0.03
VARIANT = 0.02
WRONG_BIRTH_DATE = 0.05

_FULL_WIDTH = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})


@dataclass(frozen=True)
class Errors:
    """Shares of records in which something is wrong."""

    without_id: float = WITHOUT_ID
    wrong_id: float = WRONG_ID
    homophone: float = HOMOPHONE
    variant: float = VARIANT
    wrong_birth_date: float = WRONG_BIRTH_DATE


CARELESS = Errors()
HOUSEHOLD = Errors(without_id=0.003, wrong_id=0.004, homophone=0, variant=0, wrong_birth_date=0)
"""The police know their people: what is wrong there are numbers of old cards."""


def full_width(values: Text, mask: Bools) -> Text:
    """The values with full-width letters and digits under the mask; meant for few rows."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return values
    wide = [
        None if v is None else v.translate(_FULL_WIDTH)
        for v in values.take(pa.array(rows)).to_pylist()
    ]
    everywhere = np.zeros(len(values), dtype=np.int64)
    everywhere[rows] = np.arange(len(rows))
    return replaced(values, mask, pa.array(wide, pa.string()).take(pa.array(everywhere)))


class Clerk:
    """Writes persons into one register; `records` are the numbers of the register's records."""

    def __init__(self, dice: Dice, people: People, errors: Errors = CARELESS) -> None:
        self._dice = dice
        self._people = people
        self._errors = errors
        share = float(names.has_variant(people.surname, people.given).mean())
        self._variant = errors.variant / max(share, 0.1)

    def knows_id(self, records: Numbers) -> Bools:
        """Whether the record carries the person's right number, in whatever form."""
        fate = self._dice.of("id").uniform(records)
        return np.asarray(fate >= self._errors.without_id + self._errors.wrong_id)

    def citizen_ids(self, who: Numbers, records: Numbers) -> Text:
        """The number as this register has it: right, in an old form, wrong, or not at all."""
        fate = self._dice.of("id").uniform(records)
        none = fate < self._errors.without_id
        wrong = ~none & (fate < self._errors.without_id + self._errors.wrong_id)
        rows = self._people.id_characters[who]
        form = self._dice.of("form").uniform(records)
        old = (form < 0.04) & (self._people.birth_day[who] < OLD_CARDS) & self._is_19(rows)
        text = where(old, identifiers.old_citizen_ids(rows), from_characters(rows))
        text = where((form > 0.6) & ~old, identifiers.lower_case_ids(rows), text)
        text = full_width(text, (form > 0.996) & ~none)
        text = where(
            wrong, identifiers.wrong_citizen_ids(rows, self._dice.of("wrong"), records), text
        )
        return only_where(~none, text)

    @staticmethod
    def _is_19(rows: identifiers.Characters) -> Bools:
        return np.asarray((rows[:, 6] == ord("1")) & (rows[:, 7] == ord("9")))

    def names(self, who: Numbers, records: Numbers) -> Text:
        """The name as this register has it."""
        people = self._people
        surname, given = people.surname[who], people.given[who]
        fate = self._dice.of("name").uniform(records)
        heard = fate < self._errors.homophone
        old = ~heard & (fate < self._errors.homophone + self._variant)
        text = names.full_names(surname, given)
        for mask, spelt in ((heard, names.homophone_names), (old, names.variant_names)):
            if mask.any():
                text = replaced(text, mask, spelt(surname, given))
        return text

    def birth_days(self, who: Numbers, records: Numbers) -> Ints:
        """The birth date as this register has it: off by a year, a month, or the lunar calendar."""
        right = self._people.birth_day[who]
        wrong = self._dice.of("birth").chance(records, self._errors.wrong_birth_date)
        offsets = np.array([365, 366, 30, 31, 10, 28, 45, 1])
        offset = offsets[self._dice.of("offset").below(records, len(offsets))]
        return np.where(wrong, right - offset, right)

    def birth_dates(self, who: Numbers, records: Numbers) -> Text:
        """`birth_days` as yyyy-MM-dd."""
        return iso_date(self.birth_days(who, records))


OLD_CARDS = int(np.datetime64("1985-01-01").astype(np.int64))
"""Who was born later never had a card of 15 digits in use."""
