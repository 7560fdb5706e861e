"""A home whose lake and landing lie on S3, beside a twin in folders that nobody disturbs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from catalog.catalog import Catalog
from jobs.demo import FIRST_DAY
from jobs.stack.component import Stack
from lake.engine import Engine
from tests.stack.standing import StandingRun, standing_run
from tests.stories.homes import Home, make_home
from tests.stories.processes import Running, assert_same, running

DATASETS = ("population.household_register", "benefit.subsidy_payment")


@dataclass(frozen=True)
class Pair:
    """Both homes; runs of the first take `profile`, those of both the options `own`."""

    home: Home
    twin: Home
    profile: Path
    own: tuple[str, ...]

    def deliver(self, number: int) -> None:
        """The deliveries of a day land in both."""
        for home in (self.home, self.twin):
            home.deliver(*DATASETS, day=FIRST_DAY + timedelta(number))

    @contextmanager
    def running(self, *options: str) -> Iterator[Running]:
        """`redcliff run` on S3, in a process of its own."""
        with running(self.home, "--profile", str(self.profile), *self.own, *options) as run:
            yield run

    @contextmanager
    def standing(self, engine: str) -> Iterator[StandingRun]:
        """A process whose engine stays open, and that loads on S3 whenever it is told to."""
        with standing_run(self.home, self.profile, engine) as run:
            yield run

    def end(self) -> None:
        """The twin runs undisturbed, and both are compared."""
        with running(self.twin, *self.own) as run:
            assert run.end() == 0, run.told
        assert_same(self.home, self.twin, landed_apart=True)


def make_pair(
    folder: Path,
    stack: Stack,
    catalog: Catalog,
    engine: Engine,
    city: Path,
    *own: str,
    **profile: Any,
) -> Pair:
    """Both, with nothing landed; `profile` has keys for the profile of the one on S3."""
    s3 = stack.component("s3")
    root = f"s3://{s3.bucket}/{folder.name}"
    keys = {"lake": f"{root}/lake", "landing": f"{root}/landing", **s3.serves(stack), **profile}
    file = folder / "s3.yaml"
    file.write_text(json.dumps(keys, default=str), encoding="utf-8")  # JSON is YAML
    home = make_home(folder / "home", catalog, engine, city, profile=str(file))
    twin = make_home(folder / "twin", catalog, engine, city)
    return Pair(home, twin, file, own)
