"""Where people come from, and the county code that their number carries for life."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jobs.city.dice import Bools, Dice, Ints
from jobs.city.towns import COUNTY

_FAR = {
    430602: "湖南省岳阳市岳阳楼区",
    430626: "湖南省岳阳市平江县",
    430682: "湖南省临湘市",
    360424: "江西省九江市修水县",
    360428: "江西省九江市都昌县",
    421083: "湖北省洪湖市",
    421087: "湖北省松滋市",
    420116: "湖北省武汉市黄陂区",
    421181: "湖北省麻城市",
    511622: "四川省广安市武胜县",
    500236: "重庆市奉节县",
    410526: "河南省安阳市滑县",
    411722: "河南省驻马店市上蔡县",
    520328: "贵州省遵义市湄潭县",
    341221: "安徽省阜阳市临泉县",
    350582: "福建省晋江市",
}
_UYGUR = {
    652901: "新疆维吾尔自治区阿克苏市",
    653122: "新疆维吾尔自治区喀什地区疏勒县",
    653125: "新疆维吾尔自治区喀什地区莎车县",
    653201: "新疆维吾尔自治区和田市",
}
_NEAR = {
    421202: "湖北省咸宁市咸安区",
    421221: "湖北省咸宁市嘉鱼县",
    421222: "湖北省咸宁市通城县",
    421223: "湖北省咸宁市崇阳县",
    421224: "湖北省咸宁市通山县",
}
_NEAR_UNTIL_1997 = dict(zip((422301, 422322, 422324, 422325, 422326), _NEAR.values(), strict=True))
"""The same neighbours as numbers carried them until 1997."""
_FAR_COUNTIES, UYGUR_COUNTIES = np.array(list(_FAR)), np.array(list(_UYGUR))
_OTHER_COUNTIES, _OLD_COUNTIES = np.array(list(_NEAR)), np.array(list(_NEAR_UNTIL_1997))

COUNTY_NAMES: Mapping[int, str] = {**_FAR, **_UYGUR, **_NEAR, **_NEAR_UNTIL_1997}
"""Where people come from, by the county code in their numbers."""


def counties(
    dice: Dice, people: Ints, birth_year: Ints, is_local: Bools, may_marry_in: Bools
) -> Ints:
    """The county code that each number carries: the one of the time when it was given."""
    own = np.select([birth_year < 1986, birth_year < 1998], [422323, 422302], default=int(COUNTY))
    neighbour = dice.of("neighbour").below(people, len(_OTHER_COUNTIES))
    theirs = np.where(birth_year < 1998, _OLD_COUNTIES[neighbour], _OTHER_COUNTIES[neighbour])
    far = _FAR_COUNTIES[dice.of("far").below(people, len(_FAR_COUNTIES))]
    married_in = may_marry_in & dice.of("married in").chance(people, 0.22)
    local = np.where(married_in, np.where(dice.of("far off").chance(people, 0.2), far, theirs), own)
    return np.where(is_local, local, np.where(dice.of("near").chance(people, 0.3), theirs, far))
