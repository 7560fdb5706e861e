"""Spark on S3 for tests, in processes of their own: a session has one set of settings for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs.stack.component import Stack
from lake.addresses import SparkMaster
from lake.engines.log_store import log_store_jar
from lake.engines.spark import start_session
from lake.s3 import S3
from lake.store import Store
from lake.toolchain import delta_jars, find_java, s3_jars

REPOSITORY = Path(__file__).parents[2]
HERE = SparkMaster("local[2]")


def told_by(module: str, stack: Stack, *words: str) -> Any:
    """
    The JSON document that `main` of a module here prints, in a new process.

    Its arguments are endpoint, key and the file of the secret, then `words`.
    """
    s3 = stack.component("s3").login(stack)
    secret = str(stack.secret_file("s3"))
    done = subprocess.run(
        [sys.executable, "-m", f"tests.stack.{module}", s3.endpoint, s3.access_key, secret, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=REPOSITORY,
        env={**os.environ, "TZ": "UTC"},  # Python's collect() gives local times
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def given() -> tuple[Store, list[str]]:
    """What `told_by` has given to this process: the store, and the words."""
    endpoint, key, secret, *words = sys.argv[1:]
    return Store(S3(endpoint, key, Path(secret).read_text(encoding="utf-8").strip())), words


@contextmanager
def spark_session(store: Store, where: SparkMaster = HERE) -> Iterator[SparkSession]:
    """A session as the Spark engine has it."""
    with tempfile.TemporaryDirectory() as scratch:
        session = start_session(
            where,
            store,
            memory="1g",
            jars=[*delta_jars(), *s3_jars(), log_store_jar()],
            java_home=find_java().home,
            scratch=Path(scratch),
        )
        try:
            yield session
        finally:
            session.stop()
