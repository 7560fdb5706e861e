from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from catalog.errors import EnvironmentProblem
from lake import state
from lake.state import HEAD, metadata, open_state, reading, runs, writing

STARTED = {"engine": "spark", "started_at": datetime(2025, 3, 3, tzinfo=UTC)}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


def pragma(engine: sa.Engine, name: str) -> object:
    with reading(engine) as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_the_newest_migration_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(state.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    engine = open_state(url)

    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_an_empty_store_is_migrated_and_stays_when_opened_again(url: str) -> None:
    with writing(open_state(url)) as connection:
        connection.execute(runs.insert().values(STARTED))

    with reading(open_state(url)) as connection:
        assert connection.execute(sa.select(runs.c.engine)).scalars().all() == ["spark"]
        assert sa.inspect(connection).has_table("alembic_version")


def test_an_up_to_date_store_opens_fast_and_without_alembic(url: str) -> None:
    open_state(url).dispose()
    code = f"import sys; from lake.state import open_state; open_state({url!r}); "
    code += "print([m for m in sys.modules if m.startswith('alembic')])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    started = time.perf_counter()
    open_state(url).dispose()

    assert loaded.strip() == "[]"
    assert time.perf_counter() - started < 0.05


def test_a_store_of_a_newer_redcliff_is_left_alone(url: str) -> None:
    engine = open_state(url)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(EnvironmentProblem, match="at revision 9999 and this redcliff knows 0002"):
        open_state(url)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("nonsense", "address cannot be used", id="no-url"),
        pytest.param("oracle+nodriver://x", "address cannot be used", id="unknown-database"),
        pytest.param("sqlite:////proc/none/state.db", "cannot be opened", id="no-such-folder"),
    ],
)
def test_a_store_that_cannot_be_opened_says_what_to_do(address: str, told: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"{told}.*(set state_url|check the path)"):
        open_state(address)


def test_sqlite_is_durable_keeps_references_and_lets_readers_pass(url: str) -> None:
    engine = open_state(url)

    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 2  # FULL
    assert pragma(engine, "foreign_keys") == 1
    with writing(engine) as writer, reading(engine) as reader:
        writer.execute(runs.insert().values(STARTED))
        assert reader.execute(sa.select(runs)).all() == []


def test_an_error_takes_the_whole_transaction_back(url: str) -> None:
    engine = open_state(url)

    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.execute(runs.insert().values(STARTED))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()

    with reading(engine) as connection:
        assert connection.execute(sa.select(runs)).all() == []


def test_instants_come_back_in_utc_whatever_zone_they_went_in_with(url: str) -> None:
    engine = open_state(url)
    shanghai = timezone(timedelta(hours=8))
    with writing(engine) as connection:
        connection.execute(
            runs.insert().values(
                engine="spark", started_at=datetime(2025, 3, 3, 8, 0, 0, 123000, shanghai)
            )
        )

    with reading(engine) as connection:
        started_at = connection.execute(sa.select(runs.c.started_at)).scalar_one()

    assert started_at == datetime(2025, 3, 3, 0, 0, 0, 123000, UTC)
    assert started_at.tzinfo is UTC


def test_many_processes_may_open_an_empty_store_at_once(url: str) -> None:
    code = f"from lake.state import open_state; open_state({url!r})"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=os.environ)
        for _ in range(3)
    ]

    told = [process.communicate()[1].decode() for process in processes]

    assert told == [""] * 3


def test_every_table_can_be_made_in_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]

    assert len(made) == 7
    assert "received_at TIMESTAMP WITH TIME ZONE NOT NULL" in "".join(made)
