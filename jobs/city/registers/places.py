"""Where things stand: addresses, buildings and the grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.dice import Floats, Ints
from jobs.city.identifiers import phones
from jobs.city.places import KIND_WORDS, grid_cell_ids
from jobs.city.registers.register import (
    Batch,
    Columns,
    Register,
    Style,
    cancellation,
    updated_at,
)
from jobs.city.text import (
    Text,
    decimal,
    iso_date,
    join,
    number,
    only_where,
    take,
    vocabulary,
    where,
)
from jobs.city.towns import TOWN_CODES, TOWN_NAMES
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
    area = np.maximum(np.round(side * side * 111_320 * 96_600), 1).astype(np.int64)
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
        "area_m2": decimal(area * 100, 2),
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
