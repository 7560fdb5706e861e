"""
The manifest of a delivery (交付清单): what the department says it sends, written last.

    {"dataset", "business_date", "mode", "revision", "files": [{"name", "rows", "bytes", "sha256"}]}
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.contract import Contract
from catalog.errors import DeliveryRefused
from catalog.vocabulary import Mode
from jobs.inbox import MANIFEST, is_plain_name
from lake.deliveries import DeliveredFile

MANIFEST_BYTES = 16 << 20
AGAIN = "send it again"

_Count = Annotated[int, Field(ge=0, lt=1 << 63)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ManifestFile(_Strict):
    """What the manifest says of one file."""

    name: str
    rows: _Count | None = None
    bytes: _Count
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]


class Manifest(_Strict):
    """What the manifest says of the delivery."""

    dataset: str
    business_date: date
    mode: Mode
    revision: Annotated[int, Field(ge=1, lt=1 << 31)] | None = None
    files: tuple[ManifestFile, ...]


def read_manifest(path: Path) -> Manifest:
    """The manifest in the file at `path`; `DeliveryRefused` names every key that is wrong."""
    remedy = "mend the manifest and send it again"
    if path.stat().st_size > MANIFEST_BYTES:
        raise DeliveryRefused(f"more than {MANIFEST_BYTES >> 20} MiB", file=MANIFEST, remedy=remedy)
    try:
        text = path.read_text(encoding="utf-8-sig")
        # Read once before pydantic does, which would take the last of two equal keys.
        json.loads(text, object_pairs_hook=_once)
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        reason = "; ".join(_told(problem) for problem in error.errors(include_url=False))
    except RecursionError:
        reason = "no JSON: nested too deep"
    except ValueError as error:
        reason = f"no JSON: {error}"
    raise DeliveryRefused(reason, file=MANIFEST, remedy=remedy)


def compare(
    manifest: Manifest, contract: Contract, business_date: date, files: Iterable[DeliveredFile]
) -> list[str]:
    """What of the manifest does not agree with folder, contract and files; each with a remedy."""
    problems = []
    if manifest.dataset not in (contract.id, contract.dataset):
        problems.append(
            f"{MANIFEST} is for dataset {manifest.dataset!r} and the folder for {contract.id!r}; "
            "put it where it belongs"
        )
    if manifest.business_date != business_date:
        problems.append(
            f"{MANIFEST} says business date {manifest.business_date} and the folder "
            f"{business_date}; mend the one that is wrong"
        )
    if contract.source is not None and manifest.mode is not contract.source.mode:
        problems.append(
            f"{MANIFEST} says mode {manifest.mode} and {contract.id} is delivered as "
            f"{contract.source.mode}; deliver what the contract asks for"
        )
    times = Counter(told.name for told in manifest.files)
    problems += [
        f"{name}: {MANIFEST} names it {count} times; name every file once"
        for name, count in times.items()
        if count > 1
    ]
    delivered = {file.name: file for file in files}
    for told in {told.name: told for told in manifest.files}.values():
        problems += _compare_file(told, delivered)
    problems += [
        f"{name}: lies in the folder and {MANIFEST} does not name it; name it or leave it out"
        for name in delivered
        if name not in times
    ]
    return problems


def _compare_file(told: ManifestFile, delivered: Mapping[str, DeliveredFile]) -> list[str]:
    if not is_plain_name(told.name):
        return [f"{MANIFEST}: {told.name!r} is no plain file name; name the file without a path"]
    file = delivered.get(told.name)
    if file is None:
        return [f"{told.name}: {MANIFEST} names it and it is missing; {AGAIN}"]
    if file.bytes != told.bytes:
        return [f"{told.name}: has {file.bytes} bytes, {MANIFEST} says {told.bytes}; {AGAIN}"]
    if file.sha256 != told.sha256.lower():
        return [
            f"{told.name}: has SHA-256 {file.sha256}, {MANIFEST} says {told.sha256.lower()}; "
            f"{AGAIN}"
        ]
    return []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if repeated:
        raise ValueError(f"the key {repeated[0]!r} stands twice in one object")
    return dict(pairs)


def _told(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where} is no key of a manifest"
    return f"{where}: {problem['msg']}, not {problem['input']!r:.80}"
