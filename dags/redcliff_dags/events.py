"""
What tasks tell Airflow about tables: an event for each that changed, in numbers and ids alone.

Assets are named for tables. An event's partition is the business date of what came; its `extra`
has the table's version and rows, and the deliveries with their counts. No value of a row, no file
name and no reason is told: they may hold what belongs to a person. `redcliff status` has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Asset

from catalog.naming import table_name
from catalog.vocabulary import Layer

SETTLED, HELD, REFUSED = "settled", "held", "refused"
COUNTS = ("received", "accepted", "quarantined", "duplicates", "deleted")

ATTENTION = {HELD: Asset("deliveries.held"), REFUSED: Asset("deliveries.refused")}
"""What asks for somebody's attention has assets of its own, where it is seen."""


def table_asset(table: str) -> Asset:
    """The asset of a table, such as `curated.population__household_register`."""
    return Asset(table, group="table")


def inputs_asset(theme: str) -> Asset:
    """
    The asset of all that a theme's models read and others make; its events have no partition.

    Airflow gathers such events while the theme is at work, and makes one run of them. Events with
    a partition would each be a run of its own.
    """
    return Asset(f"inputs.{theme}", group="theme")


@dataclass(frozen=True)
class Change:
    """An event to be told: of which asset, with what, for which business dates, if any."""

    asset: Asset
    extra: Mapping[str, Any]
    days: frozenset[str]


def tell(context: Any, changes: Sequence[Change]) -> None:
    """
    Let the task's success be an event of each of these assets, and of no other.

    Airflow would tell of every outlet that the DAG declares, changed or not. Each business date is
    a partition; the last change of an asset gives the event's words.
    """
    events = context["outlet_events"]
    for change in changes:
        events[change.asset].extra.update(change.extra)
        if change.days:
            events[change.asset].add_partitions(sorted(change.days))
    context["task"].outlets = list({change.asset.name: change.asset for change in changes}.values())


def possibly(tables: Iterable[str], answer: Mapping[str, Any]) -> list[Change]:
    """
    A change of each of these tables that is there, for who cannot know what has changed: an
    earlier try may have done the work and died before it could tell.
    """
    day = answer["date"]
    days = frozenset({day} if day else ())
    standing = answer["tables"]
    return [Change(table_asset(name), standing[name], days) for name in tables if name in standing]


def loads(answer: Mapping[str, Any]) -> list[Change]:
    """A change of every table with a settled delivery, and of what was held or refused."""
    settled: dict[str, list[Mapping[str, Any]]] = {}
    changes = []
    for delivery in answer["deliveries"]:
        if delivery["status"] == SETTLED:
            settled.setdefault(delivery["dataset"], []).append(delivery)
    for status, asset in ATTENTION.items():
        told = [delivery for delivery in answer["deliveries"] if delivery["status"] == status]
        if told:
            changes.append(_change(asset, {}, told))
    for dataset, deliveries in settled.items():
        table = table_name(dataset, Layer.CURATED)
        changes.append(_change(table_asset(table), answer["tables"].get(table, {}), deliveries))
    return changes


def models(answer: Mapping[str, Any]) -> list[Change]:
    """A change of every thematic table that the run has changed, for its date."""
    changes = []
    days = frozenset({answer["date"]} if answer["date"] else ())
    for model in answer["models"]:
        if model["upserted"] or model["deleted"]:
            table = table_name(model["dataset"], Layer.THEMATIC)
            numbers = {name: model[name] for name in ("upserted", "deleted", "seconds")}
            standing = answer["tables"].get(table, {})
            changes.append(Change(table_asset(table), {**standing, **numbers}, days))
    return changes


def _change(
    asset: Asset, standing: Mapping[str, Any], deliveries: Sequence[Mapping[str, Any]]
) -> Change:
    days = frozenset(delivery["business_date"] for delivery in deliveries)
    told = [_numbers(delivery) for delivery in deliveries]
    return Change(asset, {**standing, "deliveries": told}, days)


def _numbers(delivery: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: delivery[name] for name in ("dataset", "delivery_id", "business_date", "status")}
    folder = f"deliveries/{delivery['dataset']}/{delivery['delivery_id']}"
    place = {"receipt": f"{folder}/receipt.json"} if delivery["status"] == SETTLED else {}
    if delivery["quarantined"]:
        place["quarantine"] = f"{table_name(delivery['dataset'], Layer.CURATED)}__quarantine"
    return {**told, **{name: delivery[name] for name in COUNTS}, **place}
