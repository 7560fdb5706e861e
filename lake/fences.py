"""
Whether an S3 endpoint honours If-None-Match, in each way in which redcliff writes there (ADR 0013).

Some endpoints take the header and overwrite all the same; nothing tells but a try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType

from catalog.errors import EnvironmentProblem
from lake.objects import open_objects
from lake.s3 import answering, split_folder
from lake.store import Store

PROBES = ".probes"
WRITERS, COMMITS = 4, 5

Fence = Callable[[str, Store], bool]
"""Whether of several who write one new name below a URL only the first has written it."""


def examine_fences(root: str, store: Store, fences: Mapping[str, Fence]) -> dict[str, bool]:
    """
    Try each way of writing below `root`, an S3 URL, and clear away what it wrote.

    `TryAgain` when the endpoint does not answer, `EnvironmentProblem` when it refuses.
    """
    place = f"{root}/{PROBES}/{uuid4().hex}"
    try:
        return {name: fence(f"{place}/{name}", store) for name, fence in fences.items()}
    finally:
        _clear(place, store)


def by_put(place: str, store: Store) -> bool:
    """As landing writes its records."""
    objects = open_objects(place, store)
    for content in (b"first", b"second"):
        objects.put("object", content)
    return objects.read("object") == b"first"


def by_delta_rs(place: str, store: Store) -> bool:
    """As delta-rs commits: of many appends at once, each is a version of its own."""
    schema = Schema([Field("probe", PrimitiveType("string"))])
    rows = pa.table({"probe": ["one"]})

    def append(_: int) -> None:
        for _ in range(COMMITS):
            write_deltalake(store.delta(place), rows, mode="append")

    try:
        DeltaTable.create(place, schema, storage_options=store.options(place))
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(append, range(WRITERS)))
    except DeltaError as error:
        why = str(error).partition("\n")[0]
        raise EnvironmentProblem(f"{place}: delta-rs cannot commit there ({why})") from error
    return store.delta(place).version() == WRITERS * COMMITS


FENCES: dict[str, Fence] = {"PUT": by_put, "delta-rs": by_delta_rs}


def _clear(place: str, store: Store) -> None:
    bucket, prefix = split_folder(place)
    client = store.login(place).client()
    with answering(place):
        for one in list(client.list_objects(bucket, prefix, recursive=True)):
            client.remove_object(bucket, one.object_name)
