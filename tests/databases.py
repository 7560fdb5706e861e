"""The databases on which the state store is tested: files of SQLite, and a PostgreSQL server."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

NewStore = Callable[[], str]
"""Makes an empty store and gives its URL."""


@dataclass
class PostgresServer:
    """The PostgreSQL of `redcliff up`, alone, and its databases."""

    cluster: Any
    made: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, **parts: Any) -> str:
        """The URL of a database; `parts` take the place of what is right."""
        stack = self.cluster.stack()
        right = {
            "username": "redcliff",
            "password": stack.secret("postgres"),
            "host": stack.address,
            "port": stack.component("postgres").port,
        }
        url = sa.URL.create("postgresql+psycopg", database=database, **{**right, **parts})
        return url.render_as_string(hide_password=False)

    def new(self, options: str = "") -> str:
        """The URL of an empty database of its own."""
        name = f"test_{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} {options}")
        self.made.append(name)
        return self.url(name)

    def drop(self) -> None:
        """Drop every database that was made, whoever is connected."""
        while self.made:
            self.say(f"DROP DATABASE {self.made.pop()} WITH (FORCE)")

    def say(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside of a transaction."""
        engine = sa.create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def end_sessions(self, url: str) -> None:
        """End every connection to a database, as a server does that shuts down."""
        database = sa.make_url(url).database
        self.say(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )

    @property
    def pid(self) -> int | None:
        """The process of the server, as the supervisor tells; None while there is none."""
        (service,) = self.cluster("status")["services"]
        pid: int | None = service["pid"] if service["state"] == "healthy" else None
        return pid

    def end_at_once(self) -> None:
        """SIGKILL, as when its machine stops; returns when the supervisor has it back."""
        before = self.pid
        assert before is not None
        os.kill(before, 9)
        end = time.monotonic() + 60
        while self.pid in (None, before):
            assert time.monotonic() < end, "PostgreSQL has not come back"
            time.sleep(0.2)


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A server on a free port, stopped at the end."""
    from tests.stack.conftest import make_cluster

    cluster = make_cluster(folder)
    try:
        cluster.up("postgres")
        server = PostgresServer(cluster)
        # Databases come and go here, and no machine loses its power: what is killed is a process.
        server.say("ALTER SYSTEM SET fsync = off")
        server.say("SELECT pg_reload_conf()")
        yield server
    finally:
        cluster("down")
