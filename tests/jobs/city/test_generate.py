from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import UsageError
from catalog.vocabulary import Format, Mode
from jobs.city import generate
from jobs.city.registers import REGISTERS
from jobs.city.registers.offences import NEW_FORM, OLD_FORM
from jobs.progress import SilentProgress
from lake.readers import Reading, read
from tests.jobs.city.conftest import DAYS, REPOSITORY, START, City
from tests.jobs.city.judge import UNTYPED, Judge, outcomes, standard, typed

SOURCES = sorted(REGISTERS)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _rows(contract: Contract, folder: Path) -> list[dict[str, Any]]:
    """All records of a delivery, as the readers find them."""
    reading = Reading.of(contract)
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.iterdir()):
        if path.name not in ("manifest.json", "_DONE"):
            for batch in read(reading, str(path), path.name):
                rows += batch.to_pylist()
    return rows


def test_the_same_parameters_give_the_same_bytes(
    catalog: Catalog, city: City, tmp_path: Path
) -> None:
    again = generate(
        catalog,
        tmp_path / "again",
        scale=0.002,
        days=DAYS,
        seed=11,
        start=START,
        progress=SilentProgress(),
    )

    assert _hashes(again.out) == _hashes(city.out)
    assert again.rows == city.report.rows


def test_another_seed_gives_another_city(catalog: Catalog, city: City, tmp_path: Path) -> None:
    other = generate(
        catalog,
        tmp_path / "o",
        scale=0.002,
        days=1,
        seed=12,
        start=START,
        progress=SilentProgress(),
    )

    mine, theirs = _hashes(city.out), _hashes(other.out)
    household = f"inbox/public_security/population.household_register/{START}/"
    name = next(path for path in theirs if path.startswith(household) and path.endswith(".csv"))
    assert mine[name] != theirs[name]


def test_a_city_is_written_again_over_itself_and_nothing_else(
    catalog: Catalog, tmp_path: Path
) -> None:
    def made(days: int, out: Path) -> dict[str, str]:
        generate(
            catalog, out, scale=0.0005, days=days, seed=1, start=START, progress=SilentProgress()
        )
        return _hashes(out)

    first = made(1, tmp_path / "city")
    (tmp_path / "city" / "inbox" / "health").rename(tmp_path / "lost")
    assert made(1, tmp_path / "city") == first
    with pytest.raises(UsageError, match="other parameters"):
        made(2, tmp_path / "city")
    assert _hashes(tmp_path / "city") == first
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(UsageError, match="holds other files"):
        made(1, tmp_path / "other")
    with pytest.raises(UsageError, match="is a file"):
        made(1, tmp_path / "other" / "letter.txt")


@pytest.mark.parametrize(
    ("scale", "days", "start"),
    [
        pytest.param(0.0, 1, START, id="no-people"),
        pytest.param(float("nan"), 1, START, id="no-number"),
        pytest.param(11.0, 1, START, id="a-metropolis"),
        pytest.param(0.1, 0, START, id="no-days"),
        pytest.param(0.1, 5, date(2030, 12, 30), id="too-late"),
    ],
)
def test_parameters_that_make_no_city_are_refused(
    catalog: Catalog, tmp_path: Path, scale: float, days: int, start: date
) -> None:
    with pytest.raises(UsageError):
        generate(
            catalog,
            tmp_path / "c",
            scale=scale,
            days=days,
            seed=1,
            start=start,
            progress=SilentProgress(),
        )

    assert not (tmp_path / "c").exists()


def test_manifests_tell_what_lies_beside_them(city: City) -> None:
    manifests = sorted((city.out / "inbox").rglob("manifest.json"))

    for path in manifests:
        told = json.loads(path.read_text(encoding="utf-8"))
        assert told["dataset"] == path.parent.parent.name
        assert told["business_date"] == path.parent.name
        assert told["revision"] == 1
        lying = {p.name: p for p in path.parent.iterdir() if p != path}
        assert {f["name"] for f in told["files"]} == set(lying)
        for file in told["files"]:
            content = lying[file["name"]].read_bytes()
            assert len(content) == file["bytes"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert len(manifests) > 50
    done = {p.parent.parent.name for p in (city.out / "inbox").rglob("_DONE")}
    assert done == {"geography.address_register", "credit.dishonest_debtor"}


def test_every_delivered_row_has_its_truth_and_no_other(city: City) -> None:
    counted = Counter((r["dataset"], r["business_date"]) for r in city.truth("rows"))

    for path in (city.out / "inbox").rglob("manifest.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        key = (told["dataset"], date.fromisoformat(told["business_date"]))
        assert counted[key] == sum(f["rows"] for f in told["files"])
    by_dataset = Counter[str]()
    for (dataset, _), rows in counted.items():
        by_dataset[dataset] += rows
    assert dict(by_dataset) == {d: n for d, n in city.report.rows.items() if n}


@pytest.mark.parametrize("dataset", SOURCES)
def test_the_truth_is_what_a_plain_reading_of_the_contract_finds(
    dataset: str, city: City, catalog: Catalog, codes: dict[str, set[str]]
) -> None:
    contract = catalog.get(dataset)
    judge = Judge(contract, codes)
    truth = {
        (r["business_date"], r["file"], r["row_number"]): (r["outcome"], r["rules"])
        for r in city.truth("rows")
        if r["dataset"] == dataset
    }
    received: set[tuple[Any, ...]] = set()
    seen = 0

    for folder in city.folders(dataset):
        day = date.fromisoformat(folder.name)
        rows = _rows(contract, folder)
        for row, (outcome, rules) in zip(rows, outcomes(judge, rows, day, received), strict=True):
            seen += 1
            assert (outcome, rules) == truth[(day, row["_file"], row["_row_number"])], row
    assert seen == len(truth) > 0


@pytest.mark.parametrize(
    ("golden", "column", "name"),
    [("population.person", "citizen_id", "persons"), ("legal_entity.entity", "uscc", "entities")],
)
def test_who_is_known_by_number_on_each_day_is_true(
    golden: str,
    column: str,
    name: str,
    city: City,
    catalog: Catalog,
    codes: dict[str, set[str]],
) -> None:
    contract = catalog.get(golden)
    assert contract.golden is not None
    days = [START + timedelta(days=n) for n in range(DAYS)]
    known: dict[date, set[str]] = defaultdict(set)

    for dataset in contract.golden.sources:
        for day, numbers in _numbers(city, catalog.get(dataset), codes, column, days).items():
            known[day] |= numbers

    truth = city.truth(name)
    for day in days:
        told = {
            t[column]
            for t in truth
            if t["first_identified_date"]
            and t["first_identified_date"] <= day <= t["last_identified_date"]
        }
        assert told == known[day]
    assert {t[column] for t in truth if t["has_identifier"]} == known[days[-1]]
    assert 0 < sum(not t["has_identifier"] for t in truth) < len(truth) / 5


def _numbers(
    city: City, contract: Contract, codes: dict[str, set[str]], column: str, days: list[date]
) -> dict[date, set[str]]:
    """The right numbers that the current accepted records of a dataset carry, day by day."""
    judge = Judge(contract, codes)
    received: set[tuple[Any, ...]] = set()
    current: dict[Any, Any] = {}
    found = {}
    folders = {date.fromisoformat(f.name): f for f in city.folders(contract.id)}
    for day in days:
        rows = _rows(contract, folders[day]) if day in folders else []
        if rows and judge.source.mode is Mode.SNAPSHOT:
            keys = {judge.key(r) for r in rows if r["_fault"] is None}
            current = {k: v for k, v in current.items() if k in keys}
        newest: dict[Any, Any] = {}
        for row, (outcome, _) in zip(rows, outcomes(judge, rows, day, received), strict=True):
            key = judge.key(row) if outcome == "accepted" else None
            if key is None:
                continue
            if judge.is_delete(row):
                current.pop(key, None)
            elif key not in newest or judge.sequence(row) >= newest[key]:
                newest[key] = judge.sequence(row)
                c = contract.column(column)
                value = typed(c, standard(c, row[column]))
                current[key] = None if value is UNTYPED else value
        found[day] = {v for v in current.values() if v}
    return found


def test_links_lead_from_accepted_records_to_the_right_person(
    city: City, catalog: Catalog, codes: dict[str, set[str]]
) -> None:
    contract = catalog.get("population.household_register")
    judge = Judge(contract, codes)
    people = {t["person"]: t for t in city.truth("persons")}
    links = {
        link["source_key"]: link["true_id"]
        for link in city.truth("links")
        if link["dataset"] == contract.id and link["role"] == "subject"
    }
    rows = _rows(contract, city.folders(contract.id)[0])
    checked = 0

    for row, (outcome, _) in zip(rows, outcomes(judge, rows, START, set()), strict=True):
        if outcome == "accepted":
            person = people[links[row["register_id"]]]
            number = typed(
                contract.column("citizen_id"),
                standard(contract.column("citizen_id"), row["citizen_id"]),
            )
            assert number in (None, UNTYPED, person["citizen_id"])
            assert (
                row["person_name"].strip("\u3000 ") == person["person_name"] or person["person"] > 0
            )
            checked += 1
    assert checked > 800


def test_about_two_rows_in_a_hundred_are_bad(city: City) -> None:
    rows = [r for r in city.truth("rows") if not r["dataset"].startswith("reference.")]

    outcome = Counter(r["outcome"] for r in rows)

    assert 0.01 < outcome["quarantined"] / len(rows) < 0.03
    assert 0.001 < outcome["duplicate"] / len(rows) < 0.015
    broken = {rule.rpartition("_")[2] for r in rows for rule in r["rules"]}
    assert {"required", "type", "unique", "readable", "known"} <= broken
    assert any(len(r["rules"]) == 2 for r in rows)
    assert all(r["rules"] == sorted(r["rules"]) for r in rows)
    assert all((r["outcome"] == "quarantined") == bool(r["rules"]) for r in rows)


def test_bad_rows_come_again_in_the_next_snapshot(city: City) -> None:
    bad: dict[date, Counter[tuple[str, ...]]] = defaultdict(Counter)

    for row in city.truth("rows"):
        if row["dataset"] == "geography.address_register" and row["outcome"] == "quarantined":
            bad[row["business_date"]][tuple(row["rules"])] += 1

    first, second = bad[START], bad[START + timedelta(days=1)]
    assert sum((first & second).values()) > 0.7 * sum(first.values())


def test_everybody_delivers_on_the_first_day_and_then_by_the_cycle(
    city: City, catalog: Catalog
) -> None:
    for contract in catalog.sources():
        days = [folder.name for folder in city.folders(contract.id)]
        assert days[0] == START.isoformat(), contract.id
        if contract.frequency != "1d" and contract.frequency != "1h":
            assert days == [START.isoformat()], contract.id
    second = START + timedelta(days=1)
    daily = {p.parent.name for p in (city.out / "inbox").glob(f"*/*/{second}")}
    assert len(daily) >= 10


def test_a_year_brings_monthly_and_yearly_deliveries(catalog: Catalog, tmp_path: Path) -> None:
    out = tmp_path / "winter"

    generate(
        catalog,
        out,
        scale=0.0005,
        days=5,
        seed=2,
        start=date(2025, 12, 29),
        progress=SilentProgress(),
    )

    def days(dataset: str) -> list[str]:
        return [p.name for p in sorted((out / "inbox").glob(f"*/{dataset}/*"))]

    assert days("population.insurance_register") == ["2025-12-29", "2026-01-01"]
    assert days("credit.tax_rating") == ["2025-12-29", "2026-01-01"]
    assert len(days("population.household_register")) == 5


def _head(contract: Contract, folder: Path) -> bytes:
    path = next(p for p in sorted(folder.iterdir()) if p.suffix == f".{contract.source.format}")  # type: ignore[union-attr]
    return path.read_bytes()[:400]


def test_files_are_encoded_and_headed_as_departments_do(city: City, catalog: Catalog) -> None:
    household = catalog.get("population.household_register")
    floating = catalog.get("population.floating_register")
    address = catalog.get("geography.address_register")

    first = _head(household, city.folders(household.id)[0])
    second = _head(floating, city.folders(floating.id)[0])
    third = _head(address, city.folders(address.id)[0])

    assert first.startswith(b"CZRKRKID,CZRKGMSFHM,CZRKXM")
    assert b"\r\n" in first
    with pytest.raises(UnicodeDecodeError):
        first.decode("utf-8")
    assert second.startswith("\ufeff操作类型,登记编号,公民身份号码".encode())
    assert third.startswith(b"DZBM,DZQC,XZJDDM")


def test_all_formats_modes_and_archives_occur(city: City, catalog: Catalog) -> None:
    suffixes = {p.suffix for p in (city.out / "inbox").rglob("*") if p.is_file()}

    assert {".csv", ".xlsx", ".jsonl", ".geojson", ".zip"} <= suffixes
    delivered = [catalog.get(d).source for d in SOURCES]
    assert {s.mode for s in delivered if s} == set(Mode)
    assert {s.format for s in delivered if s} == set(Format)


def test_both_forms_of_penalties_are_those_of_the_contract(catalog: Catalog) -> None:
    contract = catalog.get("credit.administrative_penalty")

    for form in (OLD_FORM, NEW_FORM):
        for name, header in form.items():
            assert header in contract.column(name).delivered_as
    assert set(OLD_FORM) | set(NEW_FORM) == {c.name for c in contract.delivered_columns}


def test_code_tables_are_handed_over_byte_for_byte(city: City, catalog: Catalog) -> None:
    for contract in catalog.sources():
        if contract.source and contract.source.code_table:
            file = city.folders(contract.id)[0] / contract.source.code_table
            assert file.read_bytes() == catalog.code_table_file(contract).read_bytes()


def test_snapshots_lose_few_keys(city: City, catalog: Catalog) -> None:
    for dataset in SOURCES:
        contract = catalog.get(dataset)
        if not contract.source or contract.source.mode is not Mode.SNAPSHOT:
            continue
        keys = [
            {tuple(r[k] for k in contract.key) for r in _rows(contract, folder)}
            for folder in city.folders(dataset)
        ]
        for before, after in pairwise(keys):
            assert len(before - after) < max(100, contract.source.max_vanished * len(before))
            assert before != after


def test_changes_of_persons_and_entities_are_told(city: City) -> None:
    told = {(c["kind"], c["change"]) for c in city.truth("changes")}

    assert {("person", "born"), ("person", "arrived"), ("entity", "registered")} <= told
    assert {c["business_date"] for c in city.truth("changes")} == {
        START + timedelta(days=n) for n in range(1, DAYS)
    }


def test_registers_contradict_each_other(city: City, catalog: Catalog) -> None:
    insurance = catalog.get("population.insurance_register")
    household = catalog.get("population.household_register")
    insured = {r["citizen_id"]: r for r in _rows(insurance, city.folders(insurance.id)[0])}
    registered = {r["citizen_id"]: r for r in _rows(household, city.folders(household.id)[0])}
    both = [n for n in insured if n and n in registered]

    addresses = [
        insured[n]["residence_address"] != registered[n]["registered_address"] for n in both
    ]
    births = [insured[n]["birth_date"] != registered[n]["birth_date"] for n in both]

    assert 0.05 < sum(addresses) / len(both) < 0.3
    assert sum(births) > 0


def test_the_generator_knows_neither_our_checks_nor_our_pipelines() -> None:
    for path in (REPOSITORY / "jobs" / "city").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("pipelines", "lake", "catalog.identifiers")), path
