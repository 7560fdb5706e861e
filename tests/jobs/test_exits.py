from __future__ import annotations

import errno

import pytest

from catalog import errors
from catalog.errors import (
    ContractInvalid,
    ContractNotFound,
    DeliveryRefused,
    EnvironmentProblem,
    Finding,
    LeaseLost,
    ModelError,
    UsageError,
)
from jobs.exits import ENDINGS, error_document, exit_code, told


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (ContractInvalid([Finding("schemas/a.yaml", 3, "wrong")]), 1, "contract"),
        (ModelError("the models wait for each other"), 1, "contract"),
        (ContractNotFound("population.persn", ["population.person"]), 2, "usage"),
        (DeliveryRefused("cannot be decoded", file="a.csv"), 1, "delivery"),
        (UsageError("no such folder"), 2, "usage"),
        (EnvironmentProblem("no Java"), 1, "environment"),
        (LeaseLost("somebody else writes"), 3, "try_again"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 1, "environment"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("a mistake"), 1, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_kind_of_error_has_its_exit_code(error: BaseException, code: int, kind: str) -> None:
    assert exit_code(error) == code
    assert error_document(error)["error"]["kind"] == kind


def test_every_branch_of_our_errors_says_who_acts() -> None:
    branches = errors.RedcliffError.__subclasses__()

    assert [branch.__name__ for branch in branches if branch not in ENDINGS] == []


def test_findings_stay_apart_in_the_document() -> None:
    findings = [Finding("schemas/b.yaml", 7, "second"), Finding("schemas/a.yaml", 3, "first")]

    document = error_document(ContractInvalid(findings))

    assert document["error"]["findings"] == [
        {"file": "schemas/a.yaml", "line": 3, "message": "first"},
        {"file": "schemas/b.yaml", "line": 7, "message": "second"},
    ]


def test_an_unforeseen_error_tells_its_place_and_never_its_message() -> None:
    try:
        int("王小明")
    except ValueError as error:
        said = told(error)

    assert "王小明" not in said
    assert f"ValueError at {__name__}:" in said
    assert "REDCLIFF_DEBUG=1" in said


def test_a_full_disk_is_told_with_its_file() -> None:
    said = told(OSError(errno.ENOSPC, "whatever", "/data/x"))

    assert said == "/data/x: No space left on device"
