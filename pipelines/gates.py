"""
Rules that judge a whole table, and may hold a delivery before it is applied (`block: load`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp

from catalog.contract import Contract, Rule
from catalog.dialect import any_of, column, named, query, sql
from catalog.vocabulary import Consumer
from pipelines.difference import same_key


def load_blocking(contract: Contract) -> list[Rule]:
    """The table rules that hold a delivery when they fail."""
    return [r for r in contract.rules if not r.is_row_rule and Consumer.LOAD in r.blocks]


def table_after(
    contract: Contract, classified: str, curated: str | None, ended: exp.Query
) -> exp.Query:
    """The curated table as it would stand: its rows but for `ended` keys, and the applied rows."""
    names = [column(c.name) for c in contract.columns]
    applied = exp.select(*names).from_(classified).where("_outcome = 'applied' AND NOT _delete")
    if curated is None:
        return applied
    staying = (
        exp.select(*[column(c.name, "t") for c in contract.columns])
        .from_(exp.to_table(curated).as_("t"))
        .join(ended.subquery("e"), on=same_key(contract, "t", "e"), join_type="left")
        .where(sql("e._key IS NULL"))
    )
    return exp.union(staying, applied, distinct=False)


def _wrong(contract: Contract, rule: Rule) -> exp.Expr:
    """What the metric counts, as a condition on a row."""
    name = rule.column or rule.arguments.get("column")
    value = column(str(name)) if name else exp.null()
    match rule.metric:
        case "nullValues":
            return sql(":x IS NULL", x=value)
        case "missingValues":
            words = [w for w in rule.arguments.get("missingValues", ()) if w is not None]
            listed = exp.In(
                this=value.copy(), expressions=[exp.Literal.string(str(w)) for w in words]
            )
            return any_of([sql(":x IS NULL", x=value), listed])
        case "invalidValues":
            if pattern := rule.arguments.get("pattern"):
                return sql("NOT regexp_like(CAST(:x AS varchar), :p)", x=value, p=pattern)
            valid = [exp.Literal.string(str(v)) for v in rule.arguments.get("validValues", ())]
            return exp.not_(exp.In(this=sql("CAST(:x AS varchar)", x=value), expressions=valid))
    raise ValueError(f"{contract.id}: rule {rule.name}: no such metric for a table: {rule.metric}")


def measure(contract: Contract, rule: Rule, table: str) -> exp.Query:
    """One row, `measured` and `total`: the metric of the rule over relation `table`."""
    if rule.query is not None:
        text = rule.query.replace("${object}", table).replace("${table}", table)
        return query(
            "SELECT CAST(:q AS decimal(20,6)) AS measured, 0 AS total", q=query(text).subquery()
        )
    if rule.metric == "rowCount":
        counted: exp.Expr = sql("count(*)")
    elif rule.metric == "duplicateValues":
        names = rule.arguments.get("properties") or [rule.column]
        distinct = exp.Count(
            this=exp.Distinct(expressions=[exp.Tuple(expressions=[column(str(n)) for n in names])])
            if len(names) > 1
            else exp.Distinct(expressions=[column(str(names[0]))])
        )
        counted = sql("count(*) - :d", d=distinct)
    else:
        counted = sql("count_if(:w)", w=_wrong(contract, rule))
    return exp.select(named(counted, "measured"), named(sql("count(*)"), "total")).from_(table)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "mustBe": operator.eq,
    "mustNotBe": operator.ne,
    "mustBeGreaterThan": operator.gt,
    "mustBeGreaterOrEqualTo": operator.ge,
    "mustBeLessThan": operator.lt,
    "mustBeLessOrEqualTo": operator.le,
    "mustBeBetween": lambda value, bounds: bounds[0] <= value <= bounds[1],
    "mustNotBeBetween": lambda value, bounds: not bounds[0] <= value <= bounds[1],
}


def holds(rule: Rule, measured: int | Decimal, total: int) -> bool:
    """Whether the measured value is what the rule demands; percentages are of all rows."""
    value: Decimal = Decimal(measured)
    if rule.arguments.get("unit") == "percent":
        value = value * 100 / total if total else Decimal(0)
    bound = rule.operand
    if isinstance(bound, Sequence) and not isinstance(bound, str):
        return _COMPARE[str(rule.operator)](value, [Decimal(str(b)) for b in bound])
    return _COMPARE[str(rule.operator)](value, Decimal(str(bound)))
