"""
Spark standalone: one master and one worker.

Both are the pyspark package's own; applications connect with the secret of the home.
"""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from catalog.errors import EnvironmentProblem
from jobs.stack.component import Component, Service, Stack
from lake.engines.log_store import log_store_jar
from lake.servers import CLUSTER
from lake.toolchain import LOCK, S3_LOCK, delta_jars, find_java, missing_jars, s3_jars

SECONDS = 5.0
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"


class Spark(Component):
    """A Spark cluster; `memory` and `cores` are what its worker gives to applications."""

    name: ClassVar[str] = "spark"
    packages: ClassVar[tuple[str, ...]] = ("pyspark",)

    port: int = 17077
    web_port: int = 18080
    worker_port: int = 17078
    worker_web_port: int = 18081
    cores: int = Field(default=2, ge=1)
    memory: str = Field(default="3GB", pattern=r"^[1-9][0-9]*(MB|GB)$")
    daemon_memory: str = Field(default="512MB", pattern=r"^[1-9][0-9]*(MB|GB)$")

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """The jars with which applications work on Delta tables and on S3."""
        lacking = [jar for lock in (LOCK, S3_LOCK) for jar in missing_jars(environ, lock=lock)]
        return f"{len(lacking)} jars for Spark" if lacking else None

    def fetch(self, environ: Mapping[str, str]) -> None:
        """Fetch them; `EnvironmentProblem` also when there is no Java."""
        find_java(environ)
        delta_jars(environ)
        s3_jars(environ)
        log_store_jar(environ)

    def services(self, stack: Stack) -> list[Service]:
        """The master, then the worker that registers with it."""
        home, java = spark_home(), find_java(stack.environ)
        secret = stack.secret("spark")
        settings = stack.place("spark", "conf")
        daemons = stack.configure("spark/daemons.conf", settings / "daemons.conf", secret=secret)
        logging = stack.configure("spark/log4j2.properties", settings / "log4j2.properties")
        options = f"-Dlog4j2.configurationFile={logging.as_uri()} -XX:+UseSerialGC"
        environ = {
            "JAVA_HOME": str(java.home),
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(settings),
            "SPARK_DAEMON_MEMORY": self.daemon_memory.removesuffix("B"),
            "SPARK_DAEMON_JAVA_OPTS": f"{options} -Djava.io.tmpdir={stack.place('tmp')}",
            "SPARK_LOCAL_IP": stack.address,
            "SPARK_LOCAL_DIRS": str(stack.place("tmp")),
        }
        start = str(home / "bin" / "spark-class")
        place = ("--host", stack.address, "--properties-file", str(daemons))
        gives = ("--cores", str(self.cores), "--memory", self.memory.removesuffix("B"))
        return [
            Service(
                name="spark-master",
                argv=(
                    *(start, MASTER, *place),
                    *("--port", str(self.port), "--webui-port", str(self.web_port)),
                ),
                probe=lambda: self._master(stack),
                ports={"port": self.port, "web_port": self.web_port},
                environ=environ,
            ),
            Service(
                name="spark-worker",
                argv=(
                    *(start, WORKER, *place, *gives),
                    *("--port", str(self.worker_port), "--webui-port", str(self.worker_web_port)),
                    *("--work-dir", str(stack.place("spark", "work")), self.url(stack)),
                ),
                probe=lambda: self._worker(stack),
                after=("spark-master",),
                ports={"worker_port": self.worker_port, "worker_web_port": self.worker_web_port},
                environ=environ,
            ),
        ]

    def url(self, stack: Stack) -> str:
        """What applications name as their master."""
        return f"spark://{stack.address}:{self.port}"

    def _master(self, stack: Stack) -> None:
        """The master tells its state."""
        if self._asked(stack)["status"] != "ALIVE":
            raise ConnectionError("the master is not alive yet")

    def _worker(self, stack: Stack) -> None:
        """The master knows the worker at this port, and has heard of it."""
        workers = self._asked(stack)["workers"]
        if not any(
            worker["port"] == self.worker_port and worker["state"] == "ALIVE" for worker in workers
        ):
            raise ConnectionError("the worker is not registered yet")

    def _asked(self, stack: Stack) -> dict[str, Any]:
        url = f"http://{stack.address}:{self.web_port}/json/"
        with DIRECT.open(url, timeout=SECONDS) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def serves(self, stack: Stack) -> dict[str, Any]:
        """The section `spark`: its workers are of this machine, and see its Python."""
        return {"spark": {"master": self.url(stack), "secret_file": stack.secret_file("spark")}}

    def endpoint(self, stack: Stack) -> str:
        """The master's address and page."""
        page = f"http://{stack.address}:{self.web_port}"
        return f"{self.url(stack)}, page {page}, secret in {stack.secret_file('spark')}"


# The address is this machine's: never through a proxy.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def spark_home() -> Path:
    """The folder of the pyspark package; its code is not imported."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EnvironmentProblem(f"this Python has no pyspark; run: {CLUSTER}")
    return Path(spec.origin).parent
