"""
Opening the engine that the settings name; each is imported only when chosen.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from catalog.errors import EnvironmentProblem, UsageError
from lake.engine import Engine
from lake.settings import Settings


def _embedded(settings: Settings, scratch: Path) -> Engine:
    from lake.engines.embedded import MEMORY, EmbeddedEngine

    return EmbeddedEngine(scratch, memory=settings.memory or MEMORY)


def _spark(settings: Settings, scratch: Path) -> Engine:
    try:
        from lake.engines.spark import MEMORY, SparkEngine, start_session
    except ImportError as error:
        raise EnvironmentProblem(
            f"the engine spark needs the package {error.name}; run `make setup`"
        ) from error
    from lake.toolchain import delta_jars, find_java

    session = start_session(
        master="local[*]",
        memory=settings.memory or MEMORY,
        jars=delta_jars(),
        java_home=find_java().home,
        scratch=scratch,
    )
    return SparkEngine(session)


ENGINES: Mapping[str, Callable[[Settings, Path], Engine]] = {
    "embedded": _embedded,
    "spark": _spark,
}


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """
    The engine, closed at the end; `EnvironmentProblem` when this machine lacks what it needs.

    What it writes while it works goes into a folder of its own that is removed with it.
    """
    opening = ENGINES.get(settings.engine)
    if opening is None:
        raise UsageError(
            f"there is no engine {settings.engine!r}; choose one of: {', '.join(ENGINES)}"
        )
    scratch = Path(tempfile.mkdtemp(prefix=f"redcliff-{settings.engine}-"))
    try:
        engine = opening(settings, scratch)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
