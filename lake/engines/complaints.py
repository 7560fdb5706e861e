"""
What DuckDB says when it cannot answer, in words for whoever asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from catalog.errors import EnvironmentProblem, UsageError

KINDS = re.compile(r"^(?:[A-Z][A-Za-z]* )+Error: ")
INNER_NAMES = re.compile(r"\b(raw|curated|thematic)__(\w+)")
MACRO = re.compile(r"Macro trino_(\w+?)\(\)")


OUT_OF_MEMORY = "Out of Memory Error"
"""How DuckDB's message begins, also where it comes through Arrow's stream."""


@contextmanager
def within_memory() -> Iterator[None]:
    """Tell what to do when a step of a run needs more than the engine has."""
    try:
        yield
    except Exception as error:
        if OUT_OF_MEMORY not in str(error):
            raise
        raise EnvironmentProblem(
            "a step of the run needs more memory than the engine has, also with what it spills to "
            "disk; give it more with `memory` in the profile or REDCLIFF_MEMORY, e.g. 2GB, and run "
            "again: nothing is lost"
        ) from error


@contextmanager
def understood(seconds: float) -> Iterator[None]:
    """Turn what DuckDB raises about a query into `UsageError`; `seconds` is what it was given."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise overtime(seconds) from error
    except duckdb.OutOfMemoryException as error:
        raise EnvironmentProblem(
            "the query needs more memory than the engine has, also with what it spills to disk; "
            "ask for less at once, or give more with REDCLIFF_MEMORY, e.g. 2GB"
        ) from error
    except (duckdb.InternalError, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        raise UsageError(cleaned(str(error))) from error


def overtime(seconds: float) -> UsageError:
    """What is told of a query that took too long."""
    return UsageError(
        f"the query was stopped after {seconds:g} s; ask for less (WHERE, fewer columns, a "
        "condition in every JOIN), or give it longer with --seconds"
    )


def cleaned(message: str) -> str:
    r"""
    The first lines of an engine's message, without its kinds, places and inner names.

    >>> cleaned('Binder Error: Referenced column "nam" not found in FROM clause!\nCandidate '
    ...         'bindings: "name"\n\nLINE 1: SELECT nam')
    'referenced column "nam" not found in FROM clause! Candidate bindings: "name"'
    """
    text = KINDS.sub("", message).partition("\n\nLINE ")[0].partition("\nCandidate macros")[0]
    if found := MACRO.search(text):
        return (
            f"the types do not fit {found[1].replace('_', ' ')}, or cannot be told; "
            "say them with CAST"
        )
    text = text.partition("\n\tCandidate functions")[0]
    text = INNER_NAMES.sub(r"\1.\2", " ".join(text.split()))
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
