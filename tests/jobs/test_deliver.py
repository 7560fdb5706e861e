from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from catalog.catalog import Catalog
from catalog.errors import LeaseLost, UsageError
from jobs.deliver import LEASE, DeliverReport, decide, deliver, land_code_tables
from jobs.door import TICK_SECONDS, DeliverRow, Outcome
from jobs.progress import SilentProgress
from lake.deliveries import Counts, Delivery, DeliveryStatus
from lake.entries import Entry
from lake.landing import Landing
from lake.leases import Leases
from lake.ledger import Ledger, Verdict
from lake.readers import find_split, text
from lake.settings import Settings
from lake.state import open_state

REPOSITORY = Path(__file__).parents[2]
DAY = date(2025, 3, 3)
NOW = datetime(2025, 3, 4, 8, 0, 0, 250000, UTC)
OLD = NOW.timestamp() - 3600

REGISTER = "public_security/population.household_register/2025-03-03"
BIRTHS = "health/population.birth_certificate/2025-03-03"
FLOATING = "public_security/population.floating_register/2025-03-03"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load(REPOSITORY)


@dataclass
class City:
    """An inbox, a home, and what one does with them."""

    root: Path
    catalog: Catalog

    @property
    def inbox(self) -> Path:
        """Where departments lay down."""
        return self.root / "inbox"

    @property
    def settings(self) -> Settings:
        """Those of a home that nobody else has."""
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        return Settings(
            home=home,
            site=REPOSITORY,
            engine="spark",
            lake=str(home / "lake"),
            landing=str(home / "landing"),
            state_url=f"sqlite:///{home / 'state.db'}",
            settle_seconds=300,
            site_secret=b"0123456789abcdef",
            profile="local",
        )

    @property
    def ledger(self) -> Ledger:
        """What the home knows."""
        return Ledger(open_state(self.settings.state_url))

    @property
    def landing(self) -> Landing:
        """Where the bytes are."""
        return Landing.at(self.settings.landing)

    def send(self, place: str, manifest: dict[str, Any] | None = None, **files: bytes) -> Path:
        """Lay files and a fitting manifest, changed by `manifest`, into a folder of the inbox."""
        folder = self.inbox / place
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        _, dataset, day = place.split("/")
        known = {c.dataset: c for c in self.catalog.sources()}[dataset.rpartition(".")[2]]
        assert known.source is not None
        said = {
            "dataset": known.id,
            "business_date": day[:10],
            "mode": known.source.mode.value,
            "revision": 1,
            "files": [told(name, content) for name, content in files.items()],
        }
        (folder / "manifest.json").write_text(json.dumps(said | (manifest or {})))
        return folder

    def deliver(self) -> DeliverReport:
        """Deliver the whole inbox at `NOW`."""
        return deliver(self.settings, self.catalog, self.inbox, SilentProgress(), clock=lambda: NOW)

    def only(self) -> DeliverRow:
        """Deliver an inbox of one folder."""
        (row,) = self.deliver().rows
        return row


@pytest.fixture
def city(tmp_path: Path, catalog: Catalog) -> City:
    (tmp_path / "inbox").mkdir()
    return City(tmp_path, catalog)


def told(name: str, content: bytes, **changed: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"name": name, "rows": 1, "bytes": len(content), "sha256": sha256} | changed


def age(folder: Path, changed_at: float = OLD) -> None:
    for path in (*folder.iterdir(), folder):
        os.utime(path, (changed_at, changed_at))


# What is right


def test_a_delivery_with_a_manifest_lands_with_its_bytes_and_record(city: City) -> None:
    city.send(REGISTER, a=b"one", b=b"two")

    row = city.only()

    assert row.outcome is Outcome.LANDED
    assert (row.folder, row.dataset) == (REGISTER, "population.household_register")
    assert (row.business_date, row.revision, row.files, row.bytes) == (DAY, 1, 2, 6)
    (landed,) = city.ledger.pending(None)
    assert landed.delivery_id == row.delivery_id
    assert (landed.provider, landed.received_at) == ("public_security", NOW)
    assert [(f.name, f.bytes, f.rows) for f in landed.files] == [("a", 3, 1), ("b", 3, 1)]
    assert [Path(city.landing.place(f.sha256)).read_bytes() for f in landed.files] == [
        b"one",
        b"two",
    ]
    assert city.landing.read_deliveries() == [landed]


def test_the_borders_of_a_large_text_file_are_found_once_and_kept(city: City) -> None:
    header = ",".join(c.name for c in city.catalog.get("population.household_register").columns)
    content = f"{header}\n{'x' * 90}\n{'x' * 90}\n{'x' * 90}\n".encode()
    small_parts = partial(find_split, larger_than=200, part_bytes=150)
    with (
        mock.patch.object(text, "BLOCK_BYTES", 100),
        mock.patch("lake.readers.find_split", side_effect=small_parts) as finding,
    ):
        city.send(REGISTER, a=content, b=b"small")
        assert city.only().outcome is Outcome.LANDED
        assert city.only().outcome is Outcome.ALREADY

    assert finding.call_count == 2  # once a file
    (landed,) = city.ledger.pending(None)
    large, small = landed.files
    assert large.split is not None
    assert large.split.borders[0] == (len(header) + 1, 0)
    assert large.split.borders[1][1] in (1, 2)
    assert small.split is None
    assert city.landing.read_deliveries() == [landed]


def test_an_inbox_is_only_read(city: City) -> None:
    folder = city.send(REGISTER, a=b"one")
    age(folder)
    before = [(p, p.lstat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in folder.iterdir()]

    city.deliver()

    after = [(p, p.lstat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in folder.iterdir()]
    assert after == before


def test_a_folder_may_be_named_by_the_dataset_alone(city: City) -> None:
    city.send("health/birth_certificate/2025-03-03", {"dataset": "birth_certificate"}, a=b"one")

    row = city.only()

    assert (row.outcome, row.dataset) == (Outcome.LANDED, "population.birth_certificate")


def test_done_makes_a_folder_complete_without_a_manifest(city: City) -> None:
    folder = city.inbox / BIRTHS
    folder.mkdir(parents=True)
    (folder / "a.xlsx").write_bytes(b"one")
    (folder / "_DONE").touch()

    row = city.only()

    assert (row.outcome, row.revision, row.files) == (Outcome.LANDED, 1, 1)
    assert [f.rows for f in city.ledger.pending(None)[0].files] == [None]


def test_a_folder_without_manifest_counts_as_whole_when_it_lies_still(city: City) -> None:
    folder = city.inbox / BIRTHS
    folder.mkdir(parents=True)
    (folder / "a.xlsx").write_bytes(b"one")
    age(folder, NOW.timestamp() - 299)
    assert city.only().outcome is Outcome.INCOMPLETE

    age(folder, NOW.timestamp() - 300)

    assert city.only().outcome is Outcome.LANDED


def test_the_same_content_again_is_already_received_whatever_it_is_called(city: City) -> None:
    city.send(REGISTER, a=b"one", b=b"two")
    first = city.only()
    shutil.rmtree(city.inbox)
    city.send(f"{REGISTER}_r2", x=b"two", y=b"one")
    standing = city.ledger.entries()

    again = city.only()

    assert (again.outcome, again.status) == (Outcome.ALREADY, DeliveryStatus.LANDED)
    assert (again.delivery_id, again.revision) == (first.delivery_id, 1)
    assert again.reason == "already received on 2025-03-04"
    assert city.ledger.entries() == standing


def test_already_received_tells_where_the_delivery_stands(city: City) -> None:
    city.send(REGISTER, a=b"one")
    id_ = city.only().delivery_id or ""
    city.ledger.settle(id_, Counts(1, 1, 0, 0, 0, 1, 0, 0), {}, 1.0)

    assert city.only().status is DeliveryStatus.SETTLED


def test_the_same_bytes_for_another_date_are_another_delivery(city: City) -> None:
    city.send(REGISTER, a=b"one")
    city.send(REGISTER.replace("03-03", "03-04"), a=b"one")

    report = city.deliver()

    assert [row.outcome for row in report.rows] == [Outcome.LANDED, Outcome.LANDED]
    assert len({row.delivery_id for row in report.rows}) == 2


@pytest.mark.parametrize(
    ("places", "said", "revisions"),
    [
        pytest.param(["", "_r2"], [1, 2], [1, 2], id="as-said"),
        pytest.param(["", "_r2"], [1, 1], [1, 2], id="a-taken-number-is-raised"),
        pytest.param(["", "_r2"], [3, 3], [3, 4], id="above-the-highest"),
        pytest.param(["", "_r2"], [2, 1], [2, 1], id="late-first-revision-keeps-its-place"),
        pytest.param(["", "_r2", "_r10"], [None, None, None], [1, 2, 10], id="by-folder"),
    ],
)
def test_other_content_of_the_same_date_is_another_revision(
    city: City, places: list[str], said: list[int | None], revisions: list[int]
) -> None:
    for place, revision in zip(places, said, strict=True):
        city.send(f"{REGISTER}{place}", {"revision": revision}, a=place.encode() or b"first")

    report = city.deliver()

    assert [row.revision for row in report.rows] == revisions


def test_a_folder_that_is_filled_anew_gives_the_next_revision(city: City) -> None:
    revisions = []
    for content in (b"one", b"two", b"three"):
        city.send(REGISTER, a=content)
        revisions.append(city.only().revision)

    assert revisions == [1, 2, 3]


# What is not there yet


def remove_marker(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(
            remove_marker,
            "changed 0 s ago, and neither manifest.json nor _DONE is there; it counts as whole "
            "after 300 s without change",
            id="no-manifest",
        ),
        pytest.param(
            lambda folder: (folder / "b.csv.part").touch(),
            "b.csv.part is still being sent, as its name says",
            id="part-file",
        ),
        pytest.param(
            lambda folder: (folder / "B.TMP").touch(), "B.TMP is still being sent", id="tmp-file"
        ),
        pytest.param(
            lambda folder: (folder / ".a.csv.x7Kq").touch(), ".a.csv.x7Kq is still", id="hidden"
        ),
        pytest.param(
            lambda folder: folder.rename(folder.with_name("2025-03-03.part")),
            "the folder is still being sent, as its name says",
            id="part-folder",
        ),
        pytest.param(
            lambda folder: [path.unlink() for path in folder.iterdir()],
            "nothing lies in it yet",
            id="empty",
        ),
    ],
)
def test_an_incomplete_folder_is_left_alone(
    city: City, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(city.send(REGISTER, a=b"one"))

    row = city.only()

    assert row.outcome is Outcome.INCOMPLETE
    assert (row.reason or "").startswith(reason)
    assert city.ledger.entries() == []
    assert not (Path(city.settings.landing) / "objects").exists()


def test_a_file_that_grows_while_it_is_read_is_left_for_later(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = city.inbox / REGISTER
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"one")
    (folder / "_DONE").touch()
    put = Landing.put

    def put_while_it_grows(landing: Landing, path: Path) -> object:
        file = put(landing, path)
        with path.open("ab") as delivered:
            delivered.write(b" and more")
        return file

    monkeypatch.setattr(Landing, "put", put_while_it_grows)

    row = city.only()

    assert (row.outcome, row.reason) == (
        Outcome.INCOMPLETE,
        "the folder changed while it was read",
    )
    assert city.ledger.entries() == []


# What is wrong with a delivery


def files(*described: dict[str, Any]) -> dict[str, Any]:
    return {"files": list(described)}


ONE = b"one"


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        pytest.param(
            {"dataset": "population.floating_register"},
            "manifest.json is for dataset 'population.floating_register' and the folder for "
            "'population.household_register'",
            id="other-dataset",
        ),
        pytest.param(
            {"dataset": "population.houshold_register"},
            "manifest.json is for dataset 'population.houshold_register' and the folder for "
            "'population.household_register'; put it where it belongs",
            id="unknown-dataset",
        ),
        pytest.param(
            {"business_date": "2025-03-04"},
            "manifest.json says business date 2025-03-04 and the folder 2025-03-03",
            id="other-date",
        ),
        pytest.param(
            {"mode": "append"},
            "manifest.json says mode append and population.household_register is delivered as "
            "snapshot",
            id="other-mode",
        ),
        pytest.param({"mode": "full"}, "manifest.json: mode: Input should be", id="unknown-mode"),
        pytest.param(
            files(told("a.csv", ONE), told("b.csv", ONE)),
            "b.csv: manifest.json names it and it is missing; send it again",
            id="missing-file",
        ),
        pytest.param(
            files(),
            "a.csv: lies in the folder and manifest.json does not name it; name it or leave it out",
            id="extra-file",
        ),
        pytest.param(
            files(told("a.csv", ONE, bytes=4)),
            "a.csv: has 3 bytes, manifest.json says 4; send it again",
            id="wrong-size",
        ),
        pytest.param(
            files(told("a.csv", b"eno")),
            f"a.csv: has SHA-256 {hashlib.sha256(ONE).hexdigest()}, manifest.json says "
            f"{hashlib.sha256(b'eno').hexdigest()}; send it again",
            id="wrong-hash",
        ),
        pytest.param(
            files(told("a.csv", ONE, sha256="abc")),
            "manifest.json: files.0.sha256: String should match pattern",
            id="no-hash",
        ),
        pytest.param(
            files(told("a.csv", ONE, rows="many")),
            "manifest.json: files.0.rows: Input should be a valid integer, not 'many'",
            id="rows-no-number",
        ),
        pytest.param(
            files(told("a.csv", ONE, rows=-1)),
            "manifest.json: files.0.rows: Input should be greater than or equal to 0, not -1",
            id="rows-negative",
        ),
        pytest.param(
            files(told("a.csv", ONE), told("a.csv", ONE)),
            "a.csv: manifest.json names it 2 times; name every file once",
            id="a-name-twice",
        ),
        pytest.param(
            files(told("a.csv", ONE), told("../a.csv", ONE)),
            "manifest.json: '../a.csv' is no plain file name; name the file without a path",
            id="path-upwards",
        ),
        pytest.param(
            files(told("a.csv", ONE), told("/etc/passwd", ONE)),
            "manifest.json: '/etc/passwd' is no plain file name",
            id="absolute-path",
        ),
        pytest.param(
            files(told("a.csv", ONE), told("a\x00.csv", ONE)),
            r"manifest.json: 'a\x00.csv' is no plain file name",
            id="nul",
        ),
        pytest.param({"remark": "x"}, "manifest.json: remark is no key of a manifest", id="key"),
        pytest.param({"revision": 0}, "manifest.json: revision: Input should be", id="revision"),
    ],
)
def test_a_delivery_that_contradicts_its_manifest_is_refused(
    city: City, manifest: dict[str, Any], reason: str
) -> None:
    city.send(REGISTER, manifest, **{"a.csv": ONE})

    row = city.only()

    assert row.outcome is Outcome.REFUSED
    assert reason in (row.reason or "")
    entry = city.ledger.entry(row.delivery_id or "")
    assert (entry.status, entry.reason) == (DeliveryStatus.REFUSED, row.reason)
    assert entry.delivery.revision == 0
    (file,) = entry.delivery.files
    assert Path(city.landing.place(file.sha256)).read_bytes() == ONE
    assert city.landing.read_deliveries() == []
    assert city.ledger.pending(None) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"{", "manifest.json: no JSON: Expecting property name", id="cut-off"),
        pytest.param(b"\xff\xfe{}", "manifest.json: no JSON: 'utf-8' codec", id="no-utf-8"),
        pytest.param(
            b'{"mode": "append", "mode": "snapshot"}',
            "manifest.json: no JSON: the key 'mode' stands twice in one object",
            id="key-twice",
        ),
        pytest.param(b"[" * 100_000, "manifest.json: no JSON: nested too deep", id="too-deep"),
        pytest.param(
            b"{}", "manifest.json: dataset is missing; business_date is missing", id="empty"
        ),
        pytest.param(b"[]", "manifest.json: : Input should be an object", id="no-object"),
        pytest.param(b" " * (17 << 20), "manifest.json: more than 16 MiB", id="too-big"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(city: City, text: bytes, reason: str) -> None:
    (city.send(REGISTER, a=ONE) / "manifest.json").write_bytes(text)

    row = city.only()

    assert row.outcome is Outcome.REFUSED
    assert (row.reason or "").startswith(reason)
    assert (row.reason or "").endswith("mend the manifest and send it again")


def test_a_manifest_with_a_byte_order_mark_is_read(city: City) -> None:
    path = city.send(REGISTER, a=ONE) / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert city.only().outcome is Outcome.LANDED


def test_a_hash_may_be_written_in_capitals(city: City) -> None:
    capitals = hashlib.sha256(ONE).hexdigest().upper()
    city.send(REGISTER, files(told("a", ONE, sha256=capitals)), a=ONE)

    assert city.only().outcome is Outcome.LANDED


def test_everything_that_is_wrong_is_told_at_once(city: City) -> None:
    wrong = files(told("a", ONE, bytes=9), told("b", ONE)) | {"mode": "append"}
    city.send(REGISTER, wrong, a=ONE, c=ONE)

    reason = city.only().reason or ""

    assert [part.split(":")[0].split(" ")[0] for part in reason.split("; ")[::2]] == [
        "manifest.json",
        "a",
        "b",
        "c",
    ]


def test_a_very_long_list_of_problems_is_cut(city: City) -> None:
    city.send(REGISTER, files(*(told(f"{n}.csv", ONE) for n in range(50))), a=ONE)

    assert (city.only().reason or "").endswith("; and 31 more")


def test_a_folder_of_another_department_is_refused_and_the_right_one_is_taken(
    city: City,
) -> None:
    city.send(REGISTER.replace("public_security", "tax"), a=ONE)
    wrong = city.only()
    assert wrong.reason == (
        "'tax' delivers population.household_register, which 'public_security' provides; "
        "it belongs under public_security/"
    )
    assert city.ledger.entry(wrong.delivery_id or "").delivery.provider == "tax"

    city.send(REGISTER, a=ONE)
    right, again = city.deliver().rows

    assert (right.outcome, again.outcome) == (Outcome.LANDED, Outcome.REFUSED)
    assert right.delivery_id == wrong.delivery_id
    assert again.status is DeliveryStatus.LANDED
    assert (again.reason or "").endswith("(the same files came before and are landed: that stands)")
    entry = city.ledger.entry(right.delivery_id or "")
    assert (entry.status, entry.delivery.provider) == (DeliveryStatus.LANDED, "public_security")


def test_a_mended_manifest_lands_what_was_refused(city: City) -> None:
    city.send(REGISTER, {"mode": "append"}, a=ONE)
    refused = city.only()
    city.send(REGISTER, a=ONE)

    landed = city.only()

    assert (landed.outcome, landed.revision) == (Outcome.LANDED, 1)
    assert landed.delivery_id == refused.delivery_id
    assert city.ledger.entry(landed.delivery_id or "").reason is None


def test_a_torn_upload_takes_no_revision_from_the_good_one(city: City) -> None:
    city.send(REGISTER, files(told("a", b"whole")), a=b"who")
    assert city.only().outcome is Outcome.REFUSED
    city.send(REGISTER, a=b"whole")

    assert city.only().revision == 1


def test_what_a_run_refused_stays_refused_until_something_else_is_said_of_it(
    city: City,
) -> None:
    city.send(REGISTER, a=ONE)
    first = city.only()
    city.ledger.refuse(first.delivery_id or "", "a: 1 row said, 2 found")
    again = city.only()
    city.send(REGISTER, files(told("a", ONE, rows=2)), a=ONE)

    mended = city.only()

    assert (again.outcome, again.status) == (Outcome.ALREADY, DeliveryStatus.REFUSED)
    assert (mended.outcome, mended.delivery_id) == (Outcome.LANDED, first.delivery_id)
    (landed,) = city.ledger.pending(None)
    assert [file.rows for file in landed.files] == [2]


def test_a_refused_delivery_is_refused_again_and_entered_once(city: City) -> None:
    city.send(REGISTER, {"mode": "append"}, a=ONE)

    rows = [city.only(), city.only()]

    assert rows[0] == rows[1]
    assert len(city.ledger.entries()) == 1


def make_folder(folder: Path) -> None:
    (folder / "more").mkdir()


def make_link(folder: Path) -> None:
    (folder / "more").symlink_to("/etc/hostname")


def make_pipe(folder: Path) -> None:
    os.mkfifo(folder / "more")


@pytest.mark.parametrize("strange", [make_folder, make_link, make_pipe])
def test_only_plain_files_are_taken(city: City, strange: Callable[[Path], None]) -> None:
    strange(city.send(REGISTER, a=ONE))

    row = city.only()

    assert row.outcome is Outcome.REFUSED
    assert row.reason == (
        "more: a folder, a link or a device; lay plain files directly into the folder"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param(b"a\nb.csv", r"'a\\nb.csv'", id="line-break"),
        pytest.param(b"a\\..\\b.csv", r"'a\\..\\b.csv'", id="backslash"),
        pytest.param("户籍.csv".encode("gb18030"), r"'\\udcbb", id="no-utf-8"),
    ],
)
def test_a_file_with_an_unsafe_name_is_refused(city: City, name: bytes, said: str) -> None:
    folder = city.inbox / REGISTER
    folder.mkdir(parents=True)
    Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(ONE)  # noqa: PTH118
    (folder / "_DONE").touch()

    row = city.only()

    assert row.outcome is Outcome.REFUSED
    assert (row.reason or "").startswith(said)
    assert "no plain file name; rename it and send it again" in (row.reason or "")
    json.dumps(row.to_json()).encode()
    assert city.ledger.entry(row.delivery_id or "").status is DeliveryStatus.REFUSED


def test_a_delivery_without_files_is_refused(city: City) -> None:
    city.send(REGISTER)

    assert city.only().reason == "there is no file to load; send the files too"


# What can be no delivery


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param(
            "health/population.birth_certificat/2025-03-03/a.csv",
            "no contract has the id 'population.birth_certificat'; did you mean "
            "population.birth_certificate",
            id="unknown-dataset",
        ),
        pytest.param(
            "health/xyz/2025-03-03/a.csv",
            "no contract has the id 'xyz'; name the folder for its contract",
            id="no-near-dataset",
        ),
        pytest.param(
            "health/population.person/2025-03-03/a.csv",
            "population.person is made by the platform and delivered by nobody",
            id="thematic",
        ),
        pytest.param(
            "health/population.birth_certificate/20250303/a.csv",
            "'20250303' is no business date (YYYY-MM-DD, or YYYY-MM-DD_r2",
            id="date-without-hyphens",
        ),
        pytest.param(
            "health/population.birth_certificate/2025-02-30/a.csv",
            "'2025-02-30' is no business date",
            id="no-such-day",
        ),
        pytest.param(
            "health/population.birth_certificate/2025-03-03_r0/a.csv",
            "'2025-03-03_r0' is no business date",
            id="revision-zero",
        ),
        pytest.param(
            "health/population.birth_certificate/2025-03-03_r２/a.csv",
            "is no business date",
            id="full-width-revision",
        ),
        pytest.param("a.csv", "a file outside a delivery folder", id="file-in-the-inbox"),
        pytest.param("health/a.csv", "a file outside a delivery folder", id="file-of-a-department"),
        pytest.param(
            "health/population.birth_certificate/a.csv",
            "a file outside a delivery folder; put it into <department>/<dataset>/<YYYY-MM-DD>/",
            id="file-without-date",
        ),
    ],
)
def test_what_lies_where_no_delivery_can_be_is_reported(
    city: City, place: str, reason: str
) -> None:
    path = city.inbox / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ONE)

    row = city.only()

    assert (row.outcome, row.delivery_id) == (Outcome.REFUSED, None)
    assert reason in (row.reason or "")
    assert city.ledger.entries() == []


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_link_leads_nowhere(city: City, depth: int) -> None:
    city.send(REGISTER, a=ONE)
    real = city.inbox.joinpath(*REGISTER.split("/")[:depth])
    real.rename(city.root / "elsewhere")
    real.symlink_to(city.root / "elsewhere")

    row = city.only()

    assert row.outcome is Outcome.REFUSED
    assert (row.reason or "").startswith("a link outside a delivery folder")


def test_one_refusal_stops_nobody_else(city: City) -> None:
    city.send(FLOATING, {"mode": "append"}, a=ONE)
    city.send(BIRTHS, a=ONE)
    city.send(REGISTER, a=b"two")
    (city.inbox / "stray").touch()

    report = city.deliver()

    assert [(row.folder, row.outcome) for row in report.rows] == [
        (BIRTHS, Outcome.LANDED),
        (FLOATING, Outcome.REFUSED),
        (REGISTER, Outcome.LANDED),
        ("stray", Outcome.REFUSED),
    ]


def test_the_report_is_one_json_document(city: City) -> None:
    city.send(BIRTHS, a=ONE)
    (city.inbox / "stray").touch()

    document = json.loads(json.dumps(city.deliver().to_json()))

    assert document["outcomes"] == {"landed": 1, "already": 0, "refused": 1, "incomplete": 0}
    assert document["folders"][0] | {"delivery_id": ""} == {
        "folder": BIRTHS,
        "dataset": "population.birth_certificate",
        "delivery_id": "",
        "business_date": "2025-03-03",
        "revision": 1,
        "outcome": "landed",
        "status": "landed",
        "reason": None,
        "files": 1,
        "bytes": 3,
    }


def test_an_inbox_that_is_not_there_is_wrong_use(city: City) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder; name the inbox"):
        deliver(city.settings, city.catalog, city.root / "nowhere", SilentProgress())


def test_two_cannot_deliver_into_one_home_at_once(city: City) -> None:
    state = open_state(city.settings.state_url)

    with Leases(state, "another delivery").hold(LEASE), pytest.raises(LeaseLost, match="another"):
        deliver(city.settings, city.catalog, city.inbox, SilentProgress(), patience=0.0)


# Crashes


DELIVER = """
import pickle, sys
from pathlib import Path
from jobs.deliver import deliver
from jobs.progress import SilentProgress
root = Path(sys.argv[1])
settings, catalog = pickle.loads((root / "pickled").read_bytes())
deliver(settings, catalog, root / "inbox", SilentProgress())
"""


def standing(city: City) -> tuple[list[Entry], dict[str, str]]:
    """Everything that a delivery leaves, without the one thing that a clock decides."""
    entries = [
        replace(entry, delivery=replace(entry.delivery, received_at=NOW))
        for entry in city.ledger.entries()
    ]
    tree = {}
    for path in sorted(Path(city.settings.landing).rglob("*")):
        if path.name == "delivery.json":
            tree[str(path.relative_to(city.root))] = json.dumps(
                json.loads(path.read_text()) | {"received_at": None}
            )
        elif path.is_file():
            tree[str(path.relative_to(city.root))] = path.read_text()
    return entries, tree


@pytest.mark.parametrize("failpoint", ["landed:1", "landed:3", "recorded:1", "recorded:2"])
def test_a_killed_delivery_ends_like_an_undisturbed_one(
    tmp_path: Path, catalog: Catalog, failpoint: str
) -> None:
    twins = []
    for name in ("undisturbed", "killed"):
        city = City(tmp_path / name, catalog)
        city.send(REGISTER, a=ONE)
        city.send(f"{REGISTER}_r2", a=b"two")
        city.send(BIRTHS, a=ONE)
        city.send(FLOATING, {"mode": "append"}, a=ONE)
        twins.append(city)
    undisturbed, killed = twins
    undisturbed.deliver()

    (killed.root / "pickled").write_bytes(pickle.dumps((killed.settings, catalog)))
    ended = subprocess.run(
        [sys.executable, "-c", DELIVER, str(killed.root)],
        env={**os.environ, "REDCLIFF_FAILPOINT": failpoint},
        check=False,
    )
    killed.deliver()

    assert ended.returncode == -signal.SIGKILL
    assert standing(killed) == standing(undisturbed)


def test_a_recorded_delivery_keeps_its_revision_through_a_crash(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.send(REGISTER, a=b"first")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(Ledger, "record", crash)
        with pytest.raises(KeyboardInterrupt):
            city.deliver()
    city.send(REGISTER, a=b"second")

    row = city.only()

    assert row.revision == 2
    assert [d.revision for d in city.ledger.pending(None)] == [1, 2]


def test_what_a_killed_delivery_left_half_written_is_removed(city: City) -> None:
    incoming = Path(city.settings.landing) / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "half").write_bytes(b"ha")
    os.utime(incoming / "half", (0, 0))

    city.deliver()

    assert list(incoming.iterdir()) == []


def test_a_lost_state_store_comes_back_by_delivering_again(city: City) -> None:
    city.send(REGISTER, a=ONE)
    city.send(BIRTHS, a=ONE)
    city.deliver()
    before = city.ledger.entries()
    for path in city.settings.home.glob("state.db*"):
        path.unlink()

    report = city.deliver()

    assert [row.outcome for row in report.rows] == [Outcome.ALREADY, Outcome.ALREADY]
    assert city.ledger.entries() == before


# Held deliveries and code tables


def test_a_released_delivery_is_taken_up_by_the_next_run(city: City) -> None:
    city.send(REGISTER, a=ONE)
    id_ = city.only().delivery_id or ""
    city.ledger.hold(id_, "60 % of the keys vanish", Counts(1, 1, 0, 0, 9, 1, 0, 0))
    assert city.ledger.pending(None) == []

    released = decide(city.settings, id_, Verdict.RELEASED, "officer")

    assert released.delivery_id == id_
    assert city.ledger.pending(None) == [released]
    assert city.ledger.entry(id_).released is True


def land_tables(city: City) -> list[Delivery]:
    leases = Leases(city.ledger.state_engine, "tests")
    return land_code_tables(city.settings, city.catalog, city.ledger, city.landing, leases)


def test_code_tables_that_nobody_delivered_land_from_the_site(city: City) -> None:
    landed = {delivery.dataset: delivery for delivery in land_tables(city)}

    tables = [c.id for c in city.catalog.sources() if c.source and c.source.code_table]
    assert sorted(landed) == sorted(tables)
    sex = landed["reference.sex"]
    contract = city.catalog.get("reference.sex")
    assert contract.source is not None
    assert (sex.provider, sex.business_date) == ("platform", contract.source.edition)
    assert (sex.revision, sex.mode) == (1, contract.source.mode)
    content = (REPOSITORY / "schemas" / "code_tables" / "sex.csv").read_bytes()
    assert Path(city.landing.place(sex.files[0].sha256)).read_bytes() == content
    assert {d.dataset for d in city.ledger.pending(None)} == set(tables)


def test_code_tables_land_once(city: City) -> None:
    land_tables(city)
    standing_before = city.ledger.entries()

    assert land_tables(city) == []
    assert city.ledger.entries() == standing_before


def test_a_delivered_code_table_stands_against_the_sites_own_edition(city: City) -> None:
    city.send("platform/reference.sex/2025-03-03", a=ONE)
    city.deliver()

    assert "reference.sex" not in {delivery.dataset for delivery in land_tables(city)}


def test_a_newer_edition_of_the_site_lands_after_the_older_one(city: City) -> None:
    land_tables(city)
    contract = city.catalog.get("reference.sex")
    assert contract.source is not None
    newer = replace(contract, source=replace(contract.source, edition=date(2026, 1, 1)))
    city.catalog = replace(city.catalog, contracts={newer.id: newer})

    (landed,) = land_tables(city)

    assert (landed.business_date, landed.revision) == (date(2026, 1, 1), 1)


# What lies there for long


OPENED: list[str] = []
"""The files that this process has opened while a test asked for it."""
WATCHING = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHING and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(f"{__name__}.WATCHING", True)
    OPENED.clear()
    return OPENED


def test_what_was_read_is_not_read_again_until_it_changes(city: City, opened: list[str]) -> None:
    folder = city.send(REGISTER, a=b"one")
    time.sleep(TICK_SECONDS + 0.2)
    first = city.only()
    opened.clear()

    again = city.only()

    assert not [path for path in opened if path.startswith(str(folder))]
    assert again == replace(first, outcome=Outcome.ALREADY, reason=again.reason)
    before = (folder / "a").stat()
    city.send(REGISTER, a=b"two")
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = city.only()
    assert (changed.outcome, changed.revision) == (Outcome.LANDED, 2)


def test_what_has_just_changed_is_read_once_more(city: City, opened: list[str]) -> None:
    folder = city.send(REGISTER, a=b"one")
    city.only()
    opened.clear()

    city.only()

    assert str(folder / "a") in opened
