from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable, write_deltalake
from minio.error import S3Error
from trino.exceptions import HttpError

from jobs.stack import s3
from jobs.stack.component import Stack
from lake.state import HEAD, open_state
from lake.toolchain import delta_jars, find_java, s3_jars
from lake.trino import connect

pytestmark = pytest.mark.stack
WRITERS = 16


# --- S3 --------------------------------------------------------------------------------------


def test_of_many_writers_of_a_new_object_one_wins(stack: Stack) -> None:
    store = stack.component("s3")
    client = store.client(stack)

    def write(key: str, together: threading.Barrier) -> int:
        together.wait()
        try:
            client._put_object(store.bucket, key, b"mine", headers={"If-None-Match": "*"})
        except S3Error as error:
            return int(error.response.status)
        return 200

    for number in range(20):
        together = threading.Barrier(WRITERS)
        with ThreadPoolExecutor(WRITERS) as pool:
            ended = [pool.submit(write, f"race/{number}", together) for _ in range(WRITERS)]
        assert Counter(one.result() for one in ended) == {200: 1, 412: WRITERS - 1}


def test_large_objects_go_in_parts_and_lists_come_in_pages(stack: Stack) -> None:
    store = stack.component("s3")
    client = store.client(stack)
    large = bytes(range(256)) * (12 << 12)

    client.put_object(store.bucket, "large", io.BytesIO(large), len(large), part_size=5 << 20)
    for number in range(25):
        client.put_object(store.bucket, f"many/{number:02}", io.BytesIO(b"x"), 1)
    page = client._execute(
        "GET",
        store.bucket,
        query_params={"list-type": "2", "max-keys": "10", "prefix": "many/"},
    ).data

    assert client.stat_object(store.bucket, "large").etag.endswith("-3")
    assert client.get_object(store.bucket, "large", offset=5 << 20, length=9).read() == large[:9]
    assert b"<KeyCount>10<" in page
    assert b"<NextContinuationToken>" in page
    names = [one.object_name for one in client.list_objects(store.bucket, "many/")]
    assert names == [f"many/{number:02}" for number in range(25)]


# --- PostgreSQL ------------------------------------------------------------------------------


def test_the_state_store_works_on_postgresql(stack: Stack) -> None:
    database = stack.component("postgres")
    url = sa.URL.create(
        "postgresql+psycopg",
        username="redcliff",
        password=stack.secret("postgres"),
        host=stack.address,
        port=database.port,
        database=database.database,
    ).render_as_string(hide_password=False)

    state = open_state(url)
    with state.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    state.dispose()

    assert revision == HEAD


# --- Delta tables on S3 ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def storage(stack: Stack) -> dict[str, str]:
    """How delta-rs finds the bucket."""
    return {
        "AWS_ENDPOINT_URL": f"http://{stack.component('s3').address(stack)}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": s3.REGION,
        "AWS_ACCESS_KEY_ID": s3.USER,
        "AWS_SECRET_ACCESS_KEY": stack.secret("s3"),
    }


def write_table(stack: Stack, storage: dict[str, str], place: str) -> str:
    """A Delta table that delta-rs writes in two commits."""
    uri = f"s3://{stack.component('s3').bucket}/{place}"
    for names in (["张三", "李四"], ["王五"]):
        rows = pa.table({"name": names, "born_date": [date(1990, 1, 1)] * len(names)})
        write_deltalake(uri, rows, mode="append", storage_options=storage)
    return uri


def test_of_many_appends_at_once_none_is_lost(stack: Stack, storage: dict[str, str]) -> None:
    uri = write_table(stack, storage, "curated/population__many")
    row = pa.table({"name": ["赵六"], "born_date": [date(1990, 1, 1)]})

    with ThreadPoolExecutor(8) as pool:
        commits = [
            pool.submit(write_deltalake, uri, row, mode="append", storage_options=storage)
            for _ in range(24)
        ]
    failed = [error for one in commits if (error := one.exception()) is not None]

    table = DeltaTable(uri, storage_options=storage)
    assert table.version() == 1 + 24 - len(failed)
    assert table.to_pyarrow_table().num_rows == 3 + 24 - len(failed)


# --- Spark -----------------------------------------------------------------------------------

# Merges into the table that delta-rs wrote, on the worker, and tells what it then finds there.
APPLICATION = """
import json, sys
from pyspark.sql import SparkSession
settings, uri = json.loads(sys.argv[1]), sys.argv[2]
builder = SparkSession.builder.appName("test")
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
spark.range(100, 200).selectExpr("'spark ' || id AS name", "DATE '1990-01-01' AS born_date") \\
    .repartition(4).createOrReplaceTempView("delivery")
spark.sql(f"MERGE INTO delta.`{uri}` AS t USING delivery AS d ON t.name = d.name "
          "WHEN NOT MATCHED THEN INSERT *")
names = spark.read.format("delta").load(uri).select("name").orderBy("name").collect()
print(json.dumps([name for name, in names]))
spark.stop()
"""


def run_application(stack: Stack, uri: str, secret: str) -> subprocess.CompletedProcess[str]:
    store, java = stack.component("s3"), find_java()
    settings = {
        "spark.master": stack.component("spark").url(stack),
        "spark.authenticate": "true",
        "spark.authenticate.secret": secret,
        "spark.network.crypto.enabled": "true",
        "spark.driver.host": stack.address,
        "spark.driver.bindAddress": stack.address,
        "spark.driver.memory": "1g",
        "spark.executor.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.jars": ",".join(str(jar) for jar in (*delta_jars(), *s3_jars())),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.hadoop.fs.s3a.endpoint": f"http://{store.address(stack)}",
        "spark.hadoop.fs.s3a.endpoint.region": s3.REGION,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": s3.USER,
        "spark.hadoop.fs.s3a.secret.key": stack.secret("s3"),
    }
    return subprocess.run(
        [sys.executable, "-c", APPLICATION, json.dumps(settings), uri.replace("s3:", "s3a:")],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**stack.environ, "JAVA_HOME": str(java.home), "SPARK_LOCAL_IP": stack.address},
    )


def test_spark_s_worker_merges_into_a_table_that_delta_rs_wrote_on_s3(
    stack: Stack, storage: dict[str, str]
) -> None:
    uri = write_table(stack, storage, "curated/population__spark")

    done = run_application(stack, uri, stack.secret("spark"))

    assert done.returncode == 0, done.stderr[-4000:]
    names = json.loads(done.stdout.splitlines()[-1])
    assert names == [*(f"spark {n}" for n in range(100, 200)), "张三", "李四", "王五"]
    table = DeltaTable(uri, storage_options=storage)
    assert table.version() == 2
    assert table.to_pyarrow_table().num_rows == 103


# --- Trino -----------------------------------------------------------------------------------


def test_trino_lets_nobody_in_without_the_password(stack: Stack) -> None:
    trino = stack.component("trino")
    address = replace(trino.address(stack), password="guessed")

    with closing(connect(address)) as connection, pytest.raises(HttpError, match="401"):
        connection.cursor().execute("SELECT 1")
