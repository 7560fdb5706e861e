"""
Where tables and landed bytes are reached: on this machine as they are, on S3 with its login.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import EnvironmentProblem
from lake.s3 import S3, answering, is_s3, split_folder, split_url, sweep_uploads

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Store:
    """The store of a profile; it travels to Spark's executors."""

    s3: S3 | None = None

    def delta(self, path: str, version: int | None = None) -> DeltaTable:
        """The Delta table at a path or URL; `TableNotFoundError` when there is none."""
        from deltalake import DeltaTable

        return DeltaTable(path, version=version, storage_options=self.options(path))

    def options(self, path: str) -> dict[str, str] | None:
        """What delta-rs must be told to reach it."""
        return self.login(path).delta_options() if is_s3(path) else None

    @contextmanager
    def at_hand(self, path: str) -> Iterator[Path]:
        """A file as one of this machine: itself, or a copy for as long as it is read."""
        if not is_s3(path):
            yield Path(path)
            return
        bucket, key = split_url(path)
        client = self.login(path).client()
        with tempfile.TemporaryDirectory(prefix="redcliff-landed-") as folder:
            copy = Path(folder) / "file"
            with answering(path):
                client.fget_object(bucket, key, str(copy))
            yield copy

    @contextmanager
    def range_at_hand(self, path: str, start: int, end: int) -> Iterator[tuple[Path, int]]:
        """
        A file of this machine that holds these bytes of a file, and where in it they begin.

        Of a file on S3 nothing else is fetched.
        """
        if not is_s3(path):
            yield Path(path), start
            return
        bucket, key = split_url(path)
        client = self.login(path).client()
        with tempfile.NamedTemporaryFile(prefix="redcliff-landed-") as copy:
            if start < end:
                with answering(path):
                    answer = client.get_object(bucket, key, offset=start, length=end - start)
                    try:
                        shutil.copyfileobj(answer, copy)
                    finally:
                        answer.close()
                        answer.release_conn()
                copy.flush()
            yield Path(copy.name), 0

    def tables(self, root: str) -> Iterator[tuple[str, str]]:
        """Layer and folder of every Delta table below a path or URL, by their names alone."""
        if is_s3(root):
            # What begins with a dot is no layer: probes of `lake.fences` lie in such a folder.
            for layer in (one for one in self._folders(root) if not one.startswith(".")):
                # A table's log is the first that is written of it.
                yield from ((layer, folder) for folder in self._folders(f"{root}/{layer}"))
        else:
            for log in Path(root).glob("*/*/_delta_log"):
                yield log.parent.parent.name, log.parent.name

    def sweep(self, root: str) -> None:
        """Remove what killed writers of tables left half-uploaded; files appear whole."""
        if is_s3(root):
            sweep_uploads(self.login(root), root)

    def login(self, path: str) -> S3:
        """Where S3 is; `EnvironmentProblem` when the profile does not say so."""
        if self.s3 is None:
            raise EnvironmentProblem(f"{path}: the profile has no section s3 that says where S3 is")
        return self.s3

    def _folders(self, url: str) -> Iterator[str]:
        bucket, prefix = split_folder(url)
        client = self.login(url).client()
        with answering(url):
            for one in client.list_objects(bucket, prefix):
                if one.is_dir and one.object_name:
                    yield one.object_name.removeprefix(prefix).rstrip("/")


LOCAL = Store()
"""This machine alone."""
