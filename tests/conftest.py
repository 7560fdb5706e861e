"""What all tests share: one engine of each kind, and temporary homes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.engine import Engine

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine of nearly all tests; no test changes its settings."""
    from lake.engines.embedded import EmbeddedEngine

    started = EmbeddedEngine(tmp_path_factory.mktemp("embedded"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Spark, for what only it does and for the comparison of the two."""
    from lake.engines.spark import SparkEngine, start_session
    from lake.toolchain import delta_jars, find_java

    session = start_session(
        master="local[2]",
        memory="1g",
        jars=delta_jars(),
        java_home=find_java().home,
        scratch=tmp_path_factory.mktemp("spark"),
    )
    started = SparkEngine(session)
    yield started
    started.close()
