"""
Airflow: API server, scheduler, DAG processor and triggerer, with its own database in PostgreSQL.

Tasks run as processes of this machine (LocalExecutor) and call `redcliff` with the home and the
profile that the stack belongs to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from catalog.compile.manifest import read_manifest
from catalog.errors import UsageError
from jobs.stack.component import LOOPBACK, Component, Service, Stack
from jobs.stack.postgres import USER as DATABASE_USER
from jobs.stack.postgres import Postgres

USER = "admin"
SECONDS = 5.0
DAGS = Path("dags")
HOST = "AIRFLOW__API__HOST"
"""The environment wins over what the stack writes, and so it is looked at too."""

PARTS = {
    "airflow-api": ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dags": ("dag-processor",),
    "airflow-triggers": ("triggerer", "--skip-serve-logs"),
}
"""The processes and their commands; logs are files of this machine, nobody has to serve them."""

HEALTH = {
    "airflow-api": "metadatabase",
    "airflow-scheduler": "scheduler",
    "airflow-dags": "dag_processor",
    "airflow-triggers": "triggerer",
}
"""What the API server calls them when it is asked how they are."""

# The address is this machine's: never through a proxy.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Airflow(Component):
    """
    The scheduler of the site's DAGs; `tasks` is how many run at once.

    Without `auth_manager` there is one user with a password of the home, which is for one machine
    alone. With the name of an auth manager's class Airflow asks that one; its settings are said
    in the environment, as Airflow's documentation says.
    """

    name: ClassVar[str] = "airflow"
    needs: ClassVar[tuple[str, ...]] = ("postgres",)
    packages: ClassVar[tuple[str, ...]] = ("airflow", "psycopg")

    port: int = 18082
    database: str = "airflow"
    tasks: int = Field(default=2, ge=1)
    look_seconds: int = Field(default=30, ge=1)
    auth_manager: str | None = None

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """Nothing: it is a package."""
        return None

    def fetch(self, environ: Mapping[str, str]) -> None:
        """Nothing."""

    def check(self, stack: Stack) -> None:
        """`UsageError` when others could log in with the one password."""
        named = stack.environ.get(HOST)
        address = named or stack.address
        if self.auth_manager is None and address not in LOOPBACK:
            raise UsageError(
                f"{HOST if named else 'stack.address'} is {address}, and Airflow's one demo login "
                "is for this machine alone: name an auth manager in stack.airflow.auth_manager, "
                "or listen on 127.0.0.1"
            )

    def services(self, stack: Stack) -> list[Service]:
        """The API server, which brings the database up to date, and those that ask it."""
        place = stack.place("airflow")
        manifest = place / "manifest.json"
        if read_manifest(manifest, stack.site) is None:
            self._compile(stack.site, manifest)
        configuration = stack.configure(
            "airflow/airflow.cfg",
            place / "airflow.cfg",
            address=stack.address,
            port=self.port,
            dags=stack.site / DAGS,
            plugins=stack.place("airflow", "plugins"),
            logs=stack.place("airflow", "logs"),
            tasks=self.tasks,
            look_seconds=self.look_seconds,
            database=self._database(stack),
            fernet_key=_fernet(stack.secret("airflow_fernet")),
            secret_key=stack.secret("airflow_session"),
            jwt_secret=stack.secret("airflow_jwt"),
            authentication=self._authentication(stack, place),
        )
        settings = stack.settings
        settings.inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        environ = {
            "AIRFLOW_HOME": str(place),
            "AIRFLOW_CONFIG": str(configuration),
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(stack.site / DAGS), stack.environ.get("PYTHONPATH")))
            ),
            "REDCLIFF_HOME": str(settings.home),
            "REDCLIFF_SITE": str(stack.site),
            "REDCLIFF_PROFILE": _named(settings.profile),
            "REDCLIFF_INBOX": str(settings.inbox),
            "REDCLIFF_SETTLE_SECONDS": str(settings.settle_seconds),
            "REDCLIFF_MANIFEST": str(manifest),
        }
        return [
            Service(
                name=name,
                argv=(sys.executable, "-m", "jobs.stack.airflow_process", self.database, *words),
                probe=lambda name=name: self.probe(stack, name),  # type: ignore[misc]
                after=("postgres",) if name == "airflow-api" else ("airflow-api",),
                ports=self.ports() if name == "airflow-api" else {},
                environ=environ,
                start_seconds=240.0,
            )
            for name, words in PARTS.items()
        ]

    def probe(self, stack: Stack, name: str) -> None:
        """The API server says that this part of it is healthy."""
        found = self.health(stack)[HEALTH[name]]
        if found["status"] != "healthy":
            raise ConnectionError(f"{name} is {found['status'] or 'not there yet'}")

    def health(self, stack: Stack) -> Mapping[str, Any]:
        """What the API server says of itself and the others."""
        url = f"http://{stack.address}:{self.port}/api/v2/monitor/health"
        with DIRECT.open(url, timeout=SECONDS) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def endpoint(self, stack: Stack) -> str:
        """The page and the login."""
        page = f"http://{stack.address}:{self.port}"
        if self.auth_manager is not None:
            return page
        return f"{page}, user {USER}, password in {stack.secret_file('airflow')}"

    def _database(self, stack: Stack) -> str:
        postgres: Postgres = stack.component("postgres")
        login = f"{DATABASE_USER}:{stack.secret('postgres')}"
        return f"postgresql+psycopg://{login}@{stack.address}:{postgres.port}/{self.database}"

    def _authentication(self, stack: Stack, place: Path) -> str:
        if self.auth_manager is not None:
            return f"auth_manager = {self.auth_manager}"
        passwords = place / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: stack.secret("airflow")}), encoding="utf-8")
        return (
            f"simple_auth_manager_users = {USER}:admin\n"
            f"simple_auth_manager_passwords_file = {passwords}"
        )

    @staticmethod
    def _compile(site: Path, manifest: Path) -> None:
        from catalog.catalog import Catalog
        from jobs.contracts import compile_dags

        compile_dags(Catalog.load(site), manifest)


def _named(profile: str) -> str:
    """The profile as tasks find it from their own working directory."""
    file = Path(profile).expanduser()
    return str(file.absolute()) if file.is_file() else profile


def _fernet(secret: str) -> str:
    """A key in the form that Airflow encrypts connections with."""
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()
