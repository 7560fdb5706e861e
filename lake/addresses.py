"""
Where the servers of a profile are: its sections `s3` and `spark`, each a login with a secret file.

A section of a real cluster names it; where `redcliff up` starts the server, it is left out and
follows from the section `stack`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.errors import EnvironmentProblem, UsageError
from lake.s3 import S3

LOCAL_MASTER = "local[*]"


@dataclass(frozen=True)
class SparkMaster:
    """
    Where Spark runs: `local[*]`, `spark://HOST:PORT`, `yarn` or `k8s://…`.

    `conf` are further settings of Spark, which win over redcliff's own. `python` is the
    interpreter of the executors, which must find redcliff's packages.
    """

    master: str = LOCAL_MASTER
    secret: str | None = field(default=None, repr=False)
    conf: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether all of Spark is on this machine: nobody else has to reach the driver."""
        return re.match(r"local|spark://(127\.|localhost)", self.master) is not None


THIS_MACHINE = SparkMaster()


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _S3(_Section):
    endpoint: str = Field(pattern=r"^https?://[^/@\s]+/?$")
    access_key: str
    secret_file: Path
    region: str = "us-east-1"


class _Spark(_Section):
    master: str = Field(default=LOCAL_MASTER, pattern=r"^(local(\[.+\])?|yarn|(spark|k8s)://\S+)$")
    secret_file: Path | None = None
    conf: dict[str, str | int | float | bool] = {}
    python: str | None = None


M = TypeVar("M", bound=BaseModel)


def s3_address(value: Any, home: Path) -> S3 | None:
    """What the section `s3` says; None without one."""
    if value is None:
        return None
    section = read_section("s3", _S3, value)
    secret = _secret("s3", home / section.secret_file)
    return S3(section.endpoint.rstrip("/"), section.access_key, secret, section.region)


def spark_master(value: Any, home: Path) -> SparkMaster:
    """What the section `spark` says; this machine without one."""
    section = read_section("spark", _Spark, value or {})
    return SparkMaster(
        section.master,
        _secret("spark", home / section.secret_file) if section.secret_file else None,
        {key: _spark_value(item) for key, item in section.conf.items()},
        section.python,
    )


def read_section(name: str, kind: type[M], value: Any) -> M:
    """A section of a profile as its model; `UsageError` names the first key that does not fit."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in (name, *first["loc"]))
        known = ", ".join(kind.model_fields)
        raise UsageError(f"{key}: {first['msg']}; known: {known}") from error


def _secret(section: str, path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EnvironmentProblem(
            f"{section}.secret_file: {path} cannot be read ({error.strerror})"
        ) from error


def _spark_value(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
