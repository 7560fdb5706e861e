"""
The kinds of DAGs that follow from a manifest; each is a function from the manifest to its DAGs.

A new kind (publication, verification, maintenance) is such a function and a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetWatcher,
    CronPartitionTimetable,
    CronTriggerTimetable,
)
from redcliff_dags import place
from redcliff_dags.arriving import DeliverInbox
from redcliff_dags.events import inputs_asset, table_asset
from redcliff_dags.inbox import InboxTrigger
from redcliff_dags.operators import (
    DELIVERIES,
    KEEP,
    MODELS,
    RELEASE,
    RELEASES,
    LoadBatch,
    RecordDecision,
    RedcliffOperator,
    RefreshLibrary,
)

from catalog.compile.manifest import Manifest

ZONE = "Asia/Shanghai"
DAY = "%Y-%m-%d"
LOAD, REFRESH = "load", "refresh"
LOADS_FIRST = 100
"""Deliveries go before models where slots are scarce: fewer refreshes see more changes."""

TICK_PASSED = timedelta(seconds=0.5)
"""
How long after a tick a new DAG still runs for it. Airflow's own answer is a tenth of the time
between two: a site that is set up before half past two at night would run every DAG for nothing.
"""

# No start date: with one, a new DAG runs for the day before at once. Backfills name their days.
COMMON: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
}


def arrivals(manifest: Manifest) -> Iterator[DAG]:
    """Something was laid down in the inbox: land it, and load it or let it be loaded."""
    folder = place.inbox()
    if folder is None:
        return
    watcher = AssetWatcher(
        name="arrivals",
        trigger=InboxTrigger(str(folder), settle_seconds=place.settle_seconds()),
    )
    inbox = Asset("inbox", watchers=[watcher])
    # While a wave is at work, what comes meanwhile is landed and may go its own way.
    arguments = {**COMMON, "max_active_runs": 2}
    with DAG("arrivals", schedule=[inbox], tags=["deliveries"], **arguments) as dag:
        DeliverInbox(task_id="deliver", manifest=manifest, priority_weight=2 * LOADS_FIRST)
    yield dag


def deliveries(manifest: Manifest) -> Iterator[DAG]:
    """
    One DAG for each batch, partitioned by business date: what Airflow's backfill runs.

    At midnight the day that has ended is looked through once more; in between arrivals start it.
    """
    for batch in manifest.batches:
        with DAG(
            DELIVERIES.format(batch.name),
            dag_display_name=f"{batch.title} · 交付 ({batch.name})",
            description=f"Deliveries of {', '.join(batch.datasets)}",
            schedule=CronPartitionTimetable(
                "0 0 * * *",
                timezone=ZONE,
                run_offset=-1,
                key_format=DAY,
                run_immediately=TICK_PASSED,
            ),
            tags=["deliveries", batch.name],
            **COMMON,
        ) as dag:
            LoadBatch(
                task_id=LOAD,
                batch=batch,
                manifest=manifest,
                priority_weight=LOADS_FIRST,
            )
        yield dag


def models(manifest: Manifest) -> Iterator[DAG]:
    """
    One DAG for each theme with models, started by the change of any table that it reads; what
    changes while it is at work is one more run.

    What others read goes first where slots are scarce, so that these see all of it at once.
    """
    for place_in_order, library in enumerate(manifest.libraries):
        with DAG(
            MODELS.format(library.theme),
            description=f"Models: {', '.join(library.outputs)}",
            schedule=[inputs_asset(library.theme)],
            tags=["models", library.theme],
            **COMMON,
        ) as dag:
            RefreshLibrary(
                task_id=REFRESH,
                library=library,
                manifest=manifest,
                inlets=[table_asset(table) for table in library.inputs],
                priority_weight=len(manifest.libraries) - place_in_order,
            )
        yield dag


def releases(manifest: Manifest) -> Iterator[DAG]:
    """A held delivery asks an officer: a run for each, started by the load that held it."""
    arguments = {**COMMON, "max_active_runs": 100}
    with DAG(RELEASES, schedule=None, tags=["approvals"], **arguments) as dag:
        ask = HITLOperator(
            task_id="ask",
            subject="{{ dag_run.conf['dataset'] }} {{ dag_run.conf['business_date'] }} is held",
            body=(
                "Delivery `{{ dag_run.conf['delivery_id'] }}`: {{ dag_run.conf['received'] }} rows "
                "received, {{ dag_run.conf['quarantined'] }} of them quarantined. "
                "`redcliff status --dataset {{ dag_run.conf['dataset'] }}` says why it is held. "
                "Released, it is applied as it is; kept, the department sends a newer one."
            ),
            options=[RELEASE, KEEP],
            # Who answers before the scheduler has seen the task wait makes it fail (3.3.2).
            retries=8,
            retry_delay=timedelta(seconds=10),
        )
        ask >> RecordDecision(task_id="record", asked=ask.task_id)
    yield dag


def upkeep(manifest: Manifest) -> Iterator[DAG]:
    """Each morning: take in what the watcher may have missed, and look who is late or waits."""
    schedule = CronTriggerTimetable("30 6 * * *", timezone=ZONE, run_immediately=TICK_PASSED)
    with DAG("upkeep", schedule=schedule, tags=["upkeep"], **COMMON) as dag:
        if place.inbox() is not None:
            DeliverInbox(task_id="deliver", manifest=manifest)
        RedcliffOperator(task_id="alert", words=["alert"], execution_timeout=timedelta(minutes=10))
    yield dag


KINDS: tuple[Callable[[Manifest], Iterator[DAG]], ...] = (
    arrivals,
    deliveries,
    models,
    releases,
    upkeep,
)


def all_dags(manifest: Manifest) -> dict[str, DAG]:
    """Every DAG of the site by its id."""
    return {dag.dag_id: dag for kind in KINDS for dag in kind(manifest)}
