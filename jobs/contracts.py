"""The contracts of a site: are they sound, and what follows from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from catalog.catalog import Catalog, read_site
from catalog.compile.dags import compile_manifest
from catalog.compile.delta import compile_delta
from catalog.compile.manifest import Manifest, write_manifest
from catalog.compile.trino import compile_trino
from catalog.contract import Contract
from catalog.errors import Finding, UsageError
from catalog.models import check_models

TARGETS: dict[str, Callable[[Catalog, Contract], str]] = {
    "delta": lambda catalog, contract: compile_delta(contract),
    "trino": lambda catalog, contract: compile_trino(contract),
}
"""What a contract compiles to, by the name that `contracts compile --target` takes."""

DAGS = "dags"
"""The target that follows from the whole site: what a scheduler reads."""


def check(site: Path) -> list[Finding]:
    """
    Everything that is wrong with contracts, code tables, departments and models of a site.

    Models are judged once their contracts are sound: before that they cannot be.
    """
    catalog, findings = read_site(site)
    return findings or check_models(catalog)


def compile_contract(catalog: Catalog, dataset: str, target: str) -> str:
    """
    The text that follows from a contract for a target.

    `UsageError` names the targets when there is none of this name.
    """
    if target not in TARGETS:
        known = ", ".join((*TARGETS, DAGS))
        raise UsageError(f"there is no target {target!r}; choose one of {known}")
    return TARGETS[target](catalog, catalog.get(dataset))


def compile_dags(catalog: Catalog, out: Path | None) -> Manifest:
    """The manifest of the site, put into the file `out` too when one is named."""
    manifest = compile_manifest(catalog)
    if out is not None:
        write_manifest(manifest, out)
    return manifest
