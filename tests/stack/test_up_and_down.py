from __future__ import annotations

import io
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from jobs.stack.component import Stack
from tests.stack.conftest import Cluster, make_cluster

pytestmark = pytest.mark.stack
GIB = 1024**3


def binds(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def test_everything_answers_within_memory_and_on_loopback_alone(cluster: Cluster) -> None:
    services = cluster("status")["services"]

    assert [one["name"] for one in services] == [
        "s3",
        "postgres",
        "spark-master",
        "spark-worker",
        "trino",
    ]
    assert {one["state"] for one in services} == {"healthy"}
    processes = cluster.processes()
    assert sum(process.memory_info().rss for process in processes) < 10 * GIB
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_up_again_changes_nothing(cluster: Cluster) -> None:
    before = {one["name"]: one["pid"] for one in cluster("status")["services"]}

    again = cluster.up()

    assert {one["name"]: one["pid"] for one in again["services"]} == before
    assert again["seconds"] < 30


def test_taken_ports_are_named_and_nothing_is_started(cluster: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path / "home", cluster.profile)
    ports = [port for one in cluster("status")["services"] for port in one["ports"].values()]

    error = other.up(code=1)["error"]

    assert error["kind"] == "environment"
    assert [
        port for port in ports if f"127.0.0.1:{port} (address already" in error["message"]
    ] == ports
    assert "free it, or change stack.trino.port" in error["message"]
    assert other.processes() == []
    assert not (other.home / "stack" / "run").exists()


def test_a_server_that_is_killed_comes_back_with_its_data(cluster: Cluster, stack: Stack) -> None:
    store = stack.component("s3")
    store.client(stack).put_object(store.bucket, "kept", io.BytesIO(b"kept"), 4)
    before = next(one for one in cluster("status")["services"] if one["name"] == "s3")

    os.kill(before["pid"], signal.SIGKILL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        after = next(one for one in cluster("status")["services"] if one["name"] == "s3")
        if after["pid"] not in (None, before["pid"]) and after["state"] == "healthy":
            break
        time.sleep(0.5)

    assert after["restarts"] == before["restarts"] + 1
    assert store.client(stack).get_object(store.bucket, "kept").read() == b"kept"


def test_secrets_stand_in_no_log_and_are_their_owner_s(cluster: Cluster, stack: Stack) -> None:
    secrets = [path for path in (stack.folder / "secrets").iterdir() if not path.suffix]
    logs = [path.read_text(errors="replace") for path in (stack.folder / "logs").iterdir()]

    assert len(secrets) >= 5
    assert len(logs) == 6
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0
        assert not any(path.read_text().strip() in log for log in logs)


def test_down_leaves_no_process_port_or_temporary_file_and_keeps_the_data(tmp_path: Path) -> None:
    small = make_cluster(tmp_path)
    first = small.up("s3,postgres")
    stack = small.stack()
    store, database = stack.component("s3"), stack.component("postgres")
    store.client(stack).put_object(store.bucket, "kept", io.BytesIO(b"kept"), 4)
    processes = small.processes()

    stopped = small("down")

    assert stopped == {"was_up": True}
    assert len(processes) >= 3
    assert small.processes() == []
    for one in first["services"]:
        assert all(binds("127.0.0.1", port) for port in one["ports"].values())
    left = {path.name for path in stack.folder.iterdir()}
    assert left == {"logs", "postgres", "s3", "secrets"}
    assert not (stack.folder / "postgres" / "data" / "postmaster.pid").exists()
    assert small("down") == {"was_up": False}
    small.up("s3,postgres")
    try:
        assert store.client(stack).get_object(store.bucket, "kept").read() == b"kept"
        database.probe(stack)
    finally:
        small("down")
