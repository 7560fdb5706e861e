"""Who lives with whom: families of plausible kinds, with ages, sexes and surnames that fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jobs.city import names
from jobs.city.dice import Bools, Dice, Floats, Ints

HEAD, SPOUSE, CHILD, FATHER, MOTHER, GRANDCHILD, LATE_SPOUSE = range(7)


class Kind(NamedTuple):
    """A kind of family: how common, its roles, the youngest and the oldest head."""

    weight: float
    roles: tuple[int, ...]
    low: int
    high: int


LOCAL_FAMILIES = (
    Kind(7, (HEAD, LATE_SPOUSE), 62, 92),
    Kind(5, (HEAD,), 60, 88),
    Kind(8, (HEAD,), 24, 58),
    Kind(17, (HEAD, SPOUSE), 58, 86),
    Kind(6, (HEAD, SPOUSE), 24, 58),
    Kind(23, (HEAD, SPOUSE, CHILD), 26, 60),
    Kind(14, (HEAD, SPOUSE, CHILD, CHILD), 28, 56),
    Kind(2.5, (HEAD, SPOUSE, CHILD, CHILD, CHILD), 32, 50),
    Kind(4, (HEAD, SPOUSE, CHILD, FATHER, MOTHER), 26, 52),
    Kind(4, (HEAD, SPOUSE, CHILD, MOTHER), 28, 54),
    Kind(5, (HEAD, SPOUSE, CHILD, CHILD, FATHER, MOTHER), 29, 48),
    Kind(3, (HEAD, SPOUSE, CHILD, CHILD, MOTHER), 30, 50),
    Kind(3.5, (HEAD, CHILD), 28, 56),
    Kind(2.5, (HEAD, SPOUSE, GRANDCHILD), 52, 72),
)
FLOATING_FAMILIES = (
    Kind(62, (HEAD,), 18, 60),
    Kind(18, (HEAD, SPOUSE), 22, 55),
    Kind(20, (HEAD, SPOUSE, CHILD), 25, 48),
)


class Layout(NamedTuple):
    """Members of families: family, role, order among the children, and age of the head."""

    family: Ints
    role: Ints
    order: Ints
    head_age: Floats
    kind: Ints


def laid_out(dice: Dice, kinds: tuple[Kind, ...], people: int) -> Layout:
    """Families of these kinds until there are about `people` members who are alive."""
    sizes = np.array([len([r for r in k.roles if r != LATE_SPOUSE]) for k in kinds])
    mean = float(np.average(sizes, weights=[k.weight for k in kinds]))
    drawn = np.arange(int(people / mean * 1.1) + 20)
    kind = dice.of("kind").pick(drawn, [k.weight for k in kinds])
    enough = int(np.searchsorted(np.cumsum(sizes[kind]), people)) + 1
    kind = kind[:enough]
    low = np.array([k.low for k in kinds])[kind]
    high = np.array([k.high for k in kinds])[kind]
    head_age = low + dice.of("age").uniform(np.arange(enough)) ** 1.15 * (high - low)
    lengths = np.array([len(k.roles) for k in kinds])[kind]
    family = np.repeat(np.arange(enough), lengths)
    position = np.arange(len(family)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    widest = max(len(k.roles) for k in kinds)
    table = np.full((len(kinds), widest), -1)
    orders = np.zeros((len(kinds), widest), dtype=np.int64)
    for place, k in enumerate(kinds):
        table[place, : len(k.roles)] = k.roles
        orders[place, : len(k.roles)] = [k.roles[:n].count(CHILD) for n in range(len(k.roles))]
    role = table[kind[family], position]
    return Layout(family, role, orders[kind[family], position], head_age[family], kind[family])


def ages_of(dice: Dice, layout: Layout) -> Floats:
    """An age for each member that fits those of the others."""
    family, role, order, head = layout.family, layout.role, layout.order, layout.head_age
    spouse = np.maximum(
        head - dice.of("spouse").bell(family, -3.0, 5.0), 20.5 + dice.of("young").uniform(family)
    )
    mother = np.minimum(head, spouse)
    children = np.bincount(family, weights=role == CHILD).astype(np.int64)[family]
    # The first child comes when the mother is 21–34 and leaves home in the end.
    eldest_high = np.maximum(mother - 20.5, 0.1)
    eldest_low = np.maximum(mother - 34.0, np.minimum((children - 1) * 2.5, eldest_high * 0.6))
    eldest = eldest_low + dice.of("eldest").uniform(family) * (eldest_high - eldest_low)
    eldest = np.minimum(eldest, 31.0 + dice.of("left").uniform(family) * 4)
    shrink = np.array([1.0, 0.62, 0.28])[np.minimum(order, 2)]
    child = eldest * (
        shrink + 0.16 * (dice.of("younger").uniform(family * 4 + order) - 0.5) * (order > 0)
    )
    mother_in_law = head + dice.of("mother").bell(family, 20.5, 33.0)
    father_in_law = mother_in_law + dice.of("father").bell(family, -2.0, 6.0)
    grandchild = dice.of("grandchild").bell(family, 0.5, 16.0)
    ages = np.select(
        [
            role == HEAD,
            role == SPOUSE,
            role == CHILD,
            role == FATHER,
            role == MOTHER,
            role == GRANDCHILD,
        ],
        [head, spouse, child, father_in_law, mother_in_law, grandchild],
        default=head + dice.of("late").bell(family, -3.0, 6.0),
    )
    return np.asarray(np.clip(ages, 0.02, 101.0))


def sexes_of(dice: Dice, layout: Layout) -> Bools:
    """Whether each member is male; most heads are."""
    family, role = layout.family, layout.role
    head_male = dice.of("head").chance(family, np.where(layout.head_age > 60, 0.72, 0.86))
    own = dice.of("own").chance(family * 8 + layout.order + role, 0.53)
    return np.asarray(
        np.select(
            [
                role == HEAD,
                (role == SPOUSE) | (role == LATE_SPOUSE),
                role == FATHER,
                role == MOTHER,
            ],
            [head_male, ~head_male, True, False],
            default=own,
        )
    )


def surnames_of(dice: Dice, layout: Layout, is_male: Bools) -> Ints:
    """Children bear the father's name, and so does the head's father."""
    family, role = layout.family, layout.role
    of_family = names.surnames(dice.of("family"), family)
    own = names.surnames(dice.of("own"), family * 8 + role)
    head_male = np.zeros(int(family.max()) + 1, dtype=bool)
    head_male[family[role == HEAD]] = is_male[role == HEAD]
    # Where the head is a woman with a husband, it is his name that the children bear.
    paternal = np.where(head_male[family], HEAD, SPOUSE)
    bears = (role == paternal) | (role == CHILD) | (role == GRANDCHILD)
    bears |= (role == FATHER) & head_male[family]
    bears |= (role == HEAD) & ~np.isin(family, family[role == SPOUSE])
    return np.where(bears, of_family, own)


def marital_status(dice: Dice, layout: Layout, ages: Floats) -> Ints:
    """GB/T 2261.2: 10 unmarried, 20 married, 30 widowed, 40 divorced."""
    family, role = layout.family, layout.role
    has_spouse = np.isin(family, family[role == SPOUSE])
    has_late = np.isin(family, family[role == LATE_SPOUSE])
    has_father = np.isin(family, family[role == FATHER])
    alone = np.where(
        layout.head_age < 34, 10, np.where(dice.of("alone").chance(family, 0.55), 40, 10)
    )
    alone = np.where(
        layout.head_age > 60, np.where(dice.of("old").chance(family, 0.6), 30, 40), alone
    )
    with_child = np.isin(family, family[role == CHILD])
    alone = np.where(with_child, np.where(dice.of("single").chance(family, 0.8), 40, 30), alone)
    head = np.where(has_spouse, 20, np.where(has_late, 30, alone))
    mother = np.where(has_father, 20, 30)
    return np.asarray(
        np.select(
            [
                role == HEAD,
                (role == SPOUSE) | (role == LATE_SPOUSE) | (role == FATHER),
                role == MOTHER,
            ],
            [head, 20, mother],
            default=10,
        )
    )


def joined(parts: Iterable[Layout]) -> Layout:
    """Several layouts as one, their families numbered on."""
    listed = list(parts)
    offset = 0
    families = []
    for part in listed:
        families.append(part.family + offset)
        offset += int(part.family.max()) + 1 if len(part.family) else 0
    rest = [np.concatenate(columns) for columns in list(zip(*listed, strict=True))[1:]]
    return Layout(np.concatenate(families), *rest)
