"""What Trino shows of the lake: every served table with its comments, and nothing to write."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType

from catalog.catalog import Catalog
from catalog.compile.trino import trino_tables
from catalog.contract import DataType, TypeName
from catalog.errors import EnvironmentProblem, UsageError
from catalog.shapes import Shape, curated_shape, quarantine_shape, thematic_shape
from jobs.listing import listing
from jobs.registration import Found, Registration, _Trino, register
from jobs.stack.component import Stack
from jobs.stack.trino import hashed
from lake.addresses import TrinoAddress
from lake.s3 import S3
from lake.store import Store
from lake.tables import Tables
from lake.trino import ask, connect, rows

pytestmark = pytest.mark.stack

SOURCE, MODEL = "environment.air_reading", "population.person"
MAIN = "curated.environment__air_reading"
QUARANTINE = f"{MAIN}__quarantine"
PERSON = "thematic.population__person"


@pytest.fixture
def trino(stack: Stack) -> TrinoAddress:
    address: TrinoAddress = stack.component("trino").address(stack)
    return address


@pytest.fixture
def small(catalog: Catalog) -> Catalog:
    """One source and one model of the site."""
    return replace(catalog, contracts={id_: catalog.get(id_) for id_ in (SOURCE, MODEL)})


@pytest.fixture
def tables(stack: Stack, tmp_path: Path, small: Catalog) -> Tables:
    """A lake of the test's own that holds three tables without rows."""
    made = lake(stack, tmp_path.name)
    for shape in shapes(small):
        made.ensure(shape)
    return made


def lake(stack: Stack, place: str) -> Tables:
    served = stack.component("s3").serves(stack)["s3"]
    s3 = S3(served["endpoint"], served["access_key"], stack.secret("s3"), served["region"])
    return Tables(f"s3://{stack.component('s3').bucket}/{place}", Store(s3))


def shapes(catalog: Catalog) -> list[Shape]:
    source = catalog.get(SOURCE)
    model = thematic_shape(catalog.get(MODEL))
    return [curated_shape(source), quarantine_shape(source), model]


def said(trino: TrinoAddress, statement: str) -> list[list[object]]:
    with closing(connect(trino)) as connection:
        return rows(connection, trino, statement)


def opened(tables: Tables, name: str) -> DeltaTable:
    table = tables.open(name)
    assert table is not None
    return table


def shown(registration: Registration) -> tuple[Sequence[str], Sequence[str], int]:
    return registration.registered, registration.unregistered, registration.served


def test_served_tables_are_shown_with_types_and_chinese_comments(
    tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    done = register(tables, small, trino)

    assert (done.registered, done.served, done.warnings) == ((MAIN, QUARANTINE, PERSON), 3, ())
    for table in (t for c in small.contracts.values() for t in trino_tables(c)):
        if table.full_name not in done.registered:
            continue
        columns = said(
            trino,
            "SELECT column_name, data_type, comment, is_nullable FROM information_schema.columns "
            f"WHERE table_schema = '{table.schema}' AND table_name = '{table.name}' "
            "ORDER BY ordinal_position",
        )
        assert columns == [
            [c.name, c.type, c.comment, "NO" if c.required else "YES"] for c in table.columns
        ]
        (comment,) = said(
            trino,
            "SELECT comment FROM system.metadata.table_comments WHERE catalog_name = 'lake' "
            f"AND schema_name = '{table.schema}' AND table_name = '{table.name}'",
        )
        assert comment == [table.comment]
        describe = f"DESCRIBE lake.{table.full_name}"
        told = listing(sqlglot.parse_one(describe.replace("lake.", ""), dialect="trino"), tables)
        assert told is not None
        assert [list(row.values()) for b in told.batches for row in b.to_pylist()] == said(
            trino, describe
        )


def test_registering_again_changes_nothing(
    tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    register(tables, small, trino)

    assert shown(register(tables, small, trino)) == ((), (), 3)


def test_two_runs_may_register_at_once(
    stack: Stack, small: Catalog, trino: TrinoAddress, tmp_path: Path
) -> None:
    tables, (first, *others) = lake(stack, tmp_path.name), shapes(small)
    tables.ensure(first)
    register(tables, small, trino)
    for shape in others:
        tables.ensure(shape)

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(register, tables, small, trino) for _ in range(2)]

    assert [one.result().served for one in done] == [3, 3]
    assert said(trino, f"SELECT count(*) FROM {PERSON}") == [[0]]


def test_what_another_run_registers_meanwhile_is_not_let_go(
    stack: Stack,
    small: Catalog,
    trino: TrinoAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables, (first, *others) = lake(stack, tmp_path.name), shapes(small)
    tables.ensure(first)
    register(tables, small, trino)
    found = _Trino.found

    def found_after_another(self: _Trino, compared: Collection[str] | None) -> Found:
        monkeypatch.setattr(_Trino, "found", found)
        for shape in others:
            tables.ensure(shape)
        register(tables, small, trino)
        return self.found(compared)

    monkeypatch.setattr(_Trino, "found", found_after_another)

    assert shown(register(tables, small, trino)) == ((), (), 3)
    assert said(trino, f"SELECT count(*) FROM {PERSON}") == [[0]]


def test_a_part_of_a_run_compares_its_own_tables_and_new_ones_alone(
    stack: Stack, small: Catalog, trino: TrinoAddress, tmp_path: Path
) -> None:
    tables, (first, quarantine, person) = lake(stack, tmp_path.name), shapes(small)
    for shape in (first, quarantine):
        tables.ensure(shape)
    register(tables, small, trino)
    for name in (MAIN, QUARANTINE):
        opened(tables, name).alter.add_columns([Field("remark", PrimitiveType("string"))])
    tables.ensure(replace(person, columns=person.columns[:-1]))

    own = register(tables, small, trino, {QUARANTINE})
    nothing = register(tables, small, trino, ())

    assert (shown(own), shown(nothing)) == (((PERSON,), (), 3), ((), (), 3))
    told = [warning.partition(":")[0] for warning in own.warnings]
    assert told == [f"{QUARANTINE}.remark", f"{PERSON}.{person.columns[-1].name}"]
    assert nothing.warnings == ()


def test_what_the_log_says_anew_is_shown_without_registering(
    tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    register(tables, small, trino)
    log = opened(tables, MAIN).alter
    log.add_columns([Field("remark", PrimitiveType("string"), metadata={"comment": "备注"})])
    log.set_table_description("空气质量")

    done = register(tables, small, trino)

    assert shown(done) == ((), (), 3)
    assert done.warnings == (
        f"{MAIN}.remark: the contract says no such column, Trino shows varchar",
    )
    described = said(trino, f"DESCRIBE {MAIN}")
    assert described[-1] == ["remark", "varchar", "", "备注"]


def test_what_has_gone_from_the_site_or_the_lake_is_let_go_and_its_data_stays(
    tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    register(tables, small, trino)
    site = replace(small, contracts={SOURCE: small.get(SOURCE)})

    done = register(tables, site, trino)

    assert shown(done) == ((), (PERSON,), 2)
    assert said(trino, "SHOW TABLES FROM thematic") == []
    assert opened(tables, PERSON).version() == 0


def test_a_lake_that_lies_elsewhere_is_registered_anew(
    stack: Stack, tables: Tables, small: Catalog, trino: TrinoAddress, tmp_path: Path
) -> None:
    register(tables, small, trino)
    elsewhere = lake(stack, f"{tmp_path.name}-elsewhere")
    elsewhere.ensure(shapes(small)[0])

    done = register(elsewhere, small, trino)

    assert shown(done) == ((MAIN,), (QUARANTINE, PERSON), 1)
    ((statement,),) = said(trino, f"SHOW CREATE TABLE lake_owner.{MAIN}")
    assert f"location = '{elsewhere.path(MAIN)}'" in str(statement)


def test_other_types_and_features_than_were_promised_are_told(
    stack: Stack, small: Catalog, trino: TrinoAddress, tmp_path: Path
) -> None:
    tables, shape = lake(stack, tmp_path.name), shapes(small)[0]
    first, *others = shape.columns
    number = replace(first, type=DataType(TypeName.BIGINT), required=False)
    tables.ensure(replace(shape, columns=(number, *others[:-1])))
    opened(tables, MAIN).alter.add_constraint({"positive": f"{first.name} > 0"})

    warnings = register(tables, small, trino).warnings

    assert warnings == (
        f"{MAIN}.{first.name}: the contract says varchar, Trino shows bigint",
        f"{MAIN}._row_hash: the contract says varchar, Trino shows none",
        f"{MAIN} leaves the serving profile: CHECK constraints",
    )


def test_a_table_whose_log_was_lost_is_told(
    stack: Stack, tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    register(tables, small, trino)
    client, bucket = stack.component("s3").client(stack), stack.component("s3").bucket
    prefix = tables.path(QUARANTINE).removeprefix(f"s3://{bucket}/")
    for one in list(client.list_objects(bucket, prefix, recursive=True)):
        client.remove_object(bucket, one.object_name)

    done = register(lake(stack, prefix.partition("/")[0]), small, trino)

    assert shown(done) == ((), (QUARANTINE,), 2)


WRITES = (
    f"INSERT INTO {{}}.{MAIN} SELECT * FROM {{}}.{MAIN}",
    f"DELETE FROM {{}}.{MAIN}",
    f"TRUNCATE TABLE {{}}.{MAIN}",
)
OTHERS = (
    f"DROP TABLE {{}}.{MAIN}",
    f"ALTER TABLE {{}}.{MAIN} ADD COLUMN more integer",
    f"ALTER TABLE {{}}.{MAIN} EXECUTE optimize",
    f"COMMENT ON TABLE {{}}.{MAIN} IS 'x'",
    f"ANALYZE {{}}.{MAIN}",
    "CREATE TABLE {}.curated.more (a integer)",
    "CREATE VIEW {}.curated.more AS SELECT 1 AS a",
    "CREATE SCHEMA {}.more",
    "CALL {}.system.unregister_table('curated', 'environment__air_reading')",
    "CALL {}.system.vacuum('curated', 'environment__air_reading', '7d')",
    "SELECT * FROM TABLE({}.system.table_changes('curated', 'environment__air_reading', 0))",
)


def test_in_the_readers_catalog_nothing_can_be_written_and_in_the_owner_s_no_rows(
    tables: Tables, small: Catalog, trino: TrinoAddress
) -> None:
    register(tables, small, trino)

    for statement in (*WRITES, *OTHERS):
        with pytest.raises(UsageError, match="Access Denied"):
            said(trino, statement.replace("{}", "lake"))
    for statement in WRITES:
        with pytest.raises(UsageError, match="Access Denied"):
            said(trino, statement.replace("{}", "lake_owner"))
    assert opened(tables, MAIN).version() == 0


@pytest.fixture
def analyst(stack: Stack, trino: TrinoAddress) -> Iterator[TrinoAddress]:
    """A second login, for as long as the test runs."""
    passwords = stack.folder / "trino" / "etc" / "passwords"
    before = passwords.read_text()
    passwords.write_text(f"{before}analyst:{hashed('secret')}\n")
    other = replace(trino, user="analyst", password="secret")
    end = time.monotonic() + 60
    while True:
        try:
            said(other, "SELECT 1")
            break
        except EnvironmentProblem:
            assert time.monotonic() < end
            time.sleep(0.5)
    yield other
    passwords.write_text(before)


def test_nobody_but_the_owner_uses_the_owner_s_catalog(
    tables: Tables, small: Catalog, trino: TrinoAddress, analyst: TrinoAddress
) -> None:
    register(tables, small, trino)

    assert said(analyst, f"SELECT count(*) FROM lake.{MAIN}") == [[0]]
    assert said(analyst, "SHOW CATALOGS") == [["lake"], ["system"]]
    for statement in (f"SELECT * FROM {{}}.{MAIN}", *WRITES, *OTHERS):
        with pytest.raises(UsageError, match="Access Denied"):
            said(analyst, statement.replace("{}", "lake_owner"))
    with pytest.raises((UsageError, EnvironmentProblem), match="Access Denied"):
        register(tables, small, analyst)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        pytest.param({"port": 1}, "cannot be reached .connection refused.; start it", id="down"),
        pytest.param({"password": "guessed"}, "does not let redcliff in; check", id="password"),
        pytest.param({"password": None}, "cannot be reached|does not answer", id="no-tls"),
        pytest.param({"certificate": None}, "certificate is not trusted", id="not-trusted"),
        pytest.param({"host": "trino.invalid"}, "cannot be reached .no such host", id="no-host"),
    ],
)
def test_a_trino_that_cannot_be_asked_says_what_to_do(
    tables: Tables, small: Catalog, trino: TrinoAddress, parts: dict[str, object], told: str
) -> None:
    wrong = replace(trino, **parts)  # type: ignore[arg-type]

    with pytest.raises(EnvironmentProblem, match=told) as caught:
        register(tables, small, wrong)

    assert "guessed" not in str(caught.value)
    assert str(trino.password) not in str(caught.value)


def test_a_lake_that_trino_cannot_read_is_told_before_it_is_asked(
    small: Catalog, trino: TrinoAddress, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentProblem, match="Trino reads tables on S3"):
        register(Tables(str(tmp_path)), small, replace(trino, port=1))


def test_a_statement_that_is_wrong_is_told_in_trino_s_words(trino: TrinoAddress) -> None:
    with (
        pytest.raises(UsageError, match=r"^line 2:3: Column 'nothing' cannot be resolved$"),
        ask(trino, "SELECT\n  nothing", 60),
    ):
        pass
