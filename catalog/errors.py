"""
Every error redcliff raises on purpose.

* RedcliffError
  x ContractError            a file under schemas/ or pipelines/ is wrong; fix the file
    + ContractNotFound
    + ContractInvalid          carries every finding, each with file and line
    + ModelError               a thematic SELECT is wrong, or models wait for each other
  x DeliveryError            a department's delivery is wrong; tell the department
    + DeliveryRefused
  x UsageError               the command was called wrongly; call it otherwise
  x EnvironmentProblem       this machine lacks something; `redcliff doctor` says what
  x TryAgain                 nobody is wrong; try again later (retryable)
    + LeaseLost                somebody else writes this table
  x LedgerBroken             counts or records contradict each other; keep the evidence, report it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RedcliffError(Exception):
    """The root: whatever redcliff raises on purpose can be caught by this one name."""


class ContractError(RedcliffError):
    """A contract, code table or model is wrong. Its author mends the file."""


class ContractNotFound(ContractError):
    """No contract has this id."""

    def __init__(self, dataset: str, known: Sequence[str] = ()) -> None:
        self.dataset = dataset
        self.known = tuple(known)
        hint = f"; did you mean {', '.join(self.known)}?" if self.known else ""
        super().__init__(f"no contract has the id {dataset!r}{hint}")

    def __reduce__(self) -> tuple[type[ContractNotFound], tuple[str, tuple[str, ...]]]:
        return type(self), (self.dataset, self.known)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong with a file: where, what, and what to do about it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ContractInvalid(ContractError):
    """Contracts with findings; all of them are told at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        lines = "\n".join(f"  {finding}" for finding in self.findings)
        super().__init__(f"{len(self.findings)} finding(s) in the contracts:\n{lines}")

    def __reduce__(self) -> tuple[type[ContractInvalid], tuple[tuple[Finding, ...]]]:
        return type(self), (self.findings,)


class ModelError(ContractError):
    """A thematic model cannot be used: its SQL, its columns, or its place in the graph."""


class DeliveryError(RedcliffError):
    """A delivery is wrong. The department that sent it has to act."""


class DeliveryRefused(DeliveryError):
    """
    A delivery is refused whole: nothing of it reaches a table.

    The message says where (file, and row or byte where known), what, and what to do.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.reason = reason
        self.file = file
        self.row = row
        self.column = column
        self.remedy = remedy
        where = ", ".join(
            part
            for part in (
                file,
                f"row {row}" if row is not None else None,
                f"column {column}" if column else None,
            )
            if part
        )
        text = f"{where}: {reason}" if where else reason
        super().__init__(f"{text}; {remedy}" if remedy else text)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_refusal, (self.reason, self.file, self.row, self.column, self.remedy)


def _rebuild_refusal(
    reason: str, file: str | None, row: int | None, column: str | None, remedy: str | None
) -> DeliveryRefused:
    # Errors cross process boundaries (Spark, Airflow); rebuild from the fields.
    return DeliveryRefused(reason, file=file, row=row, column=column, remedy=remedy)


class UsageError(RedcliffError):
    """A command was called with words that do not fit."""


class EnvironmentProblem(RedcliffError):
    """Something this machine lacks, with the one command that mends it."""


class TryAgain(RedcliffError):
    """Nobody is wrong; the same call may succeed later."""


class LeaseLost(TryAgain):
    """Another process holds, or took over, the lease of a table."""


class LedgerBroken(RedcliffError):
    """
    Counts that do not add up, or records that contradict each other.

    Either redcliff has a defect or somebody changed files of the home; nothing may be committed.
    """
