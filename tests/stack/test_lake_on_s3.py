"""The lake and landing on S3: the same tables as in folders, and nothing lost between writers."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import EnvironmentProblem, LedgerBroken, TryAgain
from catalog.vocabulary import Mode
from jobs.profile import settle
from jobs.query import query_on_trino
from jobs.stack.component import Stack
from lake.deliveries import DeliveredFile, Delivery, delivery_id
from lake.landing import CHUNK_BYTES, Landing
from lake.readers import parts_of, read_part
from lake.s3 import S3, sweep_uploads
from lake.settings import load_settings
from lake.store import Store
from lake.tables import Tables
from tests.extent import CLUSTER_ENGINE, DAYS, SCALE
from tests.lake.readers.making import reading, rows_of, written_in_parts
from tests.parity.comparing import of_rows, with_sorted_maps
from tests.stack.conftest import REPOSITORY, Cluster
from tests.stack.spark_on_s3 import COMMITS, RACES
from tests.stack.sparks import told_by

pytestmark = pytest.mark.stack
DAY = date(2025, 3, 3)
DEMO = ("demo", "--scale", f"{SCALE}", "--days", f"{DAYS}")
WRITERS = 8


@pytest.fixture
def s3(stack: Stack) -> S3:
    """The S3 server of the stack, as a run finds it."""
    found: S3 = stack.component("s3").login(stack)
    return found


@pytest.fixture
def root(stack: Stack, tmp_path: Path) -> str:
    """A place of the test's own in the bucket."""
    return f"s3://{stack.component('s3').bucket}/{tmp_path.name}"


def delivery(revision: int = 1) -> Delivery:
    file = DeliveredFile("a.csv", "a" * 64, 3)
    id_ = delivery_id("a.b", DAY, Mode.APPEND, [file.sha256])
    received_at = datetime(2025, 3, 4, tzinfo=UTC)
    return Delivery(id_, "a.b", "health", DAY, revision, Mode.APPEND, (file,), received_at)


# --- landing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 3, 6 * CHUNK_BYTES + 7])
def test_bytes_land_under_their_hash_and_are_at_hand_again(
    s3: S3, root: str, tmp_path: Path, size: int
) -> None:
    landing, content = Landing.at(root, Store(s3)), b"x" * size
    (tmp_path / "人口.csv").write_bytes(content)

    file = landing.put(tmp_path / "人口.csv")

    assert file == DeliveredFile("人口.csv", hashlib.sha256(content).hexdigest(), size)
    with Store(s3).at_hand(landing.place(file.sha256)) as copy:
        assert copy.read_bytes() == content
    assert not copy.exists()


def test_a_part_of_a_file_is_read_without_the_rest(s3: S3, root: str, tmp_path: Path) -> None:
    how, store = reading("编号", "name", encoding="gb18030"), Store(s3)
    path = tmp_path / "register.csv"
    split = written_in_parts(path, how, 3000, block_bytes=1000, part_bytes=10_000)
    place = Landing.at(root, store).place(Landing.at(root, store).put(path).sha256)
    parts = [part for part in parts_of(how, split, path.stat().st_size) if part is not None]

    with mock.patch.object(Store, "at_hand", side_effect=AssertionError("the whole file")):
        batches = [b for part in parts for b in read_part(how, place, path.name, part, store)]

    assert [row for batch in batches for row in batch.to_pylist()] == rows_of(how, path)


def test_the_first_of_many_records_stands(s3: S3, root: str) -> None:
    together = Barrier(WRITERS)

    def write(revision: int) -> Delivery:
        landing = Landing.at(root, Store(s3))
        together.wait()
        return landing.write_delivery(delivery(revision))

    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(write, range(1, WRITERS + 1)))

    assert Counter(told) == {Landing.at(root, Store(s3)).read_deliveries()[0]: WRITERS}


def test_a_receipt_is_written_once(s3: S3, root: str) -> None:
    landing = Landing.at(root, Store(s3))
    made = landing.write_delivery(delivery())
    assert landing.receipt(made) is None

    landing.write_receipt(made, {"reason": "无"})

    with pytest.raises(LedgerBroken, match="has another receipt already"):
        landing.write_receipt(made, {"reason": "有"})
    assert landing.receipt(made) == {"reason": "无"}
    assert landing.delivery("a.b", made.delivery_id) == made
    assert landing.delivery("a.c", made.delivery_id) is None


def test_what_was_half_uploaded_is_given_up(s3: S3, root: str, stack: Stack) -> None:
    client, bucket = s3.client(), stack.component("s3").bucket
    prefix = root.rpartition("/")[2]
    client._create_multipart_upload(bucket, f"{prefix}/objects/half", {})

    assert sweep_uploads(s3, root) == 0  # it may be what a run uploads at this moment
    assert sweep_uploads(s3, root, left=timedelta(seconds=-60)) == 1
    assert sweep_uploads(s3, root, left=timedelta(seconds=-60)) == 0


def test_a_wrong_login_is_told_without_the_secret(s3: S3, root: str) -> None:
    wrong = S3(s3.endpoint, s3.access_key, "guessed", s3.region)

    with pytest.raises(EnvironmentProblem, match=r"S3 says \w+.*check the login") as caught:
        Landing.at(root, Store(wrong)).read_deliveries()

    assert "guessed" not in str(caught.value)


def test_a_silent_endpoint_is_told(root: str) -> None:
    nobody = S3("http://127.0.0.1:1", "redcliff", "secret")

    with pytest.raises(TryAgain, match=r"S3 does not answer .*redcliff up.*try again"):
        Landing.at(root, Store(nobody)).read_deliveries()


# --- the whole city --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A home in folders, for the same city."""
    return Cluster(tmp_path_factory.mktemp("local") / "home", Path("local"))


@pytest.fixture(scope="module")
def demos(cluster: Cluster, local: Cluster) -> tuple[Any, Any]:
    """What the demo told, on S3 and in folders."""
    on_s3 = ("--profile", str(cluster.profile), "--engine", CLUSTER_ENGINE)
    return cluster(*DEMO, *on_s3, seconds=7200), local(*DEMO)


def test_the_city_has_the_same_tables_as_in_folders_and_trino_shows_them(
    cluster: Cluster, demos: tuple[Any, Any]
) -> None:
    on_s3, in_folders = demos

    assert on_s3["tables"] == in_folders["tables"]
    assert on_s3["deliveries"] == in_folders["deliveries"]
    again = cluster("run", "--engine", "embedded", "--profile", str(cluster.profile))
    assert again["deliveries"] == []
    assert again["tables"] == on_s3["tables"]
    words = "SELECT count(*) AS n FROM thematic.population__person"
    asked = cluster("sql", words, "--engine", "embedded", "--profile", str(cluster.profile))
    assert asked["rows"] == [[on_s3["tables"]["thematic.population__person"]["rows"]]]

    served = {n: at["rows"] for n, at in on_s3["tables"].items() if not n.startswith("raw.")}
    registration = again["registration"]
    assert (registration["served"], registration["registered"]) == (len(served), [])
    assert (registration["warnings"], registration["problem"]) == ([], None)
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in served)
    in_trino = cluster("sql", counts, "--on", "trino", "--profile", str(cluster.profile))
    assert dict(in_trino["rows"]) == served


def comparable(rows: pa.Table) -> pa.Table:
    """The rows without the moment at which they landed; maps have no order."""
    kept = [name for name in rows.column_names if name != "_received_at"]
    return with_sorted_maps(rows.select(kept))


def test_every_value_is_that_of_the_folders_read_three_ways(
    cluster: Cluster, local: Cluster, demos: tuple[Any, Any], stack: Stack, tmp_path: Path
) -> None:
    environ = {**os.environ, "REDCLIFF_SITE": str(REPOSITORY)}
    settings = settle(str(cluster.profile), cluster.home, environ)
    in_folders = Tables(load_settings("local", local.home, environ).lake)
    names = in_folders.names()
    assert told_by("tables_in_spark", stack, settings.lake, str(tmp_path), *names) == len(names)

    found: list[str] = []
    served = 0
    for name in names:
        expected = comparable(DeltaTable(in_folders.path(name)).to_pyarrow_table())
        place = Tables(settings.lake, settings.store).path(name)
        ways = {
            "deltalake": settings.store.delta(place).to_pyarrow_table(),
            "Spark": pa.ipc.open_file(tmp_path / name).read_all(),
        }
        if not name.startswith("raw."):
            columns = ", ".join(f'"{column}"' for column in expected.column_names)
            with query_on_trino(settings, f"SELECT {columns} FROM {name}", 60) as answer:
                ways["Trino"] = pa.Table.from_batches(answer.batches, answer.schema)
            served += 1
        for way, rows in ways.items():
            found += of_rows(f"{name} by {way}", expected, comparable(rows), ("folders", "S3"))

    assert not found, "\n".join(found)
    assert served > 30


def test_spark_commits_there_once_and_beside_others(s3: S3, root: str, stack: Stack) -> None:
    table = f"{root}/curated/a__b"
    rows = pa.table({"k": ["零"], "v": pa.array([0], pa.int64())})
    write_deltalake(table, rows, storage_options=s3.delta_options())

    told = told_by("spark_on_s3", stack, root)

    own = [f"spark {n}" for n in range(COMMITS)]
    others = [f"delta-rs {n}" for n in range(COMMITS * 5)]
    assert told == {
        "rows": [{"k": k, "v": v} for k, v in (("零", 0), ("一", 1), ("二", 20), ("三", 30))],
        "version": 2,  # the second merge of the same transaction was skipped
        "shown": False,  # the secret, on a command line
        "races": {"written": RACES, "java.nio.file.FileAlreadyExistsException": RACES * 7},
        "shared": sorted(["-", *own, *others]),
    }
