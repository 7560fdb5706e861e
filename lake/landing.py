"""
Landing (落地区): the original bytes as departments sent them, and the records about them.

    <root>/objects/<first 2>/<sha256>              the bytes, once each, never changed
    <root>/deliveries/<dataset>/<id>/delivery.json what came, when, with which files
    <root>/deliveries/<dataset>/<id>/receipt.json  what became of it
    <root>/incoming/                               half-written files; leftovers of a crash

Everything appears whole or not at all (written aside, flushed to the disk, renamed) and is never
written again. The records outlive the ledger, which can be rebuilt from them.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from catalog.errors import EnvironmentProblem, LedgerBroken, UsageError
from lake.deliveries import DeliveredFile, Delivery

CHUNK_BYTES = 1 << 20

LEFT_SECONDS = 3600.0
"""A half-written file that nobody has gone on with for so long is a leftover."""


class Landing:
    """The landing area below `root`, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

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

    def path(self, sha256: str) -> Path:
        """Where the bytes with this hash lie, or would lie."""
        return self.root / "objects" / sha256[:2] / sha256

    def write_delivery(self, delivery: Delivery) -> Delivery:
        """
        Record `delivery` and return the record that stands: the first one, when it came before.

        The first record wins because its `received_at` and revision are what tables hold.
        """
        path = self._folder(delivery.dataset, delivery.delivery_id) / "delivery.json"
        if not path.exists():
            self._write_json(path, delivery.document())
        return _read_delivery(path)

    def delivery(self, dataset: str, delivery_id: str) -> Delivery | None:
        """The record of one delivery, or None when it was never recorded."""
        path = self._folder(dataset, delivery_id) / "delivery.json"
        return _read_delivery(path) if path.exists() else None

    def read_deliveries(
        self, dataset: str | None = None, skip: Container[str] = ()
    ) -> list[Delivery]:
        """
        The recorded deliveries, of one dataset or all, by dataset, business date and revision.

        Records of the ids in `skip` are not read.
        """
        records = (self.root / "deliveries").glob(f"{dataset or '*'}/*/delivery.json")
        deliveries = [_read_delivery(path) for path in records if path.parent.name not in skip]
        return sorted(deliveries, key=lambda d: (d.dataset, *d.order))

    def write_receipt(self, delivery_id: str, document: Mapping[str, Any]) -> None:
        """
        Write what became of a delivery (`lake.deliveries.receipt`), once.

        The same receipt again changes nothing; another one is refused with `LedgerBroken`.
        """
        path = self._recorded(delivery_id) / "receipt.json"
        if not path.exists():
            self._write_json(path, document)
        elif _read_json(path) != json.loads(json.dumps(document)):
            raise LedgerBroken(
                f"{path}: delivery {delivery_id} has another receipt already, and receipts are "
                "never changed; keep both and report it"
            )

    def receipt(self, delivery_id: str) -> dict[str, Any] | None:
        """The receipt of a recorded delivery, or None as long as it has none."""
        path = self._recorded(delivery_id) / "receipt.json"
        return _read_json(path) if path.exists() else None

    def sweep(self) -> None:
        """
        Remove what killed processes left half-written.

        What is young may be the receipt that a run writes at this moment.
        """
        for leftover in (self.root / "incoming").glob("*"):
            # A run may have finished its file since the folder was read.
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > LEFT_SECONDS:
                    leftover.unlink()

    def _folder(self, dataset: str, delivery_id: str) -> Path:
        return self.root / "deliveries" / dataset / delivery_id

    def _recorded(self, delivery_id: str) -> Path:
        found = next((self.root / "deliveries").glob(f"*/{delivery_id}"), None)
        if found is None:
            raise UsageError(f"landing knows no delivery {delivery_id}; see `redcliff status`")
        return found

    def _has(self, sha256: str, size: int) -> bool:
        path = self.path(sha256)
        if not path.exists():
            return False
        if path.stat().st_size != size:
            raise LedgerBroken(
                f"{path}: {path.stat().st_size} bytes lie where {size} were landed; "
                "restore the file from a backup"
            )
        return True

    def _copy(self, path: Path) -> tuple[str, int]:
        with _open_delivered(path) as source, self._aside() as (target, place):
            hasher, size = hashlib.sha256(), 0
            while chunk := source.read(CHUNK_BYTES):
                hasher.update(chunk)
                size += len(chunk)
                with _told(self.root):
                    target.write(chunk)
            # The file may have grown since it was hashed: what was copied decides.
            digest = hasher.hexdigest()
            place(self.path(digest))
        return digest, size

    def _write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        with self._aside() as (target, place), _told(self.root):
            target.write(text.encode())
            place(path)

    @contextmanager
    def _aside(self) -> Iterator[tuple[IO[bytes], Callable[[Path], None]]]:
        """A file beside the others and the function that flushes it and gives it its name."""
        incoming = self.root / "incoming"
        with _told(self.root):
            incoming.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=incoming)
        temporary = Path(name)

        def place(path: Path) -> None:
            with _told(self.root):
                target.flush()
                os.fchmod(target.fileno(), 0o400)
                os.fsync(target.fileno())
                _make_folder(path.parent)
                temporary.rename(path)
                _flush_folder(path.parent)

        try:
            with os.fdopen(descriptor, "wb") as target:
                yield target, place
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _told(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{root}: landing cannot be written ({error.strerror}); "
            "make room or give access, then deliver again"
        ) from error


def _open_delivered(path: Path) -> BufferedReader:
    # A department may put a link into its folder that leads to somebody else's file.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _digest(path: Path) -> tuple[str, int]:
    with _open_delivered(path) as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        return digest, source.tell()


def _make_folder(path: Path) -> None:
    """Make the folder and flush every folder that got a new entry by it."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _flush_folder(folder.parent)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    # Some network file systems cannot flush a folder; the rename stands there all the same.
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise LedgerBroken(
            f"{path}: the record is damaged ({error}); restore it from a backup"
        ) from error
    return document


def _read_delivery(path: Path) -> Delivery:
    return Delivery.of(_read_json(path))
