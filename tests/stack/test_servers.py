from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable, write_deltalake
from minio.error import S3Error
from trino.exceptions import HttpError

from jobs.stack import s3
from jobs.stack.component import Stack
from lake.state import HEAD, open_state

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


# --- Spark -----------------------------------------------------------------------------------

APPLICATION = """
import sys
from pyspark.sql import SparkSession
master, secret = sys.argv[1:]
spark = (
    SparkSession.builder.master(master).appName("test")
    .config("spark.authenticate", "true").config("spark.authenticate.secret", secret)
    .config("spark.network.crypto.enabled", "true")
    .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false").config("spark.executor.memory", "1g")
    .config("spark.driver.memory", "512m").config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
print("sum", spark.range(1000).selectExpr("sum(id)").first()[0])
spark.stop()
"""


def run_application(stack: Stack, secret: str) -> subprocess.CompletedProcess[str]:
    from lake.toolchain import find_java

    environ = {**stack.environ, "JAVA_HOME": str(find_java().home), "SPARK_LOCAL_IP": stack.address}
    return subprocess.run(
        [sys.executable, "-c", APPLICATION, stack.component("spark").url(stack), secret],
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
        env=environ,
    )


def test_the_worker_computes_for_who_knows_the_secret(stack: Stack) -> None:
    done = run_application(stack, stack.secret("spark"))

    assert done.returncode == 0, done.stderr
    assert "sum 499500" in done.stdout


# --- Trino -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(stack: Stack) -> str:
    """A Delta table on S3 that delta-rs wrote in two commits."""
    store = stack.component("s3")
    uri = f"s3://{store.bucket}/curated/population__person"
    options = {
        "AWS_ENDPOINT_URL": f"http://{store.address(stack)}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": s3.REGION,
        "AWS_ACCESS_KEY_ID": s3.USER,
        "AWS_SECRET_ACCESS_KEY": stack.secret("s3"),
        "AWS_CONDITIONAL_PUT": "etag",
    }
    for names in (["张三", "李四"], ["王五"]):
        rows = pa.table(
            {
                "name": names,
                "born_date": pa.array([datetime(1990, 1, 1, tzinfo=UTC).date()] * len(names)),
            }
        )
        write_deltalake(uri, rows, mode="append", storage_options=options)
    assert DeltaTable(uri, storage_options=options).version() == 1
    return uri


def ask(stack: Stack, statement: str) -> list[list[object]]:
    with stack.component("trino").connect(stack) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows: list[list[object]] = cursor.fetchall()
        return rows


def test_trino_reads_a_delta_table_that_delta_rs_wrote(stack: Stack, table: str) -> None:
    store = stack.component("s3")
    ask(
        stack,
        f"CREATE SCHEMA IF NOT EXISTS lake.curated WITH (location = 's3://{store.bucket}/curated')",
    )
    ask(
        stack,
        "CALL lake.system.register_table(schema_name => 'curated', "
        f"table_name => 'population__person', table_location => '{table}')",
    )

    names = ask(stack, "SELECT name FROM lake.curated.population__person ORDER BY name")
    at_first = ask(
        stack, "SELECT count(*) FROM lake.curated.population__person FOR VERSION AS OF 0"
    )

    assert names == [["张三"], ["李四"], ["王五"]]
    assert at_first == [[2]]


def test_trino_lets_nobody_in_without_the_password(stack: Stack) -> None:
    trino = stack.component("trino")
    connection = trino.connect(stack)
    connection.auth = type(connection.auth)("redcliff", "guessed")
    connection.auth.set_http_session(connection._http_session)

    with pytest.raises(HttpError, match="401"):
        connection.cursor().execute("SELECT 1")
    connection.close()
