"""Licences: the national form of administrative licences (双公示) and food licences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.bureaus import BUREAU_NAMES, DATA, bureau_codes
from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Ints
from jobs.city.registers.market import CodeClerk
from jobs.city.registers.permits import PERMITS
from jobs.city.registers.register import Batch, Columns, Register, Stream, Style, Subject
from jobs.city.text import (
    Text,
    compact_date,
    constant,
    digits,
    iso_date,
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

LICENCES = Stream("administrative licences", base=250_000, per_day=500, years=7.0)


def _weights() -> list[float]:
    return [p.weight for p in PERMITS]


def permits(world: World, records: Ints) -> Ints:
    """What kind of licence each is."""
    return world.dice.of("permits").pick(records, _weights())


def is_personal(world: World, records: Ints) -> Bools:
    """Whether the licence was given to a person."""
    return np.array([p.personal for p in PERMITS])[permits(world, records)]


def licensed_entities(world: World, records: Ints) -> Ints:
    """The entity that holds each licence; -1 where a person does."""
    which = world.dice.of("licensees").below(records, len(world.entities.running))
    base = np.flatnonzero(world.entities.appears == 0)
    return np.where(is_personal(world, records), -1, base[which % len(base)])


def licensed_persons(world: World, records: Ints) -> Ints:
    """The person who holds each licence; -1 where an entity does."""
    people = world.people
    grown = people.local_count
    who = world.dice.of("licensed persons").below(records, grown)
    return np.where(is_personal(world, records), people.head[who], -1)


def licence_codes(world: World) -> CodeClerk:
    """Forms are filled in by hand: some codes are wrong, a tenth is missing."""
    return CodeClerk(world, "licence codes", 0.08, 0.02)


def licence_clerk(world: World) -> Clerk:
    """Who fills in the form."""
    return Clerk(world.dice.of("licence clerk"), world.people)


def _granted(world: World) -> Iterable[Batch]:
    yield Batch(LICENCES.new(world))


def _licence(world: World, records: Ints) -> Columns:
    entities, dice = world.entities, world.dice.of("administrative licence")
    kind = permits(world, records)
    personal = is_personal(world, records)
    entity = np.maximum(licensed_entities(world, records), 0)
    person = np.maximum(licensed_persons(world, records), 0)
    clerk = licence_clerk(world)
    runner = entities.representative[entity]
    decided = LICENCES.happened(world, records)
    decided = np.where(personal, decided, np.maximum(decided, entities.established[entity]))
    years = np.array([p.years for p in PERMITS])[kind]
    until = where(years == 0, "2099-12-31", iso_date(decided + years * 365))
    year = (decided.astype("datetime64[D]").astype("datetime64[Y]")).astype(np.int64) + 1970
    serial = digits(records + 1, 6)
    word = take(vocabulary([p.word for p in PERMITS]), kind)
    document = join("赤", word, "〔", number(year), "〕", serial, "号")
    authority = np.array([p.authority for p in PERMITS])[kind]
    shop = entities.category[entity] == SHOP
    name = where(
        personal, clerk.names(person, records), entities.names(entity, entities.renamed[entity] * 0)
    )
    certificate = take(vocabulary([p.certificate for p in PERMITS]), kind)
    has_certificate = np.array([bool(p.certificate) for p in PERMITS])[kind]
    expired = decided + np.where(years == 0, 40_000, years * 365) < world.start
    withdrawn = dice.of("withdrawn").chance(records, 0.01)
    count = len(records)
    return {
        "document_number": document,
        "subject_name": name,
        "authority_uscc": take(bureau_codes(), authority),
        "subject_kind_code": where(personal, "2", where(shop, "3", "1")),
        "uscc": only_where(~personal, licence_codes(world).write(entity, records)),
        "registration_number": only_where(~personal, entities.registration_numbers(entity)),
        "organization_code": only_where(
            ~personal & ~shop & dice.of("organisation").chance(records, 0.3),
            entities.organisation_codes(entity),
        ),
        "tax_number": nothing(count),
        "institution_number": nothing(count),
        "association_number": nothing(count),
        "representative_name": only_where(~personal, clerk.names(runner, records)),
        "representative_document_type_code": only_where(~personal, constant("111", count)),
        "representative_citizen_id": only_where(~personal, clerk.citizen_ids(runner, records)),
        "document_type_code": only_where(personal, constant("111", count)),
        "citizen_id": only_where(personal, clerk.citizen_ids(person, records)),
        "document_name": take(vocabulary([p.decision for p in PERMITS]), kind),
        "licence_class_code": take(vocabulary([p.licence_class for p in PERMITS]), kind),
        "certificate_name": only_where(has_certificate, certificate),
        "licence_number": only_where(
            has_certificate, join("XK421281", compact_date(decided), serial)
        ),
        "content": _contents(kind, entities.names(entity), personal),
        "decided_date": iso_date(decided),
        "valid_from": iso_date(decided),
        "valid_to": until,
        "authority_name": take(BUREAU_NAMES, authority),
        "status_code": where(expired | withdrawn, "2", "1"),
        "source_unit_name": take(BUREAU_NAMES, np.full(count, DATA)),
        "source_unit_uscc": take(bureau_codes(), np.full(count, DATA)),
        "remark": only_where(dice.of("remark").chance(records, 0.03), constant("补录", count)),
    }


def _contents(kind: Ints, entity: Text, personal: Bools) -> Text:
    content = take(vocabulary([p.content for p in PERMITS]), kind)
    return where(
        personal,
        join(content, "。"),
        join("经审查，", entity, "的申请符合法定条件，", content, "。"),
    )


ADMINISTRATIVE_LICENCE = Register(
    dataset="licence.administrative_licence",
    due=_granted,
    write=_licence,
    subjects=(
        Subject(
            "entity", licensed_entities, lambda world, records: licence_codes(world).knows(records)
        ),
        Subject(
            "person",
            licensed_persons,
            lambda world, records: licence_clerk(world).knows_id(records),
        ),
    ),
    style=Style(date_form="yyyy/M/d"),
)
