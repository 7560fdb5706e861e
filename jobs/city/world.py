"""
The city as it truly is on a day, and how it changes from day to day.

Registers look at the world and write down what they see. `World.advance` moves it by one day:
0.7 % of everything is updated, 0.2 % is new, 0.1 % ends, half of that by a cancelled status and
half by vanishing from its register.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jobs.city.dice import Dice, Ints, Numbers
from jobs.city.entities import ACTIVE, CANCELLED, Entities, make_entities
from jobs.city.households import HEAD
from jobs.city.lives import NEW_PER_DAY, Life, live
from jobs.city.people import People, make_people
from jobs.city.places import ADDRESSES_AT_SCALE_1, Places
from jobs.city.towns import TOWN_WEIGHTS


@dataclass(frozen=True)
class EntityEvents:
    """
    Changes that the market register approved on a day.

    `item` is 0 for the address, 1 for the representative, 2 for the name; `before` and `after`
    are addresses, persons, or how often the name was changed.
    """

    entity: Ints
    item: Ints
    before: Ints
    after: Ints

    @classmethod
    def none(cls) -> EntityEvents:
        """A quiet day."""
        return cls(*[np.zeros(0, dtype=np.int64) for _ in range(4)])

    def and_these(self, entity: Ints, item: int, before: Ints, after: Ints) -> EntityEvents:
        """With some more, where something really changed."""
        differs = before != after
        more = (entity, np.full(len(entity), item), before, after)
        mine = (self.entity, self.item, self.before, self.after)
        return EntityEvents(
            *[np.concatenate([a, b[differs]]) for a, b in zip(mine, more, strict=True)]
        )


OTHER_RECORDS = {
    "vehicle": 130_000,
    "food licence": 52_000,
    "abnormal operation": 22_000,
    "dishonest debtor": 12_000,
    "real estate": 180_000,
}
"""Records that are delivered as changes and that nothing else of the city depends on."""


@dataclass(frozen=True)
class Change:
    """What became of some persons, entities or addresses on a day."""

    kind: str
    what: str
    records: Ints


class World:
    """
    A city of `scale` for `days` days from `start` (counted from 1970).

    `today` is the day it stands at, counted from 0; `advance` moves to the next one.
    """

    def __init__(self, seed: int, scale: float, start: int, days: int) -> None:
        self.dice = Dice(seed)
        self.scale = scale
        self.start = start
        self.days = days
        self.today = 0
        new_addresses = max(1, round(ADDRESSES_AT_SCALE_1 * scale * NEW_PER_DAY))
        self.places = Places(self.dice, scale, new_addresses * (days - 1))
        self.people: People = make_people(self.dice.of("people"), self.places, scale, start, days)
        self.entities: Entities = make_entities(
            self.dice.of("entities"), self.places, self.people, scale, start, days
        )
        # The head of a household keeps the register together: only others vanish from it.
        self.people_life = live(
            self.dice.of("people life"), self.people.appears, days, self.people.role != HEAD
        )
        self.entity_life = live(self.dice.of("entity life"), self.entities.appears, days)
        appears = np.zeros(self.places.count, dtype=np.int16)
        appears[self.places.base_count :] = np.repeat(np.arange(1, days), new_addresses)
        self.address_life = live(self.dice.of("address life"), appears, days)
        self.lives = {
            name: self._life_of(name, at_scale_1) for name, at_scale_1 in OTHER_RECORDS.items()
        }
        self.died: list[Ints] = [np.flatnonzero(self.people.death_day >= 0)]
        """Who died, by the day on which it is told."""
        self.entity_events: list[EntityEvents] = [EntityEvents.none()]

    @property
    def date(self) -> int:
        """The business date, counted from 1970."""
        return self.start + self.today

    def count_at(self, at_scale_1: int, least: int = 1) -> int:
        """How many of something a city of this scale has."""
        return max(least, round(at_scale_1 * self.scale))

    def _life_of(self, name: str, at_scale_1: int) -> Life:
        base = self.count_at(at_scale_1, 8)
        per_day = max(2, round(base * NEW_PER_DAY))
        appears = np.concatenate([np.zeros(base), np.repeat(np.arange(1, self.days), per_day)])
        return live(self.dice.of(f"{name} life"), appears, self.days)

    def advance(self) -> Iterator[Change]:
        """Move to the next day and tell what changed; to be consumed wholly."""
        self.today += 1
        yield from self._advance_people()
        yield from self._advance_entities()
        yield from self._advance_addresses()
        for life in self.lives.values():
            for records in (life.new_on(self.today), life.cancelled_on(self.today)):
                life.touched[records] = self.today
            life.touched[life.touched_on(self.today)] = self.today

    def _advance_people(self) -> Iterator[Change]:
        people, life, day = self.people, self.people_life, self.today
        dice = self.dice.of("people change").of(day)
        new = life.new_on(day)
        yield Change("person", "born", new[people.birth_day[new] > self.start - 60])
        yield Change("person", "arrived", new[people.birth_day[new] <= self.start - 60])
        ended = life.cancelled_on(day)
        old = people.age(ended, self.date) >= 58
        dead = ended[(old | dice.of("young").chance(ended, 0.05)) & (people.death_day[ended] < 0)]
        people.death_day[dead] = self.date - 1 - dice.of("died").below(dead, 3)
        self.died.append(dead)
        yield Change("person", "died", dead)
        heard = ended[people.unreported[ended]]
        people.unreported[heard] = False
        yield Change("person", "found to have died", heard)
        left = np.setdiff1d(ended, np.concatenate([dead, heard]))
        left = left[people.moved_out[left] < 0]
        people.moved_out[left] = self.date - 1
        yield Change("person", "moved out", left)
        yield Change("person", "vanished", life.vanished_on(day))
        touched = life.touched_on(day)
        touched = touched[people.death_day[touched] < 0]
        life.touched[touched] = day
        life.touched[new] = day
        life.touched[ended] = day
        kind = dice.of("kind").pick(touched, (0.35, 0.25, 0.25, 0.15))
        heads = touched[(kind == 0) & (people.role[touched] == HEAD)]
        town = dice.of("town").pick(heads, TOWN_WEIGHTS)
        home = self.places.in_town(town, dice.of("home").below(heads, 10**6))
        moved = np.flatnonzero(np.isin(people.head, heads) & (people.appears <= day))
        target = np.zeros(len(people), dtype=np.int64)
        target[heads] = home
        people.address[moved] = target[people.head[moved]]
        life.touched[moved] = day
        yield Change("person", "moved within the city", moved)
        grown = touched[people.age(touched, self.date) >= 22]
        grown_kind = kind[people.age(touched, self.date) >= 22]
        wed = grown[(grown_kind == 1) & (people.marital[grown] == 10)]
        people.marital[wed] = 20
        yield Change("person", "married", wed)
        schooled = grown[
            (grown_kind == 2) & (people.education[grown] > 10) & (people.education[grown] <= 30)
        ]
        people.education[schooled] -= 10
        yield Change("person", "educated", schooled)
        renamed = touched[
            (kind == 3) & dice.of("renamed").chance(touched, 0.15) & (people.surname[touched] > 0)
        ]
        people.former_given[renamed] = people.given[renamed]
        donors = (renamed * 7 + 13) % len(people)
        fits = (people.is_male[donors] == people.is_male[renamed]) & (people.surname[donors] > 0)
        people.given[renamed[fits]] = people.given[donors[fits]]
        yield Change("person", "renamed", renamed[fits])

    def _advance_entities(self) -> Iterator[Change]:
        entities, life, day = self.entities, self.entity_life, self.today
        dice = self.dice.of("entity change").of(day)
        new = life.new_on(day)
        yield Change("entity", "registered", new)
        ended = life.cancelled_on(day)
        ended = ended[entities.status[ended] == ACTIVE]
        entities.status[ended] = CANCELLED
        entities.ended[ended] = self.date - 1
        entities.approved[ended] = self.date - 1
        yield Change("entity", "cancelled", ended)
        yield Change("entity", "vanished", life.vanished_on(day))
        touched = life.touched_on(day)
        touched = touched[entities.status[touched] == ACTIVE]
        life.touched[touched] = day
        life.touched[new] = day
        life.touched[ended] = day
        kind = dice.of("kind").pick(touched, (0.3, 0.3, 0.2, 0.2))
        entities.approved[touched[kind < 3]] = self.date - 1
        events = EntityEvents.none()
        moved = touched[kind == 0]
        before = entities.address[moved]
        entities.address[moved] = self.places.in_town(
            entities.town[moved], dice.of("address").below(moved, 10**6)
        )
        yield Change("entity", "moved", moved)
        events = events.and_these(moved, 0, before, entities.address[moved])
        handed = touched[kind == 1]
        before = entities.representative[handed]
        entities.representative[handed] = entities.representative[(handed * 5 + 11) % len(entities)]
        yield Change("entity", "new representative", handed)
        events = events.and_these(handed, 1, before, entities.representative[handed])
        renamed = touched[(kind == 2) & (entities.renamed[touched] < 15)]
        before = entities.renamed[renamed].astype(np.int64)
        entities.renamed[renamed] += 1
        self.entity_events.append(events.and_these(renamed, 2, before, before + 1))
        yield Change("entity", "renamed", renamed)
        counted = touched[kind == 3]
        entities.employees[counted] += 1
        yield Change("entity", "more employees", counted)

    def _advance_addresses(self) -> Iterator[Change]:
        life, day = self.address_life, self.today
        new, ended, touched = life.new_on(day), life.cancelled_on(day), life.touched_on(day)
        for records in (new, ended, touched):
            life.touched[records] = day
        yield Change("address", "named", new)
        yield Change("address", "cancelled", ended)
        yield Change("address", "corrected", touched)
        yield Change("address", "vanished", life.vanished_on(day))

    def updated_at(self, life: Life, dice: Dice, records: Numbers) -> tuple[Ints, Ints]:
        """Day and second of the last change of each record, as its register keeps it."""
        touched = life.touched[records].astype(np.int64)
        long_ago = self.start - 3 - (dice.of("day").uniform(records) ** 1.5 * 2400).astype(np.int64)
        day = np.where(touched > 0, self.start + touched, long_ago)
        second = 8 * 3600 + dice.of("second").below(records * 64 + np.maximum(touched, 0), 36_000)
        return day, second
