"""
The people of the city: families with ages, names and numbers that fit together.

`Households` lays out who lives with whom; `People` is one array per fact. People who are born
or arrive on later days stand at the end with the day on which they appear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from jobs.city import identifiers, names
from jobs.city.counties import UYGUR_COUNTIES, counties
from jobs.city.dice import Bools, Dice, Floats, Ints, Numbers
from jobs.city.households import (
    CHILD,
    FLOATING_FAMILIES,
    HEAD,
    LATE_SPOUSE,
    LOCAL_FAMILIES,
    SPOUSE,
    ages_of,
    joined,
    laid_out,
    marital_status,
    sexes_of,
    surnames_of,
)
from jobs.city.places import Places
from jobs.city.text import Text, from_characters, iso_date
from jobs.city.towns import TOWN_WEIGHTS

RESIDENTS_AT_SCALE_1 = 490_000
FLOATING_SHARE = 0.1


@dataclass
class People:
    """
    One array per fact; the place in them is the true person.

    `appears` counts from the first business date (day 0 holds everyone who was there before);
    days of birth, death and leaving count from 1970.
    """

    local_count: int
    """Persons before this place belong to families of the city at day 0."""
    birth_day: Ints
    is_male: Bools
    surname: Ints
    given: Ints
    former_given: Ints
    ethnicity: Numbers
    county: Ints
    family: Ints
    role: Numbers
    child_order: Numbers
    is_floating: Bools
    appears: Numbers
    death_day: Ints
    """-1 for the living."""
    unreported: Bools
    """Whose death the police have not heard of."""
    moved_out: Ints
    """Day on which the registration left the city; -1 for those who stay."""
    marital: Numbers
    education: Numbers
    address: Ints
    head: Ints
    """The place of the head of each person's family."""
    id_characters: identifiers.Characters = field(repr=False)

    def __len__(self) -> int:
        return len(self.birth_day)

    @cached_property
    def partner(self) -> Ints:
        """The husband or wife who heads or shares the household; -1 for others."""
        found = np.full(len(self), -1, dtype=np.int64)
        spouses = np.flatnonzero(self.role == SPOUSE)
        found[spouses] = self.head[spouses]
        found[self.head[spouses]] = spouses
        return found

    def names(self, who: Numbers) -> Text:
        """The names as they are."""
        return names.full_names(self.surname[who], self.given[who])

    def citizen_ids(self, who: Numbers) -> Text:
        """The right numbers."""
        return from_characters(self.id_characters[who])

    def age(self, who: Numbers, day: int) -> Ints:
        """Completed years on a day counted from 1970."""
        return np.asarray((day - self.birth_day[who]) // 365.2425).astype(np.int64)


def _educations(dice: Dice, people: Ints, ages: Floats) -> Ints:
    """GB/T 4658: 10 graduate … 80 primary, 90 none."""
    codes = np.array([10, 20, 30, 40, 60, 70, 80, 90])
    young = codes[dice.pick(people, (2, 22, 24, 12, 16, 22, 2, 0))]
    middle = codes[dice.pick(people, (1, 8, 10, 9, 18, 44, 9, 1))]
    old = codes[dice.pick(people, (0, 1, 2, 3, 9, 33, 40, 12))]
    grown = np.select([ages >= 58, ages >= 38], [old, middle], default=young)
    return np.asarray(
        np.select([ages < 7, ages < 13, ages < 16, ages < 19], [90, 80, 70, 60], default=grown)
    )


def _strangers(dice: Dice, people: People) -> None:
    """
    Make strangers alike: some who married in have the name and birth date of somebody else.

    Marrying in leaves the surname free, so that no family is broken by it.
    """
    free = np.flatnonzero((people.role == SPOUSE) & (people.appears == 0))
    alike = free[dice.chance(free, 0.02)]
    for is_male in (False, True):
        pool = free[people.is_male[free] == is_male]
        pool = pool[np.argsort(people.birth_day[pool], kind="stable")]
        mine = alike[people.is_male[alike] == is_male]
        if len(pool) < 8:
            continue
        place = np.searchsorted(people.birth_day[pool], people.birth_day[mine])
        donor = pool[(place + dice.of("offset").between(mine, 2, 6)) % len(pool)]
        chosen = (people.family[donor] != people.family[mine]) & ~np.isin(donor, alike)
        mine, donor = mine[chosen], donor[chosen]
        for facts in (people.surname, people.given, people.birth_day):
            facts[mine] = facts[donor]


def make_people(dice: Dice, places: Places, scale: float, start: int, days: int) -> People:
    """
    The people of a city of `scale`, with those who are born or arrive in `days` days.

    `start` is the first business date, counted from 1970.
    """
    residents = max(300, round(RESIDENTS_AT_SCALE_1 * scale))
    floating = round(residents * FLOATING_SHARE)
    local = laid_out(dice.of("local"), LOCAL_FAMILIES, residents - floating)
    others = laid_out(dice.of("floating"), FLOATING_FAMILIES, floating)
    layout = joined((local, others))
    is_floating = np.arange(len(layout.family)) >= len(local.family)
    count = len(layout.family)
    everyone = np.arange(count)
    ages = ages_of(dice.of("ages"), layout)
    is_male = sexes_of(dice.of("sexes"), layout)
    birth_day = start - np.maximum(np.round(ages * 365.2425), 3).astype(np.int64)
    death_day = np.full(count, -1, dtype=np.int64)
    late = layout.role == LATE_SPOUSE
    gone = start - 20 - dice.of("death").below(everyone, 2200)
    death_day[late] = np.maximum(gone, birth_day + 20 * 365)[late]
    unreported = dice.of("unreported").chance(everyone, 0.012) & (ages > 72) & ~late & ~is_floating
    death_day[unreported] = (start - 3 - dice.of("unheard").below(everyone, 300))[unreported]
    family_of_town = dice.of("town").pick(np.arange(int(layout.family.max()) + 1), TOWN_WEIGHTS)
    address_of_family = places.in_town(family_of_town, np.arange(len(family_of_town)) * 2)
    heads = np.zeros(len(family_of_town), dtype=np.int64)
    heads[layout.family[layout.role == HEAD]] = everyone[layout.role == HEAD]
    left = dice.of("left").chance(everyone, 0.012) & ~late & ~is_floating & (layout.role != HEAD)
    people = People(
        local_count=len(local.family),
        birth_day=birth_day,
        is_male=is_male,
        surname=surnames_of(dice.of("surnames"), layout, is_male),
        given=np.zeros(count, dtype=np.int64),
        former_given=np.full(count, -1, dtype=np.int64),
        ethnicity=np.ones(count, dtype=np.int8),
        county=np.zeros(count, dtype=np.int64),
        family=layout.family,
        role=layout.role.astype(np.int8),
        child_order=layout.order.astype(np.int8),
        is_floating=is_floating,
        appears=np.zeros(count, dtype=np.int16),
        death_day=death_day,
        unreported=unreported,
        moved_out=np.where(
            left & ~unreported, start - 30 - dice.of("since").below(everyone, 1500), -1
        ),
        marital=marital_status(dice.of("marital"), layout, ages).astype(np.int8),
        education=_educations(dice.of("education"), everyone, ages).astype(np.int8),
        address=address_of_family[layout.family],
        head=heads[layout.family],
        id_characters=np.zeros((0, 18), dtype=np.uint8),
    )
    people = _with_newcomers(dice.of("newcomers"), people, places, start, days)
    _give_names(dice.of("names"), people)
    _strangers(dice.of("strangers"), people)
    may_marry_in = people.role == SPOUSE
    people.county = counties(
        dice.of("counties"),
        np.arange(len(people)),
        _years(people.birth_day),
        ~people.is_floating,
        may_marry_in,
    )
    uygur = np.flatnonzero(people.ethnicity == 5)
    people.county[uygur] = UYGUR_COUNTIES[dice.of("uygur").below(uygur, len(UYGUR_COUNTIES))]
    sequence = identifiers.sequence_codes(people.county, people.birth_day, people.is_male)
    people.id_characters = identifiers.citizen_ids(
        people.county, iso_date(people.birth_day), sequence
    )
    return people


def _years(days: Numbers) -> Ints:
    return np.asarray(
        np.asarray(days).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    )


def _with_newcomers(dice: Dice, people: People, places: Places, start: int, days: int) -> People:
    """Two of a thousand arrive every day: children are born to couples, others move in alone."""
    if days < 2:
        return people
    base = len(people)
    per_day = max(2, round(0.002 * people.local_count))
    count = per_day * (days - 1)
    new = np.arange(base, base + count)
    day = np.repeat(np.arange(1, days), per_day)
    couples = np.flatnonzero(
        (people.role == SPOUSE) & ~people.is_floating & (people.birth_day > start - 42 * 365)
    )
    is_birth = dice.of("birth").chance(new, 0.4) | (np.arange(count) % per_day == 0)
    parent = couples[dice.of("parent").below(new, len(couples))]
    first_family = int(people.family.max()) + 1
    alone = first_family + np.arange(count)
    grown = start - dice.of("age").between(new, 19 * 365, 60 * 365)
    town = dice.of("town").pick(new, TOWN_WEIGHTS)
    home = places.in_town(town, dice.of("home").below(new, 10_000) * 2 + 1)
    role = np.where(is_birth, CHILD, HEAD)
    head = people.head[parent]
    father = np.where(people.is_male[parent], parent, head)
    order = 1 + dice.of("order").below(new, 3)
    ages = (start - grown) / 365.2425

    def grown_by(facts: Numbers, more: Numbers) -> Numbers:
        return np.concatenate([facts, more.astype(facts.dtype)])

    return People(
        local_count=people.local_count,
        birth_day=grown_by(
            people.birth_day,
            np.where(is_birth, start + day - dice.of("age").below(new, 25) - 1, grown),
        ),
        is_male=grown_by(people.is_male, dice.of("sex").chance(new, 0.52)),
        surname=grown_by(
            people.surname,
            np.where(is_birth, people.surname[father], names.surnames(dice.of("surname"), new)),
        ),
        given=grown_by(people.given, np.zeros(count)),
        former_given=grown_by(people.former_given, np.full(count, -1)),
        ethnicity=grown_by(people.ethnicity, np.ones(count)),
        county=grown_by(people.county, np.zeros(count)),
        family=grown_by(people.family, np.where(is_birth, people.family[parent], alone)),
        role=grown_by(people.role, role),
        child_order=grown_by(people.child_order, np.where(is_birth, order, 0)),
        is_floating=grown_by(people.is_floating, ~is_birth & dice.of("floating").chance(new, 0.25)),
        appears=grown_by(people.appears, day),
        death_day=grown_by(people.death_day, np.full(count, -1)),
        unreported=grown_by(people.unreported, np.zeros(count)),
        moved_out=grown_by(people.moved_out, np.full(count, -1)),
        marital=grown_by(people.marital, np.where(is_birth, 10, np.where(ages < 28, 10, 20))),
        education=grown_by(
            people.education, np.where(is_birth, 90, _educations(dice.of("education"), new, ages))
        ),
        address=grown_by(people.address, np.where(is_birth, people.address[parent], home)),
        head=grown_by(people.head, np.where(is_birth, head, new)),
        id_characters=people.id_characters,
    )


def _give_names(dice: Dice, people: People) -> None:
    everyone = np.arange(len(people))
    years = _years(people.birth_day)
    people.given = names.given_names(dice.of("given"), everyone, years, people.is_male)
    renamed = dice.of("former").chance(everyone, 0.008)
    former = names.given_names(dice.of("former given"), everyone, years, people.is_male)
    people.former_given = np.where(renamed, former, -1)
    minority = dice.of("minority").chance(everyone, 0.012)
    kinds = np.array([15, 6, 8, 3, 11, 2])
    people.ethnicity = np.where(
        minority, kinds[dice.of("ethnicity").pick(everyone, (50, 15, 12, 12, 8, 3))], 1
    ).astype(np.int8)
    alone = people.is_floating & (people.role == HEAD) & dice.of("uygur").chance(everyone, 0.012)
    people.ethnicity[alone] = 5
    people.surname[alone] = 0
    people.given[alone] = names.minority_names(dice.of("minority name"), everyone)[alone]
