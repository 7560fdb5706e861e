"""A site and a home under a real Airflow, and a twin that is run by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import yaml

from catalog.catalog import Catalog
from jobs.city import generate
from jobs.profile import settle
from jobs.progress import SilentProgress
from jobs.stack.airflow import Airflow
from jobs.stack.components import load_stack
from jobs.stack.record import Standing, standing
from lake.deliveries import DeliveryStatus
from lake.ledger import Ledger
from lake.settings import Settings
from lake.state import open_state
from lake.tables import Tables
from tests.stack.conftest import MAIN, REPOSITORY, free_ports

SECRET = "a secret of the tests"
FIRST = date(2025, 3, 3)
DELIVERED = 5
DAYS = [FIRST + timedelta(days=n) for n in range(DELIVERED + 1)]
"""All but the last one have deliveries of the city."""

PATIENCE = 900.0
CONTENT = ("schemas", "conf", "pipelines/thematic", "dags")


@dataclass
class Scheduled:
    """A site and a home with Airflow up, and a twin that is run by hand."""

    site: Path
    home: Path
    city: Path
    profile: Path
    twin: Path
    token: str = field(default="", repr=False)

    def redcliff(self, *words: str, home: Path | None = None) -> Any:
        """`redcliff <words> --json` on the home with its profile, or on the twin without."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words, "--home", str(home or self.home), "--json"],
            env={**self.environ(), **({} if home else {"REDCLIFF_PROFILE": str(self.profile)})},
            cwd=self.site,
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "REDCLIFF_SITE": str(self.site),
            "REDCLIFF_SITE_SECRET": SECRET,
            # A killed task is missed sooner than it would be otherwise.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        }

    def settings(self, home: Path | None = None) -> Settings:
        """Those of the home; the twin's are the local profile's own."""
        environ = {**os.environ, "REDCLIFF_SITE": str(self.site), "REDCLIFF_SITE_SECRET": SECRET}
        if home == self.twin:
            return settle(None, home, environ)
        return settle(str(self.profile), self.home, environ)

    def stop(self) -> None:
        """Stop the servers, and ask none of them any longer."""
        if "ledger" in self.__dict__:
            self.ledger.state_engine.dispose()
        self.redcliff("down")

    # --- what lies there ------------------------------------------------------------------

    def drop(
        self, day: date, *, without: str = "", only: str = "*", homes: Sequence[Path] = ()
    ) -> None:
        """Lay down what departments deliver for a day, each whole; in the twin's inbox too."""
        for folder in sorted((self.city / "inbox").glob(f"{only}/*/{day}")):
            if folder.parents[1].name == without:
                continue
            place = folder.relative_to(self.city)
            for home in homes or (self.home, self.twin):
                aside = home / "aside"
                shutil.copytree(folder, aside)
                (home / place).parent.mkdir(parents=True, exist_ok=True)
                aside.rename(home / place)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(open_state(self.settings().state_url))

    def statuses(self) -> list[DeliveryStatus]:
        return [entry.status for entry in self.ledger.entries()]

    def tables(self, home: Path) -> Tables:
        settings = self.settings(home)
        return Tables(settings.lake, settings.store)

    def rows(self, home: Path) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables but for the moment at which they came."""
        tables = self.tables(home)
        found = {}
        for name in tables.names():
            opened = tables.open(name)
            assert opened is not None
            table = opened.to_pyarrow_table()
            kept = table.select([n for n in table.column_names if n != "_received_at"])
            found[name] = sorted(kept.to_pylist(), key=repr)
        return found

    def versions(self) -> dict[str, int | None]:
        tables = self.tables(self.home)
        return {name: tables.version(name) for name in tables.names()}

    # --- what Airflow says ----------------------------------------------------------------

    @property
    def airflow(self) -> Airflow:
        made = load_stack(self.settings(), os.environ).components["airflow"]
        assert isinstance(made, Airflow)
        return made

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Airflow's public API."""
        if not self.token and path != "/auth/token":
            password = (self.home / "stack" / "secrets" / "airflow").read_text().strip()
            login = {"username": "admin", "password": password}
            self.token = self.ask("/auth/token", login)["access_token"]
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.airflow.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self.ask("/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[Any]:
        errors: list[Any] = self.ask("/api/v2/importErrors")["import_errors"]
        return errors

    def runs(self, *states: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = []
        while True:
            path = f"/api/v2/dags/~/dagRuns?limit=100&offset={len(runs)}"
            page = self.ask(path)["dag_runs"]
            runs += page
            if len(page) < 100:
                return [run for run in runs if not states or run["state"] in states]

    def tasks(self) -> list[dict[str, Any]]:
        path = "/api/v2/dags/~/dagRuns/~/taskInstances?limit=100&order_by=-start_date"
        tasks: list[dict[str, Any]] = self.ask(path)["task_instances"]
        return tasks

    def service(self, name: str) -> Standing:
        """A server of the stack as it stands."""
        return next(one for one in standing(self.home) if one.name == name)

    def working(self, *words: str) -> psutil.Process | None:
        """A `redcliff <words> …` that a task of this scheduler has started."""
        pid = self.service("airflow-scheduler").pid
        try:
            processes = psutil.Process(pid).children(recursive=True) if pid else []
            for process in processes:
                said = process.cmdline()[1:]
                if said and Path(said[0]).name == "redcliff" and said[1:][: len(words)] == [*words]:
                    return process
        except psutil.Error:
            pass  # something ended while it was looked at
        return None

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until something is true; returns it."""
        end = time.monotonic() + seconds
        while True:
            found = true()
            if found:
                return found
            assert time.monotonic() < end, [
                (run["dag_id"], run["dag_run_id"], run["state"])
                for run in self.runs("queued", "running", "failed")
            ]
            time.sleep(1)

    def delivered(self) -> int:
        """How many deliveries lie in the twin's inbox."""
        return len(list((self.twin / "inbox").glob("*/*/*")))

    def settle(self, seconds: float = PATIENCE) -> None:
        """Wait until all that was laid down is settled, and nothing is left to do."""

        def is_settled() -> bool:
            statuses = self.statuses()
            done = statuses.count(DeliveryStatus.SETTLED) >= self.delivered()
            busy = [r for r in self.runs("queued", "running") if r["dag_id"] != "releases"]
            return done and not busy and DeliveryStatus.LANDED not in statuses

        self.until(is_settled, seconds)
        # An event becomes a run at the scheduler's next look.
        time.sleep(4)
        self.until(is_settled, seconds)

    def wait(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run of a DAG, when it has ended."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
        ended: dict[str, Any] = self.until(
            lambda: (run := self.ask(path)) and run["state"] in ("success", "failed") and run
        )
        return ended

    def start(self, dag_id: str) -> str:
        """Start a run of a DAG; returns its id."""
        run = self.ask(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def backfill(self, dag_id: str, first: date, last: date) -> list[dict[str, Any]]:
        """Backfill a DAG, newest day first, to its end; returns the runs by partition."""
        made = self.ask(
            "/api/v2/backfills",
            {
                "dag_id": dag_id,
                "from_date": f"{first}T00:00:00Z",
                "to_date": f"{last}T00:00:00Z",
                "max_active_runs": 3,
                "run_backwards": True,
            },
        )
        days = {str(first + timedelta(days=n)) for n in range((last - first).days + 1)}

        def ended() -> list[dict[str, Any]]:
            runs = [
                run
                for run in self.runs("success", "failed")
                if run["dag_id"] == dag_id and run["run_type"] == "backfill"
            ]
            return runs if {run["partition_key"] for run in runs} >= days else []

        found: list[dict[str, Any]] = self.until(ended)
        # Its runs have ended; the scheduler notes that of the backfill later, and takes no other
        # one for this DAG before.
        self.until(lambda: self.ask(f"/api/v2/backfills/{made['id']}")["completed_at"])
        return [run for run in found if run["partition_key"] in days]

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Let a DAG start no task, or go on."""
        self.ask(f"/api/v2/dags/{dag_id}", {"is_paused": paused}, "PATCH")

    def by_hand(self, day: date) -> None:
        """The same day in the twin: deliver and run."""
        self.redcliff("deliver", home=self.twin)
        self.redcliff("run", "--date", str(day), home=self.twin)


def current(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """
    The tables that say what is true now: raw, quarantine, history and the registers of keys tell
    of the order in which deliveries were loaded, too.
    """
    return {
        name: found
        for name, found in rows.items()
        if not name.startswith("raw.") and not name.endswith(("__history", "__quarantine", "_key"))
    }


def make_scheduled(
    base: Path, catalog: Catalog, profile: str, scale: float, look_seconds: int = 10
) -> Scheduled:
    """A copy of the site, its profile with free ports, and some days of a city."""
    site = base / "site"
    for part in CONTENT:
        shutil.copytree(REPOSITORY / part, site / part)
    document = yaml.safe_load((site / "conf" / f"{profile}.yaml").read_text(encoding="utf-8"))
    sections = [one for one in document["stack"].values() if isinstance(one, dict)]
    keys = [(one, key) for one in sections for key in one if key.endswith("port")]
    for (section, key), port in zip(keys, free_ports(len(keys)), strict=True):
        section[key] = port
    document["stack"]["airflow"]["look_seconds"] = look_seconds
    document["lineage"] = "lineage.jsonl"
    (base / f"{profile}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    generate(
        catalog,
        base / "city",
        scale=scale,
        days=DELIVERED,
        seed=1,
        start=FIRST,
        progress=SilentProgress(),
    )
    return Scheduled(site, base / "home", base / "city", base / f"{profile}.yaml", base / "twin")
