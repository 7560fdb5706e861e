"""
The manifest (编排清单): all that a scheduler has to know of a site, in one small file.

It is compiled from contracts, models, departments and the calendar (`catalog.compile.dags`) and
carries the hash of those files, so that a stale one is known by reading bytes alone: a scheduler
parses its DAG file every half minute, and YAML is slow. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
"""Raised when the meaning of the file changes: a file of another format is stale."""

PATTERNS = (
    "schemas/**/*.y*ml",
    "schemas/code_tables/working_day.csv",
    "conf/departments.yaml",
    "pipelines/thematic/**/*.sql",
)
"""The files of a site that the manifest follows from."""


@dataclass(frozen=True)
class Batch:
    """
    Datasets that one process loads together: those of one department, or the code tables.

    `tables` has the curated table of every dataset. `is_hourly` tells that some of them come on
    days when offices are closed too.
    """

    name: str
    title: str
    tables: Mapping[str, str]
    is_hourly: bool = False

    @property
    def datasets(self) -> tuple[str, ...]:
        """The ids of the datasets."""
        return tuple(self.tables)


@dataclass(frozen=True)
class Library:
    """The models of one theme: the tables they make, and those of others that they read."""

    theme: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """
    All batches and libraries of a site, and the days on which offices are closed (ISO dates).

    Libraries stand in the order in which they are best refreshed. `files_hash` tells which files
    it was compiled from.
    """

    files_hash: str
    batches: tuple[Batch, ...]
    libraries: tuple[Library, ...]
    closed_days: tuple[str, ...]

    def batch_of(self, dataset: str) -> Batch | None:
        """The batch that loads the dataset; None when nobody delivers it."""
        return next((batch for batch in self.batches if dataset in batch.tables), None)

    def to_json(self) -> dict[str, Any]:
        """The manifest for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Manifest:
        """The manifest that `document` tells of; KeyError, TypeError when it is none."""
        return cls(
            document["files_hash"],
            tuple(Batch(**batch) for batch in document["batches"]),
            tuple(
                Library(one["theme"], tuple(one["inputs"]), tuple(one["outputs"]))
                for one in document["libraries"]
            ),
            tuple(document["closed_days"]),
        )


def files_hash(folder: Path, patterns: Sequence[str] = PATTERNS) -> str:
    """SHA-256 over names and bytes of the files that `patterns` find: those of the manifest."""
    digest = hashlib.sha256()
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    for file in sorted(found):
        held = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()} {held}\n".encode())
    return digest.hexdigest()


def read_manifest(file: Path, site: Path) -> Manifest | None:
    """The manifest in `file`; None when there is none, or it is not of the site as it stands."""
    try:
        document = json.loads(file.read_bytes())
        if document["format"] != FORMAT or document["files_hash"] != files_hash(site):
            return None
        return Manifest.of(document)
    except (OSError, ValueError, KeyError, TypeError):
        # Damaged, or of another version: as good as none.
        return None


def write_manifest(manifest: Manifest, file: Path) -> None:
    """Put the manifest into `file`, whole or not at all; several may write at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    text = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1) + "\n"
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)
