"""The public bodies that decide, license and punish, with their credit codes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from jobs.city.identifiers import credit_codes, organisation_codes
from jobs.city.text import Vocabulary, from_characters, vocabulary
from jobs.city.towns import COUNTY

BUREAUS = (
    "赤壁市市场监督管理局",
    "赤壁市公安局",
    "赤壁市公安局交通警察大队",
    "赤壁市住房和城乡建设局",
    "赤壁市自然资源和规划局",
    "赤壁市交通运输局",
    "赤壁市农业农村局",
    "赤壁市卫生健康局",
    "赤壁市应急管理局",
    "咸宁市生态环境局赤壁市分局",
    "赤壁市城市管理执法局",
    "赤壁市文化和旅游局",
    "赤壁市人力资源和社会保障局",
    "赤壁市水利和湖泊局",
    "赤壁市烟草专卖局",
    "赤壁市消防救援大队",
    "国家税务总局赤壁市税务局",
    "赤壁市政务服务和大数据管理局",
    "赤壁市教育局",
    "赤壁市民政局",
)
(
    MARKET,
    POLICE,
    TRAFFIC,
    HOUSING,
    LAND,
    TRANSPORT,
    FARMING,
    HEALTH,
    EMERGENCY,
    ECOLOGY,
    URBAN,
    CULTURE,
    LABOUR,
    WATER,
    TOBACCO,
    FIRE,
    TAX,
    DATA,
    EDUCATION,
    CIVIL_AFFAIRS,
) = range(len(BUREAUS))

BUREAU_NAMES: Vocabulary = vocabulary(BUREAUS)


@lru_cache(maxsize=1)
def bureau_codes() -> Vocabulary:
    """The credit code of each bureau: 11 stands for organs of the state."""
    places = np.arange(len(BUREAUS))
    organisation = organisation_codes(places * 397 + 11_000, prefix="01")
    return from_characters(
        credit_codes(("11",), np.zeros(len(BUREAUS), dtype=np.int64), COUNTY, organisation)
    )
