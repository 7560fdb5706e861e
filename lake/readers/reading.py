"""What a reader must know of a contract, and the shape of the rows it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from catalog.contract import Contract
from catalog.errors import ContractError
from catalog.vocabulary import Drift, Format

UNREADABLE = "record_readable"
"""The `_fault` of a record that cannot be read; it is the rule that the record breaks."""

REFUSED = "refused"
"""The `_fault` of the last row of a file that must be refused whole."""

BATCH_ROWS = 20_000
"""No batch has more rows than this."""


@dataclass(frozen=True)
class Field:
    """A delivered column, and the headers (or JSON keys) under which it may come."""

    name: str
    headers: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """
    How the files of one dataset are read: the little of its contract that decides.

    It is small and picklable, because it travels to Spark's executors.
    """

    dataset: str
    format: Format
    encoding: str
    delimiter: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    change_headers: tuple[str, ...]
    unknown_column: Drift
    missing_column: Drift

    @classmethod
    def of(cls, contract: Contract) -> Reading:
        """Make the reading of a source contract; ContractError when nobody delivers the dataset."""
        source = contract.source
        if source is None:
            raise ContractError(f"{contract.id} is not delivered: it has no redcliff.source")
        delivered = contract.delivered_columns
        return cls(
            dataset=contract.id,
            format=source.format,
            encoding=source.encoding,
            delimiter=source.delimiter,
            fields=tuple(Field(c.name, (c.name, *c.delivered_as)) for c in delivered),
            key=tuple(c.name for c in delivered if c.is_key),
            change_headers=source.change.headers if source.change else (),
            unknown_column=source.drift.unknown_column,
            missing_column=source.drift.missing_column,
        )

    @cached_property
    def schema(self) -> pa.Schema:
        """
        The shape of every batch: the delivered columns as text, then what the reader knows of them.

        `_fault` is null for a record that could be read, `record_readable` for one that could not
        (`_record` is then JSON of what stood there, and every column is null), and `refused` for
        one last row when the whole file must be refused (`_record` says why, `_row_number` is 0).
        """
        text = [(field.name, pa.string()) for field in self.fields]
        return pa.schema(
            [
                *text,
                ("_extra", pa.string()),
                ("_change", pa.string()),
                ("_file", pa.string()),
                ("_row_number", pa.int64()),
                ("_missing", pa.string()),
                ("_fault", pa.string()),
                ("_record", pa.string()),
            ]
        )
