"""
Trino as a client sees it: where it is, what is asked, and what its refusals mean.

The `trino` package is imported when somebody asks, and not before. Statements are Trino's own and
go there as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from catalog.errors import EnvironmentProblem, TryAgain, UsageError
from lake.addresses import TrinoAddress
from lake.engine import Answer
from lake.trino_types import arrow_schema, arrow_values

if TYPE_CHECKING:
    from trino.dbapi import Connection

BATCH_ROWS = 10_000
SECONDS = 60.0
"""How long one request may be without an answer; a query is many requests."""

PASSING = frozenset(
    {
        "ABANDONED_QUERY",
        "ADMINISTRATIVELY_PREEMPTED",
        "NO_NODES_AVAILABLE",
        "PAGE_TRANSPORT_ERROR",
        "PAGE_TRANSPORT_TIMEOUT",
        "QUERY_QUEUE_FULL",
        "REMOTE_HOST_GONE",
        "REMOTE_TASK_ERROR",
        "REMOTE_TASK_MISMATCH",
        "SERVER_SHUTTING_DOWN",
        "SERVER_STARTING_UP",
        "TOO_MANY_REQUESTS_FAILED",
    }
)
"""Trino's errors after which the same query may succeed."""

OVERTIME = frozenset({"EXCEEDED_TIME_LIMIT", "EXCEEDED_CPU_LIMIT"})
MEMORY = ("EXCEEDED_", "CLUSTER_OUT_OF_MEMORY")

REASONS: Mapping[str, str] = {
    "Connection refused": "connection refused",
    "Name or service not known": "no such host",
    "NameResolutionError": "no such host",
    "timed out": "no answer in time",
    "WRONG_VERSION_NUMBER": "it does not speak TLS there",
}
"""What in the client's long words tells the reason, and that reason in short."""


def connect(
    address: TrinoAddress, *, seconds: float = SECONDS, session: Mapping[str, str] | None = None
) -> Connection:
    """
    A connection, which asks nothing yet; the caller closes it.

    `EnvironmentProblem` when the client is not installed, or the certificate not there.
    """
    try:
        import requests
        from trino.auth import BasicAuthentication
        from trino.dbapi import Connection
    except ImportError as error:
        raise EnvironmentProblem(
            f"asking Trino needs the package {error.name}; run: make cluster"
        ) from error
    http = requests.Session()
    if address.certificate is not None:
        if not address.certificate.is_file():
            raise EnvironmentProblem(f"{address.certificate}: there is no certificate of Trino")
        # A certificate of its own is a server of one's own: no proxy leads there.
        http.trust_env = False
        http.verify = str(address.certificate)
    login = None
    if address.password is not None:
        login = BasicAuthentication(address.user, address.password)
    return Connection(
        host=address.host,
        port=address.port,
        user=address.user,
        source="redcliff",
        timezone="UTC",
        catalog=address.catalog,
        http_scheme="http" if login is None else "https",
        auth=login,
        http_session=http,
        session_properties=dict(session or {}),
        request_timeout=seconds,
        max_attempts=2,
    )


def rows(connection: Connection, address: TrinoAddress, statement: str) -> list[list[Any]]:
    """All rows of one statement of our own."""
    with understood(address):
        answered: list[list[Any]] = connection.cursor().execute(statement).fetchall()
    return answered


@contextmanager
def ask(address: TrinoAddress, statement: str, seconds: float) -> Iterator[Answer]:
    """
    The rows of a statement that a person wrote, read as they come; left early, it is cancelled.

    `UsageError` in Trino's words, with line and column, when it is wrong, refused or takes longer
    than `seconds`; `EnvironmentProblem` or `TryAgain` when Trino cannot be asked.
    """
    limit = {"query_max_run_time": f"{seconds:g}s"}
    with closing(connect(address, session=limit)) as connection:
        cursor = connection.cursor()
        try:
            with understood(address, seconds):
                cursor.execute(statement)
                schema = arrow_schema([(c.name, c.type_code) for c in cursor.description or ()])
            yield Answer(schema, _batches(cursor, schema, address, seconds))
        finally:
            with understood(address, seconds):
                cursor.close()


def _batches(
    cursor: Any, schema: pa.Schema, address: TrinoAddress, seconds: float
) -> Iterator[pa.RecordBatch]:
    answered: Iterator[Sequence[Any]] = iter(cursor)
    while True:
        with understood(address, seconds):
            listed = list(islice(answered, BATCH_ROWS))
        if not listed:
            return
        columns = zip(*listed, strict=True) if schema else ()
        yield pa.record_batch(
            [arrow_values(column, kind.type) for column, kind in zip(columns, schema, strict=True)],
            schema=schema,
        )


@contextmanager
def understood(address: TrinoAddress, seconds: float = SECONDS) -> Iterator[None]:
    """Turn what the client raises into errors that say who has to do what."""
    import requests
    from trino import exceptions

    try:
        yield
    except exceptions.TrinoQueryError as error:
        raise _answered(address, error, seconds) from error
    except exceptions.TrinoDataError as error:
        raise UsageError(
            f"Trino's answer cannot be taken over ({error}); CAST to varchar"
        ) from error
    except (exceptions.HttpError, exceptions.TrinoAuthError) as error:
        raise _refused(address, str(error)) from error
    except (exceptions.TrinoConnectionError, requests.RequestException) as error:
        raise _unreached(address, str(error)) from error


def _answered(address: TrinoAddress, error: Any, seconds: float) -> Exception:
    name, kind, told = error.error_name or "", error.error_type or "", error.message
    if name in OVERTIME:
        return UsageError(
            f"the query was stopped after {seconds:g} s; ask for less (WHERE, fewer columns, a "
            "condition in every JOIN), or give it longer with --seconds"
        )
    if name in PASSING:
        return TryAgain(f"{address}: {told} ({name}); try again")
    if kind == "USER_ERROR":
        return UsageError(told)
    if name.startswith(MEMORY):
        return EnvironmentProblem(
            f"{address}: {told}; ask for less at once, or give Trino more memory"
        )
    return EnvironmentProblem(f"{address}: Trino cannot answer: {told} ({name}); see its log")


def _refused(address: TrinoAddress, told: str) -> Exception:
    if "401" in told or "403" in told:
        return EnvironmentProblem(
            f"{address}: Trino does not let {address.user} in; check user and password"
        )
    return TryAgain(f"{address}: Trino does not answer now ({told[:200]}); try again")


def _unreached(address: TrinoAddress, told: str) -> Exception:
    if "CERTIFICATE_VERIFY_FAILED" in told:
        return EnvironmentProblem(
            f"{address}: Trino's certificate is not trusted; name the right one as certificate"
        )
    why = next((words for key, words in REASONS.items() if key in told), "no connection")
    return EnvironmentProblem(
        f"{address}: Trino cannot be reached ({why}); start it (redcliff up), or check host and "
        "port"
    )
