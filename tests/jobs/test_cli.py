from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer.main

from jobs.cli import app
from tests.catalog.samples import SITE, SOURCE, changed, copy_site, text_of

REPOSITORY = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'redcliff'; from jobs.cli import main; main()"
HEAVY = {"alembic", "deltalake", "pyarrow", "pydantic", "pyspark", "sqlalchemy", "sqlglot", "yaml"}


@dataclass
class Shell:
    """A home and a site of their own, and the command line in a process of its own."""

    root: Path
    site: Path = SITE

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `redcliff <words>`."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own = {"REDCLIFF_SITE": str(self.site), "REDCLIFF_HOME": str(self.root / "home")}
        return subprocess.run(
            [sys.executable, "-c", MAIN, *words],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            cwd=self.root,
            env={**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1", **own, **environ},
        )

    def json(self, *words: str, code: int = 0) -> Any:
        """Run with --json: exactly one document on stdout, and this exit code."""
        done = self(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def redcliff(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


# --- words and options -----------------------------------------------------------------------


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", MAIN, "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "typer" in imported
    assert imported & HEAVY == set()


def test_an_inbox_is_looked_at_without_readers_and_their_arrow() -> None:
    said = "import sys, jobs.deliver; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", said], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )

    assert "jobs.door" in done.stdout.split()
    assert not {"pyarrow", "lake.readers"} & set(done.stdout.split())


def test_without_words_the_help_is_shown(redcliff: Shell) -> None:
    done = redcliff()

    assert done.returncode == 0
    assert "Usage: redcliff" in done.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["doctr"], "Did you mean 'doctor'?"),
        (["run", "--datset", "x"], "--dataset"),
        (["run", "--date", "2025-02-30"], "2025-02-30"),
        (["demo", "--days", "0"], "greater than or equal to 1"),
        (["contracts"], "Missing command"),
        (["city", "generate"], "--out"),
    ],
)
def test_wrong_words_end_with_2_and_a_hint(redcliff: Shell, words: list[str], hint: str) -> None:
    done = redcliff(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr
    assert "redcliff COMMAND --help" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_that_of_the_distribution(redcliff: Shell) -> None:
    done = redcliff("--version")

    assert (done.returncode, done.stdout) == (0, f"redcliff {metadata.version('redcliff')}\n")


def test_wrong_words_are_one_document_too(redcliff: Shell) -> None:
    document = redcliff.json("run", "--datset", "x", code=2)

    assert list(document) == ["error"]
    assert document["error"]["kind"] == "usage"
    assert "--dataset" in document["error"]["message"]


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every command with its options, groups within groups included."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            options = [o for p in command.params for o in p.opts if o.startswith("--")]
            yield f"{prefix}{name}", options


def test_every_command_and_option_stands_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "reference" / "cli.md").read_text("utf-8")
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")}

    missing = [
        f"{name} {option}"
        for name, options in commands(typer.main.get_command(app))
        for option in options
        if f"`{option}" not in sections.get(name, "") + sections["For all commands"]
    ]

    assert [n for n, _ in commands(typer.main.get_command(app)) if n not in sections] == []
    assert missing == []


# --- commands --------------------------------------------------------------------------------


def test_sound_contracts_end_with_0(redcliff: Shell) -> None:
    assert redcliff.json("contracts", "check") == {"site": str(SITE), "findings": []}


def test_findings_are_told_with_file_and_line_and_end_with_1(tmp_path: Path) -> None:
    wrong = changed(text_of(SOURCE), "format: csv", "format: cvs")
    redcliff = Shell(tmp_path, copy_site(tmp_path / "site", source=wrong))

    told = redcliff("contracts", "check")
    document = redcliff.json("contracts", "check", code=1)

    assert told.returncode == 1
    assert told.stdout.startswith(f"{SOURCE}:18: expected one of csv")
    assert [(f["file"], f["line"]) for f in document["findings"]] == [(SOURCE, 18)]


def test_other_commands_tell_the_findings_as_their_error(tmp_path: Path) -> None:
    wrong = changed(text_of(SOURCE), "format: csv", "format: cvs")
    redcliff = Shell(tmp_path, copy_site(tmp_path / "site", source=wrong))

    error = redcliff.json("status", code=1)["error"]

    assert error["kind"] == "contract"
    assert [(f["file"], f["line"]) for f in error["findings"]] == [(SOURCE, 18)]


def test_a_contract_is_compiled_as_it_stands(redcliff: Shell) -> None:
    document = redcliff.json("contracts", "compile", "population.birth_count")
    text = redcliff("contracts", "compile", "population.birth_count").stdout

    ddl = document["compiled"]["population.birth_count"]
    assert document["target"] == "delta"
    assert ddl.startswith("CREATE TABLE thematic.population__birth_count (")
    assert text.strip() == ddl.strip()


def test_a_wrong_dataset_is_told_with_near_names_before_an_engine_starts(redcliff: Shell) -> None:
    done = redcliff("run", "--dataset", "population.birth_cont", PATH="")

    assert done.returncode == 2
    assert "did you mean population.birth_count" in done.stderr


def test_a_refusal_fails_only_when_asked_to(redcliff: Shell) -> None:
    folder = redcliff.root / "inbox" / "nobody" / "nothing" / "2025-03-03"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("a\n1\n")
    (folder / "_DONE").touch()
    inbox = str(redcliff.root / "inbox")

    document = redcliff.json("deliver", inbox)
    strict = redcliff("deliver", inbox, "--strict")

    assert document["outcomes"]["refused"] == 1
    assert strict.returncode == 1
    assert "refused: nobody/nothing/2025-03-03: " in strict.stdout


def test_the_home_is_the_one_that_is_named(redcliff: Shell) -> None:
    (redcliff.root / "inbox").mkdir()

    redcliff.json("deliver", "inbox", "--home", "elsewhere")

    assert (redcliff.root / "elsewhere" / "state.db").exists()
    assert not (redcliff.root / "home").exists()


def test_an_unknown_delivery_cannot_be_released(redcliff: Shell) -> None:
    error = redcliff.json("release", "f" * 32, code=2)["error"]

    assert error == {
        "kind": "usage",
        "message": f"the ledger knows no delivery '{'f' * 32}'; see `redcliff status`",
    }


def test_a_home_that_cannot_be_made_is_a_matter_of_the_machine(redcliff: Shell) -> None:
    (redcliff.root / "home").write_text("a file")

    assert redcliff.json("status", code=1)["error"]["kind"] == "environment"


# --- what goes where -------------------------------------------------------------------------


def test_a_traceback_is_shown_only_when_asked_for(redcliff: Shell) -> None:
    redcliff.json("status")
    (redcliff.root / "home" / "state.db").write_bytes(b"this is no database" * 99)

    plain = redcliff("status")
    asked = redcliff("status", REDCLIFF_DEBUG="1")

    assert plain.returncode == asked.returncode == 1
    assert plain.stderr.startswith("redcliff: ")
    assert len(plain.stderr.splitlines()) == 1
    assert "Traceback" in asked.stderr


def test_what_child_processes_print_does_not_reach_the_document(tmp_path: Path) -> None:
    program = (
        "import os, sys; from jobs.answer import answer, keep_stdout_clean; keep_stdout_clean();"
        "os.system('echo noise of a child'); answer(True, {'名称': 1})"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    assert done.stdout == '{"名称": 1}\n'
    assert done.stderr == "noise of a child\n"


def test_a_reader_that_has_had_enough_is_no_error(redcliff: Shell) -> None:
    command = f'{sys.executable} -c "{MAIN}" contracts compile | head -n 1; echo ${{PIPESTATUS[0]}}'

    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "REDCLIFF_SITE": str(REPOSITORY)},
    )

    assert done.stdout.startswith("CREATE TABLE")
    assert not re.search("Traceback|BrokenPipe", done.stderr)
