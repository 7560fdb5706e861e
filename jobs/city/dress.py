"""From canonical text to a department's own: its headers, its dates, words where we have codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.contract import Column, Contract, TypeName
from catalog.vocabulary import DateForm
from jobs.city.dice import Numbers
from jobs.city.registers.register import DELETE, INSERT, UPDATE, Style
from jobs.city.text import Text, take, vocabulary

_ISO = r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$"
_ISO_SHORT = r"^([0-9]{4})-0?([0-9]{1,2})-0?([0-9]{1,2})$"
_FORMS = {
    DateForm.COMPACT: (_ISO, r"\1\2\3"),
    DateForm.SLASHED: (_ISO_SHORT, r"\1/\2/\3"),
    DateForm.DOTTED: (_ISO_SHORT, r"\1.\2.\3"),
    DateForm.CHINESE: (_ISO_SHORT, r"\1年\2月\3日"),
}


def header_of(column: Column, style: Style) -> str:
    """The header under which the department delivers the column."""
    if not column.delivered_as:
        return column.name
    if style.chinese:
        return next((h for h in column.delivered_as if not h.isascii()), column.delivered_as[0])
    return column.delivered_as[0]


def headers_of(contract: Contract, style: Style) -> dict[str, str]:
    """Header by contract column, in the contract's order."""
    return {c.name: header_of(c, style) for c in contract.delivered_columns}


def dressed(contract: Contract, columns: Mapping[str, Text], style: Style) -> dict[str, Text]:
    """Values as the department writes them; what is no date or code is left alone."""
    return {c.name: _dressed(c, columns[c.name], style) for c in contract.delivered_columns}


def _dressed(column: Column, values: Text, style: Style) -> Text:
    if column.type.name is TypeName.DATE:
        form = DateForm(style.date_form)
        if form in _FORMS and form in column.date_forms:
            pattern, replacement = _FORMS[form]
            return pc.replace_substring_regex(values, pattern, replacement)
        return values
    if style.chinese and column.codes:
        words: dict[str, str] = {}
        for word, code in column.codes.items():
            words.setdefault(str(code), word)
        found = pc.index_in(values, value_set=pa.array(list(words), pa.string()))
        return pc.coalesce(vocabulary(list(words.values())).take(found), values)
    return values


def change_header(contract: Contract, style: Style) -> str | None:
    """The header of the change column; None where the dataset has none."""
    change = contract.source.change if contract.source else None
    if change is None:
        return None
    return change.headers[0] if style.chinese else change.headers[-1]


def change_words(contract: Contract, style: Style, changes: Numbers) -> Text:
    """The department's word for each change."""
    change = contract.source.change if contract.source else None
    assert change is not None
    upserts = [w for w in change.upsert if w.isascii() != style.chinese] or list(change.upsert)
    deletes = [w for w in change.delete if w.isascii() != style.chinese] or list(change.delete)
    words = {INSERT: upserts[0], UPDATE: upserts[-1], DELETE: deletes[0]}
    return take(vocabulary([words[kind] for kind in (INSERT, UPDATE, DELETE)]), np.asarray(changes))
