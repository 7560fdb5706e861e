"""
The door: where one folder of an inbox is judged as a whole, and its delivery landed or refused.
"""

from __future__ import annotations

import difflib
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import ContractNotFound, DeliveryRefused, UsageError
from catalog.vocabulary import Mode
from jobs import inbox
from jobs.inbox import DONE, MANIFEST, DeliveryFolder, Listing, is_plain_name, shown
from jobs.manifest import Manifest, compare, read_manifest
from lake import failpoints
from lake.deliveries import SHOWN_ZONE, DeliveredFile, Delivery, DeliveryStatus, delivery_id
from lake.entries import Entry
from lake.folders import KnownFolder, known_folders, remember
from lake.landing import Landing
from lake.leases import Lease
from lake.ledger import Ledger, rebuild
from lake.settings import Settings

TICK_SECONDS = 1.0
"""What has changed since may change once more within a tick of the file system's clock."""

PROBLEMS_TOLD = 20
"""How many problems of one delivery the reason tells; the rest is counted."""


class Outcome(StrEnum):
    """What became of a folder in this call."""

    LANDED = "landed"
    ALREADY = "already"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class DeliverRow:
    """
    One folder of the inbox and what became of it.

    Nothing but `folder`, `outcome` and `reason` is known of what cannot be a delivery. `status`
    is where the delivery stands in the ledger.
    """

    folder: str
    outcome: Outcome
    reason: str | None = None
    dataset: str | None = None
    business_date: date | None = None
    delivery_id: str | None = None
    revision: int | None = None
    status: DeliveryStatus | None = None
    files: int = 0
    bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The row for JSON."""
        return {
            "folder": self.folder,
            "dataset": self.dataset,
            "delivery_id": self.delivery_id,
            "business_date": self.business_date.isoformat() if self.business_date else None,
            "revision": self.revision,
            "outcome": self.outcome.value,
            "status": self.status.value if self.status else None,
            "reason": self.reason,
            "files": self.files,
            "bytes": self.bytes,
        }


class Door:
    """Where deliveries come in: judges a folder as a whole, then lands and records it."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        ledger: Ledger,
        landing: Landing,
        lease: Lease,
        clock: Callable[[], datetime],
    ) -> None:
        self._settle_seconds = settings.settle_seconds
        # Only Spark reads a file in parts, and the pass that finds them takes as long as reading.
        self._splits = settings.engine == "spark"
        self._catalog = catalog
        self._ledger = ledger
        self._landing = landing
        self._lease = lease
        self._clock = clock
        self._restored: set[str] = set()
        self._known = known_folders(ledger.state_engine)
        self._read: dict[str, tuple[str, str]] = {}
        self._named: dict[str, list[Contract]] = {}
        for contract in catalog.sources():
            for name in (contract.id, contract.dataset):
                self._named.setdefault(name, []).append(contract)

    def receive(self, found: DeliveryFolder) -> DeliverRow:
        """Land the delivery in the folder, or say why not."""
        row = DeliverRow(found.place, Outcome.INCOMPLETE)
        if found.problem is not None:
            return replace(row, outcome=Outcome.REFUSED, reason=found.problem)
        if found.business_date is None:
            return replace(row, reason="the folder is still being sent, as its name says")
        try:
            contract, mode = self._contract(found)
        except DeliveryRefused as refusal:
            return replace(row, outcome=Outcome.REFUSED, reason=str(refusal))
        row = replace(row, dataset=contract.id, business_date=found.business_date)
        try:
            listing = inbox.list_folder(found.path)
            row = replace(
                row,
                files=len(listing.files),
                bytes=sum(size for size, _ in listing.files.values()),
            )
            if reason := self._incomplete(listing):
                return replace(row, reason=reason)
            content = _content(found, contract, mode, listing)
            known = self._known.get(found.place)
            if known is not None and known.content == content:
                return _already(row, known)
            files = [self._landing.put(found.path / name) for name in listing.files]
            problems, said, files = _judge(found, contract, listing, files)
            id_ = delivery_id(contract.id, found.business_date, mode, (f.sha256 for f in files))
            if not problems and self._splits:
                files = self._with_splits(contract, found, files, self._ledger.find(id_))
            if inbox.list_folder(found.path) != listing:
                return replace(row, reason="the folder changed while it was read")
        except FileNotFoundError:
            return replace(row, reason="the folder changed while it was read")
        except OSError as error:
            reason = f"{shown(str(error.filename))} cannot be read ({error.strerror})"
            return replace(
                row, outcome=Outcome.REFUSED, reason=f"{reason}; give access and send it again"
            )
        delivery = Delivery(
            id_,
            contract.id,
            found.department,
            found.business_date,
            0,
            mode,
            tuple(files),
            self._clock(),
        )
        self._restore(contract.id)
        row = replace(row, delivery_id=delivery.delivery_id)
        if problems:
            return self._refuse(row, delivery, _listed(problems))
        taken = self._take(row, delivery, said.revision if said else None, found.revision)
        if time.time() - listing.touched_at > TICK_SECONDS:
            self._read[found.place] = (content, delivery.delivery_id)
        return taken

    def remember(self) -> None:
        """Let nobody read again what was read here."""
        remember(self._ledger.state_engine, self._read)

    def land_edition(self, contract: Contract) -> Delivery:
        """Land the site's own edition of a code table in the name of its provider."""
        source = contract.source
        if source is None or source.edition is None:
            raise UsageError(f"{contract.id} has no edition of the site's own")
        self._restore(contract.id)
        file = self._landing.put(self._catalog.code_table_file(contract).resolve())
        delivery = Delivery(
            delivery_id(contract.id, source.edition, source.mode, [file.sha256]),
            contract.id,
            contract.provider,
            source.edition,
            0,
            source.mode,
            (file,),
            self._clock(),
        )
        return self._accept(delivery, 1)

    def _contract(self, found: DeliveryFolder) -> tuple[Contract, Mode]:
        """The contract that the folder's name means, by id or by its second part alone."""
        named = self._named.get(found.dataset, [])
        own = [c for c in named if c.provider == found.department]
        if len(named) > 1 and len(own) != 1:
            ids = ", ".join(c.id for c in named)
            raise DeliveryRefused(
                f"{found.dataset!r} may be {ids}", remedy="name the folder by the whole id"
            )
        if named:
            contract = (own or named)[0]
            if contract.source is not None:
                return contract, contract.source.mode
        if found.dataset in self._catalog.contracts:
            raise DeliveryRefused(
                f"{found.dataset} is made by the platform and delivered by nobody",
                remedy="deliver its sources",
            )
        near = difflib.get_close_matches(found.dataset, self._named)
        raise DeliveryRefused(
            str(ContractNotFound(shown(found.dataset), near)),
            remedy="name the folder for its contract and send it again",
        )

    def _with_splits(
        self,
        contract: Contract,
        found: DeliveryFolder,
        files: Sequence[DeliveredFile],
        entry: Entry | None,
    ) -> list[DeliveredFile]:
        """The files, each with where executors may part it; what is known is not sought again."""
        if entry is not None and entry.delivery.revision > 0:
            known = {file.sha256: file.split for file in entry.delivery.files}
            return [replace(file, split=known[file.sha256]) for file in files]
        # Readers bring Arrow along, which takes longer to import than an inbox to look at.
        from lake.readers import Reading, find_split

        reading = Reading.of(contract)
        return [replace(f, split=find_split(reading, found.path / f.name)) for f in files]

    def _incomplete(self, listing: Listing) -> str | None:
        if listing.is_empty:
            return "nothing lies in it yet"
        if listing.unfinished:
            return f"{shown(listing.unfinished[0])} is still being sent, as its name says"
        lain = self._clock().timestamp() - listing.changed_at
        if not listing.markers and lain < self._settle_seconds:
            return (
                f"changed {max(lain, 0):.0f} s ago, and neither {MANIFEST} nor {DONE} is there; "
                f"it counts as whole after {self._settle_seconds} s without change"
            )
        return None

    def _restore(self, dataset: str) -> None:
        """Enter what was recorded and not entered, after a crash in between: it has its place."""
        if dataset not in self._restored:
            rebuild(self._ledger, self._landing, dataset)
            self._restored.add(dataset)

    def _take(
        self, row: DeliverRow, delivery: Delivery, said: int | None, by_folder: int
    ) -> DeliverRow:
        entry = self._ledger.find(delivery.delivery_id)
        if entry is not None and _is_taken(entry, delivery):
            return _already(row, entry)
        landed = self._accept(delivery, said or by_folder)
        status = DeliveryStatus.LANDED
        return replace(row, outcome=Outcome.LANDED, revision=landed.revision, status=status)

    def _accept(self, delivery: Delivery, claimed: int) -> Delivery:
        """Give the delivery its place among those of its date, record it, enter it."""
        taken = self._ledger.revisions(delivery.dataset, delivery.business_date)
        revision = claimed if claimed not in taken else max(taken) + 1
        failpoints.reach("landed")
        self._lease.check()
        standing = self._landing.write_delivery(replace(delivery, revision=revision))
        failpoints.reach("recorded")
        # The record keeps what was said first; a corrected manifest speaks in the ledger.
        landed = replace(standing, files=delivery.files)
        self._ledger.record(landed, DeliveryStatus.LANDED)
        return landed

    def _refuse(self, row: DeliverRow, delivery: Delivery, reason: str) -> DeliverRow:
        entry = self._ledger.find(delivery.delivery_id)
        row = replace(row, outcome=Outcome.REFUSED, status=DeliveryStatus.REFUSED, reason=reason)
        if entry is not None and entry.status is not DeliveryStatus.REFUSED:
            return replace(
                row,
                status=entry.status,
                revision=entry.delivery.revision,
                reason=f"{reason} (the same files came before and are {entry.status}: that stands)",
            )
        self._lease.check()
        self._ledger.record(delivery, DeliveryStatus.REFUSED, reason)
        return row


def _content(found: DeliveryFolder, contract: Contract, mode: Mode, listing: Listing) -> str:
    """All that the delivery of a folder follows from, but for the bytes of its files."""
    told = (found.department, found.business_date, found.revision, contract.id, contract.provider)
    return hashlib.sha256(f"{told} {mode} {listing.content}".encode()).hexdigest()


def _already(row: DeliverRow, known: Entry | KnownFolder) -> DeliverRow:
    delivery = known.delivery if isinstance(known, Entry) else known
    day = delivery.received_at.astimezone(SHOWN_ZONE).date()
    return replace(
        row,
        outcome=Outcome.ALREADY,
        reason=f"already received on {day}",
        delivery_id=delivery.delivery_id,
        revision=delivery.revision,
        status=known.status,
    )


def _judge(
    found: DeliveryFolder, contract: Contract, listing: Listing, files: Sequence[DeliveredFile]
) -> tuple[list[str], Manifest | None, list[DeliveredFile]]:
    """What is wrong with the folder, what its manifest says, and the files with what it says."""
    problems = []
    if found.department != contract.provider:
        problems.append(
            f"{shown(found.department)!r} delivers {contract.id}, which {contract.provider!r} "
            f"provides; it belongs under {contract.provider}/"
        )
    problems += [
        f"{shown(name)}: a folder, a link or a device; lay plain files directly into the folder"
        for name in listing.strange
    ]
    problems += [
        f"{shown(file.name)!r}: no plain file name; rename it and send it again"
        for file in files
        if not is_plain_name(file.name)
    ]
    if not files:
        problems.append("there is no file to load; send the files too")
    said = None
    if MANIFEST in listing.markers:
        try:
            said = read_manifest(found.path / MANIFEST)
        except DeliveryRefused as refusal:
            problems.append(str(refusal))
    rows: dict[str, int | None] = {}
    if said is not None and found.business_date is not None:
        problems += compare(said, contract, found.business_date, files)
        rows = {file.name: file.rows for file in said.files}
    files = [replace(f, name=shown(f.name), rows=rows.get(f.name)) for f in files]
    return problems, said, files


def _listed(problems: Sequence[str]) -> str:
    told = "; ".join(problems[:PROBLEMS_TOLD])
    more = len(problems) - PROBLEMS_TOLD
    return f"{told}; and {more} more" if more > 0 else told


def _is_taken(entry: Entry, delivery: Delivery) -> bool:
    """Whether the delivery needs no taking: the ledger has it, and the same was said of it."""
    if entry.status is not DeliveryStatus.REFUSED:
        return True
    if entry.delivery.revision == 0:
        return False
    return _said(entry.delivery.files) == _said(delivery.files)


def _said(files: Iterable[DeliveredFile]) -> list[tuple[str, int | None]]:
    return sorted(((f.sha256, f.rows) for f in files), key=repr)
