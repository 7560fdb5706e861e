"""What is licensed in the city."""

from __future__ import annotations

from typing import NamedTuple

from jobs.city.bureaus import (
    CULTURE,
    EMERGENCY,
    FARMING,
    FIRE,
    HEALTH,
    HOUSING,
    LABOUR,
    MARKET,
    POLICE,
    TOBACCO,
    TRANSPORT,
    URBAN,
)


class Permit(NamedTuple):
    """A kind of licence: decision, certificate, word of the numbers, class, by whom, years."""

    decision: str
    certificate: str
    word: str
    licence_class: str
    authority: int
    years: int
    content: str
    weight: float
    personal: bool = False


PERMITS = (
    Permit(
        "食品经营许可决定书",
        "食品经营许可证",
        "食许",
        "01",
        MARKET,
        5,
        "准予从事食品销售、餐饮服务经营",
        22,
    ),
    Permit("准予设立登记通知书", "营业执照", "市登", "05", MARKET, 0, "准予设立登记", 30),
    Permit(
        "公共场所卫生许可决定书",
        "公共场所卫生许可证",
        "卫公许",
        "01",
        HEALTH,
        4,
        "准予经营公共场所",
        6,
    ),
    Permit(
        "烟草专卖零售许可决定书",
        "烟草专卖零售许可证",
        "烟许",
        "02",
        TOBACCO,
        5,
        "准予从事烟草制品零售",
        8,
    ),
    Permit(
        "道路运输经营许可决定书",
        "道路运输经营许可证",
        "交许",
        "01",
        TRANSPORT,
        4,
        "准予从事道路普通货物运输",
        6,
    ),
    Permit(
        "建筑工程施工许可决定书",
        "建筑工程施工许可证",
        "建许",
        "01",
        HOUSING,
        2,
        "准予该工程开工建设",
        3,
    ),
    Permit(
        "危险化学品经营许可决定书",
        "危险化学品经营许可证",
        "应急许",
        "01",
        EMERGENCY,
        3,
        "准予经营许可范围内的危险化学品",
        1,
    ),
    Permit("户外广告设置许可决定书", "", "城管许", "01", URBAN, 2, "准予设置户外广告设施", 4),
    Permit("公众聚集场所消防安全检查意见书", "", "消安检", "04", FIRE, 0, "符合消防安全要求", 3),
    Permit(
        "农药经营许可决定书",
        "农药经营许可证",
        "农许",
        "01",
        FARMING,
        5,
        "准予经营农药（限制使用农药除外）",
        2,
    ),
    Permit(
        "娱乐经营许可决定书", "娱乐经营许可证", "文许", "01", CULTURE, 2, "准予从事歌舞娱乐经营", 1
    ),
    Permit(
        "劳务派遣经营许可决定书",
        "劳务派遣经营许可证",
        "人社许",
        "01",
        LABOUR,
        3,
        "准予从事劳务派遣业务",
        1,
    ),
    Permit(
        "医师执业注册决定书", "医师执业证书", "卫医许", "03", HEALTH, 0, "准予执业注册", 3, True
    ),
    Permit(
        "机动车驾驶证核发决定书",
        "机动车驾驶证",
        "公交许",
        "03",
        POLICE,
        6,
        "准予驾驶准驾车型",
        6,
        True,
    ),
    Permit(
        "道路运输从业资格决定书",
        "道路运输从业资格证",
        "交从许",
        "03",
        TRANSPORT,
        6,
        "准予从事道路货物运输驾驶",
        4,
        True,
    ),
)
