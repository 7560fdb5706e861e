"""Families, names, towns and addresses must look like those of a county."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.city.clerks import HOUSEHOLD, Clerk
from jobs.city.dice import Dice
from jobs.city.households import CHILD, FATHER, HEAD, MOTHER, SPOUSE
from jobs.city.identifiers import citizen_ids
from jobs.city.names import HOMOPHONES, VARIANTS, full_names, homophone_names, variant_names
from jobs.city.text import iso_date
from jobs.city.towns import TOWNS
from jobs.city.world import World

YEAR = 365.2425


@pytest.fixture(scope="module")
def there(world: World) -> np.ndarray:
    """Everyone who lives on the first day."""
    people = world.people
    return np.flatnonzero((people.appears == 0) & (people.death_day < 0))


def test_heads_of_households_are_grown_up(world: World, there: np.ndarray) -> None:
    heads = there[(world.people.role[there] == HEAD)]

    assert world.people.age(heads, world.start).min() >= 18
    assert np.bincount(world.people.family[heads]).max() == 1


def test_couples_are_a_man_and_a_woman_of_like_age(world: World, there: np.ndarray) -> None:
    people = world.people
    wed = there[(people.role[there] == SPOUSE)]

    assert (people.is_male[wed] != people.is_male[people.partner[wed]]).all()
    apart = np.abs(people.birth_day[wed] - people.birth_day[people.partner[wed]]) / YEAR
    assert np.quantile(apart, 0.99) < 7


def test_parents_are_a_generation_older(world: World, there: np.ndarray) -> None:
    people = world.people
    children = there[people.role[there] == CHILD]
    older = (people.birth_day[children] - people.birth_day[people.head[children]]) / YEAR
    parents = there[np.isin(people.role[there], (FATHER, MOTHER))]
    oldest = (people.birth_day[people.head[parents]] - people.birth_day[parents]) / YEAR

    assert older.min() > 17
    assert np.quantile(older, 0.99) < 45
    assert oldest.min() > 17
    assert oldest.max() < 45


def test_children_bear_their_fathers_name(world: World, there: np.ndarray) -> None:
    people = world.people
    children = there[(people.role[there] == CHILD) & (people.partner[people.head[there]] >= 0)]
    head = people.head[children]
    father = np.where(people.is_male[head], head, people.partner[head])
    # Some fathers were given the name of a stranger, which shows how such cases come about.
    assert (people.surname[children] == people.surname[father]).mean() > 0.98


def test_ages_are_those_of_a_county(world: World, there: np.ndarray) -> None:
    ages = world.people.age(there, world.start)

    shares = np.histogram(ages, bins=[0, 15, 60, 120])[0] / len(ages)

    assert 0.14 < shares[0] < 0.26
    assert 0.15 < shares[2] < 0.26
    assert 0.48 < world.people.is_male[there].mean() < 0.55
    assert ages.max() < 105


def test_there_are_as_many_people_as_the_scale_says(world: World, there: np.ndarray) -> None:
    assert len(there) == pytest.approx(49_000, rel=0.01)
    assert world.people.is_floating[there].mean() == pytest.approx(0.1, abs=0.01)


def test_people_live_in_the_fourteen_towns_by_their_size(world: World, there: np.ndarray) -> None:
    town = world.places.town[world.people.address[there]]
    share = np.bincount(town, minlength=len(TOWNS)) / len(there)
    weight = np.array([t.weight for t in TOWNS])

    assert share == pytest.approx(weight / weight.sum(), abs=0.012)
    assert share[14:].sum() < 0.06


def test_strangers_share_names_and_birth_dates(world: World, there: np.ndarray) -> None:
    people = world.people
    facts = [people.surname[there], people.given[there], people.birth_day[there]]
    _, place, count = np.unique(np.stack(facts), axis=1, return_inverse=True, return_counts=True)

    alike = (count > 1)[place.reshape(-1)]

    assert alike.mean() >= 0.003


def test_homophones_and_variants_change_one_character_and_no_more(world: World) -> None:
    who = np.arange(5000)
    surname, given = world.people.surname[who], world.people.given[who]
    right = full_names(surname, given).to_pylist()

    for spelt in (homophone_names(surname, given), variant_names(surname, given)):
        for name, other in zip(right, spelt.to_pylist(), strict=True):
            assert len(name) == len(other)
            assert sum(a != b for a, b in zip(name, other, strict=True)) <= 1
    assert all(a != b for a, b in (*HOMOPHONES.items(), *VARIANTS.items()))


def test_rare_and_minority_names_occur(world: World) -> None:
    names = " ".join(world.people.names(np.arange(len(world.people))).to_pylist())

    assert "𬱖" in names
    assert "䶮" in names
    assert "·" in names


def test_clerks_err_as_often_as_told(world: World) -> None:
    people = world.people
    who = np.arange(len(people))
    clerk = Clerk(Dice(9).of("some office"), people)
    right = people.citizen_ids(who).to_pylist()

    written = clerk.citizen_ids(who, who)
    names = clerk.names(who, who).to_pylist()
    births = clerk.birth_days(who, who)

    surname, given = people.surname, people.given
    true_names = people.names(who).to_pylist()
    heard = homophone_names(surname, given).to_pylist()
    old = variant_names(surname, given).to_pylist()
    triples = list(zip(names, true_names, heard, old, strict=True))
    assert written.null_count / len(who) == pytest.approx(0.20, abs=0.01)
    assert np.mean([n == h != t for n, t, h, _ in triples]) == pytest.approx(0.03, abs=0.005)
    assert np.mean([n == o != t for n, t, _, o in triples]) == pytest.approx(0.02, abs=0.005)
    assert np.mean(births != people.birth_day) == pytest.approx(0.05, abs=0.005)
    knows = clerk.knows_id(who)
    assert knows.mean() == pytest.approx(0.77, abs=0.01)
    same = [
        w is not None and w.upper()[-4:-1] == r[-4:-1]
        for w, r in zip(written.to_pylist(), right, strict=True)
    ]
    assert np.mean(np.array(same)[knows]) > 0.9


def test_the_police_err_seldom(world: World) -> None:
    who = np.arange(len(world.people))

    clerk = Clerk(Dice(9).of("police"), world.people, HOUSEHOLD)

    assert clerk.knows_id(who).mean() > 0.985
    assert clerk.names(who, who).to_pylist() == world.people.names(who).to_pylist()
    assert (clerk.birth_days(who, who) == world.people.birth_day).all()


def test_addresses_differ_and_lie_in_the_city(world: World) -> None:
    places = world.places
    everywhere = np.arange(places.count)

    full = places.full_names(everywhere).to_pylist()
    longitude = np.array([float(x) for x in places.longitudes(everywhere).to_pylist()])
    latitude = np.array([float(x) for x in places.latitudes(everywhere).to_pylist()])

    assert len(set(full)) == len(full)
    assert len(set(places.ids(everywhere).to_pylist())) == len(full)
    assert all(name.startswith("湖北省赤壁市") for name in full)
    assert 113.4 < longitude.min() < longitude.max() < 114.4
    assert 29.4 < latitude.min() < latitude.max() < 30.1
    towns = places.town_codes(everywhere).to_pylist()
    communities = places.community_codes(everywhere).to_pylist()
    assert all(c.startswith(t) and len(c) == 12 for c, t in zip(communities, towns, strict=True))


def test_a_birth_date_and_a_number_agree(world: World) -> None:
    who = np.arange(100)
    rows = citizen_ids(world.people.county[who], iso_date(world.people.birth_day[who]), who + 500)

    assert bytes(rows[0, 6:14]).decode() == iso_date(world.people.birth_day[:1])[0].as_py().replace(
        "-", ""
    )


def test_the_days_bring_what_was_promised() -> None:
    world = World(seed=5, scale=0.1, start=20_150, days=3)
    registered = int((~world.people.is_floating & (world.people.appears == 0)).sum())

    changes = {c.what: len(c.records) for c in world.advance() if c.kind == "person"}

    assert changes["born"] + changes["arrived"] == pytest.approx(0.002 * registered, abs=6)
    ended = changes["died"] + changes["moved out"] + changes["found to have died"]
    assert ended + changes["vanished"] == pytest.approx(0.001 * registered, abs=12)
    assert len(world.people_life.touched_on(1)) == pytest.approx(0.007 * registered, rel=0.25)
