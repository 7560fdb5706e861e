"""The registers of the police: residents, people from elsewhere, and vehicles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import HOUSEHOLD, Clerk
from jobs.city.counties import COUNTY_NAMES
from jobs.city.dice import Dice, Ints, Numbers
from jobs.city.households import CHILD, FATHER, GRANDCHILD, HEAD, MOTHER, SPOUSE
from jobs.city.identifiers import phones
from jobs.city.names import full_names
from jobs.city.registers.register import (
    Batch,
    Columns,
    Register,
    Style,
    Subject,
    cancellation,
    changes_of,
    updated_at,
)
from jobs.city.text import (
    Text,
    digits,
    from_characters,
    iso_date,
    iso_time,
    join,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.towns import TOWN_NAMES
from jobs.city.world import World

ETHNICITIES = vocabulary([f"{n:02d}" for n in range(57)])
SEXES = vocabulary(["2", "1"])


def sexes(world: World, who: Numbers) -> Text:
    """GB/T 2261.1 codes."""
    return take(SEXES, world.people.is_male[who].astype(np.int8))


def ethnicities(world: World, who: Numbers) -> Text:
    """GB/T 3304 codes."""
    return take(ETHNICITIES, world.people.ethnicity[who])


def household_clerk(world: World) -> Clerk:
    """Who keeps the household register."""
    return Clerk(world.dice.of("household clerk"), world.people, HOUSEHOLD)


def floating_clerk(world: World) -> Clerk:
    """Who registers people from elsewhere."""
    return Clerk(world.dice.of("floating clerk"), world.people)


def itself(world: World, records: Ints) -> Ints:
    """The record's number is that of the person."""
    return records


# --- 户籍人口登记 ---------------------------------------------------------------------------


def registered(world: World) -> Ints:
    """Everyone whom the household register holds on the world's day."""
    there = world.people_life.present(world.today)
    return there[~world.people.is_floating[there]]


def _households(world: World) -> Iterable[Batch]:
    yield Batch(registered(world))


def _relationships(world: World, who: Numbers) -> Text:
    """GB/T 4761."""
    people = world.people
    table = {HEAD: "02", SPOUSE: "10", CHILD: "30", FATHER: "50", MOTHER: "50", GRANDCHILD: "40"}
    code = take(vocabulary([table.get(role, "10") for role in range(7)]), people.role[who])
    return where((people.role[who] == CHILD) & people.is_male[who], "20", code)


def _household(world: World, who: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("household register")
    clerk = household_clerk(world)
    address = people.address[who]
    left = people.moved_out[who] >= 0
    dead = (people.death_day[who] >= 0) & ~people.unreported[who]
    # Who moved away and then died elsewhere is known to have moved away.
    ended = np.where(left, people.moved_out[who], people.death_day[who])
    day, second = world.updated_at(world.people_life, dice.of("updated"), who)
    former = people.former_given[who]
    counties = np.array([422323, 422302, 421281])
    age = people.age(who, world.date)
    is_veteran = people.is_male[who] & (age > 20) & dice.of("veteran").chance(who, 0.05)
    station = join(take(TOWN_NAMES, places.town[address]), "派出所")
    return {
        "register_id": _register_ids(who),
        "citizen_id": clerk.citizen_ids(who, who),
        "person_name": clerk.names(who, who),
        "former_name": only_where(
            former >= 0, full_names(people.surname[who], np.maximum(former, 0))
        ),
        "sex_code": sexes(world, who),
        "ethnicity_code": ethnicities(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "birthplace_division_code": number(people.county[who]),
        "native_division_code": number(counties[dice.of("native").pick(who, (0.1, 0.1, 0.8))]),
        "education_code": number(people.education[who]),
        "marital_status_code": number(people.marital[who]),
        "military_service_code": where(is_veteran, "1", "0"),
        "household_number": digits(people.family[who] + 100_000_000, 9),
        "household_kind_code": where(
            dice.of("collective").chance(people.family[who], 0.01), "2", "1"
        ),
        "relationship_code": _relationships(world, who),
        "registered_division_code": places.town_codes(address),
        "registered_address": join("赤壁市", places.local_names(address)),
        "community_code": places.community_codes(address),
        "community_name": places.community_names(address),
        "police_station_code": join(places.town_codes(address), "000"),
        "police_station_name": join("赤壁市公安局", station),
        "death_date": only_where(dead & ~left, iso_date(people.death_day[who])),
        "moved_out_date": only_where(left, iso_date(people.moved_out[who])),
        "cancelled_date": only_where(dead | left, iso_date(ended)),
        "status_code": where(dead | left, "1", "0"),
        "updated_at": iso_time(day, second),
    }


def _register_ids(who: Numbers) -> Text:
    return join("421281", digits(np.asarray(who) * 7 + 20_000_000, 10))


# --- 流动人口登记 ---------------------------------------------------------------------------


def _floating_changes(world: World) -> Iterable[Batch]:
    yield changes_of(world.people_life, world.today, world.people.is_floating)


def _floating(world: World, who: Ints) -> Columns:
    people, places, dice = world.people, world.places, world.dice.of("floating register")
    clerk = floating_clerk(world)
    address = people.address[who]
    came = np.where(
        people.appears[who] > 0,
        world.start + people.appears[who] - 1,
        world.start - 20 - (dice.of("came").uniform(who) ** 2 * 1500).astype(np.int64),
    )
    ended, ended_day = cancellation(world, world.people_life, who)
    rents = dice.of("rents").chance(who, 0.72)
    landlord = dice.of("landlord").below(who, people.local_count)
    permit = dice.of("permit").chance(who, 0.45)
    station = take(TOWN_NAMES, places.town[address])
    county = people.county[who]
    return {
        "register_id": join("LD421281", digits(np.asarray(who) + 5_000_000, 10)),
        "citizen_id": clerk.citizen_ids(who, who),
        "person_name": clerk.names(who, who),
        "sex_code": sexes(world, who),
        "ethnicity_code": ethnicities(world, who),
        "birth_date": clerk.birth_dates(who, who),
        "residence_permit_number": only_where(permit, join("J42128100", digits(who, 8))),
        "phone": phones(dice.of("phone"), who),
        "residence_division_code": places.town_codes(address),
        "residence_address": join("赤壁市", places.local_names(address)),
        "road_name": places.road_names(address),
        "registered_county_code": number(county),
        "registered_address": _homes(dice.of("home"), who, county),
        "landlord_name": only_where(rents, people.names(landlord)),
        "landlord_citizen_id": only_where(
            rents & dice.of("landlord id").chance(who, 0.8),
            from_characters(people.id_characters[landlord]),
        ),
        "rental_file_number": only_where(rents, join("CZ", digits(address, 8))),
        "police_station_code": join(places.town_codes(address), "000"),
        "police_station_name": join("赤壁市公安局", station, "派出所"),
        "registered_date": iso_date(came),
        "cancelled_date": only_where(ended, iso_date(ended_day)),
        "status_code": where(ended, "2", "1"),
        "updated_at": updated_at(world, world.people_life, "floating", who, came),
    }


def _homes(dice: Dice, who: Numbers, county: Numbers) -> Text:
    """Where people from elsewhere are registered, as they tell it."""
    codes = np.array(sorted(COUNTY_NAMES))
    name = take(
        vocabulary([COUNTY_NAMES[c] for c in codes.tolist()]),
        np.minimum(np.searchsorted(codes, county), len(codes) - 1),
    )
    place = vocabulary(
        ["城关镇解放路", "城关镇人民路", "石桥镇新建村", "黄土乡大湾村", "白沙镇街道"]
    )
    house = number(1 + dice.of("house").below(who, 180))
    return join(name, take(place, dice.below(who, len(place))), house, "号")


HOUSEHOLD_REGISTER = Register(
    dataset="population.household_register",
    due=_households,
    write=_household,
    subjects=(
        Subject("person", itself, lambda world, records: household_clerk(world).knows_id(records)),
    ),
    style=Style(date_form="yyyyMMdd", line_end="\r\n"),
)
FLOATING_REGISTER = Register(
    dataset="population.floating_register",
    due=_floating_changes,
    write=_floating,
    subjects=(
        Subject("person", itself, lambda world, records: floating_clerk(world).knows_id(records)),
    ),
    style=Style(chinese=True, date_form="yyyy-MM-dd", byte_order_mark=True),
)
