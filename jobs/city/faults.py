"""
What can be wrong with a row, and exactly which hard rules it then breaks.

The faults of a dataset follow from its contract: each is one way to break one rule, kept so
simple that its consequence is known without judging the row. Where a rule's form is not known
here, no fault is made for it (`untouched_rules` names those).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from catalog.contract import Column, Contract, Rule, TypeName
from catalog.vocabulary import Drift, Gate, Mode, Unit
from jobs.city.text import Text

FUTURE = "2031-06-15"
"""A date after every business date that is generated."""
PAST = "1901-01-01"
"""A date before every event of the city."""

NULL_WORDS = ("", "/", "无", "\\N", "—", "null", "N/A")
UNKNOWN_CODES = ("97", "7", "999", "421281999", "8", "XX")
UNKNOWN_WORDS = ("8", "X", "77", "待定", "Z9")
UNFIT_WORDS = ("??", "待核实", "A1")
UNTYPED: Mapping[TypeName, tuple[str, ...]] = {
    TypeName.DATE: ("2020-13-40", "不详", "2019年", "20231301", "二〇二〇年五月"),
    TypeName.TIMESTAMP: ("2025-02-30 10:00:00", "昨天下午", "2024-13-01 08:00:00"),
    TypeName.INTEGER: ("十二", "约5", "3.5"),
    TypeName.BIGINT: ("十二", "约5", "3.5"),
    TypeName.DECIMAL: ("壹佰元", "约100", "1,200.00"),
}
WRONG_AUTHORITY = ("114212810000000001", "11421281MB0000000", "市市场监管局")
POINT = '{"type":"Point","coordinates":[113.9,29.7]}'

_NAME = r"([a-z_0-9]+)"
_NOT_FUTURE = re.compile(rf"^{_NAME} <= business_date\(\)$")
_ORDERED = re.compile(rf"^{_NAME} <= {_NAME}$")
_POSITIVE = re.compile(rf"^{_NAME} > 0$")
_NOT_NEGATIVE = re.compile(rf"^{_NAME} >= 0$")
_BETWEEN = re.compile(rf"^{_NAME} BETWEEN ([0-9.]+) AND ([0-9.]+)$")
_NOT_BELOW = re.compile(rf"^{_NAME} >= ([0-9]+) AND ")
_IN_CITY = re.compile(rf"^substr\({_NAME}, 1, 6\) = '421281'$")
_READABLE = re.compile(rf"^strpos\({_NAME}, '.'\) = 0 AND strpos\({_NAME}, '锟斤拷'\) = 0$")
_IS_CREDIT_CODE = re.compile(rf"^is_uscc\({_NAME}\)$")
_IN_TOWN = re.compile(rf"^substr\({_NAME}, 1, 9\) = {_NAME}$")
_POLYGON = re.compile(rf"^regexp_like\({_NAME}, '.*polygon", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """
    One way in which a row can be wrong.

    `column` gets one of `values`. It applies only to rows in which the columns `absent` hold
    nothing and those of `present` hold something that sorts before the value told.
    """

    kind: str
    column: str
    values: tuple[str | None, ...]
    broken: tuple[str, ...]
    absent: tuple[str, ...] = ()
    present: Mapping[str, str | None] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> frozenset[str]:
        """The columns in which something else is written."""
        return frozenset((self.column, *self.also))

    @property
    def touches(self) -> frozenset[str]:
        """The columns on which the fault or its consequence depends."""
        return self.writes | {*self.absent, *self.present}


def is_hard(contract: Contract, rule: str) -> bool:
    """Whether an implied rule of the contract quarantines the row."""
    if rule in contract.gates:
        return contract.gates[rule] is not Gate.WARN
    accepts = contract.source is not None and contract.source.drift.untypable_value is Drift.ACCEPT
    return not (rule.endswith("_type") and accepts)


def hard_row_rules(contract: Contract) -> list[Rule]:
    """The written rules that quarantine a row."""
    return [r for r in contract.rules if r.holds is not None and r.gate is not Gate.WARN]


def faults_of(contract: Contract, codes: Mapping[str, Collection[str]]) -> tuple[Fault, ...]:
    """All faults that rows of the dataset can have; `codes` holds the values of each code table."""
    found = [*_implied(contract, codes), *_written(contract)]
    return tuple(f for f in found if f.values)


def untouched_rules(contract: Contract, faults: Collection[Fault]) -> list[str]:
    """The hard written rules that no fault breaks."""
    broken = {name for fault in faults for name in fault.broken}
    return sorted(r.name for r in hard_row_rules(contract) if r.name not in broken)


def _implied(contract: Contract, codes: Mapping[str, Collection[str]]) -> Iterator[Fault]:
    rules = hard_row_rules(contract)
    in_city = {m[1] for r in rules if (m := _IN_CITY.match(r.holds or ""))}
    in_town = {m[2]: (m[1], r.name) for r in rules if (m := _IN_TOWN.match(r.holds or ""))}
    for column in contract.delivered_columns:
        name = column.name
        if (column.required or column.is_key) and is_hard(contract, f"{name}_required"):
            yield Fault("missing", name, (None,), (f"{name}_required",))
            if "geometry" not in column.delivered_as:  # words have no place in a geometry
                yield Fault("null word", name, NULL_WORDS, (f"{name}_required",))
        untyped = _untyped(column)
        if untyped and is_hard(contract, f"{name}_type"):
            yield Fault("untypable", name, untyped, (f"{name}_type",))
        if column.code_table is not None and is_hard(contract, f"{name}_code"):
            known = codes[column.code_table]
            unknown = [w for w in UNKNOWN_CODES if w not in known and w not in column.codes]
            if name in in_city:
                unknown = [w for w in unknown if w.startswith("421281")]
            unknown = [w for w in unknown if len(w) == (column.type.length or len(w))] or unknown
            broken, present = {f"{name}_code"}, {}
            if name in in_town:
                other, rule = in_town[name]
                broken, present = broken | {rule}, {other: None}
            yield Fault(
                "unknown code", name, tuple(unknown[:2]), tuple(sorted(broken)), present=present
            )
    source = contract.source
    assert source is not None
    if source.sequence and contract.column(source.sequence).type.name is TypeName.TIMESTAMP:
        late = f"{source.sequence}_not_after_receipt"
        if is_hard(contract, late):
            yield Fault("late sequence", source.sequence, ("2099-01-01 00:00:00",), (late,))


def _untyped(column: Column) -> tuple[str, ...]:
    words = UNTYPED.get(column.type.name, ())
    if column.unit is Unit.TEN_THOUSAND_YUAN:
        # One digit more than a fen: refused rather than rounded.
        return (*words, "1.2345678")
    if column.unit is Unit.YUAN:
        return (*words, "12.345")
    return words


def _written(contract: Contract) -> Iterator[Fault]:
    rules = hard_row_rules(contract)
    ordered = [(m[1], m[2], r.name) for r in rules if (m := _ORDERED.match(r.holds or ""))]
    for rule in rules:
        if rule.metric == "invalidValues":
            yield from _invalid(contract, rule)
            continue
        holds = rule.holds or ""
        if match := _NOT_FUTURE.match(holds):
            yield from _future(match[1], rule.name, ordered)
        elif match := _ORDERED.match(holds):
            yield from _disordered(match[1], match[2], rule.name, ordered)
        elif match := _POSITIVE.match(holds):
            yield Fault("not positive", match[1], ("0", "-100"), (rule.name,))
        elif match := _NOT_NEGATIVE.match(holds):
            yield Fault("negative", match[1], ("-1", "-20"), (rule.name,))
        elif match := _BETWEEN.match(holds):
            yield from _outside(contract, match[1], match[3], rule.name, rules)
        elif match := _NOT_BELOW.match(holds):
            yield Fault("too early", match[1], (str(int(match[2]) - 1),), (rule.name,))
        elif match := _IN_CITY.match(holds):
            yield Fault("elsewhere", match[1], ("421202001", "421221103"), (rule.name,))
        elif match := _READABLE.match(holds):
            yield Fault("garbled", match[1], ("锟斤拷", "张锟斤拷", "李\ufffd"), (rule.name,))
        elif match := _IS_CREDIT_CODE.match(holds):
            yield Fault("wrong credit code", match[1], WRONG_AUTHORITY, (rule.name,))
        elif match := _IN_TOWN.match(holds):
            yield Fault(
                "other town", match[2], ("421202001",), (rule.name,), present={match[1]: None}
            )
        elif match := _POLYGON.match(holds):
            yield Fault("no polygon", match[1], (POINT,), (rule.name,))


def _invalid(contract: Contract, rule: Rule) -> Iterator[Fault]:
    assert rule.column is not None
    column = contract.column(rule.column)
    if "pattern" in rule.arguments:
        pattern = re.compile(rule.arguments["pattern"])
        words = tuple(w for w in UNFIT_WORDS if not pattern.search(w))
    else:
        valid = {str(v) for v in rule.arguments["validValues"]}
        words = tuple(w for w in UNKNOWN_WORDS if w not in valid and w not in column.codes)
    yield Fault("invalid value", column.name, words, (rule.name,))


def _future(column: str, rule: str, ordered: list[tuple[str, str, str]]) -> Iterator[Fault]:
    """A date after the business date; a later date that should follow it is overtaken."""
    after = {other: name for first, other, name in ordered if first == column}
    yield Fault("future", column, (FUTURE,), (rule,), absent=tuple(after))
    for other, name in after.items():
        rest = tuple(o for o in after if o != other)
        broken = tuple(sorted((rule, name)))
        yield Fault("future", column, (FUTURE,), broken, absent=rest, present={other: FUTURE})


def _disordered(
    first: str, second: str, rule: str, ordered: list[tuple[str, str, str]]
) -> Iterator[Fault]:
    """The second of two dates before the first one."""
    others = tuple(f for f, s, name in ordered if s == second and name != rule)
    yield Fault("out of order", second, (PAST,), (rule,), absent=others, present={first: None})


def _outside(
    contract: Contract, column: str, high: str, rule: str, rules: list[Rule]
) -> Iterator[Fault]:
    if column == "longitude":
        # The department wrote latitude and longitude the wrong way round.
        names = tuple(sorted(r.name for r in rules if r.name.endswith("itude_in_city")))
        yield Fault(
            "swapped coordinates", column, ("29.712345",), names, also={"latitude": "113.887766"}
        )
        return
    whole = contract.column(column).type.name in (TypeName.INTEGER, TypeName.BIGINT)
    beyond = str(int(float(high)) + 1) if whole else f"{float(high) + 1:.1f}"
    yield Fault("out of range", column, (beyond,), (rule,))


def applies(fault: Fault, columns: Mapping[str, Text], row: int) -> bool:
    """Whether the row is of the kind that the fault needs."""
    if any(columns[name][row].is_valid for name in fault.absent):
        return False
    for name, below in fault.present.items():
        value = columns[name][row].as_py()
        if value is None or (below is not None and not value < below):
            return False
    return True


def takes_changes(contract: Contract) -> bool:
    """Whether rows of the dataset carry a change word."""
    return contract.source is not None and contract.source.mode is Mode.CHANGES
