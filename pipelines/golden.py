"""
Golden records (一数一源): the SELECT of a golden dataset, generated from its contract.

Every field comes from the most trusted source that has it (`redcliff.authority`); `_sources`
names that source field by field. Which records belong together says the key register.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.catalog import Catalog
from catalog.contract import Column, Contract
from catalog.dialect import column, query, sql, type_of
from catalog.naming import table_name
from catalog.vocabulary import Layer
from pipelines.difference import key_text, sequence_text

SOURCES = "_sources"
RECORDS_PER_SOURCE = 1_000_000
"""More records of one person in one source than this would mix up the order of authority."""


def assigned(register: Contract) -> exp.Query:
    """The current assignment of every source record: the one with the highest ordinal."""
    key_register = register.key_register
    assert key_register is not None
    return query(
        f"""SELECT source_dataset, source_key, {key_register.entity} AS entity_id
            FROM (SELECT source_dataset, source_key, {key_register.entity},
                         row_number() OVER (PARTITION BY source_dataset, source_key
                           ORDER BY ordinal DESC) AS n
                  FROM {table_name(register.id, Layer.THEMATIC)}) AS r
            WHERE n = 1"""
    )


def _fields(contract: Contract) -> list[Column]:
    return [c for c in contract.columns if c.authority]


def _records(contract: Contract, source: Contract, fields: list[Column]) -> exp.Select:
    """The records of one source with their person or entity, the latest first (`_nth` = 1)."""
    rows = exp.select(
        *[column(c.name, "s") for c in source.columns],
        exp.alias_(key_text(source, "s"), "_key"),
        exp.alias_(sequence_text(source, sql("CAST('1970-01-01' AS date)"), "s"), "_sequence"),
    ).from_(exp.to_table(table_name(source.id, Layer.CURATED)).as_("s"))
    nth = sql("row_number() OVER (PARTITION BY a.entity_id ORDER BY s._sequence DESC, s._key)")
    values = [
        column(c.name, "s") if source.id in c.authority else exp.cast(exp.null(), type_of(c.type))
        for c in fields
    ]
    return (
        exp.select(
            column("entity_id", "a"),
            exp.alias_(exp.Literal.string(source.id), "_source"),
            exp.alias_(nth, "_nth"),
            *[exp.alias_(v, c.name, quoted=True) for v, c in zip(values, fields, strict=True)],
        )
        .from_(rows.subquery("s"))
        .join(
            exp.to_table("assigned").as_("a"),
            on=exp.and_(
                exp.EQ(
                    this=column("source_dataset", "a"), expression=exp.Literal.string(source.id)
                ),
                sql("a.source_key = s._key"),
            ),
        )
    )


def _rank(c: Column) -> exp.Expr:
    """The record's place in the order of authority for this field; NULL without a value."""
    case = exp.Case(this=column("_source"))
    for place, dataset in enumerate(c.authority):
        case = case.when(
            exp.Literal.string(dataset), exp.Literal.number(place * RECORDS_PER_SOURCE)
        )
    return sql(
        "CASE WHEN :value IS NOT NULL THEN :place + _nth END", value=column(c.name), place=case
    )


def golden_select(catalog: Catalog, contract: Contract) -> exp.Select:
    """The model of a golden dataset: one row per person or entity that has a current record."""
    golden = contract.golden
    assert golden is not None
    register = catalog.get(golden.key_register)
    fields = _fields(contract)
    records: exp.Query | None = None
    for dataset in golden.sources:
        rows = _records(contract, catalog.get(dataset), fields)
        records = rows if records is None else exp.union(records, rows, distinct=False)
    assert records is not None
    picks: dict[str, exp.Expr] = {contract.key[0]: column("entity_id")}
    pairs: list[exp.Expr] = []
    for c in fields:
        picks[c.name] = sql("min_by(:value, :rank)", value=column(c.name), rank=_rank(c))
        source = sql("min_by(_source, :rank)", rank=_rank(c))
        pairs += [exp.Literal.string(c.name), source]
    picks[SOURCES] = exp.Anonymous(this="map_of_present", expressions=pairs)
    return (
        exp.select(*[exp.alias_(picks[c.name], c.name, quoted=True) for c in contract.columns])
        .from_("records")
        .group_by("entity_id")
        .with_("assigned", as_=assigned(register))
        .with_("records", as_=records)
    )
