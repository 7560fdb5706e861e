"""
Where things are: the towns of the city, their communities, buildings and addresses.

Everything follows from an address number by arithmetic, so that an address written today is
written the same way tomorrow, and 620,000 of them need no room.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jobs.city.dice import Bools, Dice, Floats, Ints, Numbers
from jobs.city.text import (
    Text,
    Vocabulary,
    decimal,
    digits,
    join,
    join_present,
    listed,
    number,
    only_where,
    take,
    vocabulary,
    where,
)

COUNTY = "421281"


@dataclass(frozen=True)
class Town:
    """A town or zone: its share of the people, its share of flats, its communities, its centre."""

    code: str
    name: str
    weight: float
    urban: float
    communities: int
    villages: int
    longitude: float
    latitude: float


TOWNS = (
    Town("421281001", "蒲圻街道", 112, 0.95, 15, 4, 113.885, 29.722),
    Town("421281002", "赤马港街道", 62, 0.90, 7, 6, 113.902, 29.690),
    Town("421281003", "陆水湖街道", 34, 0.70, 4, 7, 113.935, 29.668),
    Town("421281100", "新店镇", 25, 0.20, 1, 12, 113.640, 29.630),
    Town("421281101", "赵李桥镇", 42, 0.35, 2, 13, 113.770, 29.580),
    Town("421281102", "茶庵岭镇", 21, 0.20, 1, 9, 113.830, 29.640),
    Town("421281103", "车埠镇", 38, 0.20, 1, 16, 113.740, 29.790),
    Town("421281104", "赤壁镇", 34, 0.25, 1, 12, 113.620, 29.870),
    Town("421281105", "柳山湖镇", 9, 0.15, 1, 5, 113.700, 29.860),
    Town("421281106", "神山镇", 32, 0.20, 1, 13, 113.880, 29.850),
    Town("421281107", "中伙铺镇", 29, 0.25, 1, 13, 113.985, 29.780),
    Town("421281108", "官塘驿镇", 50, 0.25, 2, 21, 114.020, 29.700),
    Town("421281109", "黄盖湖镇", 8, 0.15, 1, 4, 113.560, 29.800),
    Town("421281200", "余家桥乡", 15, 0.10, 1, 7, 113.690, 29.730),
    Town("421281400", "蒲纺工业园", 9, 0.90, 4, 1, 113.945, 29.630),
    Town("421281401", "官塘驿林场", 1, 0.10, 1, 1, 114.060, 29.640),
    Town("421281402", "羊楼洞茶场", 2, 0.10, 1, 1, 113.730, 29.540),
    Town("421281403", "沧湖开发区", 5, 0.10, 1, 3, 113.640, 29.780),
    Town("421281404", "赤壁市经济开发区", 4, 0.60, 1, 1, 113.840, 29.740),
)

ROADS = listed(
    "河北大道 陆水大道 金鸡山路 莼川大道 瑞通大道 体育路 沿河大道 建设路 人民路 东洲大道 "
    "发展大道 赤壁大道 砂子岭路 营里街 龙翔路 青泉路 民主街 解放路 桂花路 丰财路 育才路 "
    "银轮路 凤凰山路 望江路 和平路 文化路 胜利街 新建街 站前路 砖桥街"
)
ESTATES = (
    listed(
        "锦绣 金鸡 陆水 丽都 阳光 碧水 滨河 龙翔 世纪 东方 凤凰 幸福 御景 书香 和谐 桂苑 翰林 "
        "紫金 康华 城市"
    ),
    ("花园", "小区", "新城", "雅苑", "名都", "华庭", "佳苑", "公馆"),
)
_VILLAGE = listed(
    "大贵 芙蓉 双泉 石人 杨家 雷家 四屋 八王 张司边 荆泉 葵花 温泉 柳林 中心 西湖 余家 白石 "
    "黄沙 铁山 罗县 望山 独山 毕家 盘石 官田 小柏 斗门 熊家 鸡公 枫林 官庄 芳世 江口 潘河 "
    "夏龙 朱巷 蒲首 月星 长山 金峰 洪山 石鼓 复兴 万安 泉洪 东柳 文清 龙头 凤形 马蹄"
)
_VILLAGE_END = ("畈", "湾", "岭", "桥", "冲", "港", "铺", "坪")

ADDRESSES_AT_SCALE_1 = 620_000
ROOMS_PER_BUILDING = 20
BUILDINGS_PER_ESTATE = 8
HOUSES_PER_GROUP = 25
GROUPS_PER_VILLAGE = 12
GRID_CELLS_AT_SCALE_1 = 12_000
_SIDE = 0.05
"""Degrees that a town's square of grid cells measures from west to east and south to north."""

KIND_WORDS = ("1", "2", "3", "4", "5", "9")


class Communities:
    """The communities (社区) and villages (村) of all towns, urban ones first in each town."""

    def __init__(self) -> None:
        codes: list[str] = []
        names: list[str] = []
        self.first = np.zeros(len(TOWNS), dtype=np.int64)
        self.urban_count = np.array([t.communities for t in TOWNS])
        self.rural_count = np.array([t.villages for t in TOWNS])
        stem = 0
        for place, town in enumerate(TOWNS):
            self.first[place] = len(codes)
            for n in range(town.communities):
                word = ROADS[(place * 7 + n) % len(ROADS)].rstrip("大道路街")
                codes.append(f"{town.code}{n + 1:03d}")
                names.append(f"{word}社区")
            for n in range(town.villages):
                ending = _VILLAGE_END[(stem * 3 + stem // len(_VILLAGE)) % len(_VILLAGE_END)]
                codes.append(f"{town.code}{n + 200:03d}")
                names.append(f"{_VILLAGE[stem % len(_VILLAGE)]}{ending}村")
                stem += 1
        self.count = self.urban_count + self.rural_count
        self.codes = vocabulary(codes)
        self.names = vocabulary(names)


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


TOWN_CODES: Vocabulary = vocabulary([t.code for t in TOWNS])
TOWN_NAMES: Vocabulary = vocabulary([t.name for t in TOWNS])
TOWN_WEIGHTS = [t.weight for t in TOWNS]
