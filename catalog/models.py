"""
The models of the thematic layer: what each reads, whether it fits its contract, and their order.

A model is one SELECT in `pipelines/thematic/<theme>/<dataset>.sql`; those of golden datasets and
key registers are generated from the contract, which names their inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from sqlglot import exp

from catalog.catalog import MODELS, Catalog
from catalog.contract import Contract
from catalog.errors import Finding, ModelError
from catalog.lineage import Origins, origins
from catalog.naming import table_name
from catalog.queries import read_query
from catalog.vocabulary import Kind, Layer, Sensitivity

TablesOfContracts = Mapping[str, Contract]
"""Contracts by the name of their main table."""


def model_inputs(catalog: Catalog, contract: Contract) -> tuple[str, ...]:
    """
    The tables a thematic dataset is made from, such as `curated.population__household_register`.

    `ModelError` when the model's file is missing.
    """
    if (register := contract.key_register) is not None:
        return tuple(table_name(source, Layer.CURATED) for source in register.sources)
    if (golden := contract.golden) is not None:
        sources = [table_name(source, Layer.CURATED) for source in golden.sources]
        return (table_name(golden.key_register, Layer.THEMATIC), *sources)
    sql = catalog.model_sql(contract)
    return () if sql is None else _tables_read(sql)


@lru_cache(maxsize=512)
def _tables_read(sql: str) -> tuple[str, ...]:
    return read_query(sql, {}).inputs


def model_order(catalog: Catalog) -> tuple[Contract, ...]:
    """
    Every thematic dataset, each after those it reads; otherwise by id.

    `ModelError` names the path and the files of models that wait for each other.
    """
    tables = {table_name(c.id, c.layer): c for c in catalog.thematic()}
    ordered: dict[str, Contract] = {}
    for contract in catalog.thematic():
        _visit(catalog, contract, tables, (), ordered)
    return tuple(ordered.values())


def _visit(
    catalog: Catalog,
    contract: Contract,
    tables: TablesOfContracts,
    path: tuple[Contract, ...],
    ordered: dict[str, Contract],
) -> None:
    if contract.id in ordered:
        return
    if contract in path:
        raise _cycle(catalog, (*path[path.index(contract) :], contract))
    for table in sorted(model_inputs(catalog, contract)):
        if table in tables:
            _visit(catalog, tables[table], tables, (*path, contract), ordered)
    ordered[contract.id] = contract


def _cycle(catalog: Catalog, path: tuple[Contract, ...]) -> ModelError:
    names = " → ".join(contract.id for contract in path)
    files = ", ".join(dict.fromkeys(_file(catalog, contract) for contract in path))
    return ModelError(f"models wait for each other: {names}; break the circle in one of {files}")


def _file(catalog: Catalog, contract: Contract) -> str:
    """Where one changes what a dataset reads: its model, or the contract it is generated from."""
    file = catalog.model_file(contract)
    return contract.path if file is None else file.relative_to(catalog.site).as_posix()


def check_models(catalog: Catalog) -> list[Finding]:
    """Everything that is wrong with the models of a site, and with their order."""
    tables = {table_name(c.id, c.layer): c for c in catalog.contracts.values()}
    findings = [*_stray_files(catalog)]
    for contract in catalog.thematic():
        file = catalog.model_file(contract)
        if file is None:
            findings += _check_generated(contract, tables)
        elif not file.is_file():
            told = f"its model is missing: {_file(catalog, contract)}"
            findings.append(Finding(contract.path, 1, told))
        else:
            findings += check_model(
                file.read_text("utf-8"), _file(catalog, contract), contract, tables
            )
    if not findings:
        try:
            model_order(catalog)
        except ModelError as error:
            findings.append(Finding(MODELS.as_posix(), 1, str(error)))
    return sorted(findings)


def check_model(
    sql: str, file: str, contract: Contract, tables: TablesOfContracts
) -> list[Finding]:
    """
    What is wrong with the model of one contract.

    It is one SELECT over known tables and columns, says only what every engine computes alike,
    gives the contract's columns in their order, and grades none of them below its sources.
    """
    known = {name: [column.name for column in table.columns] for name, table in tables.items()}
    query = read_query(sql, known)
    found = [(slip.line, slip.message) for slip in query.slips]
    if query.tree is None:
        return [Finding(file, line, message) for line, message in found]
    if table_name(contract.id, contract.layer) in query.inputs:
        found.append((1, f"{contract.id} reads itself"))
    for call in query.tree.find_all(exp.Anonymous):
        if call.name.lower() in ("business_date", "run_date"):
            told = f"{call.name} would make the table change with the day; keep the date itself"
            found.append((int(call.meta.get("line", 1)), told))
    columns = tuple(column.name for column in contract.columns)
    if query.outputs != columns:
        found.append((1, _other_columns(query.outputs, columns)))
    elif not found:
        found += _graded_too_low(contract, origins(query.tree, known), tables)
    return [Finding(file, line, message) for line, message in found]


def _other_columns(found: tuple[str, ...], expected: tuple[str, ...]) -> str:
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    if missing or extra:
        parts = [("lacks", missing), ("should not give", extra)]
        told = " and ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)
        return f"the SELECT {told}"
    place = next(i for i, pair in enumerate(zip(found, expected, strict=False)) if len({*pair}) > 1)
    return (
        f"column {place + 1} of the SELECT is {found[place]}, "
        f"the contract's is {expected[place]}; write them in one order"
    )


def _graded_too_low(
    contract: Contract, made_from: Origins, tables: TablesOfContracts
) -> Iterator[tuple[int, str]]:
    for column in contract.columns:
        if column.sensitivity is None or column.declassified is not None:
            continue
        higher = [
            f"{table}.{name} ({grade or 'ungraded'})"
            for table, name in sorted(made_from[column.name])
            if _above(grade := tables[table].column(name).sensitivity, column.sensitivity)
        ]
        if higher:
            yield (
                1,
                f"{column.name} is {column.sensitivity}, made from {', '.join(higher)}; "
                "grade it as high, or say why not in redcliff.declassified",
            )


def _above(grade: Sensitivity | None, other: Sensitivity) -> bool:
    """Whether a grade is above another; what has no grade is closed to everyone."""
    return grade is None or grade > other


def _check_generated(contract: Contract, tables: TablesOfContracts) -> Iterator[Finding]:
    if contract.golden is None:
        return
    made_from: Origins = {
        column.name: frozenset(
            (table_name(dataset, Layer.CURATED), column.name) for dataset in column.authority
        )
        for column in contract.columns
    }
    for line, message in _graded_too_low(contract, made_from, tables):
        yield Finding(contract.path, line, message)


def _stray_files(catalog: Catalog) -> Iterator[Finding]:
    """Files that nothing reads: their contract is missing, or generates its model itself."""
    for file in sorted((catalog.site / MODELS).rglob("*.sql")):
        name = file.relative_to(catalog.site).as_posix()
        contract = catalog.contracts.get(f"{file.parent.name}.{file.stem}")
        if contract is None:
            yield Finding(name, 1, f"there is no sound contract {file.parent.name}.{file.stem}")
        elif contract.kind is Kind.SOURCE:
            yield Finding(name, 1, f"{contract.id} is delivered, it has no model")
        elif catalog.model_file(contract) is None:
            yield Finding(name, 1, f"the model of {contract.id} is generated from its contract")
