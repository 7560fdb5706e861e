"""DAG files as Airflow reads them, without scheduler and database: the loop of who writes one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from catalog.catalog import Catalog
from catalog.compile.dags import compile_manifest
from catalog.compile.manifest import read_manifest, write_manifest

pytestmark = pytest.mark.stack

REPOSITORY = Path(__file__).parents[2]
GUIDE = REPOSITORY / "docs/cookbooks/write_a_dag.md"

READ = """
import json, runpy, sys, time
import airflow.providers.standard.operators.hitl
from airflow.sdk import DAG
begun = time.process_time()
found = [one for one in runpy.run_path(sys.argv[1]).values() if isinstance(one, DAG)]
seconds = time.process_time() - begun
print(json.dumps({"seconds": seconds, "dags": {
    dag.dag_id: {
        "schedule": type(dag.timetable).__name__,
        "tasks": {task.task_id: getattr(task, "words", None) for task in dag.tasks},
        "outlets": [asset.name for task in dag.tasks for asset in task.outlets],
        "retries": {task.task_id: task.retries for task in dag.tasks},
    }
    for dag in found
}}))
"""


def run_in_airflow(
    script: str, home: Path, *words: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """A script with Airflow's settings for this home, in a process of its own; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home / "airflow"),
            "PYTHONPATH": str(REPOSITORY / "dags"),
            "REDCLIFF_SITE": str(REPOSITORY),
            "REDCLIFF_HOME": str(home / "home"),
            "REDCLIFF_INBOX": str(home / "inbox"),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done


def read(
    file: Path, home: Path, *, script: str = READ, **environ: str
) -> tuple[dict[str, Any], str]:
    """What Airflow finds in a DAG file, and what was said."""
    done = run_in_airflow(script, home, str(file), **environ)
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_the_example_of_the_guide_is_a_dag(tmp_path: Path) -> None:
    file = tmp_path / "credit_report.py"
    file.write_text(GUIDE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0])

    found, _ = read(file, tmp_path)

    dag = found["dags"]["credit_report"]
    assert dag["schedule"] == "PartitionedAssetTimetable"
    assert dag["tasks"]["write"][0] == "sql"


TASK = """
import json, sys
from redcliff_dags.operators import RedcliffOperator
from airflow.sdk.exceptions import AirflowException
for words in json.loads(sys.argv[1]):
    try:
        RedcliffOperator(task_id="write", words=words).execute({})
    except AirflowException as error:
        print(f"ended: {type(error).__name__}: {error}")
    else:
        print("ended: well")
"""


def test_a_task_of_one_s_own_does_what_its_words_say(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    tasks = [
        ["sql", "SELECT 1 AS n", "--format", "csv", "--out", str(file)],
        ["sql", "SELECT n"],
        ["status", "--home", str(file)],
    ]

    done = run_in_airflow(TASK, tmp_path, json.dumps(tasks))

    said = [line for line in done.stdout.splitlines() if line.startswith("ended: ")]
    wrote, misused, failed = (line.removeprefix("ended: ") for line in said)
    assert wrote == "well"
    assert file.read_text(encoding="utf-8").split() == ["n", "1"]
    assert misused.startswith("Misused: ")
    assert failed.startswith("AirflowFailException: ")


def test_a_dag_is_tried_without_a_scheduler_as_the_guide_says(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8").split("## Try it")[1]
    block = text.split("```sh\n")[1].split("```")[0]
    bin_folder = f"{Path(sys.executable).parent}/"
    words = block.replace(".venv/bin/", bin_folder).replace("=var", f"={tmp_path}/home")

    done = subprocess.run(
        ["sh", "-ec", words],
        env={**os.environ, "HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout + done.stderr
    assert "redcliff run --only loads --dataset credit.tax_rating --json" in said
    assert "state=success" in said


def test_dags_follow_from_the_contracts(tmp_path: Path, catalog: Catalog) -> None:
    write_manifest(compile_manifest(catalog), tmp_path / "manifest.json")

    found, _ = read(
        REPOSITORY / "dags/redcliff.py", tmp_path, REDCLIFF_MANIFEST=f"{tmp_path}/manifest.json"
    )

    dags = found["dags"]
    assert dags["deliveries__tax"]["schedule"] == "CronPartitionTimetable"
    assert "curated.credit__tax_rating" in dags["deliveries__tax"]["outlets"]
    assert dags["models__credit"]["tasks"]["refresh"] == [
        *("run", "--only", "models"),
        *("--theme", "credit"),
    ]
    assert list(dags["releases"]["tasks"]) == ["ask", "record"]
    assert all(n >= 5 for dag in dags.values() for n in dag["retries"].values())
    # A day of the city: arrivals, a load for each batch, and a few runs for each theme.
    assert len(dags) < 30


FIRST_RUNS = """
import json, runpy, sys
from datetime import datetime
import airflow.providers.standard.operators.hitl
import airflow.timetables.trigger as trigger
from airflow.sdk import DAG
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
found = [one for one in runpy.run_path(sys.argv[1]).values() if isinstance(one, DAG)]
trigger.utcnow = lambda: datetime.fromisoformat("2026-03-02T16:10:00+00:00")
# Through JSON, as the scheduler's own database keeps it.
kept = {d.dag_id: json.loads(json.dumps(encode_timetable(d.timetable))) for d in found}
timed = {name: decode_timetable(one) for name, one in kept.items() if "Cron" in str(one)}
print(json.dumps({name: one._calc_first_run().isoformat() for name, one in timed.items()}))
"""


def test_a_site_that_is_set_up_in_the_night_runs_nothing_for_the_day_before(tmp_path: Path) -> None:
    # It is ten minutes past midnight in the city.
    first, _ = read(REPOSITORY / "dags" / "redcliff.py", tmp_path, script=FIRST_RUNS)

    assert first.pop("upkeep") == "2026-03-02T22:30:00+00:00"
    assert len(first) > 10
    assert set(first.values()) == {"2026-03-03T16:00:00+00:00"}


LOOK = """
import os, sys
from pathlib import Path
from redcliff_dags.inbox import look
inbox = Path(sys.argv[1])
old, new = inbox / "tax/credit.tax_rating/2024-12-31", inbox / "tax/credit.tax_rating/2025-03-03"
for folder in (old, new):
    folder.mkdir(parents=True)
    (folder / "a.xlsx").write_bytes(b"one")
for path in (old / "a.xlsx", old):
    os.utime(path, (1e9, 1e9))
(inbox / "stray.txt").touch()
seen = look(str(inbox), {}, 300)
assert sorted(seen) == sorted(map(str, (old, new, inbox / "stray.txt")))
assert look(str(inbox), seen, 300) == seen
# What grows where something has just come is seen, and a name that comes where nothing did.
(new / "a.xlsx").write_bytes(b"more")
assert look(str(inbox), seen, 300)[str(new)] != seen[str(new)]
opened = []
sys.addaudithook(lambda event, words: event == "os.scandir" and opened.append(words[0]))
assert look(str(inbox), seen, 300)[str(old)] == seen[str(old)]
assert str(old) not in opened and str(new) in opened
(old / "b.xlsx").touch()
assert look(str(inbox), seen, 300)[str(old)] != seen[str(old)]
assert look(str(inbox / "none"), {}, 300) == {}
"""


def test_the_watcher_looks_only_where_something_may_have_changed(tmp_path: Path) -> None:
    run_in_airflow(LOOK, tmp_path, str(tmp_path / "inbox"))


@pytest.mark.parametrize("manifest", ["absent", "stale"])
def test_without_a_true_manifest_contracts_are_compiled_and_that_is_said(
    tmp_path: Path, manifest: str
) -> None:
    file = tmp_path / "manifest.json"
    if manifest == "stale":
        file.write_text('{"format": 1, "files_hash": "of yesterday"}')

    found, said = read(REPOSITORY / "dags/redcliff.py", tmp_path, REDCLIFF_MANIFEST=str(file))

    assert "deliveries__tax" in found["dags"]
    assert "is absent or stale: compiling" in said
    assert read_manifest(file, REPOSITORY) is not None


def test_a_hundred_contracts_are_read_within_a_second(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for part in ("conf", "schemas/reference", "schemas/code_tables"):
        shutil.copytree(REPOSITORY / part, site / part)
    guide = (REPOSITORY / "docs/cookbooks/add_a_dataset.md").read_text(encoding="utf-8")
    text = guide.split("```yaml\n")[1].split("```")[0]
    number = len(re.findall(r"^      - name: ", text, re.M))
    column = (
        "      - name: remark_{n}\n        businessName: 备注{n}\n        description: 备注。\n"
        "        logicalType: string\n        physicalType: varchar(100)\n"
        "        classification: L2\n"
    )
    text = text.rstrip("\n") + "\n" + "".join(column.format(n=n) for n in range(24 - number))
    text = re.sub(r"  - \{property: redcliff.resource_code.*\n", "", text)
    (site / "schemas/benefit").mkdir()
    for n in range(100):
        renamed = text.replace("old_age_allowance", f"allowance_{n:03}")
        (site / f"schemas/benefit/allowance_{n:03}.odcs.yaml").write_text(renamed, "utf-8")
    catalog = Catalog.load(site)
    assert len(catalog.get("benefit.allowance_007").columns) == 24
    write_manifest(compile_manifest(catalog), tmp_path / "manifest.json")

    found, said = read(
        REPOSITORY / "dags/redcliff.py",
        tmp_path,
        REDCLIFF_SITE=str(site),
        REDCLIFF_MANIFEST=f"{tmp_path}/manifest.json",
    )

    assert "compiling" not in said
    assert len(found["dags"]["deliveries__civil_affairs"]["outlets"]) >= 100
    assert found["seconds"] < 1.0
