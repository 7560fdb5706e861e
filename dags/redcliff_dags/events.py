"""
What tasks tell Airflow about tables: an event for each that changed, in numbers and ids alone.

Assets are named for tables. An event's partition is the business date of its run; its `extra` has
the table's version and rows, and the deliveries with their counts. No value of a row, no file
name and no reason is told: they may hold what belongs to a person. `redcliff status` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def tell_loads(events: Any, answer: Mapping[str, Any]) -> None:
    """An event for every table with a settled delivery, and for what was held or refused."""
    by_dataset: dict[str, list[dict[str, Any]]] = {}
    for delivery in answer["deliveries"]:
        told = _numbers(delivery)
        if delivery["status"] == SETTLED:
            by_dataset.setdefault(delivery["dataset"], []).append(told)
        elif delivery["status"] in ATTENTION:
            events.add(ATTENTION[delivery["status"]], extra=told)
    for dataset, deliveries in by_dataset.items():
        table = table_name(dataset, Layer.CURATED)
        standing = answer["tables"].get(table, {})
        events.add(table_asset(table), extra={**standing, "deliveries": deliveries})


def tell_models(events: Any, answer: Mapping[str, Any]) -> None:
    """An event for every thematic table that a run has changed."""
    for model in answer["models"]:
        if model["upserted"] or model["deleted"]:
            table = table_name(model["dataset"], Layer.THEMATIC)
            numbers = {name: model[name] for name in ("upserted", "deleted", "seconds")}
            standing = answer["tables"].get(table, {})
            events.add(table_asset(table), extra={**standing, **numbers})


def _numbers(delivery: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: delivery[name] for name in ("dataset", "delivery_id", "business_date", "status")}
    folder = f"deliveries/{delivery['dataset']}/{delivery['delivery_id']}"
    place = {"receipt": f"{folder}/receipt.json"} if delivery["status"] == SETTLED else {}
    if delivery["quarantined"]:
        place["quarantine"] = f"{table_name(delivery['dataset'], Layer.CURATED)}__quarantine"
    return {**told, **{name: delivery[name] for name in COUNTS}, **place}
