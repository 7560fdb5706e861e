"""A delivery that comes late on Spark ends as it would in time on the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from lake.engine import Engine
from tests.extent import SEEDS
from tests.parity.chronicles import EMBEDDED, LARGE, SPARK, only_wide
from tests.stories.shuffled import KINDS, deliveries, make_home

LATE = (2, 0, 1)
"""The last comes first, and the second between the other two."""

ALWAYS = [(SPARK, kind) for kind in ("snapshot", "changes", "append")]
CASES = [
    pytest.param(*case, id="-".join(case), marks=() if case in ALWAYS else only_wide)
    for case in product((SPARK, LARGE), KINDS)
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("how", "kind"), CASES)
def test_late_deliveries_end_on_spark_as_those_in_time_on_the_embedded_engine(
    tmp_path: Path, engines: Mapping[str, Engine], how: str, kind: str, seed: int
) -> None:
    twin = make_home(tmp_path / "twin", kind, engines[EMBEDDED])
    twin.land(deliveries(kind, seed, 3))
    home = replace(twin.copy(tmp_path / "late"), engine=engines[how])

    for place in range(3):
        twin.load(place)
    for place in LATE:
        home.load(place)

    assert home.told() == twin.told()
