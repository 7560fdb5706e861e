"""
A run: every landed delivery up to a date, in order, then every model whose inputs changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from catalog.catalog import Catalog
from catalog.compile.openlineage import run_events
from catalog.contract import Contract
from catalog.errors import EnvironmentProblem
from catalog.models import model_inputs
from catalog.naming import split_table_name, table_name
from catalog.vocabulary import Layer
from jobs.context import Context
from jobs.deliver import land_code_tables, owner
from jobs.emit import emit
from jobs.engines import open_engine
from jobs.load import Loaded, load
from jobs.parallel import in_dependency_order
from jobs.progress import Progress
from jobs.queues import Queue, queues_of, waits_for
from jobs.refresh import Refreshed, refresh
from jobs.registration import Registration, register_after_run
from jobs.selection import EVERYTHING, Selection
from jobs.status import delivery_document, standing
from lake.deliveries import Delivery, utc_now
from lake.engine import Engine
from lake.entries import Entry
from lake.landing import Landing
from lake.leases import PATIENCE, Leases
from lake.ledger import Ledger
from lake.s3 import while_it_answers
from lake.settings import Settings
from lake.state import opened
from lake.tables import Tables


@dataclass(frozen=True)
class RunReport:
    """
    What a run did: its deliveries, its models, and the tables as they stand after it (of a part of
    a run, those that it may write).

    `waiting` names for every model that was not refreshed the datasets that it awaits; `held` are
    all deliveries that wait for an officer, whichever run has held them.
    `run_date` is the one that was asked for, or the newest business date that has settled.
    """

    engine: str
    seconds: float
    deliveries: tuple[Loaded, ...]
    models: tuple[Refreshed, ...]
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run_date: date | None = None
    registration: Registration | None = None
    held: tuple[Entry, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The run for JSON; counts are null for a refused delivery."""
        return {
            "engine": self.engine,
            "date": self.run_date.isoformat() if self.run_date else None,
            "seconds": round(self.seconds, 3),
            "deliveries": [delivery_row(loaded) for loaded in self.deliveries],
            "models": [model_row(one) for one in self.models],
            "waiting": {model: list(awaited) for model, awaited in self.waiting.items()},
            "held": [delivery_document(entry) for entry in self.held],
            "tables": self.tables,
            "registration": self.registration.to_json() if self.registration else None,
        }


def delivery_row(loaded: Loaded) -> dict[str, Any]:
    """One delivery for JSON and for tables."""
    counts = loaded.counts
    numbers = ("received", "accepted", "quarantined", "duplicates", "deleted")
    return {
        "dataset": loaded.delivery.dataset,
        "delivery_id": loaded.delivery.delivery_id,
        "business_date": loaded.delivery.business_date.isoformat(),
        "status": loaded.status.value,
        "reason": loaded.reason,
        **{name: getattr(counts, name) if counts else None for name in numbers},
        "seconds": round(loaded.seconds, 3),
    }


def model_row(refreshed: Refreshed) -> dict[str, Any]:
    """One model for JSON."""
    return {
        "dataset": refreshed.dataset,
        "upserted": refreshed.upserted,
        "deleted": refreshed.deleted,
        "partial": refreshed.is_partial,
        "seconds": round(refreshed.seconds, 3),
    }


def run(
    settings: Settings,
    catalog: Catalog,
    *,
    through: date | None,
    progress: Progress,
    selection: Selection = EVERYTHING,
    engine: Engine | None = None,
    tables: Tables | None = None,
) -> RunReport:
    """
    Load every landed delivery with business date ≤ `through` (None: all of them), then refresh
    the models that read what changed; of both what is selected. A model whose `redcliff.await`
    has not settled the run's date keeps its table and is told.

    Idempotent: with nothing landed and nothing changed, no table gets a new version. `engine` is
    used and left open when given; else the settings' engine is opened for this run alone. `tables`
    are those of the lake, from a caller that has them open.
    What another process has taken up is waited for, and then left as it has made it; `LeaseLost`
    when that takes too long.
    """
    if engine is None:
        with open_engine(settings) as own:
            return run(
                settings,
                catalog,
                through=through,
                progress=progress,
                selection=selection,
                engine=own,
                tables=tables,
            )
    with while_it_answers(settings.s3), opened(settings.state_url) as state:
        context = Context(
            settings,
            catalog,
            engine,
            tables or Tables(settings.lake, settings.store, engine.handles),
            Ledger(state),
            Landing.at(settings.landing, settings.store),
            Leases(state, owner("run"), patience=PATIENCE, tell=progress.note),
        )
        return _run(context, through, selection, progress)


def _run(
    context: Context, through: date | None, selection: Selection, progress: Progress
) -> RunReport:
    started = time.monotonic()
    settings, catalog, ledger = context.settings, context.catalog, context.ledger
    engine = context.engine
    land_code_tables(settings, catalog, ledger, context.landing, context.leases)
    pending = _due(context, through, selection) if selection.loads else []
    only = next(iter(selection.datasets)) if len(selection.datasets) == 1 else None
    run_id = ledger.start_run(run_date=through, dataset=only, engine=engine.name)
    outcome, done = "failed", None
    models: list[Refreshed] = []
    waiting: dict[str, tuple[str, ...]] = {}
    try:
        loaded = _load_all(context, pending, progress)
        run_date = through or _newest(ledger, catalog)
        if selection.models and run_date:
            chosen, waiting = _chosen(context, selection, run_date)
            models = _refresh_all(context, chosen, run_date, progress)
        seconds = time.monotonic() - started
        done = _record(context, selection, loaded, models, seconds)
        outcome = "ended"
    finally:
        ledger.end_run(run_id, outcome, done)
    if settings.lineage and (done["deliveries"] or done["models"]):
        _tell_lineage(context, done, settings.lineage, progress)
    registration = None
    if settings.trino is not None:
        # A part of a run, of which a scheduler starts many, answers for its own tables alone.
        compared = None if selection == EVERYTHING else _written(done)
        registration = register_after_run(
            context.tables, catalog, settings.trino, progress, compared
        )
    return RunReport(
        engine.name,
        time.monotonic() - started,
        tuple(loaded),
        tuple(models),
        standing(context.tables, selection.touches(catalog)),
        waiting,
        run_date,
        registration,
        tuple(ledger.undecided()),
    )


def _tell_lineage(
    context: Context, done: Mapping[str, Any], place: str, progress: Progress
) -> None:
    """Send what the run did as events; the run stands also when nobody takes them."""
    engine = {"name": context.engine.name, "version": context.engine.version}
    events = run_events(context.catalog, done, engine, utc_now())
    try:
        emit(events, place)
    except EnvironmentProblem as error:
        progress.note(str(error))


def _record(
    context: Context,
    selection: Selection,
    loaded: Sequence[Loaded],
    models: Sequence[Refreshed],
    seconds: float,
) -> dict[str, Any]:
    """What is kept of a run: contracts, what it read and wrote in which version, counts."""
    entries = [context.ledger.entry(one.delivery.delivery_id) for one in loaded]
    return {
        "contracts": context.catalog.content_hash,
        "selection": selection.to_json(),
        "seconds": round(seconds, 3),
        "deliveries": [
            {**delivery_row(one), "reason": None, "wrote": dict(entry.versions or {})}
            for one, entry in zip(loaded, entries, strict=True)
        ],
        "models": [
            {**model_row(one), "read": dict(one.read), "version": one.version}
            for one in models
            if one.read
        ],
    }


def _written(record: Mapping[str, Any]) -> set[str]:
    """The tables that the run of this record has written."""
    loaded = {name for delivery in record["deliveries"] for name in delivery["wrote"]}
    return loaded | {table_name(one["dataset"], Layer.THEMATIC) for one in record["models"]}


def _due(context: Context, through: date | None, selection: Selection) -> list[Delivery]:
    """The deliveries of this run."""
    wanted = selection.deliveries(context.catalog)
    pending = context.ledger.pending(through)
    return [d for d in pending if wanted is None or d.dataset in wanted]


def _newest(ledger: Ledger, catalog: Catalog) -> date | None:
    """The newest business date that has settled: a run without a date never asks the clock."""
    days = [d.business_date for id_ in catalog.contracts for d in ledger.settled(id_)]
    return max(days, default=None)


# --- deliveries ------------------------------------------------------------------------------


def _load_all(context: Context, pending: Sequence[Delivery], progress: Progress) -> list[Loaded]:
    queues = queues_of(pending)
    with progress.step("loading deliveries", len(pending)) as advance:

        def load_queue(queue: Queue) -> list[Loaded]:
            results = []
            for delivery in queues[queue]:
                results.append(load(context, delivery))
                advance()
            return results

        loaded = in_dependency_order(
            waits_for(context.catalog, queues),
            load_queue,
            threads=context.engine.parallel,
            stop=context.leases.stop_waiting,
        )
    results = [result for queue in loaded.values() for result in queue]
    return sorted(results, key=lambda r: (*r.delivery.order, r.delivery.dataset))


# --- models ----------------------------------------------------------------------------------


def _chosen(
    context: Context, selection: Selection, run_date: date
) -> tuple[list[Contract], dict[str, tuple[str, ...]]]:
    """The models to look at, in order, and those that wait with what they wait for."""
    chosen: list[Contract] = []
    waiting: dict[str, tuple[str, ...]] = {}
    for contract in selection.affected(context.catalog):
        late = tuple(one for one in contract.awaits if not _has_settled(context, one, run_date))
        if late:
            waiting[contract.id] = late
        else:
            chosen.append(contract)
    return chosen, waiting


def _has_settled(context: Context, dataset: str, day: date) -> bool:
    """Whether the dataset has settled this business date, or a later one."""
    return any(d.business_date >= day for d in context.ledger.settled(dataset))


def _refresh_all(
    context: Context, models: Sequence[Contract], run_date: date, progress: Progress
) -> list[Refreshed]:
    chosen = {contract.id: contract for contract in models}
    with progress.step("refreshing models", len(models)) as advance:

        def one(dataset: str) -> Refreshed:
            result = refresh(context, chosen[dataset], run_date)
            advance()
            return result

        refreshed = in_dependency_order(
            {name: _inputs(context.catalog, contract) for name, contract in chosen.items()},
            one,
            threads=context.engine.parallel,
            stop=context.leases.stop_waiting,
        )
    return [refreshed[name] for name in chosen]


def _inputs(catalog: Catalog, contract: Contract) -> set[str]:
    return {split_table_name(t)[1] for t in model_inputs(catalog, contract)}
