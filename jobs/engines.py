"""
Opening the engine that the settings name; each is imported only when chosen.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.errors import EnvironmentProblem, UsageError
from lake.engine import Engine
from lake.handles import Handles
from lake.settings import Settings

PREFIX = "redcliff-scratch-"

UNLOCKED_SECONDS = 60.0
"""A folder so young may be one that its process has not locked yet."""


def _embedded(settings: Settings, scratch: Path, only: Sequence[str] | None) -> Engine:
    from lake.engines.embedded import EmbeddedEngine

    # SQL trees are large, cyclic and short-lived: collecting them often costs a tenth of a run.
    # Not on Spark: there what is not collected holds rows in the JVM.
    gc.set_threshold(200_000, 50, 1_000)
    return EmbeddedEngine(scratch, memory=settings.memory, only=only, store=settings.store)


def _spark(settings: Settings, scratch: Path, only: Sequence[str] | None) -> Engine:
    from lake.engines.log_store import log_store_jar
    from lake.toolchain import S3_LOCK, delta_jars, find_java, missing_jars, s3_jars

    try:
        from lake.engines.spark import MEMORY, SparkEngine, SparkWhenNeeded, start_session
    except ImportError as error:
        raise EnvironmentProblem(
            f"the engine spark needs the package {error.name}; run `make setup`"
        ) from error
    # A run does not reach for the network; only the setup does.
    if missing := missing_jars():
        raise EnvironmentProblem(
            f"the engine spark needs {', '.join(missing)}, not fetched yet; run `make setup`"
        )
    jars = delta_jars()
    if settings.s3 is not None:
        if missing := missing_jars(lock=S3_LOCK):
            raise EnvironmentProblem(
                f"Spark needs {len(missing)} jars for S3, not fetched yet; run `make cluster`"
            )
        jars += [*s3_jars(), log_store_jar()]
    java_home = find_java().home

    handles = Handles(settings.store)

    def start() -> SparkEngine:
        session = start_session(
            settings.spark,
            settings.store,
            memory=(settings.memory or MEMORY).removesuffix("B"),  # Java says 700M for 700MB
            jars=jars,
            java_home=java_home,
            scratch=scratch,
        )
        return SparkEngine(session, settings.store, handles)

    return SparkWhenNeeded(start, handles)


Opening = Callable[[Settings, Path, Sequence[str] | None], Engine]
ENGINES: Mapping[str, Opening] = {"embedded": _embedded, "spark": _spark}


def choose(name: str) -> Opening:
    """What opens the engine of this name; `UsageError` when there is none."""
    if name not in ENGINES:
        raise UsageError(f"there is no engine {name!r}; choose one of: {', '.join(ENGINES)}")
    return ENGINES[name]


@contextmanager
def open_engine(settings: Settings, *, only: Sequence[str] | None = None) -> Iterator[Engine]:
    """
    The engine, closed at the end; `EnvironmentProblem` when this machine lacks what it needs.

    With `only` it is for a person's SQL and reads no other folders, where the engine can be held
    to that: the embedded one can, on Spark the query is judged before and nothing else holds it.
    What it writes while it works goes into a folder of its own that is removed with it, or by the
    next one when the process was killed: it may hold rows.
    """
    opening = choose(settings.engine)
    _sweep()
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        engine = opening(settings, scratch, only)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _sweep() -> None:
    """Remove the folders whose process is gone: it has locked its folder as long as it lives."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Others may remove it as well, and those of other users are theirs.
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < UNLOCKED_SECONDS:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
