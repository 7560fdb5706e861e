"""Numbers made by the city, judged by the catalogue and by vectors written by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from catalog.identifiers import is_citizen_id, is_uscc, to_18_digits
from jobs.city.bureaus import bureau_codes
from jobs.city.dice import Dice
from jobs.city.identifiers import (
    citizen_ids,
    old_citizen_ids,
    registration_numbers,
    sequence_codes,
    wrong_citizen_ids,
    wrong_credit_codes,
)
from jobs.city.text import from_characters, iso_date
from jobs.city.world import World

VECTORS = Path(__file__).parent / "vectors"


def _vectors(name: str) -> list[dict[str, str]]:
    with (VECTORS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_citizen_ids_are_right_and_nobody_shares_one(world: World) -> None:
    people = world.people
    who = np.arange(len(people))

    numbers = people.citizen_ids(who).to_pylist()

    assert all(is_citizen_id(number) for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert {n[6:14] for n in numbers[:1000]} == {
        d.replace("-", "") for d in iso_date(people.birth_day[:1000]).to_pylist()
    }


def test_sequence_codes_stay_where_no_county_issues_them_and_tell_the_sex(world: World) -> None:
    numbers = world.people.citizen_ids(np.arange(len(world.people))).to_pylist()

    sequence = np.array([int(n[14:17]) for n in numbers])

    assert sequence.min() >= 500
    assert sequence.max() <= 995
    assert (sequence % 2 == 1).tolist() == world.people.is_male.tolist()


def test_old_people_carry_the_county_codes_of_their_time(world: World) -> None:
    people = world.people
    at_home = np.isin(people.county, (422323, 422302, 421281)) & ~people.is_floating
    year = people.birth_day.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970

    assert set(people.county[at_home & (year < 1986)].tolist()) == {422323}
    assert set(people.county[at_home & (year >= 1986) & (year < 1998)].tolist()) == {422302}
    assert set(people.county[at_home & (year >= 1998)].tolist()) == {421281}


def test_later_newcomers_leave_earlier_numbers_alone() -> None:
    county, day = np.full(9, 421281), np.full(9, 12_000)
    male = np.array([True, False, True, True, False, True, True, True, True])

    few = sequence_codes(county[:6], day[:6], male[:6])
    many = sequence_codes(county, day, male)

    assert many[:6].tolist() == few.tolist()
    assert len(set(many.tolist())) == 9


def test_wrong_numbers_are_nobodys(world: World) -> None:
    who = np.arange(len(world.people))
    dice = Dice(1).of("wrong")

    wrong = wrong_citizen_ids(world.people.id_characters, dice, who).to_pylist()

    assert not any(is_citizen_id(number) for number in wrong)
    assert {len(number) for number in wrong} == {11, 17, 18}
    assert any(number.endswith("E+17") for number in wrong)
    codes = wrong_credit_codes(world.entities.credit_characters, dice, world.entities.everyone)
    assert not any(is_uscc(code) for code in codes.to_pylist())


def test_credit_codes_are_right(world: World) -> None:
    codes = world.entities.credit_codes(world.entities.everyone).to_pylist()

    assert all(is_uscc(code) for code in codes)
    assert len(set(codes)) == len(codes)
    assert {code[:2] for code in codes} == {"91", "92", "93"}
    assert all(is_uscc(code) and code.startswith("11421281") for code in bureau_codes().to_pylist())


def test_numbers_are_those_that_were_computed_by_hand() -> None:
    for vector in _vectors("issued_numbers.csv"):
        if vector["kind"] == "registration_number":
            made = registration_numbers(np.array([int(vector["serial"])]))[0].as_py()
        else:
            rows = citizen_ids(
                np.array([int(vector["county"])]),
                iso_date(np.array([np.datetime64(vector["birth_date"], "D").astype(int)])),
                np.array([int(vector["serial"])]),
            )
            old = vector["kind"] == "old_citizen_id"
            made = (old_citizen_ids(rows) if old else from_characters(rows))[0].as_py()
        assert made == vector["number"], vector


def test_delivered_forms_of_numbers_mean_what_the_vectors_say() -> None:
    for vector in _vectors("citizen_ids.csv"):
        text = vector["delivered"].translate({c + 0xFEE0: c for c in range(0x21, 0x7F)}).upper()

        standard = to_18_digits(text) if is_citizen_id(text) else ""

        assert standard == vector["standard"], vector
    for vector in _vectors("credit_codes.csv"):
        assert is_uscc(vector["delivered"]) is (vector["standard"] != ""), vector
