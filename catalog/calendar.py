"""
When a delivery is due: by the contract's frequency and latency, and the calendar of working days.
"""

from __future__ import annotations

import calendar
import csv
import re
from collections.abc import Container
from datetime import date, timedelta
from pathlib import Path

from catalog.contract import Contract
from catalog.references import CODE_TABLES

FILE = CODE_TABLES / "working_day.csv"
LEVEL = re.compile(r"(\d+)([hdmy])")
DAYS = {"d": 1, "m": 30, "y": 365}


def closed_days(site: Path) -> frozenset[date]:
    """The days on which offices are closed, as the site's calendar knows them."""
    file = site / FILE
    if not file.exists():
        return frozenset()
    with file.open(encoding="utf-8-sig", newline="") as rows:
        return frozenset(
            date.fromisoformat(row["calendar_date"])
            for row in csv.DictReader(rows)
            if row["is_working_day"].strip().lower() == "false"
        )


def is_hourly(contract: Contract) -> bool:
    """Whether it comes several times a day, and so from machines: also when offices are closed."""
    return (contract.frequency or "").endswith("h")


def late_from(contract: Contract, newest: date, closed: Container[date]) -> date | None:
    """
    The first day on which the dataset is late, when `newest` is the business date that came last.

    None for a dataset whose contract names no frequency. The next business date is one period
    later, or the next working day after it; then the latency passes, in days of the calendar.
    """
    period = LEVEL.fullmatch(contract.frequency or "")
    if period is None:
        return None
    due = _later(newest, int(period[1]), period[2])
    while not is_hourly(contract) and due in closed:
        due += timedelta(days=1)
    latency = LEVEL.fullmatch(contract.latency or "1d")
    assert latency is not None
    # Business dates are days: a latency of hours passes within the next one.
    days = 1 if latency[2] == "h" else int(latency[1]) * DAYS[latency[2]]
    return due + timedelta(days=days + 1)


def _later(day: date, number: int, unit: str) -> date:
    if unit in "hd":
        return day + timedelta(days=number if unit == "d" else 1)
    months = day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = day.year + months // 12, months % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
