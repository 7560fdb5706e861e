"""
The catalogue (信息资源目录): all contracts of a site, sound in themselves and with each other.

A site is the content that data officers edit: `schemas/`, `conf/departments.yaml`,
`pipelines/thematic/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from catalog.contract import Contract
from catalog.departments import Department, read_departments
from catalog.errors import (
    ContractError,
    ContractInvalid,
    ContractNotFound,
    Finding,
    ModelError,
    UsageError,
)
from catalog.parsed import Parsed
from catalog.reading import SUFFIX, parse_file
from catalog.references import CODE_TABLES, Neighbours, check_references
from catalog.vocabulary import Kind

SCHEMAS = Path("schemas")
MODELS = Path("pipelines") / "thematic"


@dataclass(frozen=True)
class Catalog:
    """Every contract of a site by its id, and the departments by their codes."""

    site: Path
    contracts: Mapping[str, Contract]
    departments: Mapping[str, Department]

    @classmethod
    def load(cls, site: Path) -> Catalog:
        """
        Read all of `site/schemas`; `ContractInvalid` carries the findings of all files.

        Models are not read: `catalog.models` judges them.
        """
        catalog, findings = read_site(site)
        if findings:
            raise ContractInvalid(findings)
        return catalog

    def get(self, dataset: str) -> Contract:
        """The contract of this id; `ContractNotFound` names those of nearly the same name."""
        if dataset not in self.contracts:
            raise ContractNotFound(dataset, self._near(dataset))
        return self.contracts[dataset]

    def sources(self) -> tuple[Contract, ...]:
        """The datasets that departments deliver, by id."""
        return tuple(c for c in self.contracts.values() if c.kind is Kind.SOURCE)

    def thematic(self) -> tuple[Contract, ...]:
        """The datasets that models make, by id; `catalog.models` knows their order of making."""
        return tuple(c for c in self.contracts.values() if c.kind is Kind.THEMATIC)

    def provider(self, contract: Contract) -> Department:
        """The department that provides the dataset."""
        return self.departments[contract.provider]

    def model_file(self, contract: Contract) -> Path | None:
        """Where the model of a thematic dataset stands; None where it is generated or delivered."""
        if contract.kind is Kind.SOURCE or contract.golden or contract.key_register:
            return None
        return self.site / MODELS / contract.theme / f"{contract.dataset}.sql"

    def model_sql(self, contract: Contract) -> str | None:
        """
        The SELECT of a thematic dataset, in Trino's dialect; None where it is generated.

        `ModelError` when the file is missing.
        """
        file = self.model_file(contract)
        if file is None:
            return None
        try:
            return file.read_text("utf-8")
        except FileNotFoundError as error:
            name = file.relative_to(self.site).as_posix()
            raise ModelError(f"{contract.id} has no model: {name} is missing") from error

    def code_table_file(self, contract: Contract) -> Path:
        """The file with the site's own edition of a code table."""
        if contract.source is None or contract.source.code_table is None:
            raise ContractError(f"{contract.id} names no code_table in redcliff.source")
        return self.site / CODE_TABLES / contract.source.code_table

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over contracts, departments, code tables and models: what a run depends on."""
        digest = hashlib.sha256()
        for contract in self.contracts.values():
            digest.update(f"{contract.id} {contract.content_hash}\n".encode())
        files = [*(self.site / CODE_TABLES).glob("*.csv"), *(self.site / MODELS).rglob("*.sql")]
        for file in sorted(files):
            held = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(self.site).as_posix()} {held}\n".encode())
        for department in sorted(self.departments.values(), key=lambda d: d.code):
            digest.update(f"{department}\n".encode())
        return digest.hexdigest()

    def _near(self, dataset: str) -> list[str]:
        near = get_close_matches(dataset, self.contracts, n=3)
        name = dataset.rpartition(".")[2]
        same = [id_ for id_ in self.contracts if id_.partition(".")[2] == name]
        return list(dict.fromkeys([*same, *near]))


def read_site(site: Path) -> tuple[Catalog, list[Finding]]:
    """
    The catalogue as far as it could be read, and everything that is wrong with it.

    `UsageError` when `site` holds no `schemas`.
    """
    folder = site / SCHEMAS
    if not folder.is_dir():
        raise UsageError(f"{site} is no site: it has no folder {SCHEMAS}; set REDCLIFF_SITE")
    files = sorted(folder.rglob("*.y*ml"))
    parsed = [parse_file(file, site) for file in files if file.name.endswith(SUFFIX)]
    departments, findings = read_departments(site)
    for file in files:
        if not file.name.endswith(SUFFIX):
            name = file.relative_to(site).as_posix()
            findings.append(Finding(name, 1, f"a contract's file name ends in {SUFFIX}"))
    contracts = {p.contract.id: p.contract for p in parsed if p.contract is not None}
    known = {f"{f.parent.name}.{f.name.removesuffix(SUFFIX)}" for f in files} | contracts.keys()
    among = Neighbours(site, contracts, known, departments)
    for one in parsed:
        check_references(one, among)
    _check_resource_codes(parsed)
    findings += [finding for one in parsed for finding in one.findings]
    sound = {one.contract.id: one.contract for one in parsed if one.contract and not one.findings}
    return Catalog(site, dict(sorted(sound.items())), departments), sorted(findings)


def _check_resource_codes(parsed: list[Parsed]) -> None:
    owners: dict[str, str] = {}
    for one in parsed:
        code = one.contract.resource_code if one.contract else None
        if one.contract is None or code is None:
            continue
        owner = owners.setdefault(code, one.contract.id)
        if owner != one.contract.id:
            one.tell(one.own.where("resource_code"), f"{owner} has the code {code!r} already")
