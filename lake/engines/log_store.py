"""
Delta's log store for Spark on S3, compiled on this machine from `logstore/` (ADR 0010).

The compiler is Janino, which Spark has with it, so that no JDK is needed; it takes a second, once.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from catalog.errors import EnvironmentProblem
from lake.toolchain import cache_folder, delta_jars, find_java, make_folder, spark_jars

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
    sources = [SOURCES / "Compile.java", SOURCES / f"{CLASS.rpartition('.')[2]}.java"]
    parts = [*(source.read_bytes() for source in sources), *(jar.name.encode() for jar in against)]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    jar = cache_folder(environ) / "jars" / key / "redcliff-log-store.jar"
    if not jar.exists():
        make_folder(jar.parent)
        with tempfile.TemporaryDirectory(prefix=".compile-", dir=jar.parent) as name:
            aside = Path(name)
            _compile(sources, against, aside, environ)
            with zipfile.ZipFile(aside / jar.name, "w") as made:
                for compiled in sorted(aside.rglob("*.class")):
                    made.write(compiled, compiled.relative_to(aside))
            (aside / jar.name).replace(jar)
    return jar


def _compile(
    sources: list[Path], against: list[Path], folder: Path, environ: Mapping[str, str]
) -> None:
    """Let Janino compile and run the first source, which lets it compile the second."""
    compiler, source = sources
    command = [str(find_java(environ).path), "-cp", os.pathsep.join(map(str, against))]
    command += ["org.codehaus.janino.SimpleCompiler", str(compiler), compiler.stem]
    command += [str(source), str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("\t")]
        why = lines[-1] if lines else "no reason given"  # the cause of the causes
    except subprocess.TimeoutExpired:
        done, why = None, f"not done after {SECONDS} s"
    if done is None or done.returncode or not any(folder.rglob("*.class")):
        raise EnvironmentProblem(
            f"{source.name} could not be compiled ({why}), without which Spark's commits on S3 are "
            "not safe; run `make setup`, and report it when that does not help"
        )
