"""
Where things are: the towns of the city, their communities, buildings and addresses.

Everything follows from an address number by arithmetic, so that an address written today is
written the same way tomorrow, and 620,000 of them need no room.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from jobs.city.dice import Bools, Dice, Floats, Ints, Numbers
from jobs.city.text import (
    Text,
    decimal,
    digits,
    join,
    join_present,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.towns import ESTATES, ROADS, TOWN_CODES, TOWN_NAMES, TOWNS, Communities

ADDRESSES_AT_SCALE_1 = 620_000
ROOMS_PER_BUILDING = 20
BUILDINGS_PER_ESTATE = 8
HOUSES_PER_GROUP = 25
GROUPS_PER_VILLAGE = 12
GRID_CELLS_AT_SCALE_1 = 12_000
_SIDE = 0.05
"""Degrees that a town's square of grid cells measures from west to east and south to north."""

KIND_WORDS = ("1", "2", "3", "4", "5", "9")


class Places:
    """The addresses of a city of `scale`; address numbers are dense from 0."""

    def __init__(self, dice: Dice, scale: float, extra: int = 0) -> None:
        self._dice = dice.of("places")
        self.base_count = max(400, round(ADDRESSES_AT_SCALE_1 * scale))
        self.count = self.base_count + extra
        self.communities = Communities()
        weights = np.array([t.weight for t in TOWNS], dtype=np.float64)
        everyone = np.arange(self.count)
        self.town = self._dice.of("town").pick(everyone, list(weights)).astype(np.int8)
        share = np.array([t.urban for t in TOWNS])
        self.is_urban = self._dice.of("urban").chance(everyone, share[self.town])
        self.rank = np.empty(self.count, dtype=np.int32)
        group = self.town.astype(np.int64) * 2 + self.is_urban
        order = np.argsort(group, kind="stable")
        _, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
        self.rank[order] = np.arange(self.count) - np.repeat(starts, counts)
        cells = max(len(TOWNS), GRID_CELLS_AT_SCALE_1 * scale)
        self.grid_side = np.maximum(1, np.sqrt(cells * weights / weights.sum())).astype(np.int64)

    @cached_property
    def _by_town(self) -> tuple[Ints, Ints]:
        base = self.town[: self.base_count]
        order = np.argsort(base, kind="stable").astype(np.int64)
        return order, np.searchsorted(base[order], np.arange(len(TOWNS) + 1)).astype(np.int64)

    def in_town(self, town: Numbers, wish: Numbers) -> Ints:
        """An address in each town: the one at the place `wish`, counted round and round."""
        order, starts = self._by_town
        size = np.maximum(starts[town.astype(np.int64) + 1] - starts[town], 1)
        return np.asarray(order[np.minimum(starts[town] + wish % size, len(order) - 1)])

    # --- what an address is made of ---------------------------------------------------------

    def building(self, address: Numbers) -> Ints:
        """The number of the building in its town; -1 for houses that stand alone."""
        return np.where(self.is_urban[address], self.rank[address] // ROOMS_PER_BUILDING, -1)

    def _house(self, address: Numbers) -> tuple[Ints, Ints]:
        """Village (counted in its town) and house (counted in its village) of each address."""
        rank = self.rank[address].astype(np.int64)
        villages = np.maximum(self.communities.rural_count[self.town[address]], 1)
        return rank % villages, rank // villages

    def _estate(self, address: Numbers) -> Ints:
        """The number of the estate in its town."""
        return self.rank[address].astype(np.int64) // (ROOMS_PER_BUILDING * BUILDINGS_PER_ESTATE)

    def community(self, address: Numbers) -> Ints:
        """The place of the community in `communities`."""
        town = self.town[address]
        c = self.communities
        in_estate = self._estate(address) % np.maximum(c.urban_count[town], 1)
        in_village = c.urban_count[town] + self._house(address)[0]
        return np.asarray(c.first[town] + np.where(self.is_urban[address], in_estate, in_village))

    def community_codes(self, address: Numbers) -> Text:
        """12-digit codes."""
        return take(self.communities.codes, self.community(address))

    def community_names(self, address: Numbers) -> Text:
        """Names such as 金鸡山社区."""
        return take(self.communities.names, self.community(address))

    def town_codes(self, address: Numbers) -> Text:
        """9-digit codes of the addresses' towns."""
        return take(TOWN_CODES, self.town[address])

    def road_names(self, address: Numbers) -> Text:
        """Roads in town, groups (村民小组) in villages."""
        place = self._estate(address) * 5 + self.town[address].astype(np.int64) * 3
        road = take(vocabulary(ROADS), place % len(ROADS))
        group = self._house(address)[1] // HOUSES_PER_GROUP % GROUPS_PER_VILLAGE + 1
        return where(self.is_urban[address], road, join(number(group), "组"))

    def door_numbers(self, address: Numbers) -> Text:
        """House numbers with 号."""
        estate, house = self._estate(address), self._house(address)[1]
        of_estate = estate // 4 * 6 + estate % 7 + 1
        # Beyond the last group, the groups number on.
        lap = house // (HOUSES_PER_GROUP * GROUPS_PER_VILLAGE)
        of_house = house % HOUSES_PER_GROUP + 1 + lap * HOUSES_PER_GROUP
        return join(number(np.where(self.is_urban[address], of_estate, of_house)), "号")

    def estate_names(self, address: Numbers) -> Text:
        """小区; none in villages."""
        town = self.town[address].astype(np.int64)
        estate = self._estate(address)
        first, second = (vocabulary(words) for words in ESTATES)
        name = join(
            take(first, (estate + town * 3) % len(first)),
            take(second, (estate // len(first) + town) % len(second)),
        )
        return only_where(self.is_urban[address], name)

    def building_ids(self, address: Numbers) -> Text:
        """The id in the building register; none for houses that stand alone."""
        ids = join("LD", take(TOWN_CODES, self.town[address]), digits(self.building(address), 5))
        return only_where(self.is_urban[address], ids)

    def building_numbers(self, address: Numbers) -> Text:
        """The building's number in its estate, such as 3栋; none in villages."""
        return only_where(
            self.is_urban[address],
            join(number(self.building(address) % BUILDINGS_PER_ESTATE + 1), "栋"),
        )

    def unit_numbers(self, address: Numbers) -> Text:
        """Units of a building, such as 2单元; none in villages."""
        room = self.rank[address] % ROOMS_PER_BUILDING
        return only_where(self.is_urban[address], join(number(room // 10 + 1), "单元"))

    def room_numbers(self, address: Numbers) -> Text:
        """Rooms of a unit, such as 501; none in villages."""
        room = self.rank[address].astype(np.int64) % 10
        return only_where(self.is_urban[address], number((room // 2 + 1) * 100 + room % 2 + 1))

    def local_names(self, address: Numbers) -> Text:
        """The address below the city: 蒲圻街道金鸡山路25号锦绣花园3栋2单元501室."""
        urban = self.is_urban[address]
        village = only_where(~urban, self.community_names(address))
        room = join(self.room_numbers(address), "室")
        return join_present(
            take(TOWN_NAMES, self.town[address]),
            village,
            self.road_names(address),
            self.door_numbers(address),
            self.estate_names(address),
            self.building_numbers(address),
            self.unit_numbers(address),
            room,
        )

    def full_names(self, address: Numbers) -> Text:
        """The address from the province down."""
        return join("湖北省赤壁市", self.local_names(address))

    def ids(self, address: Numbers) -> Text:
        """地址编码: town code and running number."""
        return join(take(TOWN_CODES, self.town[address]), digits(address, 8))

    # --- on the map --------------------------------------------------------------------------

    def _offset(self, address: Numbers) -> tuple[Floats, Floats]:
        """How far east and north in the town's square; neighbours stay neighbours."""
        village, house = self._house(address)
        of_group = (village * 1000 + house // HOUSES_PER_GROUP) * 2 + 1
        block = np.where(self.is_urban[address], self._estate(address) * 2, of_group)
        key = block * 100 + self.town[address]
        jitter = self._dice.of("jitter")
        east = 0.9 * self._dice.of("east").bell(key, 0.0, 1.0) + 0.1 * jitter.of("e").uniform(
            address
        )
        north = 0.9 * self._dice.of("north").bell(key, 0.0, 1.0) + 0.1 * jitter.of("n").uniform(
            address
        )
        return east, north

    def longitudes(self, address: Numbers) -> Text:
        """Degrees east with six digits (CGCS2000)."""
        west = np.array([t.longitude for t in TOWNS])[self.town[address]] - _SIDE / 2
        return decimal(
            np.round((west + self._offset(address)[0] * _SIDE) * 1e6).astype(np.int64), 6
        )

    def latitudes(self, address: Numbers) -> Text:
        """Degrees north with six digits (CGCS2000)."""
        south = np.array([t.latitude for t in TOWNS])[self.town[address]] - _SIDE / 2
        return decimal(
            np.round((south + self._offset(address)[1] * _SIDE) * 1e6).astype(np.int64), 6
        )

    def grid_cell(self, address: Numbers) -> Ints:
        """The number of the grid cell in its town."""
        east, north = self._offset(address)
        side = self.grid_side[self.town[address]]
        return np.asarray((north * side).astype(np.int64) * side + (east * side).astype(np.int64))

    def grid_cell_ids(self, address: Numbers) -> Text:
        """网格编码 of the cell in which the address lies."""
        return grid_cell_ids(self.town[address], self.grid_cell(address))

    def kind(self, address: Numbers) -> Ints:
        """The place of the address kind in `KIND_WORDS`; houses in villages are dwellings."""
        kind = self._dice.of("kind").pick(address, (0.82, 0.10, 0.02, 0.03, 0.02, 0.01))
        return np.where(self.is_urban[address] | (kind > 3), kind, 0)

    def postal_codes(self, address: Numbers) -> Text:
        """Six digits; the city has some ten post offices."""
        return join("4373", digits(self.town[address] % 10 + np.int64(1), 2))

    def square(self, town: Numbers) -> tuple[Floats, Floats, Floats]:
        """West and south edges of each town's square, and how many degrees a cell measures."""
        west = np.array([t.longitude for t in TOWNS])[town] - _SIDE / 2
        south = np.array([t.latitude for t in TOWNS])[town] - _SIDE / 2
        return west, south, _SIDE / self.grid_side[town]

    def urban_buildings(self) -> tuple[Ints, Ints]:
        """Town and number in its town of every building that has an address on the first day."""
        urban = np.flatnonzero(self.is_urban[: self.base_count])
        key = np.unique(self.town[urban].astype(np.int64) << 32 | self.building(urban))
        return key >> 32, key & 0xFFFFFFFF

    def first_address(self, town: Numbers, building: Numbers) -> Ints:
        """The first address in each building."""
        key = self.town.astype(np.int64) << 40 | self.rank
        urban = np.flatnonzero(self.is_urban)
        urban = urban[np.argsort(key[urban], kind="stable")]
        wanted = np.asarray(town, dtype=np.int64) << 40 | building * ROOMS_PER_BUILDING
        return np.asarray(urban[np.searchsorted(key[urban], wanted)])

    def is_dwelling(self, address: Numbers) -> Bools:
        """Whether somebody may live there."""
        return np.asarray(self.kind(address) == 0)


def grid_cell_ids(town: Numbers, cell: Numbers) -> Text:
    """Town code and number of the cell."""
    return join(take(TOWN_CODES, town), digits(cell, 4))
