"""
Opening the engine that the settings name; each is imported only when chosen.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.errors import UsageError
from lake.engine import Engine
from lake.settings import Settings

ENGINES = ("spark",)


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """
    The engine, closed at the end; `EnvironmentProblem` when this machine lacks what it needs.
    """
    if settings.engine not in ENGINES:
        raise UsageError(
            f"there is no engine {settings.engine!r}; choose one of: {', '.join(ENGINES)}"
        )
    from lake.engines.spark import SparkEngine, start_session
    from lake.toolchain import delta_jars, find_java

    scratch = Path(tempfile.mkdtemp(prefix="redcliff-spark-"))
    try:
        session = start_session(
            master="local[*]",
            memory="2g",
            jars=delta_jars(),
            java_home=find_java().home,
            scratch=scratch,
        )
        engine = SparkEngine(session)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
