"""
A run: every landed delivery up to a date, in order, then every model whose inputs changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.models import model_inputs, model_order
from catalog.naming import split_table_name
from catalog.vocabulary import Theme
from jobs.context import Context
from jobs.deliver import land_code_tables, owner
from jobs.engines import open_engine
from jobs.load import Loaded, load
from jobs.progress import Progress
from jobs.refresh import Refreshed, refresh
from jobs.registration import Registration, register_after_run
from jobs.status import standing
from lake.deliveries import Delivery
from lake.engine import Engine
from lake.landing import Landing
from lake.leases import PATIENCE, Leases
from lake.ledger import Ledger
from lake.settings import Settings
from lake.state import open_state
from lake.tables import Tables

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class RunReport:
    """A run's deliveries and models, the tables as they stand after it, and Trino, if any."""

    engine: str
    seconds: float
    deliveries: tuple[Loaded, ...]
    models: tuple[Refreshed, ...]
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    registration: Registration | None = None

    def to_json(self) -> dict[str, Any]:
        """The run for JSON; counts are null for a refused delivery."""
        return {
            "engine": self.engine,
            "seconds": round(self.seconds, 3),
            "deliveries": [delivery_row(loaded) for loaded in self.deliveries],
            "models": [
                {
                    "dataset": m.dataset,
                    "upserted": m.upserted,
                    "deleted": m.deleted,
                    "seconds": round(m.seconds, 3),
                }
                for m in self.models
            ],
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


def run(
    settings: Settings,
    catalog: Catalog,
    *,
    through: date | None,
    dataset: str | None,
    progress: Progress,
    engine: Engine | None = None,
) -> RunReport:
    """
    Load every landed delivery with business date ≤ `through` (None: all of them), of `dataset`
    alone when given, then refresh the models that read what changed.

    Idempotent: with nothing landed and nothing changed, no table gets a new version. `engine` is
    used and left open when given; else the settings' engine is opened for this run alone.
    What another process has taken up is waited for, and then left as it has made it; `LeaseLost`
    when that takes too long.
    """
    if engine is None:
        with open_engine(settings) as opened:
            return run(
                settings,
                catalog,
                through=through,
                dataset=dataset,
                progress=progress,
                engine=opened,
            )
    started = time.monotonic()
    if dataset is not None:
        catalog.get(dataset)
    state = open_state(settings.state_url)
    ledger, landing = Ledger(state), Landing.at(settings.landing, settings.store)
    context = Context(
        settings,
        catalog,
        engine,
        Tables(settings.lake, settings.store),
        ledger,
        landing,
        Leases(state, owner("run"), patience=PATIENCE, tell=progress.note),
    )
    land_code_tables(settings, catalog, ledger, landing, context.leases)
    pending = _due(context, through, dataset)
    run_id = ledger.start_run(run_date=through, dataset=dataset, engine=engine.name)
    outcome = "failed"
    try:
        loaded = _load_all(context, pending, progress)
        run_date = through or _newest(ledger, catalog)
        models = _refresh_all(context, dataset, run_date, progress) if run_date else []
        outcome = "ended"
    finally:
        ledger.end_run(run_id, outcome)
    registration = None
    if settings.trino is not None:
        registration = register_after_run(context.tables, catalog, settings.trino, progress)
    return RunReport(
        engine.name,
        time.monotonic() - started,
        tuple(loaded),
        tuple(models),
        standing(context.tables),
        registration,
    )


def _due(context: Context, through: date | None, dataset: str | None) -> list[Delivery]:
    """The deliveries of this run; those of one dataset bring the code tables it looks up."""
    pending = context.ledger.pending(through)
    if dataset is None:
        return pending
    wanted = {dataset, *_lookups(context.catalog, dataset)}
    return [d for d in pending if d.dataset in wanted]


def _newest(ledger: Ledger, catalog: Catalog) -> date | None:
    """The newest business date that has settled: a run without a date never asks the clock."""
    days = [d.business_date for id_ in catalog.contracts for d in ledger.settled(id_)]
    return max(days, default=None)


def _lookups(catalog: Catalog, dataset: str) -> set[str]:
    contract = catalog.get(dataset)
    named = {c.code_table for c in contract.columns if c.code_table}
    return named | {r.dataset for c in contract.columns for r in c.references}


# --- deliveries ------------------------------------------------------------------------------


def _waves(catalog: Catalog, pending: Iterable[Delivery]) -> list[list[list[Delivery]]]:
    """
    Deliveries in waves: dates in order, and within a date code tables, then what is looked up,
    then the rest. Within a wave each dataset has a queue of its own.
    """
    looked_up = {r.dataset for k in catalog.sources() for c in k.columns for r in c.references}

    def wave(d: Delivery) -> tuple[date, int]:
        contract = catalog.get(d.dataset)
        if contract.theme is Theme.REFERENCE:
            return d.business_date, 0
        return d.business_date, 1 if d.dataset in looked_up else 2

    ordered = sorted(pending, key=lambda d: (*wave(d), d.dataset, d.revision))
    return [
        [list(queue) for _, queue in groupby(deliveries, key=lambda d: d.dataset)]
        for _, deliveries in groupby(ordered, key=wave)
    ]


def _load_all(context: Context, pending: Sequence[Delivery], progress: Progress) -> list[Loaded]:
    loaded: list[Loaded] = []
    with progress.step("loading deliveries", len(pending)) as advance:

        def load_queue(queue: Sequence[Delivery]) -> list[Loaded]:
            results = []
            for delivery in queue:
                results.append(load(context, delivery))
                advance()
            return results

        for wave in _waves(context.catalog, pending):
            # Largest first: the longest delivery of a wave should not begin last.
            queues = sorted(wave, key=lambda q: -sum(f.bytes for d in q for f in d.files))
            for results in _in_parallel(context, load_queue, queues):
                loaded += results
    return sorted(loaded, key=lambda r: (*r.delivery.order, r.delivery.dataset))


def _in_parallel(context: Context, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` over `items`, as many at once as the engine likes; the first error ends the run."""
    with ThreadPoolExecutor(context.engine.parallel) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            context.leases.stop_waiting()
            raise


# --- models ----------------------------------------------------------------------------------


def _affected(catalog: Catalog, dataset: str | None) -> list[Contract]:
    """The models to look at, in order: all, or those that read `dataset`, directly or not."""
    ordered = list(model_order(catalog))
    if dataset is None:
        return ordered
    touched = {dataset}
    for contract in ordered:
        if {split_table_name(t)[1] for t in model_inputs(catalog, contract)} & touched:
            touched.add(contract.id)
    return [c for c in ordered if c.id in touched]


def _refresh_all(
    context: Context, dataset: str | None, run_date: date, progress: Progress
) -> list[Refreshed]:
    models = _affected(context.catalog, dataset)
    refreshed: list[Refreshed] = []
    done: set[str] = set()
    waiting = list(models)
    with progress.step("refreshing models", len(models)) as advance:

        def one(contract: Contract) -> Refreshed:
            result = refresh(context, contract, run_date)
            advance()
            return result

        while waiting:
            pending = {c.id for c in waiting}
            ready = [c for c in waiting if not _inputs(context.catalog, c) & (pending - {c.id})]
            refreshed += _in_parallel(context, one, ready)
            done |= {c.id for c in ready}
            waiting = [c for c in waiting if c.id not in done]
    return refreshed


def _inputs(catalog: Catalog, contract: Contract) -> set[str]:
    return {split_table_name(t)[1] for t in model_inputs(catalog, contract)}
