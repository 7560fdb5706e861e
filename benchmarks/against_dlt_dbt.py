"""
What a delivered row costs by redcliff and by dlt with dbt-duckdb, on one city, turn by turn.

    python3 -m venv .venv/peer
    .venv/peer/bin/pip install -r benchmarks/peers/dlt_dbt_requirements.txt
    .venv/bin/python -m benchmarks.against_dlt_dbt --peer .venv/peer/bin/python --pairs 3

Each pair runs two days by either, in new folders; who begins alternates. The peer does less, as
`benchmarks/peers/dlt_dbt.py` says. Seconds are those of whole processes, memory is the largest of
any. redcliff lands, loads and refreshes all models; `models` is their part of its seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from catalog.dialect import type_of
from catalog.naming import folder_name
from jobs.city import generate
from jobs.demo import FIRST_DAY
from jobs.progress import SilentProgress
from lake.readers import Reading

REPOSITORY = Path(__file__).parents[1]
PEER = Path(__file__).parent / "peers/dlt_dbt.py"
DAYS = [str(FIRST_DAY + timedelta(n)) for n in range(2)]

Measured = dict[str, float]


def main() -> None:
    """Measure as the command line says, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--peer", required=True, help="the Python of the peer's environment")
    parser.add_argument("--scale", type=float, default=1, help="of the city")
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="against-") as folder:
        document = measure(Path(folder), Path(asked.peer), asked.scale, asked.pairs)
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def measure(base: Path, peer: Path, scale: float, pairs: int) -> dict[str, Any]:
    """The medians of each day and way, and of the ratios within the pairs."""
    catalog = Catalog.load(REPOSITORY)
    city = base / "city"
    generate(catalog, city, scale=scale, days=2, seed=1, start=FIRST_DAY, progress=SilentProgress())
    inbox, plan = city / "inbox", base / "plan.json"
    plan.write_text(json.dumps({"datasets": _datasets(catalog, inbox)}), encoding="utf-8")
    ways: dict[str, Callable[[Path], list[Measured]]] = {
        "redcliff": lambda home: _redcliff(home, inbox),
        "peer": lambda folder: _peer(folder, plan, peer),
    }
    found = []
    for number in range(pairs):
        pair: dict[str, list[Measured]] = {}
        for way in reversed(ways) if number % 2 else ways:
            pair[way] = ways[way](base / way)
            shutil.rmtree(base / way)
        sys.stderr.write(f"{pair}\n")
        found.append(pair)
    return {"scale": scale, "days": [_told(found, n) for n in range(len(DAYS))]}


def _told(found: list[dict[str, list[Measured]]], day: int) -> dict[str, Any]:
    rows = found[0]["redcliff"][day]["rows"]
    told: dict[str, Any] = {}
    for way in ("redcliff", "peer"):
        days = [pair[way][day] for pair in found]
        told[way] = {key: round(statistics.median(d[key] for d in days), 2) for key in days[0]}
        told[way]["µs a row"] = round(told[way]["seconds"] / rows * 1e6, 1)
    for key in ("seconds", "cpu", "mib"):
        ratios = [pair["redcliff"][day][key] / pair["peer"][day][key] for pair in found]
        told[f"{key}, redcliff to peer"] = [round(r, 2) for r in sorted(ratios)]
    return told


def _redcliff(home: Path, inbox: Path) -> list[Measured]:
    days = []
    environ = os.environ | {"REDCLIFF_HOME": str(home), "REDCLIFF_SITE": str(REPOSITORY)}
    command = [str(Path(sys.executable).with_name("redcliff"))]
    for day in DAYS:
        mine = home.with_name("inbox")
        for delivered in inbox.glob(f"*/*/{day}"):
            shutil.copytree(delivered, mine / delivered.relative_to(inbox), copy_function=os.link)
        parts = [
            _timed([*command, *words], environ)
            for words in (
                ["deliver", str(mine)],
                ["run", "--only", "loads", "--date", day],
                ["run", "--only", "models", "--date", day],
            )
        ]
        status = subprocess.run(
            [*command, "status", "--json"], env=environ, check=True, capture_output=True
        )
        last = [dataset["last"] for dataset in json.loads(status.stdout)["datasets"]]
        shutil.rmtree(mine)
        days.append(
            {
                "seconds": sum(p["seconds"] for p in parts),
                "models": parts[2]["seconds"],
                "cpu": sum(p["cpu"] for p in parts),
                "mib": max(p["mib"] for p in parts),
                "rows": sum(d["received"] for d in last if d and d["business_date"] == day),
            }
        )
    return days


def _peer(folder: Path, plan: Path, peer: Path) -> list[Measured]:
    folder.mkdir()
    return [
        _timed([str(peer), str(PEER), str(plan), str(folder), day], dict(os.environ))
        for day in DAYS
    ]


def _timed(command: list[str], environ: dict[str, str]) -> Measured:
    started = time.monotonic()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return {
        "seconds": time.monotonic() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
    }


# --- what the peer is told -------------------------------------------------------------------


def _datasets(catalog: Catalog, inbox: Path) -> list[dict[str, Any]]:
    found = []
    for name, contract in sorted(catalog.contracts.items()):
        if contract.source is None:
            continue
        reading = Reading.of(contract)
        found.append(
            {
                "table": folder_name(name),
                "mode": contract.source.mode.value,
                "format": reading.format.value,
                "encoding": reading.encoding,
                "key": contract.key,
                "delivered": [
                    {
                        "name": field.name,
                        "headers": field.headers,
                        "type": type_of(contract.column(field.name).type).sql("duckdb"),
                    }
                    for field in reading.fields
                ],
                "files": {
                    day: [
                        str(file)
                        for folder in sorted(inbox.glob(f"*/{name}/{day}"))
                        for file in sorted(folder.iterdir())
                        if file.name not in ("manifest.json", "_DONE")
                    ]
                    for day in DAYS
                },
            }
        )
    return found


if __name__ == "__main__":
    main()
