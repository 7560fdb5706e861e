"""
What a component of the stack is: a section of the profile, and the processes that follow from it.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from lake.secrets import kept_secret
from lake.settings import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Service:
    """
    One process to keep alive.

    `probe` asks the server a real question and raises while it does not answer; it must not take
    longer than some seconds. The process is started when the services in `after` have answered.
    Paths are absolute; what it prints goes into its log.
    """

    name: str
    argv: tuple[str, ...]
    probe: Callable[[], None]
    after: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0
    start_seconds: float = 120.0


@dataclass(frozen=True)
class Stack:
    """The stack of one home: where it lies and listens, and all its components by name."""

    folder: Path
    site: Path
    address: str
    environ: Mapping[str, str] = field(repr=False)
    components: Mapping[str, Component]
    chosen: tuple[str, ...]
    settings: Settings

    def place(self, *parts: str) -> Path:
        """A folder of the stack, made for its owner alone when it is not there."""
        folder = self.folder
        for part in ("", *parts):
            folder = folder / part
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def secret(self, name: str) -> str:
        """A secret of this home, made on first use, for its owner alone."""
        return kept_secret(self.place("secrets") / name)

    def secret_file(self, name: str) -> Path:
        """Where that secret lies, for people who need it."""
        self.secret(name)
        return self.place("secrets") / name

    def configure(self, template: str, target: Path, **values: object) -> Path:
        """Render a template of the site's `conf/` into `target`, readable by its owner alone."""
        text = (self.site / "conf" / template).read_text(encoding="utf-8")
        target.touch(mode=0o600)
        target.write_text(Rendering(text).substitute(values), encoding="utf-8")
        return target

    def component(self, name: str) -> Any:
        """Another component, for what one has to know of it."""
        return self.components[name]


class Rendering(Template):
    """A template whose places are `@{name}`: `${name}` means something in many configurations."""

    delimiter = "@"


class Component(BaseModel, ABC):
    """
    One server, by the keys of its section in the profile.

    Every key called `port`, or that ends so, is a port to listen on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    """What it imports beyond redcliff's own requirements, when it is used."""

    def ports(self) -> dict[str, int]:
        """The ports by the names of their keys."""
        return {
            key: value for key, value in self if key.endswith("port") and isinstance(value, int)
        }

    @abstractmethod
    def missing(self, environ: Mapping[str, str]) -> str | None:
        """What has to be fetched first, in words; None when nothing."""

    @abstractmethod
    def fetch(self, environ: Mapping[str, str]) -> None:
        """Fetch it into the user's cache."""

    def check(self, stack: Stack) -> None:
        """Refuse what must not be started so; called before anything is."""
        return

    @abstractmethod
    def services(self, stack: Stack) -> list[Service]:
        """Write the configuration, and say what to start, in this order."""

    def serves(self, stack: Stack) -> dict[str, Any]:
        """The keys of a profile that follow from this server, where the profile says nothing."""
        return {}

    @abstractmethod
    def endpoint(self, stack: Stack) -> str:
        """Where people find it, and as whom they log in; no secret."""
