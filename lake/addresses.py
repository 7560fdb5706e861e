"""
Where the servers of a profile are: its sections `s3`, `spark` and `trino`, each a login with a
secret file.

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
CATALOG = r"^[a-z][a-z0-9_]*$"


@dataclass(frozen=True)
class SparkMaster:
    """
    Where Spark runs: `local[*]`, `spark://HOST:PORT`, `yarn` or `k8s://…`.

    `conf` are further settings of Spark, which win over redcliff's own. `python` is the
    interpreter of the executors, which must find redcliff's packages, unless `archive` (of
    `redcliff pack`, a path or a URL) brings them.
    """

    master: str = LOCAL_MASTER
    secret: str | None = field(default=None, repr=False)
    conf: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None
    archive: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the executors are the driver's own process."""
        return self.master.startswith("local")

    @property
    def is_here(self) -> bool:
        """Whether all of Spark is on this machine: nobody else has to reach the driver."""
        return re.match(r"local|spark://(127\.|localhost)", self.master) is not None


THIS_MACHINE = SparkMaster()


@dataclass(frozen=True)
class TrinoAddress:
    """
    One Trino and one login; with a password it is spoken to by TLS.

    `certificate` is what is trusted instead of the machine's authorities. `catalog` is the one that
    readers see, `owner_catalog` the one over the same metastore in which tables are registered.
    """

    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)
    certificate: Path | None = None
    catalog: str = "lake"
    owner_catalog: str = "lake_owner"

    def __str__(self) -> str:
        """Where it is, without a secret."""
        return f"{'http' if self.password is None else 'https'}://{self.host}:{self.port}"


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
    archive: str | None = None


class _Trino(_Section):
    host: str
    port: int = Field(default=443, ge=1, le=65535)
    user: str
    secret_file: Path | None = None
    certificate: Path | None = None
    catalog: str = Field(default="lake", pattern=CATALOG)
    owner_catalog: str = Field(default="lake_owner", pattern=CATALOG)


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
        section.archive and placed(section.archive, home),
    )


def trino_address(value: Any, home: Path) -> TrinoAddress | None:
    """What the section `trino` says; None without one."""
    if value is None:
        return None
    section = read_section("trino", _Trino, value)
    return TrinoAddress(
        section.host,
        section.port,
        section.user,
        _secret("trino", home / section.secret_file) if section.secret_file else None,
        home / section.certificate if section.certificate else None,
        section.catalog,
        section.owner_catalog,
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


def placed(place: str, folder: Path) -> str:
    """A URL as it is, a path from `folder`."""
    return place if "://" in place else str(folder / Path(place).expanduser())


def _secret(section: str, path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EnvironmentProblem(
            f"{section}.secret_file: {path} cannot be read ({error.strerror})"
        ) from error


def _spark_value(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
