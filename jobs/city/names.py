"""
Names of persons as they are given in this county, and what clerks make of them.

A name is two places: one in `SURNAMES`, one in `GIVEN`. Given names follow the generation
(桂英, 建军, 静, 子涵); every one has a homophone (同音字), many have a variant (异体字、繁体字).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from jobs.city.dice import Bools, Dice, Ints, Numbers
from jobs.city.text import Text, join, listed, take, vocabulary, where

_SURNAME_WEIGHTS = listed(
    "王65 李62 张55 刘48 陈45 周40 杨29 吴28 黄27 胡22 余20 赵20 徐19 熊19 孙16 朱16 宋16 "
    "何15 罗14 葛13 邓13 魏13 郑12 汪12 雷12 龚12 马11 沈11 饶10 叶9 程9 彭9 谢9 贺8 方8 许8 "
    "袁7 万7 曹7 但6 涂6 田6 丁6 杜6 冯6 唐6 游5 潘5 石5 邱5 江5 黎5 董5 曾5 蔡5 钱4 祝4 毛4 "
    "卢4 汤4 廖4 龙4 任4 姚4 夏4 尹3 庞3 舒3 鲁3 聂3 柯3 陶3 戴3 骆2 佘2 樊2 覃2 欧阳2 萧1 "
    "皇甫1 上官1"
)

SURNAMES = ("", *(word.rstrip("0123456789") for word in _SURNAME_WEIGHTS))
"""The first one is empty: the surname of those whose name has none."""

_POOLS = {
    (0, 1): ("国建德福金正启元汉昌学文光春", "生华明清发贵祥荣安和平才林山木海", ""),
    (0, 0): ("秀桂玉春金凤素菊翠兰腊", "英兰珍莲香枝梅凤秀云容姣娥", ""),
    (1, 1): (
        "建国志卫红新爱向永学春小文振立东海",
        "军平华明国强兵斌辉林波勇刚生",
        "军勇刚平斌强波明",
    ),
    (1, 0): ("丽红爱小春秋玉艳美秀海晓", "华英红霞芳玲兰琴萍群平燕梅荣", "丽红霞芳玲萍燕敏"),
    (2, 1): (
        "志晓文建小俊海家明国",
        "伟强磊勇涛超鹏杰浩亮辉斌波凯健峰",
        "伟强磊勇涛超鹏杰俊浩亮辉鑫斌波凯健峰",
    ),
    (2, 0): ("雪海晓小丽文佳思玉红", "婷丽梅玲燕芳娟霞平敏莉静", "婷静丽敏艳娟霞燕玲芳倩蕾"),
    (3, 1): ("子宇梓浩俊一明天嘉奕思睿泽博", "轩涵宇豪杰辰博泽睿熙航阳哲霖宸", "轩睿宸浩博"),
    (3, 0): ("子梓欣雨诗思可佳若语一紫依", "涵萱怡彤琪妍欣桐瑶萌晴馨嫣", "萱彤妍欣怡"),
}
"""By generation and sex (1 is male): first characters, second ones, names of one character."""

_SINGLE_SHARE = (0.0, 0.22, 0.38, 0.08)

_RARE = ("𬱖", "䶮", "㛃", "𬍛", "㵋", "晓𬱖", "建䶮", "子㛃")
_MINORITY_GIVEN = listed("阿依古丽 买买提 古丽娜尔 艾合买提 热依汗 吐尔逊江 帕提古丽 阿卜杜拉")
_MINORITY_FATHER = ("吐尔逊", "艾力", "卡德尔", "玉素甫", "买买提", "亚森")

_HOMOPHONES = listed(
    "国果 建健 德得 福富 金锦 正政 启琦 元源 汉翰 昌畅 学雪 文雯 光广 春椿 生升 华桦 明铭 "
    "清青 发法 贵桂 祥翔 荣蓉 安桉 和河 平萍 才财 林霖 山珊 木沐 海亥 秀绣 桂贵 玉育 凤奉 "
    "素肃 菊局 翠萃 兰岚 腊蜡 英瑛 珍真 莲连 香湘 枝芝 梅玫 云芸 容蓉 姣娇 娥鹅 志智 卫伟 "
    "红宏 新欣 爱艾 向项 永勇 小晓 振镇 立丽 东冬 军君 强蔷 兵冰 斌彬 辉晖 波博 勇永 刚钢 "
    "丽莉 秋邱 艳燕 美镁 晓小 霞侠 芳方 玲铃 琴勤 萍苹 群裙 燕雁 敏闽 俊骏 家佳 伟玮 磊蕾 "
    "涛韬 超潮 鹏朋 杰洁 浩昊 亮量 凯楷 健建 峰锋 鑫馨 雪学 佳嘉 思斯 婷庭 娟鹃 莉丽 静净 "
    "倩茜 蕾磊 子紫 宇雨 梓紫 一依 天添 嘉佳 奕逸 睿瑞 泽则 博波 轩萱 涵晗 豪毫 辰晨 熙曦 "
    "航杭 阳洋 哲喆 霖林 宸晨 欣新 雨宇 诗施 可珂 若偌 语宇 紫子 依伊 萱轩 怡宜 彤童 琪祺 "
    "妍研 桐童 瑶遥 萌盟 晴情 馨欣 嫣焉"
)
HOMOPHONES = {pair[0]: pair[1] for pair in _HOMOPHONES}

_VARIANTS = listed(
    "刘劉 陈陳 张張 吴吳 赵趙 黄黃 杨楊 孙孫 马馬 罗羅 郑鄭 谢謝 许許 邓鄧 冯馮 叶葉 龚龔 "
    "贺賀 饶饒 钱錢 汤湯 万萬 卢盧 龙龍 峰峯 群羣 云雲 华華 国國 贵貴 荣榮 红紅 军軍 兰蘭 "
    "凤鳳 丽麗 爱愛 艳艷 杰傑 强強 静靜 伟偉 涛濤 鹏鵬 东東 泽澤 轩軒 语語 诗詩 辉輝 晓曉 "
    "卫衛 学學 汉漢 莲蓮 启啟 腊臘"
)
VARIANTS = {pair[0]: pair[1] for pair in _VARIANTS}


def _pool_words(first: str, second: str, single: str) -> list[str]:
    return [a + b for a in first for b in second if a != b] + list(single)


@lru_cache(maxsize=1)
def _given() -> tuple[tuple[str, ...], dict[tuple[int, int], int]]:
    """All given names and where each pool begins; minority names are whole names."""
    words: list[str] = []
    starts = {}
    for key, pool in _POOLS.items():
        starts[key] = len(words)
        words.extend(_pool_words(*pool))
    starts[(-1, 0)] = len(words)
    words.extend(_RARE)
    starts[(-2, 0)] = len(words)
    words.extend(f"{given}·{father}" for given in _MINORITY_GIVEN for father in _MINORITY_FATHER)
    return tuple(words), starts


def _with_last(word: str, table: dict[str, str]) -> str:
    for place in range(len(word) - 1, -1, -1):
        if word[place] in table:
            return word[:place] + table[word[place]] + word[place + 1 :]
    return word


@lru_cache(maxsize=1)
def _heard() -> tuple[str, ...]:
    """Every given name with a homophone in it."""
    return tuple(_with_last(word, HOMOPHONES) for word in _given()[0])


@lru_cache(maxsize=1)
def _old() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every surname and every given name in its variant form; alike where there is none."""
    return (
        tuple(_with_last(word, VARIANTS) for word in SURNAMES),
        tuple(_with_last(word, VARIANTS) for word in _given()[0]),
    )


def surnames(dice: Dice, records: Numbers) -> Ints:
    """A surname for each person, as frequent as in the county."""
    weights = [float(word.lstrip("".join(SURNAMES))) for word in _SURNAME_WEIGHTS]
    return dice.pick(records, weights) + 1


def given_names(dice: Dice, records: Numbers, birth_year: Numbers, is_male: Bools) -> Ints:
    """A given name for each person, after the fashion of the birth year."""
    _, starts = _given()
    generation = np.digitize(birth_year, (1960, 1980, 2000))
    chosen = np.zeros(len(records), dtype=np.int64)
    for (era, sex), (first, second, single) in _POOLS.items():
        rows = np.flatnonzero((generation == era) & (is_male == bool(sex)))
        if not len(rows):
            continue
        who = records[rows]
        pairs = len(_pool_words(first, second, ""))
        # Names are not equally loved: the first of a pool are several times as common.
        place = (dice.of("pair").uniform(who) ** 1.4 * pairs).astype(np.int64)
        one = dice.of("one").chance(who, _SINGLE_SHARE[era])
        lone = pairs + dice.of("single").below(who, len(single))
        chosen[rows] = starts[(era, sex)] + np.where(one & bool(single), lone, place)
    rare = dice.of("rare").chance(records, 0.0015)
    return np.where(rare, starts[(-1, 0)] + dice.of("which").below(records, len(_RARE)), chosen)


def minority_names(dice: Dice, records: Numbers) -> Ints:
    """Names with an interpunct (间隔号) and no surname."""
    count = len(_MINORITY_GIVEN) * len(_MINORITY_FATHER)
    return _given()[1][(-2, 0)] + dice.below(records, count)


def full_names(surname: Numbers, given: Numbers) -> Text:
    """The names as they are."""
    return join(take(vocabulary(SURNAMES), surname), take(vocabulary(_given()[0]), given))


def homophone_names(surname: Numbers, given: Numbers) -> Text:
    """The names as one hears them: a character of the given name replaced by one of equal sound."""
    return join(take(vocabulary(SURNAMES), surname), take(vocabulary(_heard()), given))


def variant_names(surname: Numbers, given: Numbers) -> Text:
    """The names in an older script: a character replaced by its traditional or variant form."""
    old_surnames, old_given = _old()
    changed = np.array([a != b for a, b in zip(old_surnames, SURNAMES, strict=True)])[surname]
    plain = take(vocabulary(_given()[0]), given)
    old = take(vocabulary(old_given), given)
    # One character is enough: the given name stays where the surname already has a variant.
    first = take(vocabulary(old_surnames), surname)
    return join(first, where(changed, plain, old))


def has_variant(surname: Numbers, given: Numbers) -> Bools:
    """Whether the name has a variant form at all."""
    old_surnames, old_given = _old()
    surnames_do = np.array(old_surnames) != np.array(SURNAMES)
    given_do = np.array(old_given) != np.array(_given()[0])
    return np.asarray(surnames_do[surname] | given_do[given])
