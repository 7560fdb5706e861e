"""
From delivered text to typed values: what `docs/reference/contract.md` calls standardising.

`standardize` adds to every delivered row, beside the text as delivered (`_text_<column>`):

* `_row_hash`, the same on every engine;
* `_std_<column>`, the standard text: trimmed, null words absent, codes and width settled;
* `<column>`, the typed value, NULL where the text cannot be typed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date

from sqlglot import exp

from catalog.contract import Column, Contract, DataType, TypeName
from catalog.dialect import OFFSET, YEAR, call, case_when, column, named, sql, type_of
from catalog.vocabulary import DateForm, Derivation, Mode, SemanticType, Unit

NULL_WORDS = ("", "\\N", "/", "无", "—", "-", "null", "NULL", "NaN", "N/A", "#N/A", "0000-00-00")
PERMANENT_WORDS = ("长期", "永久", "长期有效")
PERMANENT_DATES = (date(2099, 12, 31), date(9999, 9, 9))
TRUE_WORDS = ("1", "true", "是", "y", "yes", "t")
FALSE_WORDS = ("0", "false", "否", "n", "no", "f")
TECHNICAL = ("_extra", "_change", "_file", "_row_number", "_missing", "_fault", "_record")
"""What the readers add to every record."""


def text(name: str) -> exp.Column:
    """The column's text as delivered."""
    return column(f"_text_{name}")


def standard_text(name: str) -> exp.Column:
    """The column's standard text."""
    return column(f"_std_{name}")


def is_code_like(c: Column) -> bool:
    """Whether full-width letters and digits become ASCII: never in names and free text."""
    return (
        c.is_key
        or c.type.name is not TypeName.STRING
        or c.semantic_type is not None
        or c.code_table is not None
        or bool(c.codes)
        or c.name.endswith("_code")
    )


def row_hash(contract: Contract) -> exp.Expr:
    """
    The hash of a row over its text in contract order (`hash_text`).

    An unreadable record is hashed by what stood there.
    """
    names = [f"_text_{c.name}" for c in contract.delivered_columns]
    if contract.source and contract.source.mode is Mode.CHANGES:
        names.append("_change")
    return sql(
        "row_hash_of(CASE WHEN _fault IS NULL THEN :whole ELSE concat('!', _record) END)",
        whole=hash_text(column(name) for name in names),
    )


def hash_text(values: Iterable[exp.Expr]) -> exp.Expr:
    """
    The text that is hashed for these texts.

    Every one stands as `<length>:<text>` and an absent one as `-`, so that null, the empty text
    and text that looks like a separator never give the same row.
    """
    return call("hash_text", *values)


def is_one_of(value: exp.Expr, words: Iterable[str]) -> exp.Expr:
    """Whether the text `value` is one of the words, of which there is at least one."""
    return call("is_one_of", value, *words)


def _trimmed(c: Column) -> exp.Expr:
    return call("trim_half_width" if is_code_like(c) else "trim_all", text(c.name))


def _standard(c: Column) -> exp.Expr:
    trimmed = column(f"_trim_{c.name}")
    words = [
        (exp.EQ(this=trimmed.copy(), expression=exp.Literal.string(word)), code_literal(code))
        for word, code in c.codes.items()
    ]
    value = case_when((is_one_of(trimmed, NULL_WORDS), exp.null()), *words, default=trimmed)
    # A lower-case x is another form of the same number, not another number.
    is_number = c.semantic_type in (SemanticType.CITIZEN_ID, SemanticType.USCC)
    return sql("upper(:x)", x=value) if is_number else value


def code_literal(code: str) -> exp.Expr:
    """A code as SQL: codes are text, also when they look like numbers."""
    return exp.Literal.string(str(code))


# --- typed values --------------------------------------------------------------------------

# All engines read alike what these patterns let through to a cast: some know 24:00 and the year 0.
_HOUR = "([01][0-9]|2[0-3])"
_MINUTES = f"{_HOUR}:[0-5][0-9]"
_SECONDS = ":[0-5][0-9]([.][0-9]{1,9})?"
_ZONE = f"(Z|{OFFSET})"

_SEPARATED: Mapping[DateForm, str] = {
    DateForm.ISO: "-[0-9]{1,2}-[0-9]{1,2}[ T]00:00(:00([.]0+)?)?",
    DateForm.SLASHED: "/[0-9]{1,2}/[0-9]{1,2}",
    DateForm.DOTTED: "[.][0-9]{1,2}[.][0-9]{1,2}",
    DateForm.CHINESE: "年[0-9]{1,2}月[0-9]{1,2}日",
}
"""What follows the year where a date is not written as casts read it."""


def _date(x: exp.Expr, forms: tuple[DateForm, ...]) -> exp.Expr:
    """The date that `x` writes in one of the forms; midnight behind it is Excel's habit."""
    branches = []
    if DateForm.ISO in forms:
        branches.append(
            (
                sql("regexp_like(:x, :p)", x=x, p=f"^{YEAR}-[0-9]{{1,2}}-[0-9]{{1,2}}$"),
                sql("TRY_CAST(:x AS date)", x=x),
            )
        )
    if DateForm.COMPACT in forms:
        branches.append(
            (
                sql("regexp_like(:x, :p)", x=x, p=f"^{YEAR}[0-9]{{4}}$"),
                sql(
                    """TRY_CAST(concat(substr(:x, 1, 4), '-', substr(:x, 5, 2), '-',
                                substr(:x, 7, 2)) AS date)""",
                    x=x,
                ),
            )
        )
    separated = "|".join(pattern for form, pattern in _SEPARATED.items() if form in forms)
    if separated:
        branches.append(
            (
                sql("regexp_like(:x, :p)", x=x, p=f"^{YEAR}({separated})$"),
                sql(
                    "TRY_CAST(split_part(translate(:x, 'T/.年月日', ' ----'), ' ', 1) AS date)",
                    x=x,
                ),
            )
        )
    return case_when(*branches)


def _timestamp(c: Column, x: exp.Expr) -> exp.Expr:
    """A wall-clock time, cut to milliseconds; a date alone is its midnight."""
    written = case_when(
        (
            sql(
                "regexp_like(:x, :p)",
                x=x,
                p=f"^{YEAR}-[0-9]{{2}}-[0-9]{{2}}[ T]{_MINUTES}({_SECONDS})?$",
            ),
            sql("TRY_CAST(replace(:x, 'T', ' ') AS timestamp)", x=x),
        ),
        (
            sql(
                "regexp_like(:x, :p)",
                x=x,
                p=f"^{YEAR}[0-9]{{4}}{_HOUR}([0-5][0-9]){{2}}$",
            ),
            sql(
                """TRY_CAST(concat(substr(:x, 1, 4), '-', substr(:x, 5, 2), '-', substr(:x, 7, 2),
                            ' ', substr(:x, 9, 2), ':', substr(:x, 11, 2), ':',
                            substr(:x, 13, 2)) AS timestamp)""",
                x=x,
            ),
        ),
        (
            sql(
                "regexp_like(:x, :p)",
                x=x,
                p=f"^{YEAR}/[0-9]{{1,2}}/[0-9]{{1,2}} "
                "([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
            ),
            sql(
                """TRY_CAST(concat(CAST(:day AS varchar), ' ', lpad(:clock,
                            CASE WHEN length(:clock) > 5 THEN 8 ELSE 5 END, '0')) AS timestamp)""",
                day=_date(sql("split_part(:x, ' ', 1)", x=x), (DateForm.SLASHED,)),
                clock=sql("split_part(:x, ' ', 2)", x=x),
            ),
        ),
        default=sql("CAST(:day AS timestamp)", day=_date(x, c.date_forms)),
    )
    return call("to_local_milliseconds", written)


def _instant(c: Column, x: exp.Expr) -> exp.Expr:
    """An instant, cut to milliseconds; without a zone it is UTC."""
    return call(
        "to_milliseconds",
        sql(
            """CASE WHEN regexp_like(:x, :p)
                    THEN TRY_CAST(:x AS timestamp with time zone) END""",
            x=x,
            p=f"^{YEAR}-[0-9]{{2}}-[0-9]{{2}}[ T]{_MINUTES}{_SECONDS}{_ZONE}?$",
        ),
    )


# DuckDB reads a decimal of over 18 digits from text, and multiplies it, a hundred times slower.
_NARROW, _NARROW_TEN_THOUSANDS = 18, 12


def _yuan(x: exp.Expr, to: str) -> exp.Expr:
    """The yuan of a text in 万元."""
    read = "TRY_CAST(TRY_CAST(:x AS DECIMAL({},6)) * 10000 AS {})"
    narrow, wide = (read.format(digits, to) for digits in (_NARROW_TEN_THOUSANDS, 24))
    return sql(f"coalesce({narrow}, {wide})", x=x)


def _decimal(x: exp.Expr, to: DataType) -> exp.Expr:
    wide = f"TRY_CAST(:x AS {type_of(to).sql('trino')})"
    assert to.precision is not None
    if to.precision <= _NARROW:
        return sql(wide, x=x)
    return sql(f"coalesce(TRY_CAST(:x AS DECIMAL({_NARROW},{to.scale})), {wide})", x=x)


def _number(c: Column, x: exp.Expr) -> exp.Expr:
    whole = c.type.name in (TypeName.INTEGER, TypeName.BIGINT)
    pattern = r"^[+-]?[0-9]+$" if whole else r"^[+-]?[0-9]+([.][0-9]+)?$"
    if c.unit is not None:
        # Money is never rounded in silence: digits beyond the fen make the value untypable.
        digits = 2 if c.unit is Unit.YUAN else 6
        pattern = rf"^[+-]?[0-9]+([.][0-9]{{1,{digits}}}0*)?$"
    to = type_of(c.type).sql("trino")
    if c.unit is Unit.TEN_THOUSAND_YUAN:
        typed = _yuan(x, to)
    elif whole:
        typed = sql(f"TRY_CAST(:x AS {to})", x=x)
    else:
        typed = _decimal(x, c.type)
    return sql("CASE WHEN regexp_like(:x, :p) THEN :typed END", x=x, p=pattern, typed=typed)


def _boolean(c: Column, x: exp.Expr) -> exp.Expr:
    lowered = sql("lower(:x)", x=x)
    return case_when(
        (is_one_of(lowered, TRUE_WORDS), exp.true()), (is_one_of(lowered, FALSE_WORDS), exp.false())
    )


def _string(c: Column, x: exp.Expr) -> exp.Expr:
    match c.semantic_type:
        case SemanticType.CITIZEN_ID:
            number = column(f"_id_{c.name}")
            return sql(
                "CASE WHEN :valid THEN :x END",
                x=number,
                valid=call("is_standard_citizen_id", number),
            )
        case SemanticType.USCC:
            return sql("CASE WHEN :valid THEN :x END", x=x, valid=call("is_standard_uscc", x))
    return x.copy()


_TYPED: Mapping[TypeName, Callable[[Column, exp.Expr], exp.Expr]] = {
    TypeName.STRING: _string,
    TypeName.INTEGER: _number,
    TypeName.BIGINT: _number,
    TypeName.DECIMAL: _number,
    TypeName.BOOLEAN: _boolean,
    TypeName.DATE: lambda c, x: _date(x, c.date_forms),
    TypeName.TIMESTAMP: _timestamp,
    TypeName.INSTANT: _instant,
}


def is_permanent(value: exp.Expr, x: exp.Expr) -> exp.Expr:
    """Whether a date stands for 长期: by a word, or by one of the dates that mean it."""
    dates = exp.In(
        this=value.copy(),
        expressions=[exp.cast(exp.Literal.string(d.isoformat()), "date") for d in PERMANENT_DATES],
    )
    return sql(
        "coalesce(:words, FALSE) OR coalesce(:dates, FALSE)",
        words=is_one_of(x, PERMANENT_WORDS),
        dates=dates,
    )


def permanent_column(contract: Contract, name: str) -> Column | None:
    """The column that says whether the date `name` stands for 长期, if the contract has one."""
    for c in contract.columns:
        if c.derive and c.derive.how is Derivation.PERMANENT and c.derive.column == name:
            return c
    return None


def _typed(contract: Contract, c: Column) -> exp.Expr:
    if c.derive is None:
        return column(f"_typed_{c.name}")
    origin = c.derive.column
    if c.derive.how is Derivation.DELIVERED:
        return sql(
            "CASE WHEN :std IS NOT NULL THEN :delivered END",
            std=standard_text(origin),
            delivered=call("trim_all", text(origin)),
        )
    return is_permanent(column(f"_typed_{origin}"), standard_text(origin))


def _final(contract: Contract, c: Column) -> exp.Expr:
    if c.derive is None and permanent_column(contract, c.name):
        value = column(f"_typed_{c.name}")
        return sql(
            "CASE WHEN NOT (:permanent) THEN :value END",
            permanent=is_permanent(value, standard_text(c.name)),
            value=value,
        )
    return _typed(contract, c)


def standardize(
    contract: Contract,
    delivered: str,
    carry: tuple[str, ...] = (),
    only: Collection[str] | None = None,
) -> exp.Select:
    """
    The delivered rows of relation `delivered` with hash, standard text and typed values.

    Rows are neither dropped nor judged; the columns of `TECHNICAL` and `carry` come along. With
    `only`, these columns of the contract are typed and no others, and rows have no hash.
    """
    kept = [c for c in contract.columns if only is None or c.name in only]
    read = {c.derive.column if c.derive else c.name for c in kept}
    columns = [c for c in contract.delivered_columns if c.name in read]
    carried = [column(t) for t in (*TECHNICAL, *carry)]
    hashes = [named(row_hash(contract), "_row_hash")] if only is None else []
    hashed = [column("_row_hash")] if only is None else []
    texts = exp.select(
        *[named(column(c.name), f"_text_{c.name}") for c in columns], *carried
    ).from_(exp.to_table(delivered), copy=False)
    trimmed = exp.select(
        exp.Star(),
        *hashes,
        *[named(_trimmed(c), f"_trim_{c.name}") for c in columns],
    ).from_(texts.subquery("texts", copy=False), copy=False)
    standard = exp.select(
        *[text(c.name) for c in columns],
        *carried,
        *hashed,
        *[named(_standard(c), f"_std_{c.name}") for c in columns],
    ).from_(trimmed.subquery("trimmed", copy=False), copy=False)
    ids = [c for c in columns if c.semantic_type is SemanticType.CITIZEN_ID]
    if ids:
        standard = exp.select(
            exp.Star(),
            *[named(call("to_18_digits", standard_text(c.name)), f"_id_{c.name}") for c in ids],
        ).from_(standard.subquery("standard", copy=False), copy=False)
    typed = exp.select(
        exp.Star(),
        *[
            named(_TYPED[c.type.name](c, standard_text(c.name)), f"_typed_{c.name}")
            for c in columns
        ],
    ).from_(standard.subquery("standard", copy=False), copy=False)
    return exp.select(
        *[text(c.name) for c in columns],
        *[standard_text(c.name) for c in columns],
        *carried,
        *hashed,
        *[named(_final(contract, c), c.name) for c in kept],
    ).from_(typed.subquery("typed", copy=False), copy=False)
