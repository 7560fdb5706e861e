from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalog.errors import EnvironmentProblem, LedgerBroken, UsageError
from catalog.vocabulary import Mode
from lake.deliveries import DeliveredFile, Delivery, delivery_id
from lake.landing import CHUNK_BYTES, Landing
from lake.objects import LEFT_SECONDS

DAY = date(2025, 3, 3)
RECEIVED_AT = datetime(2025, 3, 4, tzinfo=UTC)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing.at(str(tmp_path / "landing"))


def delivery(dataset: str = "a.b", sha256: str = "a" * 64, revision: int = 1) -> Delivery:
    return Delivery(
        delivery_id(dataset, DAY, Mode.APPEND, [sha256]),
        dataset,
        "health",
        DAY,
        revision,
        Mode.APPEND,
        (DeliveredFile("a.csv", sha256, 3),),
        RECEIVED_AT,
    )


def tree(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 3, CHUNK_BYTES, 2 * CHUNK_BYTES + 7])
def test_bytes_land_under_their_hash(landing: Landing, tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    delivered = tmp_path / "人口.csv"
    delivered.write_bytes(content)

    file = landing.put(delivered)

    assert file == DeliveredFile("人口.csv", hashlib.sha256(content).hexdigest(), size)
    assert Path(landing.place(file.sha256)).read_bytes() == content
    assert delivered.read_bytes() == content


def test_landed_bytes_are_read_only_and_nothing_else_is_left(
    landing: Landing, tmp_path: Path
) -> None:
    delivered = tmp_path / "a.csv"
    delivered.write_bytes(b"abc")

    file = landing.put(delivered)

    assert stat.S_IMODE(Path(landing.place(file.sha256)).stat().st_mode) == 0o400
    assert tree(tmp_path / "landing") == [f"objects/{file.sha256[:2]}/{file.sha256}"]


def test_the_same_bytes_are_written_once(landing: Landing, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"abc")
    first = landing.put(tmp_path / "a.csv")
    written = Path(landing.place(first.sha256)).stat()

    second = landing.put(tmp_path / "b.csv")

    assert second == DeliveredFile("b.csv", first.sha256, 3)
    assert Path(landing.place(first.sha256)).stat() == written


def test_a_file_that_grows_between_hashing_and_copying_is_called_what_it_became(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered = tmp_path / "a.csv"
    delivered.write_bytes(b"abc")

    def grow(*_: object) -> bool:
        delivered.write_bytes(b"abcdef")
        return False

    monkeypatch.setattr(Landing, "_has", grow)

    file = landing.put(delivered)

    assert file == DeliveredFile("a.csv", hashlib.sha256(b"abcdef").hexdigest(), 6)
    assert Path(landing.place(file.sha256)).read_bytes() == b"abcdef"


def test_a_torn_object_is_never_taken_for_landed(landing: Landing, tmp_path: Path) -> None:
    delivered = tmp_path / "a.csv"
    delivered.write_bytes(b"abc")
    torn = Path(landing.place(landing.put(delivered).sha256))
    torn.chmod(0o600)
    torn.write_bytes(b"a")

    with pytest.raises(LedgerBroken, match="1 bytes lie where 3 were landed; restore"):
        landing.put(delivered)


def test_a_link_is_not_followed(landing: Landing, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"of another department")
    (tmp_path / "a.csv").symlink_to(tmp_path / "secret")

    with pytest.raises(OSError) as caught:  # noqa: PT011 the errno says it
        landing.put(tmp_path / "a.csv")

    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "landing").exists()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(b"abc")

    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)

    with pytest.raises(EnvironmentProblem, match=r"No space left on device.*make room"):
        landing.put(tmp_path / "a.csv")
    assert tree(tmp_path / "landing") == []


def test_the_first_record_of_a_delivery_stands(landing: Landing) -> None:
    first = landing.write_delivery(delivery(revision=1))

    again = landing.write_delivery(delivery(revision=7))

    assert first == delivery(revision=1)
    assert again == first
    assert landing.read_deliveries() == [first]


def test_records_come_in_order_and_only_those_asked_for(landing: Landing) -> None:
    made = [
        delivery("b.b", "b" * 64, 2),
        delivery("b.b", "a" * 64, 1),
        delivery("a.a", "c" * 64, 1),
    ]
    for one in made:
        landing.write_delivery(one)

    assert landing.read_deliveries() == [made[2], made[1], made[0]]
    assert landing.read_deliveries("b.b") == [made[1], made[0]]
    assert landing.read_deliveries("b.b", skip={made[1].delivery_id}) == [made[0]]


def test_a_changed_record_is_found_out(landing: Landing, tmp_path: Path) -> None:
    landing.write_delivery(delivery())
    (path,) = (tmp_path / "landing").rglob("delivery.json")
    path.chmod(0o600)
    path.write_text(path.read_text().replace("2025-03-03", "2025-03-04"))

    with pytest.raises(LedgerBroken, match="tells of files that make"):
        landing.read_deliveries()


def test_a_torn_record_is_found_out(landing: Landing, tmp_path: Path) -> None:
    landing.write_delivery(delivery())
    (path,) = (tmp_path / "landing").rglob("delivery.json")
    path.chmod(0o600)
    path.write_text(path.read_text()[:40])

    with pytest.raises(LedgerBroken, match=r"delivery\.json: the record is damaged"):
        landing.read_deliveries()


def test_a_receipt_is_written_once(landing: Landing) -> None:
    made = landing.write_delivery(delivery())
    assert landing.receipt(made) is None

    landing.write_receipt(made, {"counts": (1, 2), "reason": "无"})
    landing.write_receipt(made, {"counts": (1, 2), "reason": "无"})

    assert landing.receipt(made) == {"counts": [1, 2], "reason": "无"}
    with pytest.raises(LedgerBroken, match="has another receipt already"):
        landing.write_receipt(made, {"counts": (1, 3), "reason": "无"})
    assert landing.receipt(made) == {"counts": [1, 2], "reason": "无"}


def test_an_unrecorded_delivery_gets_no_receipt(landing: Landing) -> None:
    with pytest.raises(UsageError, match=f"landing knows no delivery {delivery().delivery_id}"):
        landing.write_receipt(delivery(), {})


def test_leftovers_of_a_crash_are_swept_and_the_rest_stays(
    landing: Landing, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"abc")
    landing.put(tmp_path / "a.csv")
    landing.write_delivery(delivery())
    kept = tree(tmp_path / "landing")
    leftover, written = (tmp_path / "landing" / "incoming" / name for name in ("tmp0", "tmp1"))
    for path in (leftover, written):
        path.write_bytes(b"half")
    os.utime(leftover, (time.time() - 2 * LEFT_SECONDS,) * 2)

    landing.sweep()

    # What is young may be a receipt that a run writes at this moment.
    written.unlink()
    assert tree(tmp_path / "landing") == kept
