"""
Landing (落地区): the original bytes as departments sent them, and the records about them.

    <root>/objects/<first 2>/<sha256>              the bytes, once each, never changed
    <root>/deliveries/<dataset>/<id>/delivery.json what came, when, with which files
    <root>/deliveries/<dataset>/<id>/receipt.json  what became of it
    <root>/incoming/                               half-written files; leftovers of a crash

Nothing is ever written again (`lake.objects`). The records outlive the ledger, which can be rebuilt
from them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Container, Mapping
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

from catalog.errors import LedgerBroken, UsageError
from lake.deliveries import DeliveredFile, Delivery
from lake.objects import Objects, open_objects, writable
from lake.store import LOCAL, Store

CHUNK_BYTES = 1 << 20
DELIVERIES = "deliveries"
DELIVERY, RECEIPT = "delivery.json", "receipt.json"


class Landing:
    """The landing area in `objects`, of which none need exist yet."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @classmethod
    def at(cls, root: str, store: Store = LOCAL) -> Landing:
        """The landing area below a path or an S3 URL."""
        return cls(open_objects(root, store))

    def put(self, path: Path) -> DeliveredFile:
        """
        Land the bytes of the file at `path`, which stays as it is.

        Bytes that are known already are not written again. `OSError` when the file cannot be
        read (a symbolic link is not followed); `EnvironmentProblem` when landing cannot be
        written.
        """
        digest, size = _digest(path)
        if not self._has(digest, size):
            digest, size = self._copy(path)
        return DeliveredFile(path.name, digest, size)

    def place(self, sha256: str) -> str:
        """Where the bytes with this hash lie, or would lie: a path or a URL."""
        return self._objects.place(_object(sha256))

    def write_delivery(self, delivery: Delivery) -> Delivery:
        """
        Record `delivery` and return the record that stands: the first one, when it came before.

        The first record wins because its `received_at` and revision are what tables hold.
        """
        name = _record(delivery, DELIVERY)
        self._write_json(name, delivery.document())
        return self._read_delivery(name)

    def delivery(self, dataset: str, delivery_id: str) -> Delivery | None:
        """The record of one delivery, or None when it was never recorded."""
        name = f"{DELIVERIES}/{dataset}/{delivery_id}/{DELIVERY}"
        return None if self._objects.size(name) is None else self._read_delivery(name)

    def read_deliveries(
        self, dataset: str | None = None, skip: Container[str] = ()
    ) -> list[Delivery]:
        """
        The recorded deliveries, of one dataset or all, by dataset, business date and revision.

        Records of the ids in `skip` are not read.
        """
        below = f"{DELIVERIES}/{dataset}" if dataset else DELIVERIES
        records = [
            name
            for name in self._objects.names(below)
            if PurePosixPath(name).name == DELIVERY and PurePosixPath(name).parent.name not in skip
        ]
        deliveries = [self._read_delivery(name) for name in records]
        return sorted(deliveries, key=lambda d: (d.dataset, *d.order))

    def is_empty(self) -> bool:
        """Whether no delivery was ever recorded."""
        return next(self._objects.names(DELIVERIES), None) is None

    def write_receipt(self, delivery: Delivery, document: Mapping[str, Any]) -> None:
        """
        Write what became of a delivery (`lake.deliveries.receipt`), once.

        The same receipt again changes nothing; another one is refused with `LedgerBroken`.
        """
        self._check_recorded(delivery)
        name = _record(delivery, RECEIPT)
        self._write_json(name, document)
        if self._read_json(name) != json.loads(json.dumps(document)):
            raise LedgerBroken(
                f"{self._objects.place(name)}: delivery {delivery.delivery_id} has another receipt "
                "already, and receipts are never changed; keep both and report it"
            )

    def receipt(self, delivery: Delivery) -> dict[str, Any] | None:
        """The receipt of a recorded delivery, or None as long as it has none."""
        self._check_recorded(delivery)
        name = _record(delivery, RECEIPT)
        return None if self._objects.size(name) is None else self._read_json(name)

    def sweep(self) -> None:
        """Remove what killed processes left half-written."""
        self._objects.sweep()

    def _check_recorded(self, delivery: Delivery) -> None:
        if self._objects.size(_record(delivery, DELIVERY)) is None:
            raise UsageError(
                f"landing knows no delivery {delivery.delivery_id}; see `redcliff status`"
            )

    def _has(self, sha256: str, size: int) -> bool:
        found = self._objects.size(_object(sha256))
        if found is not None and found != size:
            raise LedgerBroken(
                f"{self.place(sha256)}: {found} bytes lie where {size} were landed; "
                "restore the file from a backup"
            )
        return found is not None

    def _copy(self, path: Path) -> tuple[str, int]:
        with _open_delivered(path) as source, self._objects.aside() as (target, place):
            hasher, size = hashlib.sha256(), 0
            while chunk := source.read(CHUNK_BYTES):
                hasher.update(chunk)
                size += len(chunk)
                with writable(self._objects.root):
                    target.write(chunk)
            # The file may have grown since it was hashed: what was copied decides.
            digest = hasher.hexdigest()
            place(_object(digest))
        return digest, size

    def _write_json(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        self._objects.put(name, text.encode())

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(self._objects.read(name))
        except ValueError as error:
            raise LedgerBroken(
                f"{self._objects.place(name)}: the record is damaged ({error}); "
                "restore it from a backup"
            ) from error
        return document

    def _read_delivery(self, name: str) -> Delivery:
        return Delivery.of(self._read_json(name))


def _object(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def _record(delivery: Delivery, name: str) -> str:
    return f"{DELIVERIES}/{delivery.dataset}/{delivery.delivery_id}/{name}"


def _open_delivered(path: Path) -> BufferedReader:
    # A department may put a link into its folder that leads to somebody else's file.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _digest(path: Path) -> tuple[str, int]:
    with _open_delivered(path) as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        return digest, source.tell()
