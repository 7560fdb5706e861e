"""
One dialect, Trino's, for every rule and model, and redcliff's own functions in it.

SQL is written as text with `:name` places, parsed once, and filled with expressions or values
(`sql`): no value is ever glued into a text. Functions of our own are unfolded into plain SQL
(`unfold`); the few that engines say differently are left to `lake.engines.rendering`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from catalog.contract import DataType, TypeName

Part = exp.Expr | str | int | bool | date | Decimal | None
Rewrite = Callable[..., exp.Expr]

WHITE_SPACE = " \t\r\n\u3000\u00a0\ufeff"
"""What is trimmed from both ends of a delivered value; U+3000 is the ideographic space."""

TRUSTED = "trusted"
"""Mark of casts and changes of case in redcliff's own templates: every engine reads them alike."""

YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
"""A pattern of years; there is none that is 0, which some engines read as 1 BC."""

OFFSET = "[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00"
"""A pattern of how far a clock is from UTC: 14 hours at most."""

FULL_WIDTH = "".join(chr(c + 0xFEE0) for c in range(0x21, 0x7F))
HALF_WIDTH = "".join(chr(c) for c in range(0x21, 0x7F))
ANY_FULL_WIDTH = f"[{FULL_WIDTH[0]}-{FULL_WIDTH[-1]}]"


def load_dialect(name: str) -> None:
    """
    Load a dialect of sqlglot; called when a module is imported that reads or writes it.

    By itself sqlglot does so when it is first asked for one, and shows it to other threads before
    it is complete: these would write the SQL of its parent, Spark's `TRY_CAST` as `CAST`.
    """
    Dialect.get_or_raise(name)


load_dialect("trino")


def bare(tree: exp.Expr) -> exp.Expr:
    """
    `tree` without comments, and without where its words stood in the text.

    They tell an engine nothing, and sqlglot copies them at every step, which is half of the cost.
    """
    for node in tree.walk():
        node.comments = None
        node._meta = None
    return tree


@lru_cache(maxsize=2048)
def _parsed(template: str) -> exp.Expr:
    tree = bare(sqlglot.parse_one(template, dialect="trino"))
    for node in tree.walk():
        if isinstance(node, exp.Cast | exp.Upper | exp.Lower):
            node.set(TRUSTED, True)
    return tree


def literal(value: Part) -> exp.Expr:
    """The SQL literal of a Python value; an expression is taken as it is."""
    if isinstance(value, exp.Expr):
        return value
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DataType.Type.DATE)
    if isinstance(value, int | Decimal):
        return exp.convert(value)
    return exp.Literal.string(value)


def sql(template: str, **parts: Part) -> exp.Expr:
    """
    Parse a template in Trino's dialect and put `parts` in the places of `:name`.

    >>> sql("length(:x) > :n", x=exp.column("name"), n=3).sql("trino")
    'LENGTH(name) > 3'
    """
    tree = _parsed(template).copy()
    for place in list(tree.find_all(exp.Placeholder)):
        part = free(literal(parts[place.name]))
        if isinstance(part, exp.Binary | exp.Connector):
            part = exp.paren(part, copy=False)
        if place is tree:
            return part
        place.replace(part)
    return tree


def query(template: str, **parts: Part) -> exp.Query:
    """`sql` for a whole SELECT."""
    tree = sql(template, **parts)
    if not isinstance(tree, exp.Query):
        raise TypeError(f"not a query: {template[:80]}")
    return tree


def column(name: str, table: str | None = None) -> exp.Column:
    """A column, always quoted: contract names may be words of SQL."""
    held = None if table is None else exp.Identifier(this=table, quoted=False)
    return exp.Column(this=exp.Identifier(this=name, quoted=True), table=held)


def call(name: str, *arguments: Part) -> exp.Expr:
    """A call of one of redcliff's own functions, to be unfolded or rendered."""
    return exp.Anonymous(this=name, expressions=[free(literal(a)) for a in arguments])


def free(part: exp.Expr) -> exp.Expr:
    """`part`, or a copy of it where it stands in a tree already: a node has one parent."""
    return part if part.parent is None else part.copy()


def named(value: exp.Expr, name: str) -> exp.Alias:
    """`value AS "name"`; `exp.alias_` would copy the value."""
    return exp.Alias(this=free(value), alias=exp.Identifier(this=name, quoted=True))


def case_when(*branches: tuple[exp.Expr, exp.Expr], default: exp.Expr | None = None) -> exp.Case:
    """
    A CASE of conditions and values.

    >>> case_when((sql("x > 1"), sql("'many'")), default=sql("'few'")).sql("trino")
    "CASE WHEN x > 1 THEN 'many' ELSE 'few' END"
    """
    # `Case.when` copies all branches that there are for each one more.
    ifs = [exp.If(this=free(when), true=free(then)) for when, then in branches]
    return exp.Case(ifs=ifs, default=None if default is None else free(default))


def type_of(data_type: DataType) -> exp.DataType:
    """The SQL type of a contract's type; varchar and char carry no length in the lake."""
    match data_type.name:
        case TypeName.DECIMAL:
            return exp.DataType.build(f"DECIMAL({data_type.precision},{data_type.scale})", "trino")
        case TypeName.INSTANT:
            return exp.DataType.build("TIMESTAMP WITH TIME ZONE", "trino")
        case TypeName.MAP:
            return exp.DataType.build("MAP(VARCHAR, VARCHAR)", "trino")
        case TypeName.STRINGS:
            return exp.DataType.build("ARRAY(VARCHAR)", "trino")
        case TypeName.STRING:
            return exp.DataType.build("VARCHAR", "trino")
        case other:
            return exp.DataType.build(other.value.upper(), "trino")


def cast_to(value: exp.Expr, data_type: DataType) -> exp.Expr:
    """`CAST(value AS type)` of a value that is no text to be read."""
    return exp.Cast(this=value.copy(), to=type_of(data_type), **{TRUSTED: True})


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """The conjunction; TRUE of none."""
    return exp.and_(*[free(c) for c in conditions], copy=False) or exp.true()


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """The disjunction; FALSE of none."""
    listed = [free(c) for c in conditions]
    return exp.or_(*listed, copy=False) if listed else exp.false()


# --- redcliff's own functions, in plain SQL ------------------------------------------------

CITIZEN_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _weighted_sum(x: exp.Expr, alphabet: str, weights: Mapping[int, int], modulus: int) -> exp.Expr:
    """
    Σ weight × place of the character in the alphabet, by the characters' positions in `x`; equal
    to it by the modulus, that is. strpos never fails, unlike a cast, and counts from 1.
    """
    terms: exp.Expr = exp.Literal.number(-sum(weights.values()) % modulus)
    for position, weight in weights.items():
        term = sql(
            "strpos(:alphabet, substr(:x, :position, 1)) * :weight",
            alphabet=alphabet,
            x=x,
            position=position,
            weight=weight,
        )
        terms = exp.Add(this=terms, expression=term)
    return exp.paren(terms)


def _check_character(x: exp.Expr, weights: Mapping[int, int]) -> exp.Expr:
    total = _weighted_sum(x, "0123456789", weights, 11)
    return sql("substr('10X98765432', mod(:total, 11) + 1, 1)", total=total)


def _to_18_digits(x: exp.Expr) -> exp.Expr:
    """15 digits were issued until 1999: the century is 19, the check character is added."""
    # The century weighs 1 × 2 + 9 × 1 = 11: nothing by the modulus.
    weights = (*CITIZEN_ID_WEIGHTS[:6], *CITIZEN_ID_WEIGHTS[8:])
    return sql(
        r"""CASE WHEN regexp_like(:x, '^[0-9]{15}$')
                 THEN concat(substr(:x, 1, 6), '19', substr(:x, 7, 9), :check) ELSE :x END""",
        x=x,
        check=_check_character(x, dict(enumerate(weights, start=1))),
    )


def _is_citizen_id(x: exp.Expr, on: exp.Expr) -> exp.Expr:
    """GB 11643: 17 digits and a check character, a real birth date not after the business date."""
    return sql(
        r"""CASE WHEN :x IS NULL THEN NULL
                 WHEN NOT regexp_like(:x, '^[1-9][0-9]{16}[0-9X]$') THEN FALSE
                 WHEN substr(:x, 18, 1) <> :check THEN FALSE
                 ELSE coalesce(
                   try_cast(concat(substr(:x, 7, 4), '-', substr(:x, 11, 2), '-', substr(:x, 13, 2))
                     AS date) <= :day, FALSE) END""",
        x=x,
        check=_check_character(x, dict(enumerate(CITIZEN_ID_WEIGHTS, start=1))),
        day=on,
    )


def _is_uscc(x: exp.Expr) -> exp.Expr:
    """GB 32100: 18 characters of 31, the last one the check character (weights 3^i mod 31)."""
    total = _weighted_sum(x, USCC_ALPHABET, {i + 1: pow(3, i, 31) for i in range(17)}, 31)
    check = sql(
        "substr(:alphabet, mod(31 - mod(:total, 31), 31) + 1, 1)",
        alphabet=USCC_ALPHABET,
        total=total,
    )
    return sql(
        r"""CASE WHEN :x IS NULL THEN NULL
                 WHEN NOT regexp_like(:x,
                   '^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$') THEN FALSE
                 ELSE substr(:x, 18, 1) = :check END""",
        x=x,
        check=check,
    )


def _let(name: str, value: exp.Expr, body: Rewrite) -> exp.Expr:
    """Compute `value` once and use it as `name` in `body`: a checksum needs its text 17 times."""
    bound = exp.Lambda(this=body(exp.column(name)), expressions=[exp.to_identifier(name)])
    listed = exp.Array(expressions=[value.copy()])
    return call("first_of", exp.Transform(this=listed, expression=bound))


def _standard_citizen_id(x: exp.Expr) -> exp.Expr:
    text = sql("upper(:x)", x=call("half_width", x))
    return _let("digits_", text, _to_18_digits)


def _standard_uscc(x: exp.Expr) -> exp.Expr:
    return sql("upper(:x)", x=call("half_width", x))


def _half_width(x: exp.Expr) -> exp.Expr:
    # Nearly no text has any; looking first is several times cheaper than translating.
    return sql(
        "CASE WHEN regexp_like(:x, :any) THEN translate(:x, :full, :half) ELSE :x END",
        x=x,
        any=ANY_FULL_WIDTH,
        full=FULL_WIDTH,
        half=HALF_WIDTH,
    )


def _trimmed(x: exp.Expr, of: exp.Expr, *reasons: str) -> exp.Expr:
    """`of` without white space at its ends; `x` itself where neither it nor `reasons` are found."""
    # One look at the whole text costs a quarter of trim, which looks at each character.
    return sql(
        "CASE WHEN regexp_like(:x, :reasons) THEN :trimmed ELSE :x END",
        x=x,
        reasons="|".join((f"^[{WHITE_SPACE}]", f"[{WHITE_SPACE}]$", *reasons)),
        trimmed=exp.Trim(
            this=of.copy(), expression=exp.Literal.string(WHITE_SPACE), position="BOTH"
        ),
    )


def macros(business_date: date | exp.Expr | None) -> Mapping[str, Rewrite]:
    """Functions that rules and models may call, as plain SQL; the date is given."""

    def day() -> exp.Expr:
        if business_date is None:
            raise ValueError("business_date() has no meaning here")
        return literal(business_date)

    return {
        "business_date": day,
        "run_date": day,
        "half_width": _half_width,
        "standard_citizen_id": _standard_citizen_id,
        "standard_uscc": _standard_uscc,
        "is_citizen_id": lambda x: _let(
            "id_", _standard_citizen_id(x), lambda id_: _is_citizen_id(id_, day())
        ),
        "is_uscc": lambda x: _let("code_", _standard_uscc(x), _is_uscc),
        "to_18_digits": _to_18_digits,
        "is_standard_citizen_id": lambda x: _is_citizen_id(x, day()),
        "is_standard_uscc": _is_uscc,
        "trim_all": lambda x: _trimmed(x, x),
        "trim_half_width": lambda x: _trimmed(x, _half_width(x), ANY_FULL_WIDTH),
    }


def replace_calls(
    tree: exp.Expr, rewrites: Mapping[str, Rewrite], *, copy: bool = True
) -> exp.Expr:
    """Replace calls, innermost first, until none is left that `rewrites` knows."""
    tree = tree.copy() if copy else tree
    # A parent is walked before its arguments: backwards, every call finds its own replaced.
    for call_ in reversed(list(tree.find_all(exp.Anonymous, bfs=False))):
        rewrite = rewrites.get(str(call_.this).lower())
        if rewrite is None:
            continue
        arguments = call_.expressions
        for argument in arguments:
            argument.parent = None  # the call goes: what takes its place need not copy them
        said = replace_calls(rewrite(*arguments), rewrites, copy=False)
        if call_ is tree:
            tree = said
        else:
            call_.replace(said)
    return tree


def unfold(tree: exp.Expr, day: date | None = None) -> exp.Expr:
    """
    `tree` with redcliff's own functions as plain SQL.

    `day` is what `business_date()` and `run_date()` stand for; ValueError when the tree asks for
    it and there is none.
    """
    return replace_calls(tree, macros(day))
