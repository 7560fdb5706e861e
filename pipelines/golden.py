"""
Golden records (一数一源): the SELECT of a golden dataset, generated from its contract.

Every field comes from the most trusted source that has it (`redcliff.authority`); `_sources`
names that source field by field. Which records belong together says the key register.
"""

from __future__ import annotations

from sqlglot import exp

from catalog.catalog import Catalog
from catalog.contract import Column, Contract
from catalog.dialect import case_when, column, named, query, sql
from catalog.naming import folder_name, table_name
from catalog.vocabulary import Layer
from pipelines.difference import key_text, sequence_text

SOURCES = "_sources"


def affected(contract: Contract, register: Contract, changed: str) -> exp.Query:
    """The keys of all whose a record of relation `changed` is, or ever was."""
    key_register = register.key_register
    assert key_register is not None
    return query(
        f"""SELECT DISTINCT r.{key_register.entity} AS {contract.key[0]}
            FROM {table_name(register.id, Layer.THEMATIC)} AS r
            INNER JOIN {changed} AS c
              ON r.source_dataset = c.source_dataset AND r.source_key = c.source_key"""
    )


def assigned(register: Contract, among: exp.Query | None = None) -> exp.Query:
    """
    The current assignment of every source record: the one with the highest ordinal; of all
    persons or entities, or of those that query `among` names.

    Nearly all have one alone, with the ordinal 1: only those that have another are compared.
    """
    key_register = register.key_register
    assert key_register is not None
    rows = table_name(register.id, Layer.THEMATIC)
    current = query(
        f"""SELECT r.source_dataset, r.source_key, r.{key_register.entity} AS entity_id
            FROM {rows} AS r
            LEFT JOIN (SELECT source_dataset, source_key, max(ordinal) AS ordinal
                       FROM {rows} WHERE ordinal > 1 GROUP BY source_dataset, source_key) AS l
              ON r.source_dataset = l.source_dataset AND r.source_key = l.source_key
            WHERE (l.ordinal IS NULL OR l.ordinal = r.ordinal)"""
    )
    if among is not None:
        asked = column(key_register.entity, "r").isin(query=among, copy=False)
        current = current.where(asked, copy=False)
    return current


def _counted(source: Contract) -> exp.Query:
    """The assignments of the records of one source, and how many its person or entity has there."""
    return query(
        """SELECT source_key, entity_id, count(*) OVER (PARTITION BY entity_id) AS _of
           FROM assigned WHERE source_dataset = :source""",
        source=source.id,
    )


def _records(source: Contract, counted: str, fields: list[Column]) -> exp.Select:
    """The assigned records of one source, as `s`, with whose they are, as `a`."""
    rows = exp.select(
        *[column(c.name, "s") for c in source.columns],
        named(key_text(source, "s"), "_key"),
        named(sequence_text(source, sql("CAST('1970-01-01' AS date)"), "s"), "_sequence"),
    ).from_(exp.to_table(table_name(source.id, Layer.CURATED)).as_("s"))
    return (
        exp.select(column("entity_id", "a"), *[column(c.name, "s") for c in fields])
        .from_(rows.subquery("s"))
        .join(exp.to_table(counted).as_("a"), on=sql("a.source_key = s._key"))
    )


def _latest(source: Contract, counted: str, fields: list[Column]) -> exp.Query:
    """
    What the source says of every person or entity: field by field the latest value there is.

    Nearly all have one record in a source; to choose among several costs a sort and a state for
    each field.
    """
    only = _records(source, counted, fields).where("a._of = 1", copy=False)
    nth = sql("row_number() OVER (PARTITION BY a.entity_id ORDER BY s._sequence DESC, s._key)")
    ranked = _records(source, counted, fields).select(named(nth, "_nth"), copy=False)
    ranked = ranked.where("a._of > 1", copy=False)
    chosen = [
        named(
            sql("min_by(:v, CASE WHEN :v IS NOT NULL THEN _nth END)", v=column(c.name)),
            c.name,
        )
        for c in fields
    ]
    several = exp.select("entity_id", *chosen).from_(ranked.subquery("r", copy=False), copy=False)
    return exp.union(only, several.group_by("entity_id", copy=False), distinct=False, copy=False)


def golden_select(catalog: Catalog, contract: Contract, among: str | None = None) -> exp.Select:
    """
    The model of a golden dataset: one row per person or entity that has a current record; of all,
    or of those whose keys relation `among` holds.
    """
    golden = contract.golden
    assert golden is not None
    fields = [c for c in contract.columns if c.authority]
    told = {dataset: [c for c in fields if dataset in c.authority] for dataset in golden.sources}
    latest = {dataset: f"of_{folder_name(dataset)}" for dataset in golden.sources}
    entities: exp.Query = exp.select("entity_id").from_(next(iter(latest.values())))
    for name in list(latest.values())[1:]:
        entities = exp.union(entities, exp.select("entity_id").from_(name), distinct=True)

    picks: dict[str, exp.Expr] = {contract.key[0]: column("entity_id", "e")}
    pairs: list[exp.Expr] = []
    for c in fields:
        ranked = [column(c.name, latest[dataset]) for dataset in c.authority]
        picks[c.name] = exp.Coalesce(this=ranked[0], expressions=ranked[1:])
        source = [
            (sql("NOT :v IS NULL", v=value), exp.Literal.string(dataset))
            for dataset, value in zip(c.authority, ranked, strict=True)
        ]
        pairs += [exp.Literal.string(c.name), case_when(*source)]
    picks[SOURCES] = exp.Anonymous(this="map_of_present", expressions=pairs)

    of = None if among is None else exp.select(column(contract.key[0])).from_(among)
    golden_rows = (
        exp.select(*[named(picks[c.name], c.name) for c in contract.columns])
        .from_(entities.subquery("e", copy=False), copy=False)
        .with_("assigned", as_=assigned(catalog.get(golden.key_register), of), copy=False)
    )
    for dataset, name in latest.items():
        origin, counted = catalog.get(dataset), f"assigned_{name}"
        golden_rows = (
            golden_rows.with_(counted, as_=_counted(origin), copy=False)
            .with_(name, as_=_latest(origin, counted, told[dataset]), copy=False)
            .join(name, on=f"e.entity_id = {name}.entity_id", join_type="left", copy=False)
        )
    return golden_rows
