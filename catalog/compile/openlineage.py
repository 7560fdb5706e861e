"""
What a run did → OpenLineage events: one for each dataset it loaded and each model it refreshed,
with schemas and column lineage from the contracts.

Names, types, versions and counts only: no value of a row.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.lineage import Origin
from catalog.naming import table_name
from catalog.tracing import Graph, column_graph
from catalog.vocabulary import Layer

NAMESPACE = "redcliff"
PRODUCER = "https://redcliff.example/openlineage"
SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "schema": f"{SPEC}/facets/1-1-1/SchemaDatasetFacet.json",
    "columnLineage": f"{SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json",
    "version": f"{SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json",
    "outputStatistics": f"{SPEC}/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json",
    "processing_engine": f"{SPEC}/facets/1-1-1/ProcessingEngineRunFacet.json",
}


def run_events(
    catalog: Catalog, record: Mapping[str, Any], engine: Mapping[str, str], ended: datetime
) -> list[dict[str, Any]]:
    """
    The events of a run from its record: `load.<dataset>` for every settled delivery, and
    `refresh.<dataset>` for every model that was computed; each is a run that is complete.
    `engine` has its name and version.
    """
    graph = column_graph(catalog)
    events = []
    for delivery in record["deliveries"]:
        contract = catalog.contracts.get(delivery["dataset"])
        if contract is None or not delivery["wrote"]:
            continue
        table = table_name(contract.id, Layer.CURATED)
        raw = table_name(contract.id, Layer.RAW)
        written = _output(contract, table, delivery["wrote"].get(table), graph)
        written["outputFacets"] = _facets(
            outputStatistics={"rowCount": (delivery["accepted"] or 0) + (delivery["deleted"] or 0)}
        )
        job = f"load.{contract.id}"
        events.append(_event(job, delivery["delivery_id"], engine, ended, [_input(raw)], [written]))
    for model in record["models"]:
        contract = catalog.contracts.get(model["dataset"])
        if contract is None:
            continue
        table = table_name(contract.id, Layer.THEMATIC)
        written = _output(contract, table, model["version"], graph)
        count = model["upserted"] + model["deleted"]
        written["outputFacets"] = _facets(outputStatistics={"rowCount": count})
        inputs = [_input(name, version) for name, version in sorted(model["read"].items())]
        key = f"{contract.id} {model['version']} {sorted(model['read'].items())}"
        events.append(_event(f"refresh.{contract.id}", key, engine, ended, inputs, [written]))
    return events


def _event(
    job: str,
    key: str,
    engine: Mapping[str, str],
    ended: datetime,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:
    # The same load, told again after a crash, is the same run to whoever collects.
    run = str(uuid.uuid5(uuid.NAMESPACE_URL, f"redcliff {job} {key}"))
    return {
        "eventType": "COMPLETE",
        "eventTime": ended.isoformat(timespec="milliseconds"),
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {
            "runId": run,
            "facets": _facets(processing_engine=engine),
        },
        "job": {"namespace": NAMESPACE, "name": job, "facets": {}},
        "inputs": inputs,
        "outputs": outputs,
    }


def _input(table: str, version: int | None = None) -> dict[str, Any]:
    facets = {} if version is None else _facets(version={"datasetVersion": str(version)})
    return {"namespace": NAMESPACE, "name": table, "facets": facets}


def _output(contract: Contract, table: str, version: int | None, graph: Graph) -> dict[str, Any]:
    fields = [
        {"name": c.name, "type": c.type.name.value, "description": c.comment}
        for c in contract.columns
    ]
    made_from = {c.name: graph.get((table, c.name), frozenset()) for c in contract.columns}
    columns = {name: {"inputFields": _fields(origins)} for name, origins in made_from.items()}
    found: dict[str, Mapping[str, Any]] = {
        "schema": {"fields": fields},
        "columnLineage": {"fields": columns},
    }
    if version is not None:
        found["version"] = {"datasetVersion": str(version)}
    return {"namespace": NAMESPACE, "name": table, "facets": _facets(**found)}


def _fields(origins: Iterable[Origin]) -> list[dict[str, Any]]:
    return [
        {"namespace": NAMESPACE, "name": table, "field": column}
        for table, column in sorted(origins)
    ]


def _facets(**facets: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"_producer": PRODUCER, "_schemaURL": FACETS[name], **facet}
        for name, facet in facets.items()
    }
