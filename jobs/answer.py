"""
What a command says at its end: one JSON document, or tables and sentences, or an error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE = 200
"""Columns of a table that goes into a file or a pipe."""


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for one JSON document, which an error then is too."""
    pairs = pairwise(words)
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairs


def keep_stdout_clean() -> None:
    """Send what child processes print (Spark's Java) to stderr: stdout holds the document alone."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(kept, "w", encoding="utf-8")


def answer(as_json: bool, document: Any, *parts: RenderableType) -> None:
    """The one document, or the parts for people, on stdout."""
    if as_json:
        _write(document)
        return
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    for part in parts:
        console.print(part, markup=False, highlight=False, soft_wrap=isinstance(part, str))


def end(error: BaseException) -> int:
    """Tell the error on stderr (with --json as a document on stdout too); returns the exit code."""
    from jobs.exits import error_document, exit_code, told

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, typer.TyperException):
        # The command line itself does not fit; Typer knows the word, and near ones.
        said, code = error.format_message(), error.exit_code
        document: dict[str, Any] = {"error": {"kind": "usage", "message": said}}
        said += "\nsee: redcliff --help, redcliff COMMAND --help"
    else:
        said, code, document = told(error), exit_code(error), error_document(error)
    if os.environ.get("REDCLIFF_DEBUG") == "1":
        traceback.print_exception(error)
    if wants_json(sys.argv):
        _write(document)
    sys.stderr.write(f"redcliff: {said}\n")
    return code


def _write(document: Any) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> str:
    """A value of a table in JSON: dates and instants in ISO form, decimals in full."""
    return value.isoformat() if isinstance(value, date) else str(value)
