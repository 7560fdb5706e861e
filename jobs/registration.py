"""
The served tables of the lake, registered in Trino.

Trino takes columns, types and comments from each table's Delta log whenever it is asked, so that
registering is needed once per table, and again only where it lies elsewhere. What Trino shows is
compared with the contracts all the same: who reads there must find what they say.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from catalog.catalog import Catalog
from catalog.compile.trino import TrinoTable, quoted, trino_tables
from catalog.errors import EnvironmentProblem, RedcliffError, UsageError
from catalog.serving import outside_profile
from catalog.vocabulary import Layer
from jobs.progress import Progress
from lake.addresses import TrinoAddress
from lake.tables import Tables
from lake.trino import connect, rows

LAYERS = (Layer.CURATED, Layer.THEMATIC)
AT_ONCE = 8
WARNINGS_TOLD = 20

Found = dict[str, dict[str, str]]
"""What Trino shows: tables with their columns and types; no columns where it cannot read one."""


@dataclass(frozen=True)
class Registration:
    """
    What became of the tables in Trino.

    `served` is how many stand there now. Each warning names a table and what is wrong with it.
    With a `problem` it is still to be done, and the next run does it.
    """

    registered: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    served: int = 0
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The registration for JSON."""
        return {
            "registered": list(self.registered),
            "unregistered": list(self.unregistered),
            "served": self.served,
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
            "problem": self.problem,
        }

    def __str__(self) -> str:
        """In words."""
        if self.problem is not None:
            return f"not registered in Trino, the next run does it: {self.problem}"
        counts = f"{len(self.registered)} registered, {len(self.unregistered)} let go"
        return f"Trino shows {self.served} tables ({counts}), {self.seconds:.1f} s"


def register_after_run(
    tables: Tables,
    catalog: Catalog,
    address: TrinoAddress,
    progress: Progress,
    compared: Collection[str] | None = None,
) -> Registration:
    """Register what a run has written; its tables stand, whatever becomes of this."""
    with progress.step("registering tables in Trino"):
        try:
            done = register(tables, catalog, address, compared)
        except RedcliffError as error:
            done = Registration(problem=str(error))
    if done.problem is not None:
        progress.note(str(done))
    for warning in done.warnings[:WARNINGS_TOLD]:
        progress.note(f"warning: {warning}")
    if (more := len(done.warnings) - WARNINGS_TOLD) > 0:
        progress.note(f"{more} more warnings; redcliff run --json has all")
    return done


def register(
    tables: Tables,
    catalog: Catalog,
    address: TrinoAddress,
    compared: Collection[str] | None = None,
) -> Registration:
    """
    Let Trino show the curated and thematic tables that the lake holds and contracts describe.

    What it shows of `compared` (None: all) and of new tables is compared with the contracts, which
    costs a look at each table's log.

    Idempotent, also beside another one. Tables that have gone from the lake or the site, and those
    of a lake that lay elsewhere, are unregistered: their data stays. `EnvironmentProblem` or
    `TryAgain` when Trino cannot be asked, or the lake lies where it cannot read.
    """
    started = time.monotonic()
    if not tables.root.startswith("s3://"):
        raise EnvironmentProblem(
            f"{tables.root}: Trino reads tables on S3; name an s3:// URL as the profile's lake"
        )
    described = {t.full_name: t for c in catalog.contracts.values() for t in trino_tables(c)}
    with _Trino(address) as trino:
        moved = {layer for layer, at in trino.places().items() if at != f"{tables.root}/{layer}"}
        found = trino.found(compared)
        # After Trino was asked: another run makes a table before it registers it, so that what is
        # found and not held has really gone.
        held = {name: described[name] for name in tables.names() if name in described}
        standing = {name for name in found if name.partition(".")[0] not in moved}
        gone = sorted(set(found) - (held.keys() & standing))
        new = sorted(held.keys() - standing)
        trino.unregister(gone)
        trino.forget(moved)
        trino.know(tables.root, {held[name].schema for name in new})
        trino.register({name: tables.path(name) for name in new})
        looked_at = sorted(held if compared is None else held.keys() & {*compared, *new})
        if new:
            found = trino.found(None if compared is None else looked_at)
    warnings = [
        *(told for name in looked_at for told in _differences(held[name], found.get(name, {}))),
        *(told for name in looked_at for told in _outside(tables, name)),
    ]
    seconds = time.monotonic() - started
    gone_for_good = tuple(name for name in gone if name not in held)
    return Registration(tuple(new), gone_for_good, len(held), tuple(warnings), seconds)


class _Trino:
    """Our statements in the owner's catalog; some of them run at once."""

    def __init__(self, address: TrinoAddress) -> None:
        self._address = address
        self._catalog = address.owner_catalog
        self._pool = ThreadPoolExecutor(AT_ONCE)

    def __enter__(self) -> _Trino:
        """Nothing is asked yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Statements that have not begun are not run."""
        self._pool.shutdown(cancel_futures=True)

    def places(self) -> dict[str, str]:
        """Where the schemas of our layers lie, those that there are."""
        listed = ", ".join(quoted(layer) for layer in LAYERS)
        there = self._rows(
            f"SELECT schema_name FROM {self._catalog}.information_schema.schemata "
            f"WHERE schema_name IN ({listed})"
        )
        told = self._at_once(f"SHOW CREATE SCHEMA {self._catalog}.{name}" for (name,) in there)
        return {
            name: answer[0][0].partition("location = '")[2].partition("'")[0].rstrip("/")
            for (name,), answer in zip(there, told, strict=True)
        }

    def found(self, compared: Collection[str] | None) -> Found:
        """All tables of our layers, and columns of the `compared`, in two questions at once."""
        listed = ", ".join(quoted(layer) for layer in LAYERS)
        source, only = f"{self._catalog}.information_schema", f"WHERE table_schema IN ({listed})"
        asked = [f"SELECT table_schema, table_name FROM {source}.tables {only}"]
        if compared is None or compared:
            of = "" if compared is None else f" AND table_name IN ({_last_names(compared)})"
            asked.append(
                f"SELECT table_schema, table_name, column_name, data_type "
                f"FROM {source}.columns {only}{of}"
            )
        tables, *more = self._at_once(asked)
        columns = more[0] if more else []
        found: Found = {f"{schema}.{name}": {} for schema, name in tables}
        for schema, name, column, kind in columns:
            found.setdefault(f"{schema}.{name}", {})[column] = kind
        return found

    def unregister(self, names: Sequence[str]) -> None:
        """Let tables go; their data stays."""
        self._call("unregister_table", [name.split(".") for name in names], "NOT_FOUND")

    def register(self, paths: Mapping[str, str]) -> None:
        """Take tables in."""
        calls = [(*name.split("."), path) for name, path in paths.items()]
        self._call("register_table", calls, "ALREADY_EXISTS")

    def forget(self, layers: Iterable[str]) -> None:
        """Drop the schemas, which are empty."""
        drop = f"DROP SCHEMA IF EXISTS {self._catalog}"
        self._do([f"{drop}.{layer}" for layer in layers], "NOT_FOUND")

    def know(self, root: str, layers: Iterable[str]) -> None:
        """Make schemas unless they are there."""
        make = f"CREATE SCHEMA IF NOT EXISTS {self._catalog}"
        self._do(
            [f"{make}.{one} WITH (location = {quoted(f'{root}/{one}')})" for one in layers],
            "ALREADY_EXISTS",
        )

    def _call(self, procedure: str, calls: Iterable[Sequence[str]], fine: str) -> None:
        call = f"CALL {self._catalog}.system.{procedure}"
        self._do([f"{call}({', '.join(map(quoted, words))})" for words in calls], fine)

    def _do(self, statements: Sequence[str], fine: str) -> None:
        """Run statements at once; `fine` is the error when another run has been there first."""

        def do(statement: str) -> None:
            try:
                self._rows(statement)
            except UsageError as error:
                if getattr(error.__cause__, "error_name", None) != fine:
                    raise EnvironmentProblem(
                        f"{self._address}: {statement}: refused as {self._address.user}: {error}"
                    ) from error

        list(self._pool.map(do, statements))

    def _at_once(self, statements: Iterable[str]) -> Iterator[list[list[Any]]]:
        return self._pool.map(self._rows, statements)

    def _rows(self, statement: str) -> list[list[Any]]:
        with closing(connect(self._address)) as connection:
            return rows(connection, self._address, statement)


def _last_names(names: Iterable[str]) -> str:
    return ", ".join(sorted({quoted(name.partition(".")[2]) for name in names}))


def _differences(table: TrinoTable, found: Mapping[str, str]) -> Iterator[str]:
    """Where Trino shows something else than the contract says."""
    if not found:
        yield f"{table.full_name}: Trino knows it and cannot read it; see its log"
        return
    expected = {column.name: column.type for column in table.columns}
    for name in dict.fromkeys((*expected, *found)):
        wanted, given = expected.get(name), found.get(name)
        if wanted != given:
            yield (
                f"{table.full_name}.{name}: the contract says {wanted or 'no such column'}, "
                f"Trino shows {given or 'none'}"
            )


def _outside(tables: Tables, name: str) -> Iterator[str]:
    """Why the table leaves the serving profile."""
    opened = tables.open(name)
    if opened is None:
        return
    protocol = opened.protocol()
    reasons = outside_profile(
        protocol.reader_features or (),
        protocol.writer_features or (),
        opened.metadata().configuration,
    )
    for reason in reasons:
        yield f"{name} leaves the serving profile: {reason}"
