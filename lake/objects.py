"""
Named bytes that are written once: in a folder of this machine, or under a prefix of a bucket.

Everything appears whole or not at all, and is never written again.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Protocol

from catalog.errors import EnvironmentProblem
from lake.s3 import S3, answering, connections, is_s3, split_folder, sweep_uploads
from lake.store import Store

INCOMING = "incoming"

LEFT_SECONDS = 3600.0
"""What was begun so long ago, and nobody has gone on with, is a leftover."""

PUT_WITHIN = timedelta(minutes=10)
PRECONDITION_FAILED = 412
MISSING = ("NoSuchKey", "NoSuchObject")


class Objects(Protocol):
    """Bytes by name, such as `deliveries/<dataset>/<id>/delivery.json`."""

    root: str

    def place(self, name: str) -> str:
        """Where the object lies, or would lie: a path or a URL."""

    def size(self, name: str) -> int | None:
        """Its size in bytes, or None when there is none."""

    def read(self, name: str) -> bytes:
        """All its bytes; it must be there."""

    def names(self, folder: str) -> Iterator[str]:
        """The names of all objects below `folder`, in no order."""

    def put(self, name: str, content: bytes) -> None:
        """Write an object, unless there is one of this name: then that one stays."""

    def aside(self) -> AbstractContextManager[tuple[IO[bytes], Callable[[str], None]]]:
        """A file to write and the function that makes it the object of a name."""

    def sweep(self) -> None:
        """Remove what killed processes left half-written."""


def open_objects(root: str, store: Store) -> Objects:
    """The objects below a path or an S3 URL."""
    return Bucket(root, store.login(root)) if is_s3(root) else Folder(Path(root))


class Folder:
    """Objects as read-only files, flushed to the disk before they get their name."""

    def __init__(self, path: Path) -> None:
        self.root = str(path)
        self._path = path

    def place(self, name: str) -> str:
        """A path."""
        return str(self._path / name)

    def size(self, name: str) -> int | None:
        """As the file system says."""
        try:
            return (self._path / name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        """From the disk."""
        return (self._path / name).read_bytes()

    def names(self, folder: str) -> Iterator[str]:
        """By walking the folder."""
        for path in (self._path / folder).rglob("*"):
            if path.is_file():
                yield path.relative_to(self._path).as_posix()

    def put(self, name: str, content: bytes) -> None:
        """Through a file aside."""
        if self.size(name) is None:
            with self.aside() as (target, place), writable(self.root):
                target.write(content)
                place(name)

    @contextmanager
    def aside(self) -> Iterator[tuple[IO[bytes], Callable[[str], None]]]:
        """A file beside the others, which `place` flushes and renames."""
        incoming = self._path / INCOMING
        with writable(self.root):
            incoming.mkdir(parents=True, exist_ok=True)
            descriptor, named = tempfile.mkstemp(dir=incoming)
        temporary = Path(named)

        def place(name: str) -> None:
            path = self._path / name
            with writable(self.root):
                target.flush()
                os.fchmod(target.fileno(), 0o400)
                os.fsync(target.fileno())
                _make_folder(path.parent)
                temporary.rename(path)
                _flush_folder(path.parent)

        try:
            with os.fdopen(descriptor, "wb") as target:
                yield target, place
        finally:
            temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """What is young may be what a run writes at this moment."""
        for leftover in (self._path / INCOMING).glob("*"):
            # A run may have finished its file since the folder was read.
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > LEFT_SECONDS:
                    leftover.unlink()


class Bucket:
    """Objects under a prefix of an S3 bucket: a PUT is whole or not at all by itself."""

    def __init__(self, root: str, s3: S3) -> None:
        self.root = root
        self._bucket, self._prefix = split_folder(root)
        self._s3 = s3
        self._client = s3.client()
        self._connections = connections()

    def place(self, name: str) -> str:
        """A URL."""
        return f"{self.root}/{name}"

    def size(self, name: str) -> int | None:
        """By a HEAD request."""
        from minio.error import S3Error

        with answering(self.root):
            try:
                found: int | None = self._client.stat_object(self._bucket, self._key(name)).size
            except S3Error as error:
                if error.code not in MISSING:
                    raise
                return None
        return found

    def read(self, name: str) -> bytes:
        """By one GET."""
        with answering(self.root):
            answer = self._client.get_object(self._bucket, self._key(name))
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()

    def names(self, folder: str) -> Iterator[str]:
        """By listing, page by page."""
        with answering(self.root):
            found = self._client.list_objects(self._bucket, f"{self._key(folder)}/", recursive=True)
            for one in found:
                if one.object_name and not one.is_dir:
                    yield one.object_name.removeprefix(self._prefix)

    def put(self, name: str, content: bytes) -> None:
        """
        By a PUT that fails when the object is there.

        The client's own call cannot carry the condition, a signed address can.
        """
        with answering(self.root):
            url = self._client.presigned_put_object(
                self._bucket, self._key(name), expires=PUT_WITHIN
            )
            answer = self._connections.request(
                "PUT", url, body=content, headers={"If-None-Match": "*"}
            )
        if answer.status not in (200, PRECONDITION_FAILED):
            raise EnvironmentProblem(
                f"{self.place(name)}: S3 answers {answer.status} {answer.reason}; "
                "check the login and the bucket"
            )

    @contextmanager
    def aside(self) -> Iterator[tuple[IO[bytes], Callable[[str], None]]]:
        """A temporary file, which `place` uploads: in parts when it is large."""
        with tempfile.NamedTemporaryFile(prefix="redcliff-landing-") as target:

            def place(name: str) -> None:
                target.flush()
                with answering(self.root):
                    self._client.fput_object(self._bucket, self._key(name), target.name)

            yield target, place

    def sweep(self) -> None:
        """Uploads in parts that were never ended; nothing else can be half-written."""
        sweep_uploads(self._s3, self.root)

    def _key(self, name: str) -> str:
        return self._prefix + name


@contextmanager
def writable(root: str) -> Iterator[None]:
    """`EnvironmentProblem` when what is written below `root` finds no room or no access."""
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{root}: landing cannot be written ({error.strerror}); "
            "make room or give access, then deliver again"
        ) from error


def _make_folder(path: Path) -> None:
    """Make the folder and flush every folder that got a new entry by it."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _flush_folder(folder.parent)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    # Some network file systems cannot flush a folder; the rename stands there all the same.
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
