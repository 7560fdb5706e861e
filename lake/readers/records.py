"""
Reading where Spark's executors are: all that is imported here is packed for them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from lake.readers import Reading, read, read_part
from lake.splits import Part
from lake.store import Store


class Records:
    """
    Reads the landed files that are named in batches, or parts of them; pickled by reference to this
    module.
    """

    def __init__(self, reading: Reading, store: Store) -> None:
        self._reading = reading
        self._store = store

    def __call__(self, files: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The records of the files that `path` and `name` tell, or of their `part`."""
        for batch in files:
            for file in batch.to_pylist():
                path, name, part = file["path"], file["name"], file["part"]
                if part is None:
                    yield from read(self._reading, path, name, self._store)
                else:
                    yield from read_part(self._reading, path, name, Part(**part), self._store)
