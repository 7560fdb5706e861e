"""
A real scheduler in the cluster profile: the lake on S3, the state in PostgreSQL, Spark on its own
master and worker. Three days of the whole city run by themselves, whatever part of Spark is killed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from catalog.catalog import Catalog
from tests.stack.scheduled import DAYS, Scheduled, make_scheduled

pytestmark = [pytest.mark.stack, pytest.mark.nightly]

SCALE = 0.001
PATIENCE = 1800.0


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Iterator[Scheduled]:
    made = make_scheduled(tmp_path_factory.mktemp("spark"), catalog, "cluster", SCALE)
    try:
        made.redcliff("up", "--with", "s3,postgres,spark,airflow")
        yield made
    finally:
        made.stop()


def kill_worker(scheduled: Scheduled) -> None:
    """Spark's worker, and with it the executor of whoever is at work."""
    worker = scheduled.service("spark-worker").pid
    assert worker is not None
    os.kill(worker, signal.SIGKILL)


def kill_driver(scheduled: Scheduled) -> None:
    """The Java of a task that is at work."""
    driver = scheduled.until(lambda: driver_of(scheduled))
    driver.kill()


def driver_of(scheduled: Scheduled) -> psutil.Process | None:
    working = scheduled.working("run")
    try:
        below = working.children(recursive=True) if working else []
        return next((one for one in below if DRIVER in one.cmdline()), None)
    except psutil.Error:
        return None  # something ended while it was looked at


DRIVER = "org.apache.spark.deploy.SparkSubmit"


def kill_nothing(scheduled: Scheduled) -> None:
    """A day that is not disturbed."""


KILLS = (kill_driver, kill_worker, kill_nothing)
"""What happens on the first day, and on the next ones."""


@pytest.mark.timeout(5400)
def test_days_run_by_themselves_and_end_in_the_tables_of_one_machine(
    scheduled: Scheduled,
) -> None:
    for day, kill in zip(DAYS[: len(KILLS)], KILLS, strict=True):
        scheduled.drop(day)
        scheduled.until(lambda: driver_of(scheduled))
        kill(scheduled)

        scheduled.settle(PATIENCE)

        scheduled.by_hand(day)
        assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    assert not scheduled.runs("failed")
    engines = {run.engine for run in scheduled.ledger.runs()}
    assert engines == {"spark"}
