"""
Reports as tables for people; Chinese counts as two columns wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from lake.deliveries import SHOWN_ZONE

if TYPE_CHECKING:
    from jobs.deliver import DeliverReport
    from jobs.demo import DemoReport
    from jobs.doctor import Check
    from jobs.refresh import Refreshed
    from jobs.run import RunReport
    from jobs.stack.record import Standing
    from jobs.status import StatusReport
    from lake.engine import Answer
    from lake.ledger import Run

SHOWN_IDS = 12
"""How much of a delivery id is shown: enough to tell deliveries apart by eye."""

COUNTED = ("received", "accepted", "quarantined", "duplicates")
STANDS = ("settled", "landed", "held", "refused")


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A plain table; columns of numbers stand to the right."""
    listed = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        numeric = any(isinstance(row[place], int | float | Decimal) for row in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(shown(value)) for value in row))
    return table


def shown(value: Any) -> str:
    """One value as people read it: numbers with separators, absence as a dot."""
    if value is None:
        return "·"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list):
        return ", ".join(shown(one) for one in value)
    return str(value)


def demo_table(report: DemoReport) -> Table:
    """One row per dataset: what became of its deliveries, and its table."""
    counts: dict[str, list[Any]] = {}
    for entry in report.deliveries:
        row = counts.setdefault(entry.delivery.dataset, [0, 0, 0, 0, 0.0])
        if entry.counts is not None:
            for place, name in enumerate(COUNTED):
                row[place] += getattr(entry.counts, name)
        row[4] += entry.seconds or 0.0
    rows = []
    for name, at in report.tables.items():
        layer, _, folder = name.partition(".")
        dataset = folder.replace("__", ".", 1)
        if layer == "curated" and dataset in counts:
            *numbers, seconds = counts[dataset]
            rows.append((dataset, *numbers, name, at["rows"], at["version"], seconds))
        elif layer == "thematic":
            seconds = report.models.get(dataset)
            rows.append((dataset, *[None] * 4, name, at["rows"], at["version"], seconds))
    columns = ("dataset", *COUNTED, "table", "rows", "version", "seconds")
    return table_of(columns, rows)


def deliveries_table(documents: Iterable[Mapping[str, Any]]) -> Table:
    """One row per delivery, from its JSON form."""
    columns = ("dataset", "business_date", "status", *COUNTED, "deleted")
    rows = [(*(one[name] for name in columns), one["delivery_id"][:SHOWN_IDS]) for one in documents]
    return table_of((*columns, "delivery_id"), rows)


def models_table(report: RunReport) -> Table:
    """One row per model; `computed` is what of its rows had to be."""
    rows = [(m.dataset, _computed(m), m.upserted, m.deleted, m.seconds) for m in report.models]
    return table_of(("model", "computed", "upserted", "deleted", "seconds"), rows)


def _computed(refreshed: Refreshed) -> str:
    if not refreshed.read:
        return "nothing"
    return "what changed" if refreshed.is_partial else "all"


def deliver_table(report: DeliverReport) -> Table:
    """One row per folder of the inbox."""
    rows = [
        (row.folder, row.outcome.value, row.files, row.bytes, (row.delivery_id or "")[:SHOWN_IDS])
        for row in report.rows
    ]
    return table_of(("folder", "outcome", "files", "bytes", "delivery_id"), rows)


def status_table(report: StatusReport) -> Table:
    """One row per dataset; its main table is the one without a part of its own."""
    rows = []
    for one in report.datasets:
        main = [t for t in one.tables if t.count("__") == 1 and not t.startswith("raw.")]
        at = one.tables[main[0]] if main else {"rows": None, "version": None}
        last = one.last.delivery.business_date.isoformat() if one.last else None
        numbers = [one.deliveries[name] for name in STANDS]
        rows.append((one.dataset, one.business_name, last, *numbers, at["rows"], at["version"]))
    return table_of(("dataset", "name", "settled up to", *STANDS, "rows", "version"), rows)


def run_lines(runs: Iterable[Run]) -> list[str]:
    """A line for each run: when it started, how it ended, what it did."""
    lines = []
    for one in runs:
        done = one.record or {"deliveries": (), "models": ()}
        numbers = f"{len(done['deliveries'])} deliveries, {len(done['models'])} models"
        started = one.started_at.astimezone(SHOWN_ZONE)
        ended = one.outcome or "at work, or killed"
        lines.append(f"run {one.run_id} of {started:%Y-%m-%d %H:%M}: {ended}, {numbers}")
    return lines


def services_table(services: Iterable[Standing]) -> Table:
    """One row per server of the stack."""
    rows = [
        (
            one.name,
            one.state.value,
            str(one.pid) if one.pid else None,
            " ".join(str(port) for port in one.ports.values()),
            one.restarts,
            one.seconds,
            one.reason or "",
        )
        for one in services
    ]
    return table_of(
        ("server", "", "process", "ports", "restarts", "seconds", "what is wrong"), rows
    )


def checks_table(checks: Iterable[Check]) -> Table:
    """One row per check, and what mends it."""
    rows = [(one.name, "ok" if one.ok else "missing", one.found, one.mend or "") for one in checks]
    return table_of(("check", "", "found", "to mend it, run"), rows)


def rows_table(given: Answer, limit: int) -> tuple[Table, int]:
    """The first `limit` rows of an answer, and how many there are."""
    from jobs.export import values

    rows: list[tuple[Any, ...]] = []
    count = 0
    for batch in given.batches:
        count += batch.num_rows
        shown_of_it = batch.slice(0, max(0, limit - len(rows)))
        rows += zip(*map(values, shown_of_it.columns), strict=True)
    return table_of(given.schema.names, rows), count
