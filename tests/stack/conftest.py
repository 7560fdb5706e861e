"""One stack of real servers for all tests here, on free ports, started and stopped by the CLI."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from jobs.stack.component import Stack
from jobs.stack.components import load_stack
from lake.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'redcliff'; from jobs.cli import main; main()"

RUN_NEEDS = "s3,postgres,spark,trino"
"""What the profile starts, but for Airflow, which would only take processors from the tests."""


@dataclass
class Cluster:
    """A home with a profile of its own, and the command line upon them."""

    home: Path
    profile: Path

    def __call__(self, *words: str, code: int = 0, seconds: int = 600) -> Any:
        """Run `redcliff <words> --json`, which must end with `code`."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words, "--home", str(self.home), "--json"],
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            cwd=REPOSITORY,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def up(self, components: str = RUN_NEEDS, *, code: int = 0) -> Any:
        """`redcliff up` with the profile."""
        return self("up", "--with", components, "--profile", str(self.profile), code=code)

    def stack(self) -> Stack:
        """What the profile describes, for asking its servers."""
        environ = {**os.environ, "REDCLIFF_SITE": str(REPOSITORY)}
        return load_stack(load_settings(str(self.profile), self.home, environ), environ)

    def processes(self) -> list[psutil.Process]:
        """Every process that knows the home."""
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.home) in word for word in process.cmdline()):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return [one for one in found if one.pid != os.getpid()]


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        return [held.enter_context(server).getsockname()[1] for server in servers]


def make_cluster(folder: Path) -> Cluster:
    """A home, and the cluster profile with free ports."""
    profile = yaml.safe_load((REPOSITORY / "conf" / "cluster.yaml").read_text(encoding="utf-8"))
    keys = [
        (section, key)
        for section in profile["stack"].values()
        if isinstance(section, dict)
        for key in section
        if key.endswith("port")
    ]
    for (section, key), port in zip(keys, free_ports(len(keys)), strict=True):
        section[key] = port
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return Cluster(folder / "home", path)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """In a plain test run these modules are not even imported: their clients may be missing."""
    return True if config.option.markexpr == "not stack" else None


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All that a run needs, up."""
    made = make_cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.up()
        yield made
    finally:
        made("down")


@pytest.fixture(scope="session")
def stack(cluster: Cluster) -> Stack:
    return cluster.stack()
