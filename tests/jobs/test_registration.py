from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from catalog.catalog import Catalog
from jobs.progress import SilentProgress
from jobs.registration import Registration, register_after_run
from lake.addresses import TrinoAddress
from lake.tables import Tables


@dataclass
class Notes(SilentProgress):
    """What is told."""

    told: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.told.append(text)


def test_a_trino_that_fails_fails_no_run_and_says_what_is_still_to_be_done(
    catalog: Catalog, tmp_path: Path
) -> None:
    progress = Notes()
    trino = TrinoAddress("127.0.0.1", 1, "redcliff", "secret")

    done = register_after_run(Tables(str(tmp_path)), catalog, trino, progress)

    assert done.problem is not None
    assert done.problem.endswith("name an s3:// URL as the profile's lake")
    assert progress.told == [f"not registered in Trino, the next run does it: {done.problem}"]
    assert done.to_json()["problem"] == done.problem


def test_a_registration_is_told_in_one_line() -> None:
    done = Registration(("curated.a__b",), (), 96, ("something",), 2.04)

    assert str(done) == "Trino shows 96 tables (1 registered, 0 let go), 2.0 s"
