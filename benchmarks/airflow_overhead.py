"""
What orchestration costs: days of a hundred datasets by hand (`redcliff deliver`, `redcliff run`)
and by themselves under Airflow, on the embedded engine, one pair after the other.

    .venv/bin/python -m benchmarks.airflow_overhead --rows 2000 --days 3

Under Airflow the clock runs from the moment at which the last delivery lies in the inbox until all
is settled and no run is left; overhead is the part of that time which the day by hand did not need.
CPU seconds are those of all processes: servers, tasks and `redcliff`. While one works by hand,
Airflow is stopped in its tracks. Both end in the same tables, which is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from catalog.catalog import Catalog
from catalog.vocabulary import Theme
from jobs.stack.record import running, stack_folder
from lake.deliveries import DeliveryStatus
from tests.stack.conftest import REPOSITORY
from tests.stack.scheduled import DAYS, Scheduled, current, make_scheduled

DATASETS = 100
LOOK_SECONDS = 30
"""How often the DAG file is read: as `redcliff up` has it."""
GUIDE = REPOSITORY / "docs/cookbooks/add_a_dataset.md"
HEADER = "发放流水号,姓名,身份证号,发放日期,发放金额"


def main() -> None:
    """Measure as the command line says, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=2000, help="of each dataset added, a day")
    parser.add_argument("--scale", type=float, default=0.002, help="of the city")
    parser.add_argument("--days", type=int, default=3, choices=(1, 2, 3))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        document = measure(Path(folder), asked.rows, asked.scale, asked.days)
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def measure(base: Path, rows: int, scale: float, days: int) -> dict[str, Any]:
    """Pairs of days by hand and under Airflow; which comes first alternates."""
    made = make_scheduled(base, Catalog.load(REPOSITORY), "local", scale, LOOK_SECONDS)
    _widen(made, rows)
    pairs = []
    try:
        made.redcliff("up", "--with", "airflow")
        made.until(lambda: made.dags() or made.import_errors(), 120)
        assert not made.import_errors()
        _warm_up(made)
        for number in range(days):
            ways = [_scheduled_day, _day_by_hand]
            told: dict[str, Any] = {"day": str(DAYS[number])}
            for way in reversed(ways) if number % 2 else ways:
                told |= way(made, number)
            told["overhead"] = round(1 - told["by_hand"]["wall"] / told["airflow"]["wall"], 3)
            # What comes while the first wave is landed is a wave of its own.
            assert current(made.rows(made.home)) == current(made.rows(made.twin))
            sys.stderr.write(f"{told}\n")
            pairs.append(told)
    finally:
        made.stop()
    return {"datasets": DATASETS, "rows": rows, "scale": scale, "pairs": pairs}


def _warm_up(made: Scheduled) -> None:
    """One task with nothing to do: the first one after its start keeps the API server waiting."""
    made.ask("/api/v2/dags/deliveries__court/dagRuns", {"logical_date": None})
    made.until(lambda: not made.runs("queued", "running"))
    # It lands the site's own code tables: they come first in both homes.
    made.redcliff("run", home=made.twin)


def _widen(made: Scheduled, rows: int) -> None:
    """As many datasets more as are lacking to a hundred, spread over the departments."""
    catalog = Catalog.load(made.site)
    sources = list(catalog.sources())
    providers = sorted({c.provider for c in sources if c.theme is not Theme.REFERENCE})
    text = GUIDE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    dice = random.Random(1)
    for n in range(DATASETS - len(sources)):
        provider, name = providers[n % len(providers)], f"allowance_{n:03}"
        contract = text.replace("old_age_allowance", name).replace("/000099", f"/00{n + 1000}")
        contract = contract.replace("name: civil_affairs", f"name: {provider}")
        contract = contract.replace("@civil_affairs", f"@{provider}")
        (made.site / f"schemas/benefit/{name}.odcs.yaml").write_text(contract, encoding="utf-8")
        for number, day in enumerate(DAYS[:3]):
            folder = made.city / "inbox" / provider / f"benefit.{name}" / str(day)
            folder.mkdir(parents=True)
            lines = [
                f"GL{n:03}-{number}-{i:07},甲{i % 977},,{day},{dice.randrange(1, 99999) / 100}"
                for i in range(rows)
            ]
            content = "\n".join([HEADER, *lines, ""])
            (folder / "a.csv").write_text(content, encoding="gb18030")
            (folder / "_DONE").touch()


def _scheduled_day(made: Scheduled, number: int) -> dict[str, Any]:
    """A day under Airflow: seconds until all is settled, CPU seconds, and where they went."""
    runs_before = {_key(run) for run in made.runs()}
    records_before = len(made.ledger.runs())
    settled_before = made.statuses().count(DeliveryStatus.SETTLED)
    cpu_before = _cpu_of_stack(made)
    made.drop(DAYS[number], homes=(made.home,))
    expected = settled_before + len(list((made.city / "inbox").glob(f"*/*/{DAYS[number]}")))
    laid_down = datetime.now().astimezone()
    begun = time.monotonic()

    def ended() -> bool:
        statuses = made.statuses()
        idle = not [r for r in made.runs("queued", "running") if r["dag_id"] != "releases"]
        settled = statuses.count(DeliveryStatus.SETTLED) >= expected
        return idle and settled and DeliveryStatus.LANDED not in statuses

    while True:
        made.until(ended)
        wall, cpu = time.monotonic() - begun, _cpu_of_stack(made) - cpu_before
        # An event becomes a run at the scheduler's next look.
        time.sleep(4)
        if ended():
            break
    runs = [run for run in made.runs() if _key(run) not in runs_before]
    records = made.ledger.runs()
    records = records[: len(records) - records_before]
    events = [(run["dag_id"], run["start_date"], run["end_date"]) for run in runs]
    events += [
        (f"redcliff run {run.record['selection']['theme'] or ''}", run.started_at, run.ended_at)
        for run in records
        if run.record
    ]
    timeline = [
        {"what": what, "from": _since(laid_down, start), "to": _since(laid_down, end)}
        for what, start, end in events
    ]
    return {
        "airflow": {
            "wall": round(wall, 1),
            "cpu": round(cpu, 1),
            "task_processes": len(runs),
            "redcliff_runs": len(records),
            "timeline": sorted(timeline, key=lambda one: one["from"]),
        }
    }


def _day_by_hand(made: Scheduled, number: int) -> dict[str, Any]:
    """The same day in the twin: seconds and CPU seconds of `deliver` and `run`."""
    made.drop(DAYS[number], homes=(made.twin,))
    with _stopped(made):
        cpu_before, begun = _cpu_of_children(), time.monotonic()
        made.by_hand(DAYS[number])
        wall, cpu = time.monotonic() - begun, _cpu_of_children() - cpu_before
    return {"by_hand": {"wall": round(wall, 1), "cpu": round(cpu, 1)}}


def _processes(made: Scheduled) -> list[psutil.Process]:
    """The supervisor of the stack and all that it has started."""
    record = running(stack_folder(made.home))
    assert record is not None
    supervisor = psutil.Process(record.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def _cpu_of_stack(made: Scheduled) -> float:
    """CPU seconds of all processes that live, and of those that they have seen end."""
    total = 0.0
    for process in _processes(made):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _stopped(made: Scheduled) -> Iterator[None]:
    """No process of the stack takes a step meanwhile."""
    processes = _processes(made)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


def _key(run: dict[str, Any]) -> tuple[str, str]:
    return run["dag_id"], run["dag_run_id"]


def _since(moment: datetime, told: Any) -> float | None:
    if told is None:
        return None
    then = told if isinstance(told, datetime) else datetime.fromisoformat(told)
    return round((then - moment).total_seconds(), 1)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
