"""Every server of the cluster is killed once in the middle of a day; no day ends otherwise."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from catalog.catalog import Catalog
from jobs.stack.component import Stack
from lake.engine import Engine
from tests.stack.conftest import Cluster
from tests.stack.pairs import Pair, make_pair
from tests.stories.processes import ended_well

pytestmark = pytest.mark.stack

KILLED = {
    "s3": "embedded",
    "postgres": "embedded",
    "trino": "embedded",
    "spark-worker": "spark",
    "spark-master": "spark",
}
"""The servers, a day each, and the engine that works on that day."""

SCALE, SEED = 0.002, 5
PATIENCE = 240.0


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """A database of the test's own on the stack's PostgreSQL."""
    served = sa.make_url(stack.component("postgres").serves(stack)["state_url"])
    engine = sa.create_engine(
        served.set(database="postgres"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE killed")
    yield served.set(database="killed").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE killed WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def pair(
    tmp_path: Path,
    stack: Stack,
    database: str,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> Pair:
    """A home on all servers of the cluster, and its twin without any."""
    city = city_of(SCALE, len(KILLED), SEED)
    served = {**stack.component("spark").serves(stack), **stack.component("trino").serves(stack)}
    return make_pair(
        tmp_path, stack, catalog, engine, city, "--only", "loads", state_url=database, **served
    )


def services(cluster: Cluster) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in cluster("status")["services"]}


def kill(cluster: Cluster, name: str) -> None:
    """SIGKILL to one server."""
    pid = services(cluster)[name]["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)


def wait_for(cluster: Cluster, name: str) -> None:
    """Until the supervisor has the server back, and all others answer too."""
    until = time.monotonic() + PATIENCE
    while True:
        found = services(cluster)
        if found[name]["restarts"] and all(one["state"] == "healthy" for one in found.values()):
            return
        assert time.monotonic() < until, found
        time.sleep(0.5)


@pytest.mark.timeout(1800)
def test_whichever_server_is_killed_the_next_run_ends_in_the_same_tables(
    cluster: Cluster, pair: Pair
) -> None:
    dice, ended = Random(SEED), {}
    for number, (name, engine) in enumerate(KILLED.items()):
        pair.deliver(number)
        with pair.running("--engine", engine) as run:
            assert run.waits_for("loading deliveries …")
            time.sleep(dice.uniform(0, 2))
            kill(cluster, name)
            ended[name] = ended_well(run)
        wait_for(cluster, name)
        with pair.running("--engine", engine) as again:
            assert again.end() == 0, again.told

    # A reader's server is nobody's reason to fail: what it shows is made good by the next run.
    assert ended["trino"], ended
    pair.end()
