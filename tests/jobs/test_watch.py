from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from catalog.catalog import Catalog
from catalog.naming import split_table_name
from jobs.alerts import Cause, alert
from jobs.demo import FIRST_DAY
from jobs.notify import LogNotifier
from lake.deliveries import utc_now
from lake.engine import Engine
from lake.ledger import Ledger
from lake.state import open_state
from tests.stories.homes import REPOSITORY, SECRET, make_home

PATIENCE = 240.0
MAIN = "import sys; sys.argv[0] = 'redcliff'; from jobs.cli import main; main()"


def test_a_watched_inbox_is_loaded_by_itself_until_the_watch_is_told_to_stop(
    tmp_path: Path,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> None:
    city = city_of(0.001, 1, 1)
    home = make_home(tmp_path / "home", catalog, engine, city)
    lineage = tmp_path / "lineage.jsonl"
    environ = {
        **os.environ,
        "REDCLIFF_SITE": str(REPOSITORY),
        "REDCLIFF_SITE_SECRET": SECRET,
        "REDCLIFF_LINEAGE": str(lineage),
    }
    words = [sys.executable, "-c", MAIN, "run", "--watch", "--json"]
    process = subprocess.Popen(
        [*words, "--home", str(home.settings.home)],
        env=environ,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        shutil.copytree(city / "inbox" / "court", home.settings.home / "inbox" / "court")
        until = time.monotonic() + PATIENCE
        while "thematic.credit__credit_event" not in home.tables.names():
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0, said
    report = json.loads(out)
    assert report["runs"] >= 1
    assert report["deliveries"] >= 9  # one, and the code tables
    assert report["failures"] == 0
    assert home.tables.rows("curated.credit__dishonest_debtor") > 0
    state = open_state(home.settings.state_url)
    (latest, *_) = Ledger(state).runs()
    state.dispose()
    assert latest.outcome == "ended"
    assert latest.record is not None
    events = [json.loads(line) for line in lineage.read_text().splitlines()]
    jobs = {event["job"]["name"]: event for event in events}
    assert {"load.credit.dishonest_debtor", "refresh.credit.credit_event"} <= set(jobs)
    refreshed = jobs["refresh.credit.credit_event"]
    assert "curated.credit__dishonest_debtor" in {one["name"] for one in refreshed["inputs"]}
    by = refreshed["run"]["facets"]["processing_engine"]
    assert (by["name"], by["version"]) == (engine.name, engine.version)
    columns = refreshed["outputs"][0]["facets"]["columnLineage"]["fields"]
    read = {split_table_name(f["name"])[1] for c in columns.values() for f in c["inputFields"]}
    assert "credit.dishonest_debtor" in read


def test_an_alert_is_told_once_and_so_is_its_end(
    tmp_path: Path,
    catalog: Catalog,
    engine: Engine,
    city_of: Callable[[float, int, int], Path],
) -> None:
    home = make_home(tmp_path / "home", catalog, engine, city_of(0.001, 1, 1))
    home.deliver("credit.dishonest_debtor", day=FIRST_DAY)
    said: list[str] = []

    first = alert(home.settings, catalog, [LogNotifier(said.append)], clock=utc_now)
    again = alert(home.settings, catalog, [LogNotifier(said.append)], clock=utc_now)
    in_time = alert(
        home.settings,
        catalog,
        [LogNotifier(said.append)],
        clock=lambda: utc_now().replace(year=2025, month=3, day=4),
    )

    (late,) = first.standing
    assert (late.cause, late.subject) == (Cause.LATE, f"late credit.dishonest_debtor {FIRST_DAY}")
    assert first.new == (late,)
    assert (again.standing, again.new) == ((late,), ())
    assert (in_time.standing, in_time.ended) == ((), (late.subject,))
    assert [line.partition(":")[0] for line in said] == ["late", "ended"]
