"""A delivery that comes late on Spark ends as it would in time on the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lake.engine import Engine
from tests.extent import SEEDS
from tests.parity.chronicles import EMBEDDED, LARGE, SPARK, only_wide
from tests.stories.shuffled import KINDS, deliveries, make_home

LATE = (2, 0, 1)
"""The last comes first, and the second between the other two."""

CASES = [
    pytest.param(SPARK, "snapshot", id="spark-snapshot"),
    pytest.param(LARGE, "changes", id="large-changes"),
    pytest.param(SPARK, "append", id="spark-append"),
    *(
        pytest.param(how, kind, id=f"{how}-{kind}", marks=only_wide)
        for how, kind in (
            *((SPARK, kind) for kind in KINDS if kind not in ("snapshot", "append")),
            *((LARGE, kind) for kind in KINDS if kind != "changes"),
        )
    ),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("how", "kind"), CASES)
def test_late_deliveries_end_on_spark_as_those_in_time_on_the_embedded_engine(
    tmp_path: Path, engines: Mapping[str, Engine], how: str, kind: str, seed: int
) -> None:
    """The two before the late one go the short way: what is large takes half a minute each."""
    twin = make_home(tmp_path / "twin", kind, engines[EMBEDDED])
    twin.land(deliveries(kind, seed, 3))
    home = replace(twin.copy(tmp_path / "late"), engine=engines[SPARK])

    for place in range(3):
        twin.load(place)
    for place in LATE[:2]:
        home.load(place)
    replace(home, engine=engines[how]).load(LATE[2])

    assert home.told() == twin.told()
