"""Administrative penalties (双公示) in the national form of 2018 and in the older one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jobs.city.bureaus import (
    BUREAU_NAMES,
    CULTURE,
    DATA,
    ECOLOGY,
    EMERGENCY,
    FARMING,
    HEALTH,
    HOUSING,
    LABOUR,
    MARKET,
    TAX,
    TRAFFIC,
    TRANSPORT,
    URBAN,
    bureau_codes,
)
from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints
from jobs.city.registers.market import CodeClerk
from jobs.city.registers.register import Batch, Columns, Register, Stream, Style, Subject
from jobs.city.text import (
    constant,
    decimal,
    digits,
    iso_date,
    iso_time,
    join,
    nothing,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.trades import SHOP
from jobs.city.world import World


class Offence(NamedTuple):
    """What is punished: by whom, word of the numbers, violation, law, class, yuan, how common."""

    authority: int
    word: str
    violation: str
    facts: str
    basis: str
    classes: str
    least: int
    most: int
    weight: float
    personal: bool = False


OFFENCES = (
    Offence(
        TRAFFIC,
        "公交罚",
        "机动车违法停车",
        "在禁止停车路段停放机动车",
        "《中华人民共和国道路交通安全法》第九十三条",
        "罚款",
        100,
        200,
        26,
        True,
    ),
    Offence(
        TRAFFIC,
        "公交罚",
        "超速行驶",
        "驾驶机动车超过规定时速未达百分之二十",
        "《中华人民共和国道路交通安全法》第九十条",
        "警告;罚款",
        50,
        200,
        14,
        True,
    ),
    Offence(
        TRAFFIC,
        "公交罚",
        "饮酒后驾驶",
        "饮酒后驾驶机动车",
        "《中华人民共和国道路交通安全法》第九十一条",
        "罚款;暂扣或者吊销许可证、执照",
        1000,
        2000,
        2,
        True,
    ),
    Offence(
        MARKET,
        "市监处罚",
        "经营超过保质期的食品",
        "经营超过保质期的预包装食品",
        "《中华人民共和国食品安全法》第一百二十四条",
        "罚款;没收违法所得、没收非法财物",
        500,
        50_000,
        12,
    ),
    Offence(
        MARKET,
        "市监处罚",
        "未按规定明码标价",
        "销售商品未按规定明码标价",
        "《中华人民共和国价格法》第四十二条",
        "警告;罚款",
        200,
        5000,
        8,
    ),
    Offence(
        MARKET,
        "市监处罚",
        "虚假宣传",
        "在经营场所发布引人误解的宣传内容",
        "《中华人民共和国反不正当竞争法》第二十条",
        "罚款",
        5000,
        200_000,
        3,
    ),
    Offence(
        URBAN,
        "城管罚",
        "占道经营",
        "在城市道路擅自占道经营",
        "《湖北省城市市容和环境卫生管理条例》第四十条",
        "警告;罚款",
        50,
        1000,
        12,
    ),
    Offence(
        TRANSPORT,
        "交罚",
        "超限运输",
        "运输车辆货物超过核定载质量",
        "《公路安全保护条例》第六十四条",
        "罚款",
        500,
        30_000,
        7,
    ),
    Offence(
        HEALTH,
        "卫罚",
        "公共场所卫生不合格",
        "未按规定对顾客用品用具进行清洗消毒",
        "《公共场所卫生管理条例实施细则》第三十六条",
        "警告;罚款",
        500,
        5000,
        4,
    ),
    Offence(
        ECOLOGY,
        "环罚",
        "超标排放污染物",
        "排放水污染物超过国家排放标准",
        "《中华人民共和国水污染防治法》第八十三条",
        "罚款",
        20_000,
        500_000,
        2,
    ),
    Offence(
        HOUSING,
        "建罚",
        "未取得施工许可擅自施工",
        "未取得施工许可证擅自开工建设",
        "《建设工程质量管理条例》第五十七条",
        "罚款;责令停产停业",
        10_000,
        300_000,
        1,
    ),
    Offence(
        EMERGENCY,
        "应急罚",
        "未落实安全生产责任制",
        "未对从业人员进行安全生产教育和培训",
        "《中华人民共和国安全生产法》第九十七条",
        "罚款",
        5000,
        100_000,
        2,
    ),
    Offence(
        FARMING,
        "农罚",
        "销售劣质农药",
        "销售质量不合格的农药",
        "《农药管理条例》第五十六条",
        "罚款;没收违法所得、没收非法财物",
        500,
        20_000,
        1,
    ),
    Offence(
        TAX,
        "税罚",
        "未按期申报纳税",
        "未按照规定的期限办理纳税申报",
        "《中华人民共和国税收征收管理法》第六十二条",
        "罚款",
        50,
        2000,
        9,
    ),
    Offence(
        LABOUR,
        "人社罚",
        "拖欠劳动者工资",
        "未按时足额支付劳动者工资",
        "《保障农民工工资支付条例》第五十三条",
        "警告;罚款",
        2000,
        50_000,
        1,
    ),
    Offence(
        CULTURE,
        "文罚",
        "接纳未成年人上网",
        "网吧接纳未成年人进入营业场所",
        "《互联网上网服务营业场所管理条例》第三十一条",
        "警告;罚款;责令停产停业",
        1000,
        15_000,
        1,
    ),
)

PENALTIES = Stream("penalties", base=1_130_000, per_day=900, years=9.0)
NEW_FORM_FROM = int(np.datetime64("2018-08-01").astype(np.int64))

OLD_FORM = {
    "document_number": "CF_WSH",
    "case_name": "CF_CFMC",
    "penalty_classes": "CF_CFLB1",
    "secondary_penalty_class": "CF_CFLB2",
    "violation_facts": "CF_SY",
    "legal_basis": "CF_YJ",
    "subject_name": "CF_XDR_MC",
    "uscc": "CF_XDR_SHXYM",
    "organization_code": "CF_XDR_ZDM",
    "registration_number": "CF_XDR_GSDJ",
    "tax_number": "CF_XDR_SWDJ",
    "citizen_id": "CF_XDR_SFZ",
    "representative_name": "CF_FR",
    "content": "CF_JG",
    "decided_date": "CF_JDRQ",
    "valid_to": "CF_JZRQ",
    "authority_name": "CF_XZJG",
    "status_code": "CF_ZT",
    "area_code": "DFBM",
    "updated_at": "SJC",
    "remark": "BZ",
}
"""The columns of the forms of 2015 and 2016, in their order."""

NEW_FORM = {
    "subject_name": "CF_XDR_MC",
    "subject_kind_code": "CF_XDR_LB",
    "uscc": "CF_XDR_SHXYM",
    "registration_number": "CF_XDR_GSZC",
    "organization_code": "CF_XDR_ZZJG",
    "tax_number": "CF_XDR_SWDJ",
    "institution_number": "CF_XDR_SYDW",
    "association_number": "CF_XDR_SHZZ",
    "representative_name": "CF_FRDB",
    "representative_document_type_code": "CF_FR_ZJLX",
    "representative_citizen_id": "CF_FR_ZJHM",
    "document_type_code": "CF_XDR_ZJLX",
    "citizen_id": "CF_XDR_ZJHM",
    "document_number": "CF_WSH",
    "violation_type": "CF_WFXW",
    "violation_facts": "CF_SY",
    "legal_basis": "CF_YJ",
    "penalty_classes": "CF_CFLB",
    "content": "CF_NR",
    "fine_yuan": "CF_NR_FK",
    "confiscated_yuan": "CF_NR_WFFF",
    "revoked_licence": "CF_NR_ZKDX",
    "decided_date": "CF_JDRQ",
    "valid_to": "CF_YXQ",
    "published_until": "CF_GSJZQ",
    "authority_name": "CF_CFJG",
    "authority_uscc": "CF_CFJGDM",
    "source_unit_name": "CF_SJLY",
    "source_unit_uscc": "CF_SJLYDM",
    "remark": "BZ",
}
"""The columns of the national form of 2018, in its order."""


def offences(world: World, records: Ints) -> Ints:
    """What was punished."""
    return world.dice.of("offences").pick(records, [o.weight for o in OFFENCES])


def _personal(world: World, records: Ints) -> Bools:
    return np.array([o.personal for o in OFFENCES])[offences(world, records)]


def punished_entities(world: World, records: Ints) -> Ints:
    """The entity that was punished; -1 where a person was."""
    base = np.flatnonzero(world.entities.appears == 0)
    which = base[world.dice.of("punished").below(records, len(base))]
    return np.where(_personal(world, records), -1, which)


def punished_persons(world: World, records: Ints) -> Ints:
    """The person who was punished; -1 where an entity was."""
    who = world.dice.of("punished persons").below(records, world.people.local_count)
    return np.where(_personal(world, records), world.people.head[who], -1)


def penalty_codes(world: World) -> CodeClerk:
    """Codes as the inspectors note them."""
    return CodeClerk(world, "penalty codes", 0.15, 0.02)


def penalty_clerk(world: World) -> Clerk:
    """Who writes the decision."""
    return Clerk(world.dice.of("penalty clerk"), world.people)


def _punished(world: World) -> Iterable[Batch]:
    records = PENALTIES.new(world)
    old = PENALTIES.happened(world, records) < NEW_FORM_FROM
    yield Batch(records[old], headers=OLD_FORM, member="_2016")
    yield Batch(records[~old], headers=NEW_FORM, member="_2018")


def _penalty(world: World, records: Ints) -> Columns:
    entities, dice = world.entities, world.dice.of("administrative penalty")
    kind = offences(world, records)
    personal = _personal(world, records)
    entity = np.maximum(punished_entities(world, records), 0)
    person = np.maximum(punished_persons(world, records), 0)
    clerk = penalty_clerk(world)
    runner = entities.representative[entity]
    decided = PENALTIES.happened(world, records)
    old_form = decided < NEW_FORM_FROM
    year = decided.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    least = np.array([o.least for o in OFFENCES])[kind]
    most = np.array([o.most for o in OFFENCES])[kind]
    fine = (
        least + (dice.of("fine").uniform(records) ** 3 * (most - least) / 50).astype(np.int64) * 50
    )
    classes = [o.classes for o in OFFENCES]
    confiscates = np.array(["没收" in c for c in classes])[kind]
    confiscated = 20 + dice.of("confiscated").below(records, 3000)
    word = take(vocabulary([o.word for o in OFFENCES]), kind)
    first = take(vocabulary([c.split(";")[0] for c in classes]), kind)
    second = take(vocabulary([[*c.split(";"), ""][1] for c in classes]), kind)
    has_second = np.array([";" in c for c in classes])[kind]
    facts = take(vocabulary([o.facts for o in OFFENCES]), kind)
    authority = np.array([o.authority for o in OFFENCES])[kind]
    shop = entities.category[entity] == SHOP
    name = where(
        personal, clerk.names(person, records), entities.names(entity, entities.renamed[entity] * 0)
    )
    count = len(records)
    when = iso_date(decided - 1 - dice.of("found").below(records, 30))
    return {
        "document_number": join("赤", word, "〔", number(year), "〕", digits(records + 1, 7), "号"),
        "subject_name": name,
        "authority_name": take(BUREAU_NAMES, authority),
        "authority_uscc": take(bureau_codes(), authority),
        "subject_kind_code": where(personal, "2", where(shop, "3", "1")),
        "uscc": only_where(~personal, penalty_codes(world).write(entity, records)),
        "registration_number": only_where(~personal, entities.registration_numbers(entity)),
        "organization_code": only_where(
            ~personal & old_form & ~shop, entities.organisation_codes(entity)
        ),
        "tax_number": nothing(count),
        "institution_number": nothing(count),
        "association_number": nothing(count),
        "representative_name": only_where(~personal, clerk.names(runner, records)),
        "representative_document_type_code": only_where(~personal, constant("111", count)),
        "representative_citizen_id": only_where(~personal, clerk.citizen_ids(runner, records)),
        "document_type_code": only_where(personal, constant("111", count)),
        "citizen_id": only_where(personal, clerk.citizen_ids(person, records)),
        "case_name": join(take(vocabulary([o.violation for o in OFFENCES]), kind), "案"),
        "violation_type": take(vocabulary([o.violation for o in OFFENCES]), kind),
        "violation_facts": join("经查，当事人于", when, facts, "。"),
        "legal_basis": take(vocabulary([o.basis for o in OFFENCES]), kind),
        "penalty_classes": where(old_form, first, take(vocabulary(classes), kind)),
        "secondary_penalty_class": only_where(has_second, second),
        "content": join("处罚款", number(fine), "元。"),
        "fine_yuan": decimal(fine * 100, 6),
        "confiscated_yuan": only_where(confiscates, decimal(confiscated * 100, 6)),
        "revoked_licence": nothing(count),
        "decided_date": iso_date(decided),
        "valid_to": iso_date(decided + 365),
        "published_until": iso_date(decided + np.where(fine > 5000, 3 * 365, 365)),
        "status_code": where(dice.of("status").chance(records, 0.01), "2", "0"),
        "source_unit_name": take(BUREAU_NAMES, np.full(count, DATA)),
        "source_unit_uscc": take(bureau_codes(), np.full(count, DATA)),
        "area_code": constant("421281", count),
        "updated_at": iso_time(decided + 1, dice.of("second").below(records, 86_400)),
        "remark": only_where(dice.of("remark").chance(records, 0.02), constant("已履行", count)),
    }


ADMINISTRATIVE_PENALTY = Register(
    dataset="credit.administrative_penalty",
    due=_punished,
    write=_penalty,
    subjects=(
        Subject(
            "entity", punished_entities, lambda world, records: penalty_codes(world).knows(records)
        ),
        Subject(
            "person",
            punished_persons,
            lambda world, records: penalty_clerk(world).knows_id(records),
        ),
    ),
    style=Style(date_form="yyyy/M/d", archive=True, line_end="\r\n"),
)
