"""
Delta's log store for Spark on S3, compiled on this machine from `logstore/` (ADR 0013).

The compiler is Janino, which Spark has with it, so that no JDK is needed; it takes a second, once.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.errors import EnvironmentProblem
from lake.store import Store
from lake.toolchain import cache_folder, delta_jars, find_java, make_folder, s3_jars, spark_jars

CLASS = "redcliff.ConditionalLogStore"
SOURCES = Path(__file__).with_name("logstore")
SECONDS = 120


def log_store_jar(environ: Mapping[str, str] = os.environ) -> Path:
    """
    The jar with the class, made when the cache lacks it; offline, once Delta's jars are there.

    It lies under the hash of its sources and of what they are compiled against.
    `EnvironmentProblem` when it cannot be compiled.
    """
    path_of = {jar.name: jar for jar in [*spark_jars(), *delta_jars(environ)]}
    needed = ("janino-", "commons-compiler-", "hadoop-client-api-", "delta-storage-")
    against = [path_of[name] for name in sorted(path_of) if name.startswith(needed)]
    compiler, source = SOURCES / "Compile.java", SOURCES / f"{CLASS.rpartition('.')[2]}.java"
    parts = [compiler.read_bytes(), source.read_bytes(), *(jar.name.encode() for jar in against)]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    jar = cache_folder(environ) / "jars" / key / "redcliff-log-store.jar"
    if not jar.exists():
        make_folder(jar.parent)
        with tempfile.TemporaryDirectory(prefix=".compile-", dir=jar.parent) as name:
            aside = Path(name)
            _run(compiler, [str(source), name], against, environ)
            with zipfile.ZipFile(aside / jar.name, "w") as made:
                for compiled in sorted(aside.rglob("*.class")):
                    made.write(compiled, compiled.relative_to(aside))
            (aside / jar.name).replace(jar)
    return jar


def by_spark(place: str, store: Store, environ: Mapping[str, str] = os.environ) -> bool:
    """
    Whether of two who write one log file below `place`, as Spark commits, only the first has.

    A fence of `lake.fences`; it starts a JVM, but no Spark.
    """
    s3 = store.login(place)
    settings = s3.hadoop_options() | s3.hadoop_login()
    jars = [*spark_jars(), *delta_jars(environ), *s3_jars(environ), log_store_jar(environ)]
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    path = f"{place}/_delta_log/{0:020}.json"
    return "fenced" in _run(SOURCES / "Probe.java", [path], jars, environ, lines).split()


def _run(
    source: Path,
    words: Sequence[str],
    against: Sequence[Path],
    environ: Mapping[str, str],
    given: str = "",
) -> str:
    """What the program `source` says, which Janino compiles in memory; `given` is its stdin."""
    command = [str(find_java(environ).path), "-cp", os.pathsep.join(map(str, against))]
    command += ["org.codehaus.janino.SimpleCompiler", str(source), source.stem, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, input=given)
    except subprocess.TimeoutExpired as error:
        why = f"not done after {SECONDS} s"
        raise EnvironmentProblem(_failed(source, why)) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("\t")]
        # The last line is the cause of all causes.
        raise EnvironmentProblem(_failed(source, lines[-1] if lines else "no reason given"))
    return done.stdout


def _failed(source: Path, why: str) -> str:
    return (
        f"{source.name}, which keeps Spark's commits on S3 apart, failed ({why}); "
        "run `make setup && make cluster`, and report it when that does not help"
    )
