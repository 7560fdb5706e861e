from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from catalog.errors import EnvironmentProblem, TryAgain
from lake import state as state_module
from lake.state import HEAD, deliveries, metadata, open_state, opened, reading, runs, writing
from tests.databases import PostgresServer

STARTED = {"engine": "spark", "started_at": datetime(2025, 3, 3, tzinfo=UTC)}


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


def pragma(engine: sa.Engine, name: str) -> object:
    with reading(engine) as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_the_newest_migration_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(state_module.__file__).parent / "migrations")
    )
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_the_tables_that_the_code_uses(state: sa.Engine) -> None:
    with reading(state) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_an_empty_store_is_migrated_and_stays_when_opened_again(state_url: str) -> None:
    with opened(state_url) as state, writing(state) as connection:
        connection.execute(runs.insert().values(STARTED))

    with opened(state_url) as state, reading(state) as connection:
        assert connection.execute(sa.select(runs.c.engine)).scalars().all() == ["spark"]
        assert sa.inspect(connection).has_table("alembic_version")


def test_an_up_to_date_store_opens_without_alembic(state: sa.Engine, state_url: str) -> None:
    code = f"import sys; from lake.state import open_state; open_state({state_url!r}).dispose(); "
    code += "print([m for m in sys.modules if m.startswith('alembic')])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert loaded.strip() == "[]"


def test_an_up_to_date_file_opens_fast(sqlite: str) -> None:
    open_state(sqlite).dispose()
    started = time.perf_counter()

    open_state(sqlite).dispose()

    assert time.perf_counter() - started < 0.05


def test_a_store_of_a_newer_redcliff_is_left_alone(state: sa.Engine, state_url: str) -> None:
    with writing(state) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(
        EnvironmentProblem, match=f"at revision 9999 and this redcliff knows {HEAD}"
    ):
        open_state(state_url)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("nonsense", "address cannot be used", id="no-url"),
        pytest.param("oracle+nodriver://x", "address cannot be used", id="unknown-database"),
        pytest.param(
            "postgresql+psycopg://u@db.example:pass/redcliff",
            "address cannot be used; .* %2F for /",
            id="a-password-in-the-wrong-place",
        ),
        pytest.param("sqlite:////proc/none/state.db", "cannot be opened", id="no-such-folder"),
    ],
)
def test_a_store_that_cannot_be_opened_says_what_to_do(address: str, told: str) -> None:
    with pytest.raises(EnvironmentProblem, match=told) as caught:
        open_state(address)

    assert any(what in str(caught.value) for what in ("set state_url", "check the path"))
    assert "pass" not in str(caught.value).replace("PASSWORD", "").replace("password", "")


def test_sqlite_is_durable_and_keeps_references(sqlite: str) -> None:
    with opened(sqlite) as state:
        assert pragma(state, "journal_mode") == "wal"
        assert pragma(state, "synchronous") == 2  # FULL
        assert pragma(state, "foreign_keys") == 1


def test_readers_pass_a_writer_and_see_one_state(state: sa.Engine) -> None:
    with reading(state) as reader:
        assert reader.execute(sa.select(runs)).all() == []
        with writing(state) as writer:
            writer.execute(runs.insert().values(STARTED))
        assert reader.execute(sa.select(runs)).all() == []

    with reading(state) as reader:
        assert len(reader.execute(sa.select(runs)).all()) == 1


def test_of_many_writers_each_sees_what_those_before_it_wrote(state: sa.Engine) -> None:
    count = sa.select(sa.func.count()).select_from(runs)

    def add_one() -> int:
        with writing(state) as connection:
            before: int = connection.execute(count).scalar_one()
            connection.execute(runs.insert().values(STARTED))
        return before

    with ThreadPoolExecutor(4) as pool:
        seen = [pool.submit(add_one) for _ in range(20)]

    assert sorted(one.result() for one in seen) == list(range(20))


def test_what_is_absent_is_null_in_json_columns_too(state: sa.Engine) -> None:
    one = {
        **dict.fromkeys(("delivery_id", "dataset", "provider", "mode", "status"), "x"),
        "business_date": date(2025, 3, 3),
        "revision": 1,
        "files": [{"name": "户籍.csv"}],
        "received_at": STARTED["started_at"],
        "released": False,
    }
    with writing(state) as connection:
        connection.execute(deliveries.insert().values(one | {"counts": None}))
        connection.execute(
            deliveries.insert().values(
                one | {"delivery_id": "y", "counts": {"rules": {"空": None}}}
            )
        )

    with reading(state) as connection:
        absent = sa.select(deliveries.c.delivery_id).where(deliveries.c.counts.is_(None))
        assert connection.execute(absent).scalars().all() == ["x"]
        kept = sa.select(deliveries.c.files, deliveries.c.counts).order_by("delivery_id")
        assert connection.execute(kept).all() == [
            ([{"name": "户籍.csv"}], None),
            ([{"name": "户籍.csv"}], {"rules": {"空": None}}),
        ]


def test_an_error_takes_the_whole_transaction_back(state: sa.Engine) -> None:
    def write_and_fail() -> None:
        with writing(state) as connection:
            connection.execute(runs.insert().values(STARTED))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()

    with reading(state) as connection:
        assert connection.execute(sa.select(runs)).all() == []


def test_instants_come_back_in_utc_whatever_zone_they_went_in_with(state: sa.Engine) -> None:
    shanghai = timezone(timedelta(hours=8))
    with writing(state) as connection:
        connection.execute(
            runs.insert().values(
                engine="spark", started_at=datetime(2025, 3, 3, 8, 0, 0, 123000, shanghai)
            )
        )

    with reading(state) as connection:
        started_at = connection.execute(sa.select(runs.c.started_at)).scalar_one()

    assert started_at == datetime(2025, 3, 3, 0, 0, 0, 123000, UTC)
    assert started_at.tzinfo is UTC


def test_many_processes_may_open_an_empty_store_at_once(state_url: str) -> None:
    code = f"from lake.state import open_state; open_state({state_url!r}).dispose()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=os.environ)
        for _ in range(3)
    ]

    told = [process.communicate()[1].decode() for process in processes]

    assert told == [""] * 3


# --- PostgreSQL: another process, another machine --------------------------------------------


@pytest.fixture
def on_postgres(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.new()
    postgres.drop()


@pytest.mark.stack
@pytest.mark.parametrize(
    ("parts", "told"),
    [
        pytest.param({"password": "guessed"}, "check user and password", id="wrong-password"),
        pytest.param({"username": "nobody"}, "check user and password", id="unknown-user"),
        pytest.param({"database": "none"}, "create it .CREATE DATABASE", id="no-such-database"),
        pytest.param({"port": 1}, "start the server .*or check host and port", id="no-server"),
        pytest.param({"host": "db.invalid"}, "or check host and port", id="no-such-host"),
    ],
)
def test_a_server_that_cannot_be_used_says_what_to_do_and_no_password(
    postgres: PostgresServer, parts: dict[str, Any], told: str
) -> None:
    url = postgres.url(**{"database": "redcliff", **parts})

    with pytest.raises(EnvironmentProblem, match=f"cannot be opened .*{told}") as caught:
        open_state(url)

    password = sa.make_url(url).password
    assert isinstance(password, str)
    assert password not in str(caught.value)


@pytest.mark.stack
def test_a_user_who_may_make_no_tables_is_told(postgres: PostgresServer, on_postgres: str) -> None:
    database = str(sa.make_url(on_postgres).database)
    postgres.say("CREATE ROLE reader LOGIN PASSWORD 'secret'")
    try:
        with pytest.raises(EnvironmentProblem, match="GRANT CREATE ON SCHEMA public"):
            open_state(postgres.url(database, username="reader", password="secret"))
    finally:
        postgres.say("DROP ROLE reader")


@pytest.mark.stack
def test_the_driver_need_not_be_named(on_postgres: str) -> None:
    with opened(on_postgres.replace("+psycopg", "")) as state:
        assert state.driver == "psycopg"


@pytest.mark.stack
def test_who_falls_asleep_while_it_writes_is_parted_from_the_store(
    on_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.state._ONE_WRITER", state_module._ONE_WRITER.replace("30s", "1s"))
    with opened(on_postgres) as one, opened(on_postgres) as other:

        def sleep_while_writing() -> None:
            with writing(one) as connection:
                connection.execute(runs.insert().values(STARTED))
                with pytest.raises(TryAgain, match="state store is busy"), writing(other):
                    pass
                time.sleep(1)

        with pytest.raises(TryAgain, match="went away while it was asked to write"):
            sleep_while_writing()

        with writing(other) as connection:
            assert connection.execute(sa.select(runs)).all() == []


@pytest.mark.stack
def test_a_server_that_was_started_again_is_found(
    postgres: PostgresServer, on_postgres: str
) -> None:
    with opened(on_postgres) as state:
        with writing(state) as connection:
            connection.execute(runs.insert().values(STARTED))

        postgres.end_at_once()

        with writing(state) as connection:
            connection.execute(runs.insert().values(STARTED))
        with reading(state) as connection:
            assert len(connection.execute(sa.select(runs)).all()) == 2


@pytest.mark.stack
def test_a_write_whose_server_goes_away_says_to_try_again(
    postgres: PostgresServer, on_postgres: str
) -> None:
    with opened(on_postgres) as state:

        def lose_the_server() -> None:
            with writing(state) as connection:
                connection.execute(runs.insert().values(STARTED))
                postgres.end_sessions(on_postgres)
                connection.execute(runs.insert().values(STARTED))

        with pytest.raises(TryAgain, match=r"went away while it was asked to write .*; try again"):
            lose_the_server()

        with writing(state) as connection:
            assert connection.execute(sa.select(runs)).all() == []


@pytest.mark.stack
@pytest.mark.parametrize(("ask", "does"), [(reading, "read"), (writing, "write")])
def test_a_server_that_is_gone_when_it_is_asked_again_says_to_try_again(
    on_postgres: str, ask: Callable[[sa.Engine], AbstractContextManager[sa.Connection]], does: str
) -> None:
    def knock_where_nobody_is(*knocking: Any) -> None:
        knocking[-1]["port"] = 1

    with opened(on_postgres) as state:
        state.dispose()  # else the pool has a connection yet
        sa.event.listen(state, "do_connect", knock_where_nobody_is)
        with (
            pytest.raises(TryAgain, match=f"asked to {does} .*refused.*; try again"),
            ask(state),
        ):
            pass
        sa.event.remove(state, "do_connect", knock_where_nobody_is)

        with ask(state) as connection:
            assert connection.execute(sa.select(runs)).all() == []
