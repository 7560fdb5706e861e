"""
How a command ends: the exit code and the JSON form of every error.

0  done; deliveries that were held or refused are reported
1  a contract is wrong, a rule with `block: load` failed, something was refused under `--strict`,
   this machine lacks something, or redcliff itself is wrong
2  the command was called wrongly
3  nobody is wrong; the same call may succeed later
"""

from __future__ import annotations

import os
from typing import Any

from catalog.errors import (
    ContractError,
    ContractInvalid,
    ContractNotFound,
    DeliveryError,
    EnvironmentProblem,
    LedgerBroken,
    RedcliffError,
    TryAgain,
    UsageError,
)

FAILED, MISUSED, LATER = 1, 2, 3
INTERRUPTED = 130  # what a shell reports after Ctrl-C

# The first class on an error's line of ancestors decides.
ENDINGS: dict[type[BaseException], tuple[int, str]] = {
    ContractNotFound: (MISUSED, "usage"),  # at a command line it is a word that does not fit
    ContractError: (FAILED, "contract"),
    DeliveryError: (FAILED, "delivery"),
    UsageError: (MISUSED, "usage"),
    EnvironmentProblem: (FAILED, "environment"),
    LedgerBroken: (FAILED, "ledger"),
    TryAgain: (LATER, "try_again"),
    RedcliffError: (FAILED, "error"),
    OSError: (FAILED, "environment"),
    KeyboardInterrupt: (INTERRUPTED, "interrupted"),
    BaseException: (FAILED, "internal"),
}


def exit_code(error: BaseException) -> int:
    """The code that a command ends with when this error reaches the top."""
    return _ending(error)[0]


def told(error: BaseException) -> str:
    """
    The error in words for a person.

    Of an error that redcliff did not raise on purpose only the kind and the place are told: its
    message may hold values of persons. `REDCLIFF_DEBUG=1` shows everything.
    """
    if isinstance(error, RedcliffError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command goes on where it stopped"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename or 'this machine'}: {os.strerror(error.errno)}"
    return (
        f"redcliff has a mistake of its own: {type(error).__name__} at {_place(error)}; "
        "run again with REDCLIFF_DEBUG=1 and report what it shows"
    )


def error_document(error: BaseException) -> dict[str, Any]:
    """The error as the one JSON document of a command that failed."""
    described: dict[str, Any] = {"kind": _ending(error)[1], "message": told(error)}
    if isinstance(error, ContractInvalid):
        described["findings"] = [
            {"file": f.file, "line": f.line, "message": f.message} for f in error.findings
        ]
    return {"error": described}


def _ending(error: BaseException) -> tuple[int, str]:
    return next(ENDINGS[kind] for kind in type(error).__mro__ if kind in ENDINGS)


def _place(error: BaseException) -> str:
    """The innermost line of code, as `module:line`."""
    place, trace = "an unknown place", error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
