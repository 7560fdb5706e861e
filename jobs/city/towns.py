"""The towns of the city and what lies in them: communities, villages, roads and estates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.city.text import Vocabulary, listed, vocabulary

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

TOWN_CODES: Vocabulary = vocabulary([t.code for t in TOWNS])
TOWN_NAMES: Vocabulary = vocabulary([t.name for t in TOWNS])
TOWN_WEIGHTS = [t.weight for t in TOWNS]


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
