"""
A real scheduler, with PostgreSQL behind it and the embedded engine: days of the made-up city run by
themselves, whatever is killed, late, held, added or removed.

One story: each test goes on where the one before it ended.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import yaml
from deltalake import DeltaTable

from catalog.catalog import Catalog
from jobs.city import generate
from jobs.progress import SilentProgress
from jobs.stack.airflow import Airflow
from jobs.stack.components import load_stack
from lake.deliveries import DeliveryStatus
from lake.ledger import Ledger, Verdict
from lake.settings import Settings, load_settings
from lake.state import open_state
from lake.tables import Tables
from tests.stack.conftest import MAIN, free_ports

pytestmark = pytest.mark.stack

REPOSITORY = Path(__file__).parents[2]
SECRET = "a secret of the tests"
FIRST = date(2025, 3, 3)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
SCALE = 0.002
LATE = "market_regulation"
PATIENCE = 900.0
AWAITING = "  - {property: redcliff.await, value: [credit.abnormal_operation]}\n"
"""What the credit files of the site wait for; the department that is late delivers it."""

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
        """`redcliff <words> --json` on the home, or the twin."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words, "--home", str(home or self.home), "--json"],
            env=self.environ(),
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
        environ = {"REDCLIFF_SITE": str(self.site), "REDCLIFF_SITE_SECRET": SECRET}
        return load_settings(str(self.profile), home or self.home, environ)

    # --- what lies there ------------------------------------------------------------------

    def drop(self, day: date, *, without: str = "", only: str = "*") -> None:
        """Lay down what departments deliver for a day, each whole, and in the twin's inbox too."""
        for folder in sorted((self.city / "inbox").glob(f"{only}/*/{day}")):
            if folder.parents[1].name == without:
                continue
            place = folder.relative_to(self.city)
            for home in (self.home, self.twin):
                aside = home / "aside"
                shutil.copytree(folder, aside)
                (home / place).parent.mkdir(parents=True, exist_ok=True)
                aside.rename(home / place)

    def ledger(self) -> Ledger:
        return Ledger(open_state(self.settings().state_url))

    def statuses(self) -> list[DeliveryStatus]:
        return [entry.status for entry in self.ledger().entries()]

    def rows(self, home: Path) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables but for the moment at which they came."""
        tables = Tables(self.settings(home).lake)
        found = {}
        for name in tables.names():
            table = DeltaTable(tables.path(name)).to_pyarrow_table()
            kept = table.select([n for n in table.column_names if n != "_received_at"])
            found[name] = sorted(kept.to_pylist(), key=repr)
        return found

    def versions(self) -> dict[str, int | None]:
        tables = Tables(self.settings().lake)
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

    def working(self, half: str) -> psutil.Process | None:
        """A `redcliff run --only <half>` that a task of this scheduler has started."""
        services = {one["name"]: one for one in self.redcliff("status")["services"]}
        scheduler = psutil.Process(services["airflow-scheduler"]["pid"])
        for process in scheduler.children(recursive=True):
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if words[2:5] == ["run", "--only", half]:
                return process
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

    def settle(self, deliveries: int) -> None:
        """Wait until so many deliveries are settled, and nothing is left to do."""

        def is_settled() -> bool:
            statuses = self.statuses()
            done = statuses.count(DeliveryStatus.SETTLED) >= deliveries
            busy = [r for r in self.runs("queued", "running") if r["dag_id"] != "releases"]
            return done and not busy and DeliveryStatus.LANDED not in statuses

        self.until(is_settled)
        # An event becomes a run at the scheduler's next look.
        time.sleep(4)
        self.until(is_settled)

    def by_hand(self, day: date) -> None:
        """The same day in the twin: deliver and run."""
        self.redcliff("deliver", home=self.twin)
        self.redcliff("run", "--date", str(day), home=self.twin)


def delivered(scheduled: Scheduled) -> int:
    """How many deliveries lie in the twin's inbox, and the code tables that nobody delivers."""
    return len(list((scheduled.twin / "inbox").glob("*/*/*")))


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Iterator[Scheduled]:
    base = tmp_path_factory.mktemp("airflow")
    site = base / "site"
    for part in CONTENT:
        shutil.copytree(REPOSITORY / part, site / part)
    _insert(site / "schemas/credit/credit_file.odcs.yaml", "customProperties:\n", AWAITING)
    profile = yaml.safe_load((site / "conf" / "local.yaml").read_text(encoding="utf-8"))
    ports = free_ports(2)
    profile["stack"]["postgres"]["port"], profile["stack"]["airflow"]["port"] = ports
    profile["stack"]["airflow"]["look_seconds"] = 5
    (base / "local.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    generate(
        catalog,
        base / "city",
        scale=SCALE,
        days=3,
        seed=1,
        start=FIRST,
        progress=SilentProgress(),
    )
    made = Scheduled(site, base / "home", base / "city", base / "local.yaml", base / "twin")
    try:
        made.redcliff("up", "--with", "airflow", "--profile", str(made.profile))
        yield made
    finally:
        made.redcliff("down")


def test_it_answers_on_loopback_alone_and_shows_the_dags_of_all_contracts(
    scheduled: Scheduled, catalog: Catalog
) -> None:
    # The DAG file is read for the first time soon after the processor has said that it is well.
    scheduled.until(lambda: scheduled.dags() or scheduled.import_errors(), 60)

    assert scheduled.import_errors() == []
    dags = scheduled.dags()
    providers = {c.provider for c in catalog.sources() if c.theme != "reference"}
    assert {f"deliveries__{name}" for name in providers} <= dags
    assert {f"models__{c.theme}" for c in catalog.thematic()} <= dags
    assert {"arrivals", "deliveries__code_tables", "releases", "upkeep"} <= dags
    services = scheduled.redcliff("status")["services"]
    processes = [psutil.Process(one["pid"]) for one in services if one["pid"]]
    processes += [child for one in processes for child in one.children(recursive=True)]
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_day_that_is_laid_down_runs_to_the_libraries_by_itself(scheduled: Scheduled) -> None:
    scheduled.drop(DAYS[0])

    scheduled.settle(delivered(scheduled))

    scheduled.by_hand(DAYS[0])
    assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    assert {run["state"] for run in scheduled.runs()} == {"success"}
    events = scheduled.ask("/api/v2/assets/events?limit=100")["asset_events"]
    by_asset = {event["name"]: event for event in events}
    told = by_asset["curated.credit__dishonest_debtor"]
    assert told["partition_key"] == str(DAYS[0])
    assert told["extra"]["version"] is not None
    (delivery,) = told["extra"]["deliveries"]
    assert (
        delivery["received"]
        == delivery["accepted"] + delivery["quarantined"] + (delivery["duplicates"])
    )
    assert "thematic.population__person" in by_asset


def test_a_late_department_holds_up_nothing_and_a_killed_scheduler_neither(
    scheduled: Scheduled,
) -> None:
    before = scheduled.versions()

    scheduled.drop(DAYS[1], without=LATE)
    scheduled.until(lambda: [r for r in scheduled.runs("running") if "deliveries" in r["dag_id"]])
    services = {one["name"]: one for one in scheduled.redcliff("status")["services"]}
    os.kill(services["airflow-scheduler"]["pid"], signal.SIGKILL)

    scheduled.settle(delivered(scheduled))

    after = {one["name"]: one for one in scheduled.redcliff("status")["services"]}
    assert after["airflow-scheduler"]["restarts"] == 1
    scheduled.by_hand(DAYS[1])
    assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    now = scheduled.versions()
    waited = "thematic.credit__credit_file"
    assert now[waited] == before[waited]
    for table in ("thematic.credit__credit_event", "thematic.population__person"):
        assert now[table] != before[table]


def test_the_late_delivery_catches_up_by_itself_whatever_task_is_killed(
    scheduled: Scheduled,
) -> None:
    before = scheduled.versions()

    scheduled.drop(DAYS[1], only=LATE)
    scheduled.drop(DAYS[2])
    loading = scheduled.until(lambda: scheduled.working("loads"))
    loading.kill()
    refreshing = scheduled.until(lambda: scheduled.working("models"))
    task = refreshing.parent()
    assert task is not None
    task.kill()
    scheduled.settle(delivered(scheduled))

    tries = {one["dag_id"]: one["try_number"] for one in scheduled.tasks() if one["try_number"] > 1}
    assert {dag_id.partition("__")[0] for dag_id in tries} == {"deliveries", "models"}
    scheduled.by_hand(DAYS[2])
    assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    waited = "thematic.credit__credit_file"
    assert scheduled.versions()[waited] != before[waited]


def test_a_backfill_goes_through_the_days_and_loads_nothing_twice(scheduled: Scheduled) -> None:
    before = scheduled.versions()

    backfill = scheduled.ask(
        "/api/v2/backfills",
        {
            "dag_id": "deliveries__court",
            "from_date": f"{DAYS[0]}T00:00:00Z",
            "to_date": f"{DAYS[2]}T00:00:00Z",
            "max_active_runs": 3,
        },
    )
    runs = scheduled.until(
        lambda: (
            (
                found := [
                    r
                    for r in scheduled.runs("success")
                    if r["dag_id"] == "deliveries__court" and r["run_type"] == "backfill"
                ]
            )
            and len(found) == 3
            and found
        )
    )

    assert backfill["dag_id"] == "deliveries__court"
    assert {run["partition_key"] for run in runs} == {str(day) for day in DAYS[:3]}
    assert scheduled.versions() == before


def test_an_officer_releases_a_held_delivery_and_the_decision_is_on_record(
    scheduled: Scheduled,
) -> None:
    _halve(scheduled, "public_security/population.household_register")
    run = scheduled.until(
        lambda: [r for r in scheduled.runs("running") if r["dag_id"] == "releases"]
    )
    (held,) = [e for e in scheduled.ledger().entries() if e.status is DeliveryStatus.HELD]
    path = f"/api/v2/dags/releases/dagRuns/{run[0]['dag_run_id']}/taskInstances/ask/-1/hitlDetails"
    asked = scheduled.until(lambda: _asked(scheduled, path))

    scheduled.ask(path, {"chosen_options": ["Release"], "params_input": {}}, "PATCH")
    scheduled.until(
        lambda: scheduled.ledger().entry(held.delivery.delivery_id).status is DeliveryStatus.SETTLED
    )

    assert "population.household_register 2025-03-06 is held" in asked["subject"]
    (decision,) = scheduled.ledger().decisions(held.delivery.delivery_id)
    assert (decision.verdict, decision.decided_by) == (Verdict.RELEASED, "admin")
    scheduled.settle(delivered(scheduled))


def test_a_contract_that_is_added_is_loaded_and_one_that_is_removed_is_retired(
    scheduled: Scheduled,
) -> None:
    guide = (REPOSITORY / "docs/cookbooks/add_a_dataset.md").read_text(encoding="utf-8")
    contract = scheduled.site / "schemas/benefit/old_age_allowance.odcs.yaml"
    contract.write_text(guide.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    dag = "/api/v2/dags/deliveries__civil_affairs"
    name = "benefit.old_age_allowance"
    scheduled.until(lambda: name in scheduled.ask(dag)["description"])

    folder = scheduled.home / f"inbox/civil_affairs/{name}/2025-03-05"
    folder.mkdir(parents=True)
    delivered_csv = guide.split("```csv\n")[1].split("```")[0]
    (folder / "a.csv").write_text(delivered_csv, encoding="gb18030")
    (folder / "_DONE").touch()
    scheduled.until(lambda: scheduled.versions().get("curated.benefit__old_age_allowance"))
    contract.unlink()
    scheduled.until(lambda: name not in scheduled.ask(dag)["description"])

    assert scheduled.import_errors() == []
    assert "curated.benefit__old_age_allowance" in scheduled.versions()


def test_no_value_of_a_person_is_in_airflow_s_database_or_logs(scheduled: Scheduled) -> None:
    people = DeltaTable(Tables(scheduled.settings().lake).path("thematic.population__person"))
    rows = people.to_pyarrow_table().to_pylist()
    values = {row["citizen_id"] for row in rows if row["citizen_id"]}
    values |= {row["person_name"] for row in rows if len(row["person_name"] or "") >= 3}
    values |= {row["phone"] for row in rows if row.get("phone")}
    assert len(values) > 500

    held = _database(scheduled) + "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for folder in ("airflow/logs", "logs")
        for path in (scheduled.home / "stack" / folder).rglob("*")
        if path.is_file()
    )

    assert len(held) > 100_000
    assert "curated.population__household_register" in held
    assert [value for value in values if value in held] == []


def _insert(file: Path, after: str, line: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(after) >= 1
    file.write_text(text.replace(after, after + line, 1), encoding="utf-8")


def _asked(scheduled: Scheduled, path: str) -> Any:
    try:
        return scheduled.ask(path)
    except OSError:
        return None


def _halve(scheduled: Scheduled, place: str) -> None:
    """The last delivery once more for the day after, with every second row gone."""
    (source,) = (scheduled.city / "inbox" / place / str(DAYS[2])).glob("*.csv")
    rows = list(csv.reader(io.StringIO(source.read_bytes().decode("gb18030"))))
    kept = [rows[0], *rows[1::2]]
    text = io.StringIO()
    csv.writer(text).writerows(kept)
    for home in (scheduled.home, scheduled.twin):
        folder = home / "inbox" / place / str(DAYS[3])
        folder.mkdir(parents=True)
        (folder / source.name).write_bytes(text.getvalue().encode("gb18030"))
        (folder / "_DONE").touch()


def _database(scheduled: Scheduled) -> str:
    """Every row of every table of Airflow's database, as text."""
    stack = load_stack(scheduled.settings(), os.environ)
    postgres = stack.component("postgres")
    with psycopg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user="redcliff",
        password=stack.secret("postgres"),
        dbname="airflow",
    ) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        held = []
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:
                held += [bytes(row).decode("utf-8", "replace") for row in rows]
    return "".join(held)
