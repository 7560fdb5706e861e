"""What contracts say of each other: code tables, relationships, golden sources, departments."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.contract import Column, Contract
from catalog.grammar import did_you_mean
from catalog.nodes import Where
from catalog.parsed import Parsed
from catalog.vocabulary import Kind

CODE_TABLES = Path("schemas") / "code_tables"


@dataclass(frozen=True)
class Neighbours:
    """
    All contracts of a site as far as they could be read.

    `known` also holds the ids of contracts that could not: nobody is told that these are missing.
    """

    site: Path
    contracts: Mapping[str, Contract]
    known: Collection[str]
    departments: Collection[str]
    codes: dict[str, frozenset[str]] = field(default_factory=dict)


def check_references(parsed: Parsed, among: Neighbours) -> None:
    """Tell everything in one contract that does not agree with the others."""
    contract = parsed.contract
    if contract is None:
        return
    if contract.provider and contract.provider not in among.departments:
        hint = did_you_mean(contract.provider, among.departments)
        parsed.tell(("team", "name"), f"unknown department {contract.provider!r}{hint}")
    for column in contract.columns:
        _check_code_table(parsed, column, among)
        _check_relationship(parsed, column, among)
        for i, dataset in enumerate(column.authority):
            where = parsed.at_column(column.name, "authority", i)
            _same_column(parsed, where, dataset, column, among)
    _check_golden(parsed, contract, among)
    _check_key_register(parsed, contract, among)
    for i, dataset in enumerate(contract.awaits):
        where = parsed.own.where("await", i)
        awaited = _find(parsed, where, dataset, among)
        if awaited is not None and awaited.kind is not Kind.SOURCE:
            said = f"{dataset} is made by a model; await what departments deliver for it"
            parsed.tell(where, said)
    _check_edition(parsed, contract, among)


def _find(parsed: Parsed, where: Where, dataset: str, among: Neighbours) -> Contract | None:
    if dataset not in among.known:
        parsed.tell(where, f"unknown dataset {dataset!r}{did_you_mean(dataset, among.known)}")
    return among.contracts.get(dataset)


def _find_column(parsed: Parsed, where: Where, dataset: Contract, name: str) -> Column | None:
    columns = {column.name: column for column in dataset.columns}
    if name not in columns:
        hint = did_you_mean(name, columns)
        parsed.tell(where, f"{dataset.id} has no column {name!r}{hint}")
    return columns.get(name)


def _same_column(
    parsed: Parsed, where: Where, dataset: str, column: Column, among: Neighbours
) -> None:
    """The dataset holds a column of the same name and type."""
    other = _find(parsed, where, dataset, among)
    found = _find_column(parsed, where, other, column.name) if other else None
    if found is not None and found.type.name is not column.type.name:
        told = f"{column.name!r} is {found.type.name} in {dataset}, here {column.type.name}"
        parsed.tell(where, told)


def _check_code_table(parsed: Parsed, column: Column, among: Neighbours) -> None:
    if column.code_table is None:
        return
    where = parsed.at_column(column.name, "code_table")
    table = _find(parsed, where, column.code_table, among)
    if table is None:
        return
    if len(table.key) != 1:
        parsed.tell(where, f"{table.id} has a key of {len(table.key)} columns, a code is one")
        return
    if column.codes and table.id not in among.codes:
        among.codes[table.id] = _codes(table, among.site)
    codes = among.codes.get(table.id)
    for delivered, code in column.codes.items():
        if codes and code not in codes:
            at = parsed.at_column(column.name, "codes", delivered)
            parsed.tell(at, f"{table.id} knows no code {code!r}")


def _check_relationship(parsed: Parsed, column: Column, among: Neighbours) -> None:
    where = (*parsed.items[column.name].where, "relationships")
    for reference in column.references:
        target = _find(parsed, where, reference.dataset, among)
        found = _find_column(parsed, where, target, reference.column) if target else None
        if found is not None and found.type.name is not column.type.name:
            told = f"{column.name!r} is {column.type.name}, {reference.column!r} {found.type.name}"
            parsed.tell(where, told)


def _check_golden(parsed: Parsed, contract: Contract, among: Neighbours) -> None:
    golden = contract.golden
    if golden is None:
        return
    where = parsed.own.where
    _check_sources(parsed, "golden", golden.sources, among)
    register = _find(parsed, where("golden", "key_register"), golden.key_register, among)
    if register is None:
        return
    if register.key_register is None:
        parsed.tell(where("golden", "key_register"), f"{register.id} is no key register")
        return
    entity = register.key_register.entity
    if contract.key and contract.key != (entity,):
        told = f"the key is {', '.join(contract.key)}, the entity of {register.id} is {entity}"
        parsed.tell(where("golden", "key_register"), told)
    for i, dataset in enumerate(golden.sources):
        if dataset in among.known and dataset not in register.key_register.sources:
            told = f"{register.id} assigns no records of {dataset!r}"
            parsed.tell(where("golden", "sources", i), told)


def _check_key_register(parsed: Parsed, contract: Contract, among: Neighbours) -> None:
    register = contract.key_register
    if register is None:
        return
    _check_sources(parsed, "key_register", register.sources, among)
    for i, dataset in enumerate(register.sources):
        source = among.contracts.get(dataset)
        if source is not None and source.kind is Kind.SOURCE:
            where = parsed.own.where("key_register", "sources", i)
            _find_column(parsed, where, source, register.identity)


def _check_sources(parsed: Parsed, name: str, datasets: Collection[str], among: Neighbours) -> None:
    for i, dataset in enumerate(datasets):
        where = parsed.own.where(name, "sources", i)
        source = _find(parsed, where, dataset, among)
        if source is not None and source.kind is not Kind.SOURCE:
            parsed.tell(where, f"{dataset} is delivered by no department")


def _check_edition(parsed: Parsed, contract: Contract, among: Neighbours) -> None:
    """The site's own edition of a code table: the file is there, with the contract's columns."""
    if contract.source is None or contract.source.code_table is None:
        return
    where = parsed.own.where("source", "code_table")
    file = among.site / CODE_TABLES / contract.source.code_table
    if not file.is_file():
        parsed.tell(where, f"there is no file {CODE_TABLES.as_posix()}/{file.name}")
        return
    with file.open(encoding="utf-8-sig", newline="") as rows:
        header = next(csv.reader(rows), [])
    for column in contract.delivered_columns:
        if not {column.name, *column.delivered_as} & set(header):
            parsed.tell(where, f"{file.name} has no column {column.name!r}")


def _codes(table: Contract, site: Path) -> frozenset[str]:
    """The codes in the site's own edition; empty where there is none to look into."""
    if table.source is None or table.source.code_table is None:
        return frozenset()
    file = site / CODE_TABLES / table.source.code_table
    key = table.column(table.key[0])
    if not file.is_file():
        return frozenset()
    with file.open(encoding="utf-8-sig", newline="") as rows:
        records = csv.reader(rows)
        header = next(records, [])
        names = {key.name, *key.delivered_as}
        place = next((i for i, name in enumerate(header) if name in names), None)
        return frozenset(r[place] for r in records if place is not None and len(r) > place)
