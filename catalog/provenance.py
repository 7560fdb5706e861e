"""How a dataset comes into being: delivered by a department, or made from other datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.columns import SOURCES
from catalog.contract import (
    Change,
    Column,
    DriftModes,
    Golden,
    KeyRegister,
    Source,
    TypeName,
)
from catalog.grammar import Fields, did_you_mean
from catalog.parsed import Parsed
from catalog.vocabulary import Format, Mode, Theme

ORDERED = (
    TypeName.DATE,
    TypeName.TIMESTAMP,
    TypeName.INSTANT,
    TypeName.INTEGER,
    TypeName.BIGINT,
)
"""The types that order the versions of one key."""

REGISTER_COLUMNS = ("source_dataset", "source_key", "ordinal", "delivery_id", "reason")
"""What every key register holds beside its entity."""


def read_source(parsed: Parsed, theme: Theme, columns: Sequence[Column]) -> Source | None:
    """How departments deliver the dataset (`redcliff.source`)."""
    own = parsed.own
    said = own.get("source")
    if said is None or "mode" not in said or "format" not in said:
        return None
    mode, form = said["mode"], said["format"]
    by_name = {column.name: column for column in columns}
    misplaced = {
        "change": mode is not Mode.CHANGES and "goes with mode changes only",
        "max_vanished": mode is not Mode.SNAPSHOT and "goes with mode snapshot only",
        "delimiter": form is not Format.CSV and "goes with format csv only",
        "encoding": form in (Format.XLSX, Format.GEOJSON) and f"is not chosen in {form}",
        "code_table": theme is not Theme.REFERENCE and "goes with datasets of reference only",
        "edition": "code_table" not in said and "goes with code_table only",
    }
    for key, why in misplaced.items():
        if key in said and why:
            parsed.tell(own.where("source", key), f"{key!r} {why}")
    if mode is Mode.CHANGES:
        for key in ("sequence", "change"):
            if key not in said.written:
                parsed.tell(own.where("source"), f"mode changes needs {key!r}")
    _check_sequence(parsed, said.get("sequence"), by_name)
    change = said.get("change")
    return Source(
        mode=mode,
        format=form,
        encoding=said.get("encoding", "utf-8"),
        delimiter=said.get("delimiter", ","),
        sequence=said.get("sequence"),
        change=_change(parsed, change, columns) if change else None,
        drift=DriftModes(**said.get("drift", {})),
        max_vanished=float(said.get("max_vanished", 0.05)),
        code_table=said.get("code_table"),
        edition=said.get("edition"),
    )


def _check_sequence(parsed: Parsed, name: str | None, columns: Mapping[str, Column]) -> None:
    if name is None:
        return
    where = parsed.own.where("source", "sequence")
    column = columns.get(name)
    if column is None:
        parsed.tell(where, f"unknown column {name!r}{did_you_mean(name, columns)}")
    elif column.type.name not in ORDERED or column.derive is not None:
        parsed.tell(where, "a sequence is a delivered date, timestamp or whole number")
    elif not column.required:
        parsed.tell(where, f"the sequence {name!r} must be required: without it a row has no order")


def _change(parsed: Parsed, said: Fields, columns: Sequence[Column]) -> Change | None:
    where = parsed.own.where("source", "change")
    if not {"column", "upsert", "delete"} <= said.keys():
        return None
    for word in set(said["upsert"]) & set(said["delete"]):
        parsed.tell((*where, "delete"), f"{word!r} cannot mean both an upsert and a delete")
    for column in columns:
        for header in {column.name, *column.delivered_as} & set(said["column"]):
            told = f"the header {header!r} leads to the column {column.name!r} already"
            parsed.tell((*where, "column"), told)
    return Change(said["column"], said["upsert"], said["delete"])


def read_golden(parsed: Parsed, columns: Sequence[Column]) -> Golden | None:
    """Which sources a golden dataset trusts (`redcliff.golden`, `redcliff.authority`)."""
    own = parsed.own
    said = own.get("golden")
    trusting = [column for column in columns if column.authority]
    if "golden" in own and "key_register" in own:
        return None
    if "golden" not in own:
        for column in trusting:
            where = parsed.at_column(column.name, "authority")
            parsed.tell(where, "redcliff.authority goes with redcliff.golden only")
    if said is None or not {"key_register", "identity", "sources"} <= said.keys():
        return None
    by_name = {column.name: column for column in columns}
    for i, name in enumerate(said["identity"]):
        if name not in by_name:
            hint = did_you_mean(name, by_name)
            parsed.tell(own.where("golden", "identity", i), f"unknown column {name!r}{hint}")
    keyed = [column for column in columns if column.is_key]
    if len(keyed) > 1:
        parsed.tell(own.where("golden"), "a golden dataset has one key column, its entity")
    for column in columns:
        where = parsed.items[column.name].where
        if not column.authority and not column.is_key and column.name != SOURCES:
            parsed.tell(where, f"{column.name!r} needs redcliff.authority: where it comes from")
        for i, dataset in enumerate(column.authority):
            if dataset not in said["sources"]:
                told = f"{dataset!r} is not among the sources of redcliff.golden"
                parsed.tell(parsed.at_column(column.name, "authority", i), told)
    return Golden(said["key_register"], said["identity"], said["sources"])


def read_key_register(parsed: Parsed, columns: Sequence[Column]) -> KeyRegister | None:
    """Whose records a key register assigns (`redcliff.key_register`)."""
    own = parsed.own
    said = own.get("key_register")
    if "golden" in own or said is None or not {"entity", "identity", "sources"} <= said.keys():
        return None
    names = {column.name for column in columns}
    if said["entity"] not in names:
        hint = did_you_mean(said["entity"], names)
        where = own.where("key_register", "entity")
        parsed.tell(where, f"unknown column {said['entity']!r}{hint}")
    for name in REGISTER_COLUMNS:
        if name not in names:
            parsed.tell(own.where("key_register"), f"a key register has the column {name!r}")
    return KeyRegister(said["entity"], said["identity"], said["sources"])
