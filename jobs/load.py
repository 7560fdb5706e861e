"""
Loading one delivery: judge it, plan it, commit its steps, write its receipt.

Delta has no transaction over several tables. So a plan with the base version of every table is
kept before the first commit, every commit carries the delivery as a Delta transaction, and all
queries read their tables at the plan's versions: a rerun after a crash at any point computes the
same rows again and skips the steps that stand.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from catalog.contract import Contract
from catalog.errors import DeliveryRefused, LedgerBroken
from catalog.naming import folder_name
from catalog.vocabulary import Drift
from jobs.context import Context
from jobs.relations import Relations, open_workspace
from jobs.steps import LateSteps, Steps
from lake import failpoints
from lake.deliveries import Counts, Delivery, DeliveryStatus, Plan, receipt
from lake.leases import Lease
from pipelines import gates
from pipelines.difference import Outcome

HOLD_AT_LEAST = 100
"""Fewer vanished keys than this never hold a snapshot."""


@dataclass(frozen=True)
class Loaded:
    """What became of a delivery in this run; `counts` is None for a refused one."""

    delivery: Delivery
    status: DeliveryStatus
    reason: str | None
    counts: Counts | None
    seconds: float


def load(context: Context, delivery: Delivery) -> Loaded:
    """
    Load a landed delivery, or say why not: settled, held or refused, and recorded as such.

    What another process has made of it in the meantime stands. A delivery of the dataset that was
    planned before a crash comes first: its plan knows nothing of what comes after it. `LeaseLost`
    when another process writes the dataset; nothing is lost, a later run loads it.
    """
    ledger = context.ledger
    with context.leases.hold(folder_name(delivery.dataset)) as lease:
        for planned in ledger.planned(delivery.dataset):
            if planned.delivery_id != delivery.delivery_id:
                _finish(context, planned, lease)
        entry = ledger.entry(delivery.delivery_id)
        if entry.status is not DeliveryStatus.LANDED:
            return Loaded(delivery, entry.status, entry.reason, entry.counts, entry.seconds or 0.0)
        return _finish(context, delivery, lease)


def _finish(context: Context, delivery: Delivery, lease: Lease) -> Loaded:
    started = time.monotonic()
    contract = context.catalog.get(delivery.dataset)
    with open_workspace(context, delivery) as workspace:
        relations = Relations(context, contract, delivery, workspace)
        try:
            status, reason, counts = _load(relations, lease.check, started)
        except DeliveryRefused as refusal:
            lease.check()
            context.ledger.refuse(delivery.delivery_id, str(refusal))
            status, reason, counts = DeliveryStatus.REFUSED, str(refusal), None
    return Loaded(delivery, status, reason, counts, time.monotonic() - started)


def _load(
    relations: Relations, check_lease: Callable[[], None], started: float
) -> tuple[DeliveryStatus, str | None, Counts | None]:
    ledger, contract = relations.context.ledger, relations.contract
    delivery = relations.delivery
    plan = ledger.plan(delivery.delivery_id)
    relations.prepare(plan.base_versions if plan else relations.newest_versions())
    counts = _judge(relations)
    failpoints.reach("judged")
    check_lease()
    steps = _steps(relations, counts, check_lease, resumed=plan is not None)
    if plan is None:
        if reason := _reason_to_hold(relations, counts):
            nothing_done = _without_deletes(counts)
            ledger.hold(delivery.delivery_id, reason, nothing_done)
            return DeliveryStatus.HELD, reason, nothing_done
        plan = _plan(relations, counts, steps)
        ledger.save_plan(plan)
    elif plan.counts != counts:
        raise LedgerBroken(
            f"{contract.id}: delivery {delivery.delivery_id} was planned with {plan.counts}, but "
            f"now counts {counts}; its landed bytes, its contract or its base tables have changed"
        )
    failpoints.reach("planned")
    for name in steps.take():
        failpoints.reach(name)
    tables = relations.context.tables
    found = {s.table: tables.version(s.table) for s in relations.shapes()}
    versions = {table: version for table, version in found.items() if version is not None}
    check_lease()
    relations.context.landing.write_receipt(delivery, receipt(delivery, plan, versions))
    failpoints.reach("receipt")
    ledger.settle(delivery.delivery_id, counts, versions, time.monotonic() - started)
    return DeliveryStatus.SETTLED, None, counts


def _steps(
    relations: Relations, counts: Counts, check_lease: Callable[[], None], *, resumed: bool
) -> Steps:
    kind = LateSteps if relations.later else Steps
    return kind(relations, counts, check_lease, resumed=resumed)


def _plan(relations: Relations, counts: Counts, steps: Steps) -> Plan:
    return Plan(
        relations.delivery.delivery_id,
        relations.contract.content_hash,
        relations.base,
        counts,
        False,
        tuple(steps.in_order()),
    )


# --- judging ---------------------------------------------------------------------------------


def _judge(relations: Relations) -> Counts:
    """Count the outcomes; `DeliveryRefused` when a file, the row count or the drift says so."""
    outcomes: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    warned: Counter[str] = Counter()
    deletes = 0
    for row in relations.tallies():
        outcome, n = row["_outcome"], row["n"]
        if outcome is None:
            raise _refusal(relations)
        outcomes[outcome] += n
        if row["_delete"] and outcome == Outcome.APPLIED:
            deletes += n
        broken.update(dict.fromkeys(row["_broken_rules"], n))
        if outcome != Outcome.QUARANTINED:
            warned.update(dict.fromkeys(row["_warned_rules"], n))
    received = outcomes.total()
    _check_received(relations.delivery, received)
    _check_drift(relations.contract, broken)
    applied, unchanged, superseded = (
        outcomes[o] for o in (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.SUPERSEDED)
    )
    return Counts(
        received=received,
        accepted=applied + unchanged + superseded,
        quarantined=outcomes[Outcome.QUARANTINED],
        duplicates=outcomes[Outcome.DUPLICATE],
        deleted=deletes + (relations.count("vanished") if relations.has_vanished else 0),
        applied=applied,
        unchanged=unchanged,
        superseded=superseded,
        warned=dict(sorted(warned.items())),
        broken=dict(sorted(broken.items())),
    )


def _refusal(relations: Relations) -> DeliveryRefused:
    """What the reader said of the file that must be refused."""
    found = exp.select("_record").from_("classified").where("_fault = 'refused'").limit(1)
    told = json.loads(relations.workspace.rows(found)["_record"][0].as_py())
    return DeliveryRefused(**told)


def _check_received(delivery: Delivery, received: int) -> None:
    told = [f.rows for f in delivery.files if f.rows is not None]
    if len(told) == len(delivery.files) and sum(told) != received:
        raise DeliveryRefused(
            f"the manifest tells of {sum(told)} rows, but {received} were read",
            file=", ".join(f.name for f in delivery.files),
            remedy="send the complete files with a manifest that counts their records",
        )


def _check_drift(contract: Contract, broken: Mapping[str, int]) -> None:
    assert contract.source is not None
    untyped = [rule for rule in broken if rule.endswith("_type")]
    if untyped and contract.source.drift.untypable_value is Drift.REFUSE:
        raise DeliveryRefused(
            f"{broken[untyped[0]]} row(s) break {untyped[0]}",
            column=untyped[0].removesuffix("_type"),
            remedy="this dataset takes no value that its contract cannot type; mend and resend it",
        )


# --- holding ---------------------------------------------------------------------------------


def _reason_to_hold(relations: Relations, counts: Counts) -> str | None:
    delivery_id = relations.delivery.delivery_id
    if relations.context.ledger.entry(delivery_id).released:
        return None
    if relations.has_vanished and counts.deleted >= HOLD_AT_LEAST:
        before = relations.count("current")
        share = counts.deleted / before
        if share > relations.source.max_vanished:
            return (
                f"{counts.deleted} of {before} keys vanish ({share:.1%}, allowed "
                f"{relations.source.max_vanished:.1%}); if this is right, run "
                f"`redcliff release {delivery_id}`"
            )
    return _failed_gate(relations)


def _failed_gate(relations: Relations) -> str | None:
    """A table rule with `block: load`, judged on the table as it would stand."""
    rules = gates.load_blocking(relations.contract)
    if not rules:
        return None
    curated = "curated" if relations.has_curated else None
    after = gates.table_after(relations.contract, "classified", curated, relations.ended_keys())
    relations.workspace.add_query("table_after", after)
    for rule in rules:
        measure = gates.measure(relations.contract, rule, "table_after")
        row = relations.workspace.rows(measure).to_pylist()[0]
        if not gates.holds(rule, row["measured"], row["total"]):
            return (
                f"rule {rule.name} ({rule.description}) blocks the load: measured "
                f"{row['measured']}, wanted {rule.operator} {rule.operand}"
            )
    return None


def _without_deletes(counts: Counts) -> Counts:
    """The counts of a held delivery: judged, but nothing applied and nothing taken away."""
    return Counts.of(counts.document() | {"deleted": 0})
