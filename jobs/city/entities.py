"""The market's entities (市场主体): companies, shops, cooperatives, and who runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from jobs.city import identifiers
from jobs.city.dice import Bools, Dice, Ints, Numbers
from jobs.city.people import People
from jobs.city.places import Places
from jobs.city.text import (
    Text,
    compact_date,
    digits,
    from_characters,
    join,
    nothing,
    take,
    vocabulary,
    where,
)
from jobs.city.towns import COUNTY, TOWN_NAMES, TOWN_WEIGHTS
from jobs.city.trades import (
    COMPANY,
    FARM,
    FIRST_SYLLABLES,
    SECOND_SYLLABLES,
    SHOP,
    THIRD_SYLLABLES,
    TRADES,
)

ENTITIES_AT_SCALE_1 = 100_000

TYPE_CODES = ("1130", "1151", "2130", "1110", "9500", "9100")
"""Limited companies, of one person, their branches, owned by the state; shops; cooperatives."""

ACTIVE, REVOKED, CANCELLED, MOVED = 1, 2, 3, 4

OCTOBER_2015 = int(np.datetime64("2015-10-01").astype(np.int64))
"""Until then registration numbers were given, since then credit codes."""


@dataclass
class Entities:
    """One array per fact; the place in them is the true entity. Days count from 1970."""

    category: Numbers
    type_place: Numbers
    trade: Numbers
    town: Numbers
    address: Ints
    representative: Ints
    established: Ints
    approved: Ints
    status: Numbers
    ended: Ints
    """Day of cancellation or revocation; -1 where there is none."""
    renamed: Numbers
    """How often the name was changed."""
    capital_yuan: Ints
    employees: Ints
    appears: Numbers
    dice: Dice = field(repr=False)
    credit_characters: identifiers.Characters = field(repr=False)

    def __len__(self) -> int:
        return len(self.category)

    @property
    def everyone(self) -> Ints:
        """The places of all entities."""
        return np.arange(len(self))

    def credit_codes(self, which: Numbers) -> Text:
        """The right unified social credit codes."""
        return from_characters(self.credit_characters[which])

    def organisation_codes(self, which: Numbers) -> Text:
        """The nine characters inside the credit code."""
        return from_characters(self.credit_characters[which][:, 8:17])

    def register_ids(self, which: Numbers) -> Text:
        """主体身份代码: county, date of establishment, running number."""
        return join(COUNTY, compact_date(self.established[which]), digits(which, 8))

    def registration_numbers(self, which: Numbers) -> Text:
        """15 digits, for those established before credit codes; no text for the others."""
        old = self.established[which] < OCTOBER_2015
        numbers = identifiers.registration_numbers(np.asarray(which) + 100_000)
        return where(old, numbers, nothing(len(which)))

    def names(self, which: Numbers, renamed: Numbers | None = None) -> Text:
        """The registered names, after `renamed` changes (as of now when not told)."""
        key = np.asarray(which) * 16 + (self.renamed[which] if renamed is None else renamed)
        word = join(
            take(
                vocabulary(FIRST_SYLLABLES), self.dice.of("first").below(key, len(FIRST_SYLLABLES))
            ),
            take(
                vocabulary(SECOND_SYLLABLES),
                self.dice.of("second").below(key, len(SECOND_SYLLABLES)),
            ),
            take(
                vocabulary(THIRD_SYLLABLES), self.dice.of("third").below(key, len(THIRD_SYLLABLES))
            ),
        )
        noun = take(vocabulary([t.noun for t in TRADES]), self.trade[which])
        suffix = take(vocabulary(["有限公司", "", "专业合作社"]), self.category[which])
        suffix = where(self.type_place[which] == 2, "有限公司赤壁分公司", suffix)
        place = where(self.category[which] == SHOP, take(TOWN_NAMES, self.town[which]), "")
        return join("赤壁市", place, word, noun, suffix)

    @cached_property
    def running(self) -> Bools:
        """Who was active on the first day."""
        return np.asarray((self.status == ACTIVE) & (self.appears == 0))


def make_entities(
    dice: Dice, places: Places, people: People, scale: float, start: int, days: int
) -> Entities:
    """The entities of a city of `scale`, with those who register in the coming `days`."""
    base = max(60, round(ENTITIES_AT_SCALE_1 * scale))
    per_day = max(1, round(0.002 * base))
    count = base + per_day * (days - 1)
    which = np.arange(count)
    appears = np.concatenate([np.zeros(base), np.repeat(np.arange(1, days), per_day)]).astype(
        np.int16
    )
    category = dice.of("category").pick(which, (0.27, 0.69, 0.04)).astype(np.int8)
    trade = np.zeros(count, dtype=np.int16)
    for kind, weights in enumerate(
        zip(*[(t.company, t.shop, t.farm) for t in TRADES], strict=True)
    ):
        rows = category == kind
        trade[rows] = dice.of("trade").pick(which, weights)[rows]
    town = dice.of("town").pick(which, [w**1.15 for w in TOWN_WEIGHTS])
    address = places.in_town(town, dice.of("address").below(which, 10**6))
    # The market register took in 2003 first; most of what stands there is younger than ten years.
    age = dice.of("age").uniform(which) ** 1.9 * 8000
    established = np.where(appears > 0, start + appears - 1, start - 5 - age.astype(np.int64))
    kinds = dice.of("type").pick(which, (0.62, 0.25, 0.10, 0.03))
    type_place = np.select([category == SHOP, category == FARM], [4, 5], default=kinds)
    status = 1 + dice.of("status").pick(which, (0.86, 0.05, 0.08, 0.01))
    status = np.where(appears > 0, ACTIVE, status)
    lived = np.maximum(start - 1 - established, 1)
    ended = established + (dice.of("ended").uniform(which) * lived).astype(np.int64)
    grown = np.flatnonzero(
        (people.appears == 0)
        & (people.death_day < 0)
        & (people.age(np.arange(len(people)), start) >= 20)
        & (people.age(np.arange(len(people)), start) < 72)
    )
    thousands = np.array([100, 300, 500, 1000, 2000, 5000, 8000, 10_000, 30_000, 50_000])
    capital = thousands[dice.of("capital").pick(which, (6, 5, 18, 22, 14, 12, 5, 9, 3, 1))] * 1000
    shop_capital = (1 + dice.of("shop").below(which, 30)) * 10_000
    size = 2 + (dice.of("employees").uniform(which) ** 4 * 180).astype(np.int64)
    organisation = identifiers.organisation_codes((which * 48_271 + 12_345) % 31**6)
    entities = Entities(
        category=category,
        type_place=type_place.astype(np.int8),
        trade=trade,
        town=town.astype(np.int8),
        address=address,
        representative=grown[dice.of("representative").below(which, len(grown))],
        established=established,
        approved=np.minimum(
            established + (dice.of("approved").uniform(which) ** 2 * lived).astype(np.int64),
            start - 2,
        ),
        status=status.astype(np.int8),
        ended=np.where((status == REVOKED) | (status == CANCELLED), ended, -1),
        renamed=dice.of("renamed").chance(which, 0.06).astype(np.int8),
        capital_yuan=np.where(category == SHOP, shop_capital, capital),
        employees=np.where(category == COMPANY, size, 1 + size % 4),
        appears=appears,
        dice=dice.of("names"),
        credit_characters=identifiers.credit_codes(
            ("91", "92", "93"), category, COUNTY, organisation
        ),
    )
    entities.approved = np.where(appears > 0, established, entities.approved)
    entities.approved = np.maximum(
        np.where(entities.ended >= 0, entities.ended, entities.approved), established
    )
    return entities
