"""The registers of housing: addresses, buildings and the grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.city.dice import Ints
from jobs.city.places import KIND_WORDS
from jobs.city.registers.register import Batch, Columns, Register, Style
from jobs.city.text import iso_date, iso_time, only_where, take, vocabulary, where
from jobs.city.world import World


def _addresses(world: World) -> Iterable[Batch]:
    there = world.address_life.present(world.today)
    half = len(there) // 2
    yield Batch(there[:half], member="_1")
    yield Batch(there[half:], member="_2")


def _address(world: World, address: Ints) -> Columns:
    places, dice, life = world.places, world.dice.of("address register"), world.address_life
    day, second = world.updated_at(life, dice.of("updated"), address)
    gone_before = dice.of("gone").chance(address, 0.01) & (life.appears[address] == 0)
    cancelled = (life.cancelled[address] <= world.today) | gone_before
    ended = np.where(
        gone_before,
        world.start - 200,
        world.start + np.minimum(life.cancelled[address], 32_000) - 1,
    )
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
        "status_code": where(cancelled, "2", "1"),
        "registered_date": iso_date(named),
        "cancelled_date": only_where(cancelled, iso_date(ended)),
        "updated_at": iso_time(day, second),
    }


ADDRESS_REGISTER = Register(
    dataset="geography.address_register",
    due=_addresses,
    write=_address,
    style=Style(date_form="yyyy/M/d", done_marker=True),
)
