"""
The ledger (台账): every delivery, where it stands, and what became of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from catalog.errors import LedgerBroken, UsageError
from catalog.vocabulary import Theme
from lake.deliveries import Counts, Delivery, DeliveryStatus, Plan, utc_now
from lake.entries import Entry, delivery_of, delivery_row, entry_of, find_entry, known_entry, move
from lake.landing import Landing
from lake.state import decisions, deliveries, plans, reading, refreshes, runs, writing


@dataclass(frozen=True)
class Run:
    """One call of `redcliff run`; `outcome` is None while it runs, and after a crash."""

    run_id: int
    run_date: date | None
    dataset: str | None
    engine: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    record: Mapping[str, Any] | None


class Verdict(StrEnum):
    """What an officer decides about a held delivery."""

    RELEASED = "released"
    KEPT = "kept"


@dataclass(frozen=True)
class Decision:
    """An officer's decision on a held delivery, of record."""

    delivery_id: str
    verdict: Verdict
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Computed:
    """
    From what a thematic table was computed: the digest of its definition, the versions of its
    inputs by name. `version` is the table's own behind it.
    """

    definition: str
    inputs: Mapping[str, int]
    version: int


class Ledger:
    """The ledger in the state store; every method is one transaction."""

    def __init__(self, state_engine: sa.Engine) -> None:
        self.state_engine = state_engine

    def record(self, delivery: Delivery, status: DeliveryStatus, reason: str | None = None) -> None:
        """
        Enter a delivery as landed or refused.

        What is known already stays as it is, except that a refused delivery may be refused for
        another reason, or come again in a form that can be taken.
        """
        with writing(self.state_engine) as connection:
            known = find_entry(connection, delivery.delivery_id)
            if known is None:
                row = delivery_row(delivery) | {
                    "status": status.value,
                    "reason": reason,
                    "released": False,
                }
                connection.execute(deliveries.insert().values(row))
            elif status is DeliveryStatus.REFUSED:
                move(connection, known, status, {"reason": reason})
            elif known.status is DeliveryStatus.REFUSED:
                _forget_plan(connection, delivery.delivery_id)
                values = delivery_row(delivery) | {"reason": None, "released": False}
                move(connection, known, status, values)

    def restore(self, delivery: Delivery, receipt: Mapping[str, Any] | None) -> None:
        """Enter a delivery from landing's record, settled when there is a receipt."""
        row = delivery_row(delivery) | {"status": DeliveryStatus.LANDED.value, "reason": None}
        plan = None if receipt is None else Plan.of(receipt["plan"])
        if receipt is not None and plan is not None:
            row |= {
                "status": DeliveryStatus.SETTLED.value,
                "contract_hash": plan.contract_hash,
                "counts": plan.counts.document(),
                "versions": receipt["versions"],
            }
        with writing(self.state_engine) as connection:
            if find_entry(connection, delivery.delivery_id) is None:
                connection.execute(deliveries.insert().values(row | {"released": False}))
            else:
                connection.execute(
                    deliveries.update()
                    .where(deliveries.c.delivery_id == delivery.delivery_id)
                    .values(row)
                )
            if plan is not None:
                _keep_plan(connection, plan)

    def find(self, delivery_id: str) -> Entry | None:
        """The entry of a delivery, or None when the ledger does not know it."""
        with reading(self.state_engine) as connection:
            return find_entry(connection, delivery_id)

    def entry(self, delivery_id: str) -> Entry:
        """The entry of a delivery; `UsageError` when the ledger does not know it."""
        with reading(self.state_engine) as connection:
            return known_entry(connection, delivery_id)

    def entries(self, dataset: str | None = None) -> list[Entry]:
        """All entries, or those of one dataset, by business date, dataset and revision."""
        query = sa.select(deliveries).order_by(
            deliveries.c.business_date,
            deliveries.c.dataset,
            deliveries.c.revision,
            deliveries.c.delivery_id,
        )
        if dataset is not None:
            query = query.where(deliveries.c.dataset == dataset)
        with reading(self.state_engine) as connection:
            return [entry_of(row) for row in connection.execute(query)]

    def pending(self, through: date | None = None) -> list[Delivery]:
        """
        What a run has to take up: landed deliveries with a business date up to `through`.

        In the order in which they are applied: by business date, code tables first because
        others are judged by them, then by dataset and revision.
        """
        query = sa.select(deliveries).where(deliveries.c.status == DeliveryStatus.LANDED.value)
        if through is not None:
            query = query.where(deliveries.c.business_date <= through)
        query = query.order_by(
            deliveries.c.business_date,
            sa.case((deliveries.c.dataset.startswith(f"{Theme.REFERENCE}."), 0), else_=1),
            deliveries.c.dataset,
            deliveries.c.revision,
        )
        with reading(self.state_engine) as connection:
            return [delivery_of(row) for row in connection.execute(query)]

    def revisions(self, dataset: str, business_date: date) -> set[int]:
        """The revisions that the deliveries of this dataset and date have."""
        query = (
            sa.select(deliveries.c.revision)
            .where(deliveries.c.dataset == dataset)
            .where(deliveries.c.business_date == business_date)
        )
        with reading(self.state_engine) as connection:
            return set(connection.execute(query).scalars())

    def settled(self, dataset: str) -> list[Delivery]:
        """The settled deliveries of a dataset in business order."""
        query = (
            sa.select(deliveries)
            .where(deliveries.c.dataset == dataset)
            .where(deliveries.c.status == DeliveryStatus.SETTLED.value)
            .order_by(deliveries.c.business_date, deliveries.c.revision)
        )
        with reading(self.state_engine) as connection:
            return [delivery_of(row) for row in connection.execute(query)]

    def settle(
        self,
        delivery_id: str,
        counts: Counts,
        versions: Mapping[str, int],
        seconds: float,
    ) -> None:
        """
        Close a landed delivery with what became of its rows.

        Ends older held deliveries of the dataset. Settling again with the same counts changes
        nothing; with other counts it is refused.
        """
        with writing(self.state_engine) as connection:
            entry = known_entry(connection, delivery_id)
            if entry.status is DeliveryStatus.SETTLED and entry.counts == counts:
                return
            plan = _find_plan(connection, delivery_id)
            values = {
                "reason": None,
                "contract_hash": plan.contract_hash if plan else None,
                "counts": counts.document(),
                "versions": dict(versions),
                "seconds": seconds,
            }
            move(connection, entry, DeliveryStatus.SETTLED, values)
            connection.execute(
                deliveries.update()
                .where(deliveries.c.dataset == entry.delivery.dataset)
                .where(deliveries.c.status == DeliveryStatus.HELD.value)
                .where(deliveries.c.ended_by.is_(None))
                .where(_before(entry.delivery))
                .values(ended_by=delivery_id)
            )

    def hold(self, delivery_id: str, reason: str, counts: Counts) -> None:
        """
        Hold a landed delivery: judged, nothing applied, until released or a newer one settles.

        One that a newer delivery has overtaken already is ended at once.
        """
        with writing(self.state_engine) as connection:
            entry = known_entry(connection, delivery_id)
            newest = _newest_settled(connection, entry.delivery.dataset)
            overtaken = newest is not None and newest.order > entry.delivery.order
            values = {
                "reason": reason,
                "counts": counts.document(),
                "ended_by": newest.delivery_id if newest and overtaken else None,
            }
            move(connection, entry, DeliveryStatus.HELD, values)

    def decide(self, delivery_id: str, verdict: Verdict, by: str) -> Delivery:
        """
        Release a held delivery, so that the next run applies it although keys vanish, or keep it
        held until a newer one comes; who decided is kept.

        `UsageError` when it is not held, or a newer delivery has ended it.
        """
        with writing(self.state_engine) as connection:
            entry = known_entry(connection, delivery_id)
            if entry.status is not DeliveryStatus.HELD:
                raise UsageError(
                    f"delivery {delivery_id} is {entry.status}, and only a held delivery can be "
                    "released; see `redcliff status`"
                )
            if entry.ended_by is not None:
                raise UsageError(
                    f"delivery {delivery_id} was ended by the newer delivery {entry.ended_by}, "
                    "which holds the truth since; there is nothing to release"
                )
            row = {
                "delivery_id": delivery_id,
                "decision": verdict.value,
                "decided_by": by,
                "decided_at": utc_now(),
            }
            connection.execute(decisions.insert().values(row))
            if verdict is Verdict.RELEASED:
                _forget_plan(connection, delivery_id)
                values = {"released": True, "reason": None, "counts": None}
                move(connection, entry, DeliveryStatus.LANDED, values)
        return entry.delivery

    def undecided(self) -> list[Entry]:
        """The held deliveries that wait for an officer: nobody has kept them, none ended them."""
        kept = sa.select(decisions.c.delivery_id).where(decisions.c.decision == Verdict.KEPT.value)
        query = (
            sa.select(deliveries)
            .where(deliveries.c.status == DeliveryStatus.HELD.value)
            .where(deliveries.c.ended_by.is_(None))
            .where(deliveries.c.delivery_id.not_in(kept))
            .order_by(deliveries.c.business_date, deliveries.c.dataset, deliveries.c.revision)
        )
        with reading(self.state_engine) as connection:
            return [entry_of(row) for row in connection.execute(query)]

    def decisions(self, delivery_id: str | None = None) -> list[Decision]:
        """What was decided about a delivery, or about all, in the order of deciding."""
        query = sa.select(decisions).order_by(decisions.c.number)
        if delivery_id is not None:
            query = query.where(decisions.c.delivery_id == delivery_id)
        with reading(self.state_engine) as connection:
            return [
                Decision(row.delivery_id, Verdict(row.decision), row.decided_by, row.decided_at)
                for row in connection.execute(query)
            ]

    def refuse(self, delivery_id: str, reason: str) -> None:
        """Refuse a landed delivery whole; `reason` says where, what, and what to do."""
        with writing(self.state_engine) as connection:
            entry = known_entry(connection, delivery_id)
            _forget_plan(connection, delivery_id)
            move(connection, entry, DeliveryStatus.REFUSED, {"reason": reason})

    def save_plan(self, plan: Plan) -> None:
        """Keep the plan of a delivery before its first commit; a kept plan is never changed."""
        with writing(self.state_engine) as connection:
            _keep_plan(connection, plan)

    def plan(self, delivery_id: str) -> Plan | None:
        """The kept plan of a delivery, or None."""
        with reading(self.state_engine) as connection:
            return _find_plan(connection, delivery_id)

    def planned(self, dataset: str) -> list[Delivery]:
        """The landed deliveries of a dataset that have a plan: being loaded, or left by a crash."""
        query = (
            sa.select(deliveries)
            .join(plans, plans.c.delivery_id == deliveries.c.delivery_id)
            .where(deliveries.c.dataset == dataset)
            .where(deliveries.c.status == DeliveryStatus.LANDED.value)
            .order_by(deliveries.c.business_date, deliveries.c.revision)
        )
        with reading(self.state_engine) as connection:
            return [delivery_of(row) for row in connection.execute(query)]

    def refreshed(self, dataset: str) -> Computed | None:
        """From what the model's table was computed last, or None."""
        query = sa.select(refreshes.c.definition, refreshes.c.inputs, refreshes.c.version)
        with reading(self.state_engine) as connection:
            row = connection.execute(query.where(refreshes.c.dataset == dataset)).one_or_none()
        return None if row is None else Computed(**row._mapping)

    def record_refresh(self, dataset: str, computed: Computed, seconds: float) -> None:
        """Keep from what the model's table was computed."""
        row = {**asdict(computed), "seconds": seconds}
        with writing(self.state_engine) as connection:
            changed = connection.execute(
                refreshes.update().where(refreshes.c.dataset == dataset).values(row)
            )
            if changed.rowcount == 0:
                connection.execute(refreshes.insert().values(row | {"dataset": dataset}))

    def start_run(self, *, run_date: date | None, dataset: str | None, engine: str) -> int:
        """Note that a run begins; the number says which."""
        row = {
            "run_date": run_date,
            "dataset": dataset,
            "engine": engine,
            "started_at": utc_now(),
        }
        with writing(self.state_engine) as connection:
            run_id: int = connection.execute(
                runs.insert().values(row).returning(runs.c.run_id)
            ).scalar_one()
        return run_id

    def end_run(self, run_id: int, outcome: str, record: Mapping[str, Any] | None = None) -> None:
        """Note how a run ended (`ended` or `failed`), and what it read and wrote."""
        with writing(self.state_engine) as connection:
            connection.execute(
                runs.update()
                .where(runs.c.run_id == run_id)
                .values(ended_at=utc_now(), outcome=outcome, record=record)
            )

    def runs(self, limit: int | None = None) -> list[Run]:
        """The runs, the newest first: so many, or all."""
        query = sa.select(runs).order_by(runs.c.run_id.desc()).limit(limit)
        with reading(self.state_engine) as connection:
            return [Run(**row._mapping) for row in connection.execute(query)]


def rebuild(ledger: Ledger, landing: Landing, dataset: str | None = None) -> list[Delivery]:
    """
    Enter every delivery that landing has on record and the ledger lacks; returns those.

    With its receipt a delivery is settled again; without, it is landed, and the next run judges
    it anew. What was refused at the door left no record and is refused again when it comes again.
    """
    placed = {
        entry.delivery.delivery_id
        for entry in ledger.entries(dataset)
        if entry.delivery.revision > 0
    }
    lost = landing.read_deliveries(dataset, skip=placed)
    for delivery in lost:
        ledger.restore(delivery, landing.receipt(delivery))
    return lost


def _find_plan(connection: sa.Connection, delivery_id: str) -> Plan | None:
    query = sa.select(plans.c.plan).where(plans.c.delivery_id == delivery_id)
    document = connection.execute(query).scalar_one_or_none()
    return None if document is None else Plan.of(document)


def _keep_plan(connection: sa.Connection, plan: Plan) -> None:
    kept = _find_plan(connection, plan.delivery_id)
    if kept is None:
        row = {"delivery_id": plan.delivery_id, "plan": plan.document()}
        connection.execute(plans.insert().values(row))
    elif kept != plan:
        raise LedgerBroken(
            f"delivery {plan.delivery_id} has another plan already, and steps of it may stand "
            "in tables; run again to follow that plan"
        )


def _forget_plan(connection: sa.Connection, delivery_id: str) -> None:
    connection.execute(plans.delete().where(plans.c.delivery_id == delivery_id))


def _newest_settled(connection: sa.Connection, dataset: str) -> Delivery | None:
    query = (
        sa.select(deliveries)
        .where(deliveries.c.dataset == dataset)
        .where(deliveries.c.status == DeliveryStatus.SETTLED.value)
        .order_by(deliveries.c.business_date.desc(), deliveries.c.revision.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else delivery_of(row)


def _before(delivery: Delivery) -> sa.ColumnElement[bool]:
    """The deliveries that stand before this one in business order."""
    day, revision = deliveries.c.business_date, deliveries.c.revision
    return sa.or_(
        day < delivery.business_date,
        sa.and_(day == delivery.business_date, revision < delivery.revision),
    )
