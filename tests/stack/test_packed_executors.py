"""Executors whose Python has nothing installed read what was delivered, by the packed archive."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from jobs.stack.component import Stack
from lake.executors import DISTRIBUTIONS, pack, python_name
from lake.landing import Landing
from lake.store import Store
from tests.lake.readers.making import rows_of, written_in_parts
from tests.stack.spark_packed import HOW
from tests.stack.sparks import told_by

pytestmark = pytest.mark.stack


def test_what_the_packed_packages_need_is_packed_too() -> None:
    needed = {
        requirement.name
        for name in DISTRIBUTIONS
        for requirement in map(Requirement, requires(name) or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }

    assert needed <= set(DISTRIBUTIONS)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python without any package."""
    folder = tmp_path / "bare"
    base = Path(sys.base_prefix) / "bin" / python_name()
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    asked = subprocess.run([python, "-c", "import pyarrow"], capture_output=True, text=True)
    assert "No module named 'pyarrow'" in asked.stderr
    return python


@pytest.mark.nightly
def test_a_bare_python_reads_with_the_archive_and_says_what_it_lacks_without(
    stack: Stack, tmp_path: Path, bare: Path
) -> None:
    path = tmp_path / "register.csv"
    split = written_in_parts(path, HOW, 3000, block_bytes=1000, part_bytes=10_000)
    s3 = stack.component("s3")
    landing = Landing.at(f"s3://{s3.bucket}/{tmp_path.name}", Store(s3.login(stack)))
    place = landing.place(landing.put(path).sha256)
    archive = pack(tmp_path / "env.tar.gz").path

    def asked(archive: str) -> object:
        return told_by(
            "spark_packed",
            stack,
            stack.component("spark").url(stack),
            str(stack.secret_file("spark")),
            str(bare),
            archive,
            place,
            str(path.stat().st_size),
            json.dumps(split.document()),
        )

    assert asked(str(archive)) == rows_of(HOW, path, "人口.csv")
    told = asked("-")
    assert isinstance(told, str)
    assert "Spark's executors cannot read files: No module named '" in told
    assert "run `redcliff pack`" in told
    assert "spark.archive" in told
