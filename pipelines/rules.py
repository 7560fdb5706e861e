"""
The row rules of a contract as SQL: implied ones and hand-written ones, judged in one pass.

`judge` adds to every standardised row the names of the rules it breaks. A rule is judged only
where its columns are present: absence breaks `required` and nothing else, and a value that
cannot be typed breaks its `_type` rule once. Rows are never dropped here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlglot
from sqlglot import exp

from catalog.contract import Column, Contract, TypeName
from catalog.dialect import all_of, any_of, bare, call, case_when, column, literal, named, sql
from catalog.vocabulary import Derivation, Drift, Gate, Mode
from pipelines.standardize import is_one_of, permanent_column, standard_text

BROKEN_RULES = "_broken_rules"
WARNED_RULES = "_warned_rules"
RECORD_READABLE = "record_readable"
KEY_UNIQUE = "key_unique"
SHANGHAI = timedelta(hours=8)

INLINE_CODES = 400
"""Code tables up to this size stand in the SQL itself; larger ones are joined."""


@dataclass(frozen=True)
class Codes:
    """The values a column may hold: listed when few, else the distinct `_value`s of a relation."""

    listed: tuple[str, ...] | None = None
    relation: str | None = None


@dataclass(frozen=True)
class RowRule:
    """A rule that judges a row by itself; `broken` is never NULL."""

    name: str
    gate: Gate
    broken: exp.Expr
    on_delete: bool = False


def _present(value: exp.Expr) -> exp.Expr:
    return sql("NOT :x IS NULL", x=value)


def _absent(value: exp.Expr) -> exp.Expr:
    return sql("(:x) IS NULL", x=value)


def _when_present(c: Column, broken: exp.Expr) -> exp.Expr:
    return all_of([_present(column(c.name)), sql("coalesce(:b, TRUE)", b=broken)])


def _untyped(contract: Contract, c: Column) -> exp.Expr | None:
    """Present text without a typed value, where the type can fail at all."""
    if c.derive is not None:
        return None
    if c.type.name is TypeName.STRING and not (c.semantic_type and (c.required or c.is_key)):
        return None
    untyped = all_of([_present(standard_text(c.name)), _absent(column(c.name))])
    if permanent := permanent_column(contract, c.name):
        # 长期 is present, typed and NULL at once.
        return all_of([untyped, exp.not_(column(permanent.name))])
    return untyped


def _length(c: Column) -> exp.Expr | None:
    bounds = []
    if c.min_length is not None:
        bounds.append(sql("length(:x) < :n", x=column(c.name), n=c.min_length))
    if c.max_length is not None:
        bounds.append(sql("length(:x) > :n", x=column(c.name), n=c.max_length))
    return any_of(bounds) if bounds else None


def _range(c: Column) -> exp.Expr | None:
    bounds = []
    if c.minimum is not None:
        bounds.append(sql(":x < :n", x=column(c.name), n=c.minimum))
    if c.maximum is not None:
        bounds.append(sql(":x > :n", x=column(c.name), n=c.maximum))
    return any_of(bounds) if bounds else None


def _unknown(c: Column, codes: Codes, joined: str) -> exp.Expr:
    if codes.listed is not None:
        if not codes.listed:
            return exp.true()
        return exp.not_(is_one_of(column(c.name), codes.listed))
    return _absent(column("_value", joined))


def _too_late(c: Column, received_at: datetime) -> exp.Expr:
    """A sequence more than a day after receipt; wall clocks are Shanghai's."""
    limit = received_at + timedelta(days=1)
    match c.type.name:
        case TypeName.DATE:
            bound: exp.Expr = literal((limit + SHANGHAI).date())
        case TypeName.INSTANT:
            bound = sql(
                "CAST(:t AS timestamp with time zone)", t=f"{limit:%Y-%m-%d %H:%M:%S}+00:00"
            )
        case _:
            bound = sql("CAST(:t AS timestamp)", t=f"{limit + SHANGHAI:%Y-%m-%d %H:%M:%S}")
    return sql(":x > :bound", x=column(c.name), bound=bound)


def _implied(
    contract: Contract, codes: Mapping[str, Codes], received_at: datetime
) -> Iterator[tuple[str, exp.Expr, bool]]:
    """Name, broken condition, and whether a delete row is judged by it."""
    source = contract.source
    assert source is not None
    for c in contract.columns:
        if c.derive is not None:
            continue
        if c.required or c.is_key:
            yield f"{c.name}_required", _absent(standard_text(c.name)), c.is_key
        if (untyped := _untyped(contract, c)) is not None:
            yield f"{c.name}_type", untyped, c.is_key
        if (length := _length(c)) is not None:
            yield f"{c.name}_length", _when_present(c, length), c.is_key
        if c.pattern is not None:
            matches = sql("regexp_like(:x, :p)", x=column(c.name), p=c.pattern)
            yield f"{c.name}_pattern", _when_present(c, exp.not_(matches)), c.is_key
        if (outside := _range(c)) is not None:
            yield f"{c.name}_range", _when_present(c, outside), c.is_key
        if c.code_table is not None:
            unknown = _unknown(c, codes[c.name], f"codes_{c.name}")
            yield f"{c.name}_code", _when_present(c, unknown), False
        for reference in c.references:
            name = f"{c.name}->{reference.dataset}"
            unknown = _unknown(c, codes[name], f"reference_{c.name}")
            yield f"{c.name}_reference", _when_present(c, unknown), False
    if source.sequence is not None:
        sequence = contract.column(source.sequence)
        if sequence.type.name in (TypeName.DATE, TypeName.TIMESTAMP, TypeName.INSTANT):
            late = _when_present(sequence, _too_late(sequence, received_at))
            yield f"{sequence.name}_not_after_receipt", late, True
    if source.change is not None:
        yield (
            "change_known",
            exp.not_(sql("coalesce(:known, FALSE)", known=_change_in(contract, None))),
            True,
        )
    if source.drift.unknown_column is Drift.QUARANTINE:
        yield "unknown_column", _present(column("_extra")), True
    if source.drift.missing_column is Drift.QUARANTINE:
        yield "missing_column", _present(column("_missing")), True


def _change_in(contract: Contract, which: str | None) -> exp.Expr:
    change = contract.source.change if contract.source else None
    assert change is not None
    words = {"upsert": change.upsert, "delete": change.delete}.get(
        which or "", change.upsert + change.delete
    )
    return is_one_of(call("trim_all", column("_change")), words)


def is_delete(contract: Contract) -> exp.Expr:
    """Whether the row takes its key away."""
    if contract.source is None or contract.source.mode is not Mode.CHANGES:
        return exp.false()
    return sql("coalesce(:d, FALSE)", d=_change_in(contract, "delete"))


def _operands(contract: Contract, predicate: exp.Expr) -> list[str]:
    return sorted({c.name for c in predicate.find_all(exp.Column)})


def _shortcut(contract: Contract, predicate: exp.Expr) -> exp.Expr:
    """
    `is_citizen_id(x_delivered)` is what typing `x` has already found out: `x` is not NULL.
    """

    def once(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in (
            "is_citizen_id",
            "is_uscc",
        ):
            argument = node.expressions[0]
            if isinstance(argument, exp.Column):
                c = contract.column(argument.name)
                if c.derive and c.derive.how is Derivation.DELIVERED:
                    origin = contract.column(c.derive.column)
                    if (
                        origin.semantic_type
                        and f"is_{origin.semantic_type}" == str(node.this).lower()
                    ):
                        return _present(column(origin.name))
        return node

    return predicate.transform(once)


def _written(contract: Contract) -> Iterator[RowRule]:
    for rule in contract.rules:
        if rule.holds is None:
            continue
        predicate = bare(sqlglot.parse_one(rule.holds, dialect="trino"))
        operands = _operands(contract, predicate)
        for node in predicate.find_all(exp.Column):
            node.this.set("quoted", True)
        holds = sql("coalesce(:p, FALSE)", p=exp.paren(_shortcut(contract, predicate)))
        broken = all_of([*(_present(column(name)) for name in operands), exp.not_(holds)])
        yield RowRule(rule.name, rule.gate, broken)


def row_rules(
    contract: Contract, codes: Mapping[str, Codes], received_at: datetime
) -> list[RowRule]:
    """
    Every row rule of a source contract, implied ones first.

    `codes` holds, for a column with a code table, its values under the column's name, and for a
    relationship under `<column>-><dataset>`. `received_at` is UTC without zone.
    """
    source = contract.source
    assert source is not None
    rules = []
    for name, broken, on_delete in _implied(contract, codes, received_at):
        gate = contract.gates.get(name, Gate.QUARANTINE)
        if name.endswith("_type") and source.drift.untypable_value is Drift.ACCEPT:
            gate = contract.gates.get(name, Gate.WARN)
        rules.append(RowRule(name, gate, broken, on_delete))
    return [*rules, *_written(contract)]


def _names(rules: Sequence[RowRule], contract: Contract) -> exp.Expr:
    """The array of the names of the rules that are broken, in their order."""
    deleted = is_delete(contract)
    judged_always = isinstance(deleted, exp.Boolean)
    cases = []
    for rule in rules:
        broken = rule.broken
        if not (judged_always or rule.on_delete):
            broken = all_of([exp.not_(exp.paren(deleted.copy())), exp.paren(broken)])
        cases.append(case_when((broken, exp.Literal.string(rule.name))))
    if not cases:
        return sql("CAST(ARRAY[] AS ARRAY(varchar))")
    return call("without_nulls", exp.Array(expressions=cases))


def judge(
    contract: Contract,
    standardised: exp.Select,
    rules: Sequence[RowRule],
    codes: Mapping[str, Codes],
) -> exp.Select:
    """
    Add `_broken_rules` (hard) and `_warned_rules` (soft) to every row of `standardised`.

    An unreadable record breaks `record_readable` alone.
    """
    hard = [r for r in rules if r.gate is not Gate.WARN]
    soft = [r for r in rules if r.gate is Gate.WARN]
    judged = exp.select(
        exp.Column(this=exp.Star(), table=exp.to_identifier("rows")),
        named(
            sql(
                "CASE WHEN _fault IS NOT NULL THEN ARRAY[:unreadable] ELSE :names END",
                unreadable=RECORD_READABLE,
                names=_names(hard, contract),
            ),
            BROKEN_RULES,
        ),
        named(
            sql(
                "CASE WHEN _fault IS NOT NULL THEN CAST(ARRAY[] AS ARRAY(varchar)) ELSE :names END",
                names=_names(soft, contract),
            ),
            WARNED_RULES,
        ),
    ).from_(standardised.subquery("rows", copy=False), copy=False)
    for c in contract.columns:
        joins = [(codes.get(c.name), f"codes_{c.name}")]
        joins += [
            (codes.get(f"{c.name}->{r.dataset}"), f"reference_{c.name}") for r in c.references
        ]
        for listed, alias in joins:
            if listed is not None and listed.relation is not None:
                on = exp.EQ(this=column(c.name, "rows"), expression=column("_value", alias))
                judged = judged.join(
                    exp.to_table(listed.relation).as_(alias), on=on, join_type="left", copy=False
                )
    return judged
