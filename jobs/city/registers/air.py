"""Air quality: a handful of stations and what they measure every hour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jobs.city.dice import Ints
from jobs.city.registers.register import Batch, Columns, Register, Style
from jobs.city.text import Text, decimal, iso_time, number, only_where, take, vocabulary
from jobs.city.world import World


class Station(NamedTuple):
    """A station: code, name, kind, town, place, year of building, how dirty its air is."""

    code: str
    name: str
    kind: str
    town: str
    longitude: str
    latitude: str
    built: str
    dirt: float


STATIONS = (
    Station(
        "421281-01", "市环保局", "2", "421281001", "113.887120", "29.721430", "2013-06-01", 1.0
    ),
    Station(
        "421281-02", "陆水水库", "2", "421281003", "113.951200", "29.684510", "2013-06-01", 0.7
    ),
    Station(
        "421281-03", "蒲纺工业园", "3", "421281400", "113.946600", "29.631900", "2018-01-01", 1.3
    ),
    Station(
        "421281-04", "经济开发区", "3", "421281404", "113.842210", "29.741080", "2019-05-01", 1.4
    ),
    Station(
        "421281-05", "赵李桥镇", "4", "421281101", "113.771330", "29.581260", "2020-11-01", 1.0
    ),
    Station(
        "421281-06", "官塘驿镇", "4", "421281108", "114.021870", "29.702150", "2020-11-01", 0.9
    ),
)
HOURS = 24


def _stations(world: World) -> Iterable[Batch]:
    yield Batch(np.arange(len(STATIONS)))


def _station(world: World, records: Ints) -> Columns:
    stations = [STATIONS[r] for r in records.tolist()]
    return {
        "station_code": vocabulary([s.code for s in stations]),
        "station_name": vocabulary([s.name for s in stations]),
        "station_kind_code": vocabulary([s.kind for s in stations]),
        "division_code": vocabulary([s.town for s in stations]),
        "longitude": vocabulary([s.longitude for s in stations]),
        "latitude": vocabulary([s.latitude for s in stations]),
        "built_date": vocabulary([s.built for s in stations]),
        "status_code": vocabulary(["1"] * len(stations)),
    }


def _readings(world: World) -> Iterable[Batch]:
    day = np.arange(len(STATIONS) * HOURS)
    yield Batch(world.today * len(STATIONS) * HOURS + day)


def _reading(world: World, records: Ints) -> Columns:
    dice = world.dice.of("air reading")
    station = records % len(STATIONS)
    hour = records // len(STATIONS) % HOURS + 1
    day = world.start - 1 + records // (len(STATIONS) * HOURS)
    dirt = np.array([s.dirt for s in STATIONS])[station]
    # Mornings and evenings are worse, and so are whole days.
    weather = 0.6 + 0.9 * dice.of("weather").uniform(day)
    rush = 1 + 0.25 * np.cos((hour - 8) / 24 * 4 * np.pi)
    level = dirt * weather * rush

    def measured(name: str, mean: float) -> Text:
        value = mean * level * (0.8 + 0.4 * dice.of(name).uniform(records))
        fails = dice.of(name).of("fails").chance(records, 0.01)
        return only_where(~fails, decimal(np.round(value * 100).astype(np.int64), 2))

    index = 20 + 55 * level * (0.9 + 0.2 * dice.of("aqi").uniform(records))
    return {
        "station_code": take(vocabulary([s.code for s in STATIONS]), station),
        "measured_at": iso_time(day + hour // HOURS, hour % HOURS * 3600),
        "aqi": number(np.minimum(np.round(index), 500).astype(np.int64)),
        "pm25_ug_m3": measured("pm25", 32),
        "pm10_ug_m3": measured("pm10", 68),
        "so2_ug_m3": measured("so2", 8),
        "no2_ug_m3": measured("no2", 19),
        "o3_ug_m3": measured("o3", 85),
        "co_mg_m3": measured("co", 0.8),
    }


AIR_STATION = Register(
    dataset="environment.air_station", due=_stations, write=_station, style=Style(chinese=True)
)
AIR_READING = Register(dataset="environment.air_reading", due=_readings, write=_reading)
