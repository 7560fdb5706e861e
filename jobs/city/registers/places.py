"""Where things stand: addresses, buildings, the grid, and who owns what (不动产)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.clerks import Clerk
from jobs.city.dice import Bools, Floats, Ints, Numbers
from jobs.city.identifiers import phones
from jobs.city.places import KIND_WORDS, TOWN_CODES, TOWN_NAMES, grid_cell_ids
from jobs.city.registers.market import CodeClerk
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
    decimal,
    digits,
    iso_date,
    join,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.trades import COMPANY
from jobs.city.world import World


def _addresses(world: World) -> Iterable[Batch]:
    there = world.address_life.present(world.today)
    half = len(there) // 2
    yield Batch(there[:half], member="_1")
    yield Batch(there[half:], member="_2")


def _address(world: World, address: Ints) -> Columns:
    places, dice, life = world.places, world.dice.of("address register"), world.address_life
    gone_before = dice.of("gone").chance(address, 0.01) & (life.appears[address] == 0)
    cancelled, ended = cancellation(world, life, address)
    ended = np.where(gone_before, world.start - 200, ended)
    named = world.start - 400 - dice.of("named").below(address, 2500)
    named = np.where(life.appears[address] > 0, world.start + life.appears[address] - 1, named)
    return {
        "address_id": places.ids(address),
        "full_address": places.full_names(address),
        "division_code": places.town_codes(address),
        "community_code": places.community_codes(address),
        "community_name": places.community_names(address),
        "road_name": places.road_names(address),
        "door_number": places.door_numbers(address),
        "estate_name": places.estate_names(address),
        "building_id": places.building_ids(address),
        "unit_number": places.unit_numbers(address),
        "room_number": places.room_numbers(address),
        "grid_cell_id": places.grid_cell_ids(address),
        "address_kind_code": take(vocabulary(KIND_WORDS), places.kind(address)),
        "longitude": places.longitudes(address),
        "latitude": places.latitudes(address),
        "status_code": where(cancelled | gone_before, "2", "1"),
        "registered_date": iso_date(named),
        "cancelled_date": only_where(cancelled | gone_before, iso_date(ended)),
        "updated_at": updated_at(world, life, "address", address, named),
    }


# --- 房屋建筑登记 ---------------------------------------------------------------------------

USES = ("10", "20", "30", "40", "50", "90")


def _buildings(world: World) -> Iterable[Batch]:
    yield Batch(np.arange(len(world.places.urban_buildings()[0])))


def _building(world: World, records: Ints) -> Columns:
    places, dice = world.places, world.dice.of("building register")
    town, building = (part[records] for part in places.urban_buildings())
    address = places.first_address(town, building)
    floors = 2 + dice.of("floors").pick(records, (10, 8, 12, 18, 20, 12, 6, 4, 4, 3, 3))
    tall = dice.of("tall").chance(records, 0.08)
    floors = np.where(tall, 18 + dice.of("storeys").below(records, 16), floors)
    area = floors * (220 + dice.of("area").below(records, 500)) * 100
    year = 1985 + (dice.of("year").uniform(records) ** 0.7 * 39).astype(np.int64)
    number_of = places.building_numbers(address)
    return {
        "building_id": places.building_ids(address),
        "building_name": join(places.estate_names(address), number_of),
        "division_code": places.town_codes(address),
        "location": join(
            "赤壁市",
            take(TOWN_NAMES, town),
            places.road_names(address),
            places.door_numbers(address),
            places.estate_names(address),
            number_of,
        ),
        "use_code": take(vocabulary(USES), dice.of("use").pick(records, (82, 8, 3, 4, 2, 1))),
        "structure_code": take(
            vocabulary(["1", "2", "3", "4", "9"]),
            dice.of("structure").pick(records, (2, 62, 30, 5, 1)),
        ),
        "floor_count": number(floors),
        "underground_floor_count": number(np.where(tall, 1, 0)),
        "floor_area_m2": decimal(area, 2),
        "completed_year": only_where(dice.of("dated").chance(records, 0.93), number(year)),
        "safety_code": only_where(
            dice.of("judged").chance(records, 0.4),
            take(vocabulary(["A", "B", "C", "D"]), dice.of("safety").pick(records, (70, 24, 5, 1))),
        ),
        "longitude": places.longitudes(address),
        "latitude": places.latitudes(address),
    }


# --- 社会治理网格 ---------------------------------------------------------------------------


def _cells(world: World) -> Iterable[Batch]:
    yield Batch(np.arange(int((world.places.grid_side**2).sum())))


def _cell(world: World, records: Ints) -> Columns:
    places, dice = world.places, world.dice.of("grid register")
    sizes = places.grid_side**2
    ends = np.cumsum(sizes)
    town = np.searchsorted(ends, records, side="right")
    cell = records - (ends - sizes)[town]
    community = places.communities.first[town] + cell % places.communities.count[town]
    manager = (records * 37 + 11) % world.people.local_count
    name = take(places.communities.names, community)
    west, south, side = places.square(town)
    x = west + (cell % places.grid_side[town]) * side
    y = south + (cell // places.grid_side[town]) * side
    urban = cell % places.communities.count[town] < places.communities.urban_count[town]
    special = dice.of("special").chance(records, 0.04)
    # A degree is 111.32 km from south to north, and 96.6 km from west to east here.
    area = np.maximum(np.round(side * side * 111.32 * 96.6 * 1e4), 1).astype(np.int64)
    return {
        "grid_cell_id": grid_cell_ids(town, cell),
        "grid_cell_name": join(
            name, "第", number(cell // places.communities.count[town] + 1), "网格"
        ),
        "division_code": take(TOWN_CODES, town),
        "community_name": name,
        "grid_cell_kind_code": where(special, "3", where(urban, "1", "2")),
        "manager_name": world.people.names(world.people.head[manager]),
        "manager_phone": phones(dice.of("phone"), manager),
        "area_km2": decimal(area, 4),
        "boundary": _squares(x, y, side),
    }


def _squares(x: Floats, y: Floats, side: Floats) -> Text:
    """GeoJSON polygons, counter-clockwise from the south-west."""

    def degrees(values: Floats) -> Text:
        return decimal(np.round(values * 1e6).astype(np.int64), 6)

    west, east, south, north = degrees(x), degrees(x + side), degrees(y), degrees(y + side)
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    parts: list[Text | str] = ['{"type":"Polygon","coordinates":[[']
    for place, (longitude, latitude) in enumerate(corners):
        parts += ["[" if place == 0 else ",[", longitude, ",", latitude, "]"]
    return join(*parts, "]]}")


# --- 不动产登记 -----------------------------------------------------------------------------


def _property_addresses(world: World, records: Numbers) -> Ints:
    """The room that each right is about; houses in villages come under the right to the plot."""
    return np.asarray((records * 3 + 1) % world.places.base_count)


def _is_private(world: World, records: Numbers) -> Bools:
    return world.dice.of("owner kind").chance(records, 0.93)


def _owners(world: World, records: Ints) -> Ints:
    people = world.people
    who = people.head[world.dice.of("owners").below(records, people.local_count)]
    return np.where(_is_private(world, records), who, -1)


def _owning_entities(world: World, records: Ints) -> Ints:
    base = np.flatnonzero((world.entities.appears == 0) & (world.entities.category == COMPANY))
    which = base[world.dice.of("owning entities").below(records, len(base))]
    return np.where(_is_private(world, records), -1, which)


def _clerk(world: World) -> Clerk:
    return Clerk(world.dice.of("land clerk"), world.people)


def _codes(world: World) -> CodeClerk:
    return CodeClerk(world, "land codes", 0.05, 0.02)


def _rights(world: World) -> Iterable[Batch]:
    yield changes_of(world.lives["real estate"], world.today)


def _right(world: World, records: Ints) -> Columns:
    dice, life, places = world.dice.of("real estate"), world.lives["real estate"], world.places
    address = _property_addresses(world, records)
    private = _is_private(world, records)
    person = np.maximum(_owners(world, records), 0)
    entity = np.maximum(_owning_entities(world, records), 0)
    clerk = _clerk(world)
    urban = places.is_urban[address]
    new = life.appears[records] > 0
    back = (dice.of("registered").uniform(records) * 5800).astype(np.int64)
    registered = np.where(new, world.start + life.appears[records] - 1, world.start - 15 - back)
    year = registered.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    ended, ended_day = cancellation(world, life, records)
    area = 6000 + (dice.of("area").uniform(records) * 10_000).astype(np.int64)
    kind = places.kind(address)
    return {
        "right_id": join("QL421281", digits(records + 400_000, 10)),
        "unit_number": join(
            take(TOWN_CODES, places.town[address]),
            "001GB",
            digits(address // 50, 5),
            "F",
            digits(address, 8),
        ),
        "certificate_number": join(
            "鄂（", number(year), "）赤壁市不动产权第", digits(records + 1, 7), "号"
        ),
        "owner_kind_code": where(private, "1", "2"),
        "owner_name": where(private, clerk.names(person, records), world.entities.names(entity)),
        "citizen_id": only_where(private, clerk.citizen_ids(person, records)),
        "uscc": only_where(~private, _codes(world).write(entity, records)),
        "ownership_kind_code": take(
            vocabulary(["0", "1", "2"]), dice.of("shared").pick(records, (70, 27, 3))
        ),
        "right_kind_code": where(urban, "4", "6"),
        "use_code": take(vocabulary(["10", "20", "30", "40", "90", "90"]), kind),
        "area_m2": decimal(area, 2),
        "division_code": places.town_codes(address),
        "location": join("赤壁市", places.local_names(address)),
        "building_id": places.building_ids(address),
        "registered_date": iso_date(registered),
        "status_code": where(ended, "3", "1"),
        "cancelled_date": only_where(ended, iso_date(ended_day)),
        "updated_at": updated_at(world, life, "real estate", records, registered),
    }


ADDRESS_REGISTER = Register(
    dataset="geography.address_register",
    due=_addresses,
    write=_address,
    style=Style(date_form="yyyy/M/d", done_marker=True),
)
BUILDING_REGISTER = Register(
    dataset="geography.building_register",
    due=_buildings,
    write=_building,
    style=Style(chinese=True),
)
GRID_REGISTER = Register(dataset="geography.grid_register", due=_cells, write=_cell)
REAL_ESTATE_REGISTER = Register(
    dataset="geography.real_estate_register",
    due=_rights,
    write=_right,
    subjects=(
        Subject("person", _owners, lambda world, records: _clerk(world).knows_id(records)),
        Subject("entity", _owning_entities, lambda world, records: _codes(world).knows(records)),
    ),
    style=Style(date_form="yyyyMMdd"),
)
