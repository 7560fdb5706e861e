from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import EnvironmentProblem, UsageError
from jobs.stack.component import Component, Rendering, Service, Stack
from jobs.stack.components import check_packages, load_stack
from jobs.stack.record import standing
from jobs.stack.trino import hashed
from jobs.up import check_ports, down, logs, read_logs
from lake.settings import Settings, load_settings

REPOSITORY = Path(__file__).parents[2]
CLUSTER = REPOSITORY / "conf" / "cluster.yaml"


class Echo(Component):
    """A component of this test: two ports and a template."""

    name = "echo"
    port: int = 4
    web_port: int = 5
    size: int = 6

    def missing(self, environ: Any) -> None:
        return None

    def fetch(self, environ: Any) -> None:
        return None

    def services(self, stack: Stack) -> list[Service]:
        return []

    def endpoint(self, stack: Stack) -> str:
        return "nowhere"


def taken() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"REDCLIFF_SITE": str(REPOSITORY)}
    return load_settings("cluster", tmp_path / "home", environ)


def stack_of(tmp_path: Path, **components: Component) -> Stack:
    return Stack(
        folder=tmp_path / "stack",
        site=tmp_path / "site",
        address="127.0.0.1",
        environ=os.environ,
        components=components,
        chosen=tuple(components),
        settings=load_settings(None, tmp_path / "home", {"REDCLIFF_SITE": str(REPOSITORY)}),
    )


# --- the profile -----------------------------------------------------------------------------


def test_the_section_is_kept_as_it_stands(settings: Settings) -> None:
    assert settings.stack == yaml.safe_load(CLUSTER.read_text())["stack"]
    assert settings.engine == "spark"


def test_without_a_section_another_profile_is_named(tmp_path: Path) -> None:
    local = load_settings("local", tmp_path, {"REDCLIFF_SITE": str(REPOSITORY)})

    with pytest.raises(UsageError, match=r"the profile local has no section stack; .*cluster"):
        load_stack(replace(local, stack={}), os.environ)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        pytest.param({"s4": {}}, "stack: unknown key s4; known: address, s3,", id="component"),
        pytest.param({"address": "all"}, "stack.address: 'all' is no IPv4 address", id="address"),
    ],
)
def test_a_section_that_does_not_fit_is_told(
    settings: Settings, section: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        load_stack(replace(settings, stack=section), os.environ)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        pytest.param(
            None, ("s3", "postgres", "spark", "trino", "airflow"), id="all-of-the-profile"
        ),
        pytest.param(["trino"], ("s3", "trino"), id="with-what-it-needs"),
        pytest.param(["spark", "postgres"], ("postgres", "spark"), id="in-the-order-of-starting"),
    ],
)
def test_components_are_chosen(
    settings: Settings, wanted: list[str] | None, chosen: tuple[str, ...]
) -> None:
    assert load_stack(settings, {}, wanted).chosen == chosen


def test_a_component_that_is_not_there_is_told_with_those_that_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no component kafka; the profile has s3, postgres, spark"):
        load_stack(settings, {}, ["kafka", "s3"])


def test_a_key_that_does_not_fit_is_told_with_those_that_do(settings: Settings) -> None:
    section = {"s3": {}, "trino": {"memory": "much"}}

    with pytest.raises(
        UsageError, match=r"^stack\.trino\.memory: .*; known: port, internal_port, mem"
    ):
        load_stack(replace(settings, stack=section), {})


def test_a_package_that_python_lacks_is_named(tmp_path: Path) -> None:
    class Lacking(Echo):
        packages = ("json", "no_such_package")

    with pytest.raises(EnvironmentProblem, match="lacks no_such_package; run: make cluster"):
        check_packages(stack_of(tmp_path, echo=Lacking()))


# --- configurations --------------------------------------------------------------------------


def test_trino_is_configured_from_the_profile(settings: Settings, tmp_path: Path) -> None:
    section = {"s3": {"port": 1, "bucket": "city"}, "trino": {"port": 2, "memory": "1GB"}}
    environ = {**os.environ, "REDCLIFF_CACHE": str(tmp_path / "cache")}
    stack = load_stack(replace(settings, stack=section), environ)
    (stack.place("secrets") / "127.0.0.1.crt").touch()  # made with a package of the servers' own

    (service,) = stack.components["trino"].services(stack)

    etc = stack.folder / "trino" / "etc"
    settled = (etc / "config.properties").read_text().splitlines()
    catalog = (etc / "catalog" / "lake.properties").read_text().splitlines()
    assert "http-server.https.port=2" in settled
    assert "node.bind-ip=127.0.0.1" in settled
    assert "query.max-memory-per-node=512MB" in settled
    assert "-Xmx1024m" in (etc / "jvm.config").read_text().splitlines()
    assert "s3.endpoint=http://127.0.0.1:1" in catalog
    assert "hive.metastore.catalog.dir=s3://city/.metastore" in catalog
    assert service.environ["TRINO_S3_SECRET"] == stack.secret("s3")
    assert service.after == ("s3",)
    for path in etc.rglob("*"):
        if path.is_file():
            assert stack.secret("s3") not in path.read_text()
            assert stack.secret("trino") not in path.read_text()


def test_trino_s_password_file_holds_the_hash_that_trino_computes() -> None:
    rounds, salt, kept = hashed("secret").split(":")

    computed = hashlib.pbkdf2_hmac("sha1", b"secret", bytes.fromhex(salt), int(rounds))
    assert bytes.fromhex(kept).startswith(computed)
    assert int(rounds) >= 1000


def test_spark_s_worker_registers_with_the_master_of_the_profile(settings: Settings) -> None:
    section = {"spark": {"port": 7, "worker_port": 8, "memory": "2GB", "cores": 3}}
    stack = load_stack(replace(settings, stack=section), os.environ)

    master, worker = stack.components["spark"].services(stack)

    assert worker.argv[-1] == "spark://127.0.0.1:7"
    assert worker.after == (master.name,)
    assert ("--memory", "2G") in pairwise(worker.argv)
    assert ("--cores", "3") in pairwise(worker.argv)
    assert not any(stack.secret("spark") in word for word in (*master.argv, *worker.argv))
    assert stack.secret("spark") in (stack.folder / "spark/conf/daemons.conf").read_text()


@pytest.mark.parametrize(
    ("address", "environ", "said"),
    [
        pytest.param("0.0.0.0", {}, "^stack.address is 0.0.0.0, and", id="profile"),
        pytest.param(
            "127.0.0.1",
            {"AIRFLOW__API__HOST": "10.0.0.7"},
            "^AIRFLOW__API__HOST is 10.0.0.7, and",
            id="environment",
        ),
    ],
)
def test_airflow_s_demo_login_is_for_this_machine_alone(
    settings: Settings, address: str, environ: dict[str, str], said: str
) -> None:
    section: dict[str, Any] = {"address": address, "postgres": {}, "airflow": {}}
    stack = load_stack(replace(settings, stack=section), environ)
    section["airflow"] = {"auth_manager": "airflow.providers.fab.FabAuthManager"}
    guarded = load_stack(replace(settings, stack=section), environ)

    with pytest.raises(UsageError, match=said):
        stack.components["airflow"].check(stack)
    guarded.components["airflow"].check(guarded)


def test_airflow_s_secrets_stand_in_its_own_files_alone(settings: Settings) -> None:
    section = {"postgres": {"port": 5}, "airflow": {"port": 6, "tasks": 3}}
    stack = load_stack(replace(settings, stack=section), os.environ)

    services = stack.components["airflow"].services(stack)

    written = (stack.folder / "airflow" / "airflow.cfg").read_text()
    assert "parallelism = 3" in written
    assert f"redcliff:{stack.secret('postgres')}@127.0.0.1:5/airflow" in written
    assert stack.secret("airflow") in (stack.folder / "airflow/passwords.json").read_text()
    secrets = {file.read_text().strip() for file in (stack.folder / "secrets").iterdir()}
    assert len(secrets) == 5
    for service in services:
        told = (*service.argv, *service.environ.values())
        assert [secret for secret in secrets if any(secret in word for word in told)] == []
    for name in ("airflow.cfg", "passwords.json"):
        assert stat.S_IMODE((stack.folder / "airflow" / name).stat().st_mode) == 0o600


# --- places, secrets, templates --------------------------------------------------------------


def test_what_the_stack_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    stack = stack_of(tmp_path)
    template = tmp_path / "site" / "conf" / "echo.conf"
    template.parent.mkdir(parents=True)
    template.write_text("port=@{port}\nsecret=${ENV:SECRET}\n")

    rendered = stack.configure("echo.conf", stack.place("echo", "etc") / "echo.conf", port=7)
    first, again = stack.secret("echo"), stack_of(tmp_path).secret("echo")

    assert rendered.read_text() == "port=7\nsecret=${ENV:SECRET}\n"
    assert first == again
    assert len(first) == 64
    for path in (rendered, stack.secret_file("echo")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (stack.folder, rendered.parent, stack.folder / "secrets"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_every_template_of_the_site_is_whole() -> None:
    templates = [
        p
        for folder in ("airflow", "trino", "spark", "postgres")
        for p in (CLUSTER.parent / folder).rglob("*")
        if p.is_file()
    ]

    assert len(templates) == 11
    assert [p for p in templates if not Rendering(p.read_text()).is_valid()] == []


# --- ports -----------------------------------------------------------------------------------


def test_every_taken_port_is_named_with_its_key(tmp_path: Path) -> None:
    with taken() as one, taken() as other, taken() as free:
        ports = [server.getsockname()[1] for server in (one, other, free)]
        free.close()
        stack = stack_of(
            tmp_path,
            echo=Echo(port=ports[0], web_port=ports[2]),
            ohce=Echo(port=ports[1], web_port=9),
        )

        with pytest.raises(EnvironmentProblem) as raised:
            check_ports(replace(stack, components={**stack.components}))

    lines = str(raised.value).splitlines()
    told = "(address already in use): free it, or change stack"
    assert f"  127.0.0.1:{ports[0]} {told}.echo.port" in lines
    assert f"  127.0.0.1:{ports[1]} {told}.ohce.port" in lines
    assert not any(str(ports[2]) in line for line in lines)
    assert lines[0].endswith("cannot be taken, nothing was started:")


def test_one_port_for_two_things_is_wrong_use(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, echo=Echo(port=17171, web_port=17171))

    with pytest.raises(
        UsageError, match=r"stack\.echo\.web_port: port 17171 is that of stack\.echo\.port too"
    ):
        check_ports(stack)


# --- down and logs ---------------------------------------------------------------------------


def test_down_where_nothing_is_up_removes_what_a_crash_left(tmp_path: Path) -> None:
    run = tmp_path / "stack" / "run"
    run.mkdir(parents=True)
    (run / "lock").touch()
    (run / "state.json").write_text('{"pid": 1, "chosen": [], "services": [], "ended": null}')

    assert standing(tmp_path) == ()
    assert down(tmp_path) is False
    assert list((tmp_path / "stack").iterdir()) == []


def test_logs_are_shown_by_component(tmp_path: Path) -> None:
    folder = tmp_path / "stack" / "logs"
    folder.mkdir(parents=True)
    for name in ("spark-master", "spark-worker", "s3", "s3.old"):
        (folder / f"{name}.log").write_text("".join(f"{name} {n}\n" for n in range(100)))

    spark = list(read_logs(logs(tmp_path, "spark"), 1))
    s3 = list(read_logs(logs(tmp_path, "s3"), 2))

    assert spark == ["spark-master: spark-master 99", "spark-worker: spark-worker 99"]
    assert s3 == ["s3 98", "s3 99"]
    with pytest.raises(UsageError, match="no log of 'trino'; there are: s3, spark-master, spark-w"):
        logs(tmp_path, "trino")
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match="was never up"):
        logs(tmp_path, None)


def test_a_log_is_followed(tmp_path: Path) -> None:
    log = tmp_path / "s3.log"
    log.write_text("old\n")

    lines = read_logs([log], 5, follow=True)
    first = next(lines)
    with log.open("a") as file:
        file.write("new\n")

    assert (first, next(lines)) == ("old", "new")
    lines.close()  # type: ignore[attr-defined]
