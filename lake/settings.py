"""
Where things lie and how this site runs: read once, frozen, handed down.

Content (contracts, configuration, models) is the *site*, data (landing, lake, state) the *home*.
A profile is a YAML file of the site's `conf/`; `REDCLIFF_*` variables win over it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from catalog.errors import EnvironmentProblem, UsageError
from lake.addresses import (
    THIS_MACHINE,
    SparkMaster,
    TrinoAddress,
    placed,
    s3_address,
    spark_master,
    trino_address,
)
from lake.s3 import S3
from lake.secrets import kept_secret
from lake.store import Store

DEFAULT_PROFILE = "local"
DEFAULTS: Mapping[str, str | int] = {
    "engine": "embedded",
    "inbox": "inbox",
    "lake": "lake",
    "landing": "landing",
    "settle_seconds": 300,
}
KEYS = (
    *("alerts", "engine", "inbox", "lake", "landing", "memory", "settle_seconds"),
    *("lineage", "site_secret", "state_url"),
)
PLACES = ("inbox", "lake", "landing")
SECTION = "stack"
"""The section of a profile that says what `redcliff up` starts; jobs.stack reads it."""

ADDRESSES = ("s3", "spark", "trino")
"""The sections that say where servers are; `lake.addresses` reads them."""

SECRET_CHARACTERS = 16
"""The shortest site secret that is accepted; generated ones have 64."""


@dataclass(frozen=True)
class Settings:
    """
    One site and one home.

    `inbox` is where departments lay down what they deliver.
    `lake` is the root of the tables, `landing` that of landing: a local path or an S3 URL, and `s3`
    says where S3 is. `spark` is where Spark runs, `trino` where tables are shown to readers, if
    anywhere. `settle_seconds` is how long a
    folder without manifest.json and _DONE must lie still before it counts as whole. From
    `site_secret` the ids of persons and entities are made: whoever loses it cannot rebuild them.
    `alerts` says where alerts go, `lineage` where OpenLineage events do (a file or a URL).
    `memory` bounds the engine, such as `700MB`; None leaves it to the engine. `stack` is the
    profile's section of that name as it stands there.
    """

    home: Path
    site: Path
    engine: str
    lake: str
    landing: str
    state_url: str = field(repr=False)
    settle_seconds: int
    site_secret: bytes = field(repr=False)
    profile: str
    memory: str | None = None
    inbox: Path = Path("inbox")
    alerts: tuple[str, ...] = field(default=("log",), repr=False)
    lineage: str | None = None
    s3: S3 | None = None
    spark: SparkMaster = THIS_MACHINE
    trino: TrinoAddress | None = None
    stack: Mapping[str, Any] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """How the places of this site are reached."""
        return Store(self.s3)


def load_settings(
    profile: str | None,
    home: Path | None,
    environ: Mapping[str, str],
    served: Mapping[str, Any] = MappingProxyType({}),
) -> Settings:
    """
    Settle all settings; makes the home (0700) and its secret (0600) when they are not there.

    `profile` is a name in the site's conf/ or a file, `home` what `--home` says; both win over
    `environ`, and `served` holds for keys of which the profile says nothing. Relative paths lie in
    the home when a profile says them, and in the working directory when `environ` does.
    `UsageError` names the file, the key and what is allowed.
    """
    site = find_site(environ)
    home = home_folder(home, environ)
    profile = profile or environ.get("REDCLIFF_PROFILE")
    values = {**DEFAULTS, **served, **_read_profile(site, profile)}
    for key in PLACES:
        values[key] = placed(str(values[key]), home)
    for key in KEYS:
        if given := environ.get(f"REDCLIFF_{key.upper()}"):
            values[key] = placed(given, Path.cwd()) if key in PLACES else given
    _make_home(home)
    return Settings(
        home=home,
        site=site,
        engine=str(values["engine"]),
        inbox=Path(values["inbox"]),
        alerts=_words(values.get("alerts")),
        lineage=_lineage(values.get("lineage"), home),
        lake=str(values["lake"]),
        landing=str(values["landing"]),
        state_url=str(values.get("state_url") or f"sqlite:///{home / 'state.db'}"),
        settle_seconds=_seconds(values["settle_seconds"]),
        site_secret=_secret(values.get("site_secret"), home),
        profile=profile or DEFAULT_PROFILE,
        memory=_memory(values.get("memory")),
        s3=s3_address(values.get("s3"), home),
        spark=spark_master(values.get("spark"), home),
        trino=trino_address(values.get("trino"), home),
        stack=_section(values.get(SECTION)),
    )


def home_folder(home: Path | None, environ: Mapping[str, str]) -> Path:
    """The home that `--home` or `environ` names, there or not."""
    return (home or Path(environ.get("REDCLIFF_HOME") or "var")).expanduser().absolute()


def find_site(environ: Mapping[str, str]) -> Path:
    """
    The site: `REDCLIFF_SITE`, else the nearest folder upwards with schemas/ and conf/.

    Last come the checkout this code is from and the content installed with it. Reads nothing
    else and makes nothing, so that contracts can be checked without a home.
    """
    if named := environ.get("REDCLIFF_SITE"):
        site = Path(named).expanduser().absolute()
        if not (site / "schemas").is_dir():
            raise UsageError(
                f"REDCLIFF_SITE: {site} holds no folder schemas/; name a site's folder"
            )
        return site
    here = Path.cwd()
    installed = Path(__file__).resolve().parents[1], Path(sys.prefix) / "share" / "redcliff"
    for folder in (here, *here.parents, *installed):
        if (folder / "schemas").is_dir() and (folder / "conf").is_dir():
            return folder
    raise UsageError(
        f"no site found from {here} upwards (a folder with schemas/ and conf/); "
        "go into a checkout, or set REDCLIFF_SITE"
    )


def _read_profile(site: Path, profile: str | None) -> dict[str, Any]:
    name = profile or DEFAULT_PROFILE
    path = Path(name).expanduser()
    if path.name == name and not path.suffix:
        path = site / "conf" / f"{name}.yaml"
        if profile is None and not path.exists():
            return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        names = ", ".join(sorted(p.stem for p in (site / "conf").glob("*.yaml")))
        raise UsageError(
            f"{path}: no such profile; {site / 'conf'} has {names or 'none'}, or name a file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: the profile cannot be read: {error}") from error
    if document is None:
        return {}
    known = (*KEYS, *ADDRESSES, SECTION)
    if not isinstance(document, dict):
        raise UsageError(f"{path}: a profile is a mapping of keys; known: {', '.join(known)}")
    if unknown := [str(key) for key in document if key not in known]:
        raise UsageError(f"{path}: unknown key {', '.join(unknown)}; known: {', '.join(known)}")
    return {key: value for key, value in document.items() if value is not None}


def _seconds(value: Any) -> int:
    text = str(value)
    if not text.isdecimal():
        raise UsageError(f"settle_seconds: {text!r} is not a whole number of seconds")
    return int(text)


def _memory(value: Any) -> str | None:
    if value is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]*(MB|GB)", str(value)):
        raise UsageError(f"memory: {value!r} is no amount of memory; write 700MB or 2GB")
    return str(value)


def _words(value: Any) -> tuple[str, ...]:
    """A list, or words parted by commas."""
    if value is None:
        return ("log",)
    words = value if isinstance(value, list) else str(value).split(",")
    return tuple(str(word).strip() for word in words if str(word).strip())


def _lineage(value: Any, home: Path) -> str | None:
    return None if value is None else placed(str(value), home)


def _section(value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UsageError(f"{SECTION}: {value!r} is no mapping of keys")
    return {str(key): item for key, item in (value or {}).items()}


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"{home}: the home cannot be made ({error.strerror}); "
            "give access, or name another with --home"
        ) from error


def _secret(given: Any, home: Path) -> bytes:
    path = home / "secret"
    text = str(given).strip() if given is not None else kept_secret(path)
    if len(text) < SECRET_CHARACTERS:
        where = path if given is None else "site_secret"
        raise UsageError(
            f"{where}: the site's secret must have at least {SECRET_CHARACTERS} characters; "
            "restore it from a backup"
        )
    return text.encode()
