"""Administrative penalties (双公示) in the national form of 2018 and in the older one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.bureaus import BUREAU_NAMES, DATA, bureau_codes
from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints
from jobs.city.registers.market import CodeClerk
from jobs.city.registers.offences import NEW_FORM, OFFENCES, OLD_FORM
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

PENALTIES = Stream("penalties", base=1_130_000, per_day=900, years=9.0)
NEW_FORM_FROM = int(np.datetime64("2018-08-01").astype(np.int64))


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
