"""The page that must stay true above all: adding a dataset by one YAML file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from catalog.catalog import Catalog
from jobs.contracts import check, compile_contract
from jobs.deliver import deliver
from jobs.progress import SilentProgress
from jobs.run import run
from jobs.selection import select
from lake.engine import Engine
from lake.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "cookbooks" / "add_a_dataset.md").read_text("utf-8")
DATASET = "benefit.old_age_allowance"


def block(language: str) -> str:
    """The one block of the page in this language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site of the repository with the page's contract in it, and nothing else changed."""
    site = tmp_path / "site"
    for folder in ("schemas", "conf", "pipelines/thematic"):
        shutil.copytree(REPOSITORY / folder, site / folder)
    (site / "schemas" / "benefit" / "old_age_allowance.odcs.yaml").write_text(block("yaml"))
    return site


def test_the_contract_of_the_page_is_sound_beside_all_others(site: Path) -> None:
    assert check(site) == []
    assert compile_contract(Catalog.load(site), DATASET, "delta").startswith("CREATE TABLE")


def test_the_delivery_of_the_page_is_judged_as_the_page_says(
    site: Path, tmp_path: Path, engine: Engine
) -> None:
    folder = tmp_path / "inbox" / "civil_affairs" / "old_age_allowance" / "2025-03-05"
    folder.mkdir(parents=True)
    (folder / "payments.csv").write_text(block("csv"), encoding="gb18030")
    (folder / "_DONE").touch()
    settings = load_settings(None, tmp_path / "home", {"REDCLIFF_SITE": str(site)})
    catalog, progress = Catalog.load(site), SilentProgress()

    deliver(settings, catalog, tmp_path / "inbox", progress)
    selection = select(catalog, datasets=[DATASET])
    report = run(
        settings, catalog, through=None, progress=progress, selection=selection, engine=engine
    )

    (loaded,) = report.deliveries
    assert loaded.counts is not None
    assert (loaded.counts.received, loaded.counts.accepted) == (2, 1)
    assert loaded.counts.broken == {"amount_yuan_positive": 1}
    assert report.tables == {
        "raw.benefit__old_age_allowance": {"rows": 2, "version": 1},
        "curated.benefit__old_age_allowance": {"rows": 1, "version": 1},
        "curated.benefit__old_age_allowance__quarantine": {"rows": 1, "version": 1},
    }
    assert "breaks `amount_yuan_positive`" in PAGE
