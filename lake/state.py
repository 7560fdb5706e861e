"""
The state store: one SQL database for everything operational (ledger, runs, leases).

SQLite by default, PostgreSQL in the cluster profile; nothing outside this module knows which.
`lake/migrations` makes the tables, the tables below tell how they are used, and a test compares
the two.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from catalog.errors import EnvironmentProblem, RedcliffError, TryAgain

HEAD = "0004"
"""The newest migration; known here so that an up-to-date store opens without Alembic."""

BUSY_SECONDS = 30

_BEGIN = "redcliff_begin"

_ONE_WRITER = (
    f"SELECT set_config('lock_timeout', '{BUSY_SECONDS}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{BUSY_SECONDS}s', true), "
    "pg_advisory_xact_lock(421281)"
)
"""
What makes PostgreSQL do as SQLite does: one writer at a time, in READ COMMITTED, so that what it
reads is what the one before has left. Who falls asleep with the lock loses it and its transaction.
"""

LATER = (
    "starting up",
    "shutting down",
    "in recovery mode",
    "too many clients",
    "slots are reserved",
)
"""What PostgreSQL says to who knocks too early; before there is a session, psycopg has no code."""

_PATIENCE: Mapping[str, int | str] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": BUSY_SECONDS * 1000,
    "application_name": "redcliff",
}
"""How long a silent network is listened to, unless the address says otherwise."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC; SQLite, which knows no zones, keeps it without."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database is given."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What we get from it: always with zone, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("delivery_id", sa.String(32), primary_key=True),
    sa.Column("dataset", sa.String(128), nullable=False),
    sa.Column("provider", sa.String(255), nullable=False),
    sa.Column("business_date", sa.Date, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("files", sa.JSON, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("released", sa.Boolean, nullable=False),
    sa.Column("ended_by", sa.String(32), sa.ForeignKey("deliveries.delivery_id")),
    sa.Column("contract_hash", sa.String(64)),
    sa.Column("counts", sa.JSON(none_as_null=True)),
    sa.Column("versions", sa.JSON(none_as_null=True)),
    sa.Column("seconds", sa.Float),
    sa.Index("ix_deliveries_dataset", "dataset", "business_date", "revision"),
    sa.Index("ix_deliveries_status", "status", "business_date"),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column(
        "delivery_id",
        sa.String(32),
        sa.ForeignKey("deliveries.delivery_id"),
        primary_key=True,
    ),
    sa.Column("plan", sa.JSON, nullable=False),
)

refreshes = sa.Table(
    "refreshes",
    metadata,
    sa.Column("dataset", sa.String(128), primary_key=True),
    sa.Column("definition", sa.String(64), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_date", sa.Date),
    sa.Column("dataset", sa.String(128)),
    sa.Column("engine", sa.String(32), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("outcome", sa.Text),
    sa.Column("record", sa.JSON(none_as_null=True)),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column(
        "delivery_id", sa.String(32), sa.ForeignKey("deliveries.delivery_id"), nullable=False
    ),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("decided_by", sa.String(255), nullable=False),
    sa.Column("decided_at", Instant, nullable=False),
    sa.Index("ix_decisions_delivery", "delivery_id"),
)

folders = sa.Table(
    "folders",
    metadata,
    sa.Column("place", sa.String(1024), primary_key=True),
    sa.Column("content", sa.String(64), nullable=False),
    sa.Column(
        "delivery_id", sa.String(32), sa.ForeignKey("deliveries.delivery_id"), nullable=False
    ),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("subject", sa.String(255), primary_key=True),
    sa.Column("since", Instant, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(255)),
    sa.Column("process", sa.String(255)),
    sa.Column("expires_at", sa.Double),
)


def open_state(url: str) -> sa.Engine:
    """
    Open the state store at `url`, with all migrations applied.

    `EnvironmentProblem` when it cannot be opened, or when a newer redcliff has written it;
    `TryAgain` when its server is about to take connections again. No message shows a password.
    """
    engine = _connectable(url)
    try:
        with engine.connect() as connection:
            current = _revision(connection)
        if current != HEAD:
            _migrate(engine)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        later = _is_passing(error) or any(words in said(error) for words in LATER)
        raise (TryAgain if later else EnvironmentProblem)(
            f"{engine.url.render_as_string()}: the state store cannot be opened "
            f"({said(error)}); {'wait a moment and try again' if later else _mend(error)}"
        ) from error
    except RedcliffError:
        engine.dispose()
        raise
    return engine


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    """The state store at `url` as `open_state` opens it, all its connections closed at the end."""
    engine = open_state(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """
    A connection that sees one state of the store and waits for nobody.

    `TryAgain` when the server goes away meanwhile.
    """
    with _served("read"), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


@contextmanager
def writing(engine: sa.Engine, *, durable: bool = True) -> Iterator[sa.Connection]:
    """
    One transaction that may write: committed at the end, rolled back on any error. There is one
    at a time in all processes, and it sees all that was committed before it. `TryAgain` when
    another has been writing for all the time that one waits, or when the server goes away: then
    what was written may stand or not, and the same call finds out.

    What is not `durable` may be lost with the machine's power, as what it tells of is lost too;
    then nobody waits for the disk. A server has a power supply of its own, and always waits.
    """
    with _served("write"), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # No transaction may be open; the pool's reset has seen to that.
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        # SQLite must know at once: a reader that turns into a writer is refused, not queued.
        connection = connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        try:
            transaction = connection.begin()
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(_ONE_WRITER)
        except sa.exc.OperationalError as error:
            raise TryAgain(f"the state store is busy ({said(error)}); try again") from error
        with transaction:
            yield connection


@contextmanager
def _served(does: str) -> Iterator[None]:
    """Tell a server that went away from a mistake of our own; of SQLite only the latter happens."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not (error.connection_invalidated or _is_passing(error) or _has_no_session(error)):
            raise
        raise TryAgain(
            f"the state store's server went away while it was asked to {does} "
            f"({said(error)}); try again"
        ) from error


def database_clock(connection: sa.Connection) -> float:
    """Seconds since 1970 by the clock of the database, which all who share it go by."""
    if connection.dialect.name == "sqlite":
        now = "SELECT (julianday('now') - 2440587.5) * 86400.0"
    else:
        now = "SELECT extract(epoch FROM clock_timestamp())"
    return float(connection.exec_driver_sql(now).scalar_one())


def _connectable(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite":
            engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS})
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        given = {key: value for key, value in _PATIENCE.items() if key not in address.query}
        return sa.create_engine(
            address, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=given
        )
    except ModuleNotFoundError as error:
        raise EnvironmentProblem(
            f"the state store needs the package {error.name}; run: make cluster"
        ) from error
    except (sa.exc.ArgumentError, ValueError) as error:
        # What cannot be parsed is not shown: it may be a password.
        raise EnvironmentProblem(
            "the state store's address cannot be used; set state_url to sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, with %40 for @, %2F for / and the "
            "like in the password"
        ) from error


def _is_passing(error: sa.exc.DBAPIError) -> bool:
    """Whether PostgreSQL means that the same may succeed later: its classes 53, 55, 57 and 40."""
    return _sqlstate(error)[:2] in ("40", "53", "55", "57")


def _has_no_session(error: sa.exc.DBAPIError) -> bool:
    """Whether a store that was open takes no connection: psycopg has no code for that."""
    is_server = not isinstance(error.orig, sqlite3.Error)
    return is_server and isinstance(error, sa.exc.OperationalError) and not _sqlstate(error)


def _sqlstate(error: sa.exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def said(error: sa.exc.DBAPIError) -> str:
    """What the database says, on one line; it holds no password."""
    return " ".join(str(error.orig).split())


def _mend(error: sa.exc.DBAPIError) -> str:
    """What to do about a store that cannot be opened."""
    told, state = said(error), _sqlstate(error)
    if isinstance(error.orig, sqlite3.Error):
        return "check the path, and that it may be written"
    if state == "42501":
        return "let the user create tables: GRANT CREATE ON SCHEMA public TO the user"
    if "does not exist" in told and "database" in told:
        return "create it (CREATE DATABASE …), or check the database in state_url"
    if "password" in told or "role" in told or "pg_hba" in told:
        return "check user and password in state_url"
    return "start the server (redcliff up), or check host and port in state_url"


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would open transactions at times of its own; _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return revision


def _migrate(engine: sa.Engine) -> None:
    # Alembic is imported here because an up-to-date store, the usual case, needs none of it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with writing(engine) as connection:
        # Read again under the lock: another process may have migrated while this one waited.
        current = _revision(connection)
        if current is not None and current not in known:
            raise EnvironmentProblem(
                f"{engine.url.render_as_string()}: the state store is at revision {current} and "
                f"this redcliff knows {HEAD} at most; use the newer redcliff that wrote it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
