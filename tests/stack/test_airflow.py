"""
A real scheduler, with PostgreSQL behind it and the embedded engine: days of the made-up city run by
themselves, whatever is killed, late, held, added or removed.

One story: each test goes on where the one before it ended.
"""

from __future__ import annotations

import csv
import io
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import psycopg
import pytest
from deltalake import DeltaTable

from catalog.catalog import Catalog
from jobs.stack.components import load_stack
from jobs.stack.record import standing
from lake.deliveries import DeliveryStatus
from lake.ledger import Verdict
from tests.stack.conftest import REPOSITORY
from tests.stack.scheduled import DAYS, Scheduled, current, make_scheduled

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

SCALE = 0.002
LATE = "market_regulation"
PROPERTIES = "customProperties:\n"
AWAITING = "  - {property: redcliff.await, value: [credit.abnormal_operation]}\n"
"""What the credit files of the site wait for; the department that is late delivers it."""

NEW_RULE = "filed_long_after"
RULE = f"""      - name: {NEW_RULE}
        description: 立案日期应晚于二〇九〇年。
        dimension: conformity
        severity: warning
        type: custom
        engine: redcliff
        implementation: {{holds: filed_date > DATE '2090-01-01'}}
"""
"""What a contract is changed by: a rule that every row breaks, and that only counts."""

STATION = "站点编码,站点名称,站点类别,所在乡镇街道,经度,纬度,启用日期,运行状态\n"
"""A header without a row: a rule of the contract blocks the load of it."""

WRONG = """
from airflow.sdk import DAG
from redcliff_dags.operators import RedcliffOperator

for dag_id, words in {
    "wrong_words": ["sql", "SELECT n"],
    "wrong_place": ["status", "--home", __file__],
}.items():
    with DAG(dag_id, schedule=None, is_paused_upon_creation=False) as dag:
        RedcliffOperator(task_id="call", words=words)
    globals()[dag_id] = dag
"""
"""DAGs of one's own whose task ends with exit code 2, and with 1."""


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Iterator[Scheduled]:
    made = make_scheduled(tmp_path_factory.mktemp("airflow"), catalog, "local", SCALE)
    contract = made.site / "schemas/credit/credit_file.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace(PROPERTIES, PROPERTIES + AWAITING, 1), encoding="utf-8")
    (made.site / "dags/wrong.py").write_text(WRONG, encoding="utf-8")
    try:
        made.redcliff("up", "--with", "airflow")
        yield made
    finally:
        made.stop()


def test_it_answers_on_loopback_alone_and_shows_the_dags_of_all_contracts(
    scheduled: Scheduled, catalog: Catalog
) -> None:
    # The DAG file is read for the first time soon after the processor has said that it is well.
    scheduled.until(lambda: "arrivals" in scheduled.dags() or scheduled.import_errors(), 60)

    assert scheduled.import_errors() == []
    dags = scheduled.dags()
    providers = {c.provider for c in catalog.sources() if c.theme != "reference"}
    assert {f"deliveries__{name}" for name in providers} <= dags
    assert {f"models__{c.theme}" for c in catalog.thematic()} <= dags
    assert {"arrivals", "deliveries__code_tables", "releases", "upkeep"} <= dags
    processes = [psutil.Process(one.pid) for one in standing(scheduled.home) if one.pid]
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

    scheduled.settle()

    scheduled.by_hand(DAYS[0])
    assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    runs = scheduled.runs()
    assert {run["state"] for run in runs} == {"success"}
    # Each is one task. What comes at once is a wave: one process, whoever delivers it.
    assert len(runs) < 12
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
    scheduled.until(lambda: scheduled.working("run"))
    scheduler = scheduled.service("airflow-scheduler").pid
    assert scheduler is not None
    os.kill(scheduler, signal.SIGKILL)

    scheduled.settle()

    assert scheduled.service("airflow-scheduler").restarts == 1
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
    # A wave is killed, and once more: each department and each theme goes its own way.
    wave = scheduled.until(lambda: scheduled.working("run", "--json"))
    wave.kill()
    scheduled.until(
        lambda: (again := scheduled.working("run", "--json")) and again != wave and again
    ).kill()
    scheduled.until(lambda: scheduled.working("run", "--only", "loads")).kill()
    refreshing = scheduled.until(lambda: scheduled.working("run", "--only", "models"))
    task = refreshing.parent()
    assert task is not None
    task.kill()
    scheduled.settle()

    tries = {one["dag_id"]: one["try_number"] for one in scheduled.tasks() if one["try_number"] > 1}
    assert {dag_id.partition("__")[0] for dag_id in tries} >= {"deliveries", "models"}
    scheduled.by_hand(DAYS[2])
    assert scheduled.rows(scheduled.home) == scheduled.rows(scheduled.twin)
    waited = "thematic.credit__credit_file"
    assert scheduled.versions()[waited] != before[waited]


def test_days_of_a_contract_that_changed_are_backfilled_and_load_nothing_twice(
    scheduled: Scheduled,
) -> None:
    before = scheduled.versions()
    contract = scheduled.site / "schemas/credit/dishonest_debtor.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("version: 1.0.0", "version: 1.0.1") + RULE, encoding="utf-8")

    runs = scheduled.backfill("deliveries__court", DAYS[0], DAYS[2])

    assert {run["state"] for run in runs} == {"success"}
    assert len(runs) == 3
    assert scheduled.versions() == before


def test_days_that_are_backfilled_in_another_order_end_in_the_same_tables(
    scheduled: Scheduled,
) -> None:
    departments = ("court", "market_regulation")
    scheduled.pause("arrivals")
    for day in (DAYS[4], DAYS[3]):
        for department in departments:
            scheduled.drop(day, only=department, homes=(scheduled.home,))
        scheduled.redcliff("deliver")
        for department in departments:
            runs = scheduled.backfill(f"deliveries__{department}", day, DAYS[4])
            assert {run["state"] for run in runs} == {"success"}
    for day in (DAYS[3], DAYS[4]):
        for department in departments:
            scheduled.drop(day, only=department, homes=(scheduled.twin,))
        scheduled.by_hand(day)
    scheduled.settle()
    scheduled.pause("arrivals", False)

    warned = [
        e.counts.warned for e in scheduled.ledger.entries("credit.dishonest_debtor") if e.counts
    ]
    assert [NEW_RULE in rules for rules in warned] == [False, False, False, True, True]
    # Raw, quarantine, history and the registers of keys tell of the order; what is true does not.
    now, twin = (current(scheduled.rows(home)) for home in (scheduled.home, scheduled.twin))
    assert now == twin
    assert scheduled.tables(scheduled.home).rows("curated.legal_entity__market_register")


def test_what_cannot_succeed_fails_at_once(scheduled: Scheduled) -> None:
    folder = scheduled.home / f"inbox/environment/environment.air_station/{DAYS[5]}"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(STATION, encoding="utf-8")
    (folder / "_DONE").touch()
    scheduled.until(lambda: {"wrong_words", "wrong_place"} <= scheduled.dags())
    for dag_id in ("wrong_words", "wrong_place"):
        run = scheduled.wait(dag_id, scheduled.start(dag_id))
        assert run["state"] == "failed"
    scheduled.until(
        lambda: [r for r in scheduled.runs("failed") if r["dag_id"] == "deliveries__environment"]
    )

    tasks = [task for task in scheduled.tasks() if task["state"] == "failed"]
    assert {task["dag_id"]: task["try_number"] for task in tasks} == {
        "wrong_words": 1,
        "wrong_place": 1,
        "deliveries__environment": 1,
    }
    logs = "".join(
        path.read_text(encoding="utf-8")
        for path in (scheduled.home / "stack/airflow/logs/tasks").rglob("attempt=1.log")
        if "dag_id=deliveries__environment" in str(path)
    )
    assert "enough_rows" in logs


def test_an_officer_releases_a_held_delivery_and_the_decision_is_on_record(
    scheduled: Scheduled,
) -> None:
    # As if the load that held it had died before it could ask: another one does.
    scheduled.pause("arrivals")
    _halve(scheduled, "public_security/population.household_register")
    scheduled.redcliff("deliver")
    scheduled.redcliff("run", "--only", "loads", "--dataset", "population.household_register")
    (held,) = [
        e
        for e in scheduled.ledger.entries("population.household_register")
        if e.status is DeliveryStatus.HELD
    ]
    scheduled.pause("arrivals", False)
    scheduled.wait("deliveries__tax", scheduled.start("deliveries__tax"))
    run_id = f"held__{held.delivery.delivery_id}"
    task = f"/api/v2/dags/releases/dagRuns/{run_id}/taskInstances/ask"
    asked: dict[str, Any] = {}

    def is_settled() -> bool:
        # An answer may be lost that comes sooner than the scheduler sees the task wait: then the
        # officer is asked again.
        if _state(scheduled, task) == "awaiting_input":
            time.sleep(2)
            asked.update(scheduled.ask(f"{task}/-1/hitlDetails"))
            answer = {"chosen_options": ["Release"], "params_input": {}}
            scheduled.ask(f"{task}/-1/hitlDetails", answer, "PATCH")
        entry = scheduled.ledger.entry(held.delivery.delivery_id)
        return entry.status is DeliveryStatus.SETTLED

    scheduled.until(is_settled)

    assert f"population.household_register {DAYS[5]} is held" in asked["subject"]
    (decision,) = scheduled.ledger.decisions(held.delivery.delivery_id)
    assert (decision.verdict, decision.decided_by) == (Verdict.RELEASED, "admin")
    scheduled.settle()


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
    people = DeltaTable(scheduled.tables(scheduled.home).path("thematic.population__person"))
    rows = people.to_pyarrow_table().to_pylist()
    values = {row["citizen_id"] for row in rows if row["citizen_id"]}
    values |= {row["person_name"] for row in rows if len(row["person_name"] or "") >= 3}
    values |= {row["phone"] for row in rows if row.get("phone")}
    assert len(values) > 500

    # A department forgets the header, and names the file for whom it is about.
    person = next(row for row in rows if row["citizen_id"] and len(row["person_name"] or "") >= 3)
    folder = scheduled.home / f"inbox/court/credit.dishonest_debtor/{DAYS[5]}"
    folder.mkdir()
    line = f"{person['citizen_id']},{person['person_name']},2025-03-05\n"
    (folder / f"{person['person_name']}.csv").write_text(line * 3, encoding="utf-8")
    (folder / "_DONE").touch()
    scheduled.until(lambda: _judged(scheduled, "credit.dishonest_debtor"))
    scheduled.settle()

    lineage = (scheduled.home / "lineage.jsonl").read_text(encoding="utf-8")
    held = (
        _database(scheduled)
        + lineage
        + "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for folder in ("airflow/logs", "logs")
            for path in (scheduled.home / "stack" / folder).rglob("*")
            if path.is_file()
        )
    )

    assert len(held) > 100_000
    assert '"columnLineage"' in lineage
    assert "curated.population__household_register" in held
    assert [value for value in values if value in held] == []


def _judged(scheduled: Scheduled, dataset: str) -> list[DeliveryStatus]:
    entries = [e for e in scheduled.ledger.entries(dataset) if e.delivery.business_date == DAYS[5]]
    return [e.status for e in entries if e.status is not DeliveryStatus.LANDED]


def _state(scheduled: Scheduled, path: str) -> Any:
    """The state of a task; None as long as there is none."""
    try:
        return scheduled.ask(path)["state"]
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
        folder = home / "inbox" / place / str(DAYS[5])
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
