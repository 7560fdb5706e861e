"""
The rules that a contract writes out (`quality`), and the names of those it implies.

An item that judges each row by itself becomes a predicate (`holds`); every other item is a rule
on the whole table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlglot import exp

from catalog.contract import Column, Rule, Source, TypeName
from catalog.functions import DIALECT, check_expression
from catalog.grammar import Fields, Properties, Tell, describe, did_you_mean
from catalog.odcs import OPERATORS
from catalog.patterns import why_not_portable
from catalog.queries import read_query
from catalog.vocabulary import Consumer, Gate, Mode

NEEDS = {
    "library": ("metric",),
    "sql": ("query",),
    "custom": ("engine", "implementation"),
}
"""The keys of each type of quality item; those of the other types are refused."""

ARGUMENTS = {
    "rowCount": (),
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
}
"""The arguments of each metric."""

OWN_TABLE = "this_table"
"""What stands for `${table}` while a query is checked."""

WHOLE_NUMBERS = (TypeName.INTEGER, TypeName.BIGINT)


def read_rule(
    item: Fields, column: Column | None, columns: Mapping[str, Column], tell: Tell
) -> Rule | None:
    """
    The rule that a quality item says; None when it says none, which has then been told.

    `column` is the column the item is written on.
    """
    kind = item.get("type", "library")
    if "type" not in item and "type" in item.written:
        return None
    if not _complete(item, kind, tell) or "name" not in item:
        return None
    holds = None
    if kind == "custom":
        holds = item["implementation"].get("holds")
        for message in check_expression(holds, columns) if holds else ():
            tell(item.at("implementation", "holds"), message)
    elif kind == "sql":
        query = read_query(item["query"].replace("${table}", OWN_TABLE), {OWN_TABLE: columns})
        for message in dict.fromkeys(slip.message for slip in query.slips):
            tell(item.at("query"), message)
    elif not _arguments_fit(item, column, columns, tell):
        return None
    elif item["metric"] == "invalidValues" and item.get("mustBe") == 0:
        holds = _predicate(item, column, tell) if item.get("unit") != "percent" else None
    gate, blocks = _gate(item, is_row_rule=holds is not None, tell=tell)
    operator = next((word for word in OPERATORS if word in item), None)
    return Rule(
        name=item["name"],
        description=item.get("description", item["name"]),
        gate=gate,
        blocks=blocks,
        column=column.name if column else None,
        dimension=item.get("dimension"),
        holds=holds,
        metric=item.get("metric"),
        arguments=item.get("arguments", {}),
        operator=operator,
        operand=item[operator] if operator else None,
        query=item.get("query"),
    )


def _complete(item: Fields, kind: str, tell: Tell) -> bool:
    """Whether the item has what its type asks for; keys of other types and operators are told."""
    for other, keys in NEEDS.items():
        for key in keys:
            if other != kind and key in item:
                tell(item.at(key), f"{key!r} belongs to type {other}, this item is {kind}")
    missing = [key for key in NEEDS[kind] if key not in item]
    for key in missing:
        if key not in item.written:
            tell(item.where, f"a rule of type {kind} needs the key {key!r}")
    written = [word for word in OPERATORS if word in item]
    if kind == "custom":
        for word in written:
            tell(item.at(word), f"{word!r} has no meaning beside a condition")
    elif len(written) != 1:
        tell(item.where, f"a rule of type {kind} needs exactly one of {', '.join(OPERATORS)}")
        return False
    elif kind == "library":
        return not missing and _operand_fits(item, written[0], tell)
    return not missing


def _operand_fits(item: Fields, operator: str, tell: Tell) -> bool:
    operand = item[operator]
    listed = operand if isinstance(operand, list) else [operand]
    wanted = 2 if operator.endswith("Between") else 1
    numbers = [n for n in listed if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(listed) != wanted or len(numbers) != wanted or isinstance(operand, list) != (wanted > 1):
        what = "a list of two numbers" if wanted == 2 else "a number"
        tell(item.at(operator), f"expected {what}, found {describe(operand)}")
        return False
    if wanted == 2 and listed[0] > listed[1]:
        tell(item.at(operator), "the smaller number comes first")
        return False
    return True


def _arguments_fit(
    item: Fields, column: Column | None, columns: Mapping[str, Column], tell: Tell
) -> bool:
    metric = item["metric"]
    arguments: Mapping[str, Any] = item.get("arguments", {})
    fits = True
    for key in arguments:
        if key not in ARGUMENTS[metric]:
            tell(item.at("arguments", key), f"{metric} takes no argument {key!r}")
            fits = False
    if metric == "rowCount" and column is not None:
        tell(item.at("metric"), "rowCount counts the table; write the rule below the columns")
        return False
    if metric == "duplicateValues" and column is None:
        named = arguments.get("properties")
        if not isinstance(named, list) or not named:
            tell(item.where, "duplicateValues needs arguments.properties, a list of columns")
            return False
        for name in named:
            if name not in columns:
                hint = did_you_mean(str(name), columns)
                tell(item.at("arguments", "properties"), f"unknown column {name!r}{hint}")
    elif metric != "rowCount" and column is None:
        tell(item.at("metric"), f"{metric} judges a column; write the rule on it")
        return False
    if metric == "invalidValues" and len(arguments) != 1:
        tell(item.where, "invalidValues needs one of arguments.validValues, arguments.pattern")
        return False
    return fits


def _predicate(item: Fields, column: Column | None, tell: Tell) -> str | None:
    """`validValues` or `pattern` as a condition in Trino's dialect."""
    assert column is not None
    subject = exp.column(column.name, quoted=True)
    if "pattern" in item["arguments"]:
        pattern = item["arguments"]["pattern"]
        where = item.at("arguments", "pattern")
        if column.type.name is not TypeName.STRING:
            tell(where, "a pattern judges text; the column is none")
        elif not isinstance(pattern, str):
            tell(where, f"expected a pattern, found {describe(pattern)}; write it in quotes")
        elif (message := why_not_portable(pattern)) is not None:
            tell(where, message)
        else:
            matched = exp.RegexpLike(this=subject, expression=exp.Literal.string(pattern))
            return matched.sql(DIALECT)
        return None
    values = item["arguments"]["validValues"]
    where = item.at("arguments", "validValues")
    kinds = {TypeName.STRING: str} | dict.fromkeys(WHOLE_NUMBERS, int)
    kind = kinds.get(column.type.name)
    if kind is None:
        tell(where, "validValues judges text and whole numbers; the column is neither")
        return None
    if not isinstance(values, list) or not values:
        tell(where, "expected a list of values")
        return None
    wrong = [v for v in values if not isinstance(v, kind) or isinstance(v, bool)]
    for value in wrong:
        what = "text in quotes" if kind is str else "a whole number"
        tell(where, f"expected {what}, found {describe(value)}")
    listed = [
        exp.Literal.string(v) if kind is str else exp.Literal.number(v)
        for v in values
        if v not in wrong
    ]
    return exp.In(this=subject, expressions=listed).sql(DIALECT)


def _gate(item: Fields, *, is_row_rule: bool, tell: Tell) -> tuple[Gate, tuple[Consumer, ...]]:
    """What follows when the rule is broken: `redcliff.gate`, else from the severity."""
    own: Properties = item.get("customProperties", Properties())
    if (written := own.get("gate")) is not None:
        gate, blocks = written
        if gate is Gate.QUARANTINE and not is_row_rule:
            tell(own.where("gate"), "a rule on the whole table has no rows to quarantine")
        return gate, blocks
    strict = is_row_rule and item.get("severity", "error") == "error"
    return (Gate.QUARANTINE if strict else Gate.WARN), ()


def implied_rules(columns: Collection[Column], source: Source | None) -> Iterator[str]:
    """The names of the rules that a source contract implies (docs/reference/contract.md)."""
    for column in columns:
        if column.derive is not None:
            continue
        name = column.name
        present = {
            f"{name}_required": column.required,
            f"{name}_type": True,
            f"{name}_length": column.min_length is not None or column.max_length is not None,
            f"{name}_pattern": column.pattern is not None,
            f"{name}_range": column.minimum is not None or column.maximum is not None,
            f"{name}_code": column.code_table is not None,
            f"{name}_reference": bool(column.references),
        }
        yield from (rule for rule, is_implied in present.items() if is_implied)
    if source is None:
        return
    if source.sequence is not None:
        yield f"{source.sequence}_not_after_receipt"
    if source.mode is Mode.SNAPSHOT:
        yield "key_unique"
    if source.mode is Mode.CHANGES:
        yield "change_known"
    yield from ("record_readable", "unknown_column", "missing_column")
