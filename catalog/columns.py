"""The columns of a contract: typed, checked one by one and against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from catalog.contract import Column, DataType, Derive, Mask, Reference, TypeName
from catalog.datatypes import LOGICAL_TYPE, MONEY, UnknownType, read_type
from catalog.grammar import Fields, Properties, Tell, describe, did_you_mean
from catalog.naming import DATASET_NAME
from catalog.patterns import why_not_portable
from catalog.vocabulary import DateForm, Derivation, Kind, MaskKind, Theme

SOURCES = "_sources"
"""The only column of our own that a contract declares: field → dataset, on golden datasets."""

DELIVERED = "_delivered"
"""A column of this ending keeps the text of the column it is named after."""

NUMBERS = (TypeName.INTEGER, TypeName.BIGINT, TypeName.DECIMAL)
DELIVERY_PROPERTIES = ("delivered_as", "codes", "date_forms", "unit", "derive")
MODEL_PROPERTIES = ("authority", "declassified")


def read_columns(listed: Sequence[Fields], kind: Kind, theme: Theme, tell: Tell) -> list[Column]:
    """The columns as far as they could be read; what is wrong with them has been told."""
    columns: dict[str, Column] = {}
    places: dict[str, Fields] = {}
    for item in listed:
        column = _read_column(item, kind, theme, tell)
        if column is None:
            continue
        if column.name in columns:
            tell(item.at("name"), f"the column {column.name!r} stands twice")
            continue
        columns[column.name], places[column.name] = column, item
    if kind is Kind.SOURCE:
        columns = {name: _derived(column, columns) for name, column in columns.items()}
        for column in columns.values():
            _check_derive(column, columns, places[column.name], tell)
        _check_headers(columns.values(), places, tell)
    _check_key(columns.values(), places, tell)
    return list(columns.values())


def _read_column(item: Fields, kind: Kind, theme: Theme, tell: Tell) -> Column | None:
    if "name" not in item:
        return None
    own: Properties = item.get("customProperties", Properties(around=item.where))
    data_type = _type(item, kind, tell)
    _check_kind(item, own, kind, tell)
    if data_type is not None:
        _check_type(item, own, data_type, tell)
    options = item.get("logicalTypeOptions", Fields(item.where))
    minimum, maximum = _bounds(options, data_type, tell)
    _check_lengths(options, data_type, tell)
    key = item.get("primaryKey", False)
    derive = own.get("derive")
    return Column(
        name=item["name"],
        type=data_type or DataType(TypeName.STRING),
        business_name=item.get("businessName", item["name"]),
        description=item.get("description"),
        required=item.get("required", key or "required" in item.written),
        unique=item.get("unique", False),
        key_position=item.get("primaryKeyPosition", 1) if key else None,
        min_length=options.get("minLength"),
        max_length=options.get("maxLength"),
        pattern=options.get("pattern"),
        minimum=minimum,
        maximum=maximum,
        sensitivity=item.get("classification"),
        delivered_as=own.get("delivered_as", ()),
        semantic_type=own.get("type"),
        code_table=own.get("code_table"),
        codes=own.get("codes", {}),
        date_forms=own.get("date_forms", tuple(DateForm)),
        unit=own.get("unit"),
        derive=Derive(derive["from"], derive["how"]) if derive and len(derive) == 2 else None,
        mask=_mask(own, tell),
        quasi_identifier=own.get("quasi_identifier", False),
        authority=own.get("authority", ()),
        references=_references(item, theme, tell),
        declassified=own.get("declassified"),
    )


def _type(item: Fields, kind: Kind, tell: Tell) -> DataType | None:
    if "physicalType" not in item:
        return None
    try:
        data_type = read_type(item["physicalType"])
    except UnknownType as error:
        tell(item.at("physicalType"), str(error))
        return None
    logical = LOGICAL_TYPE[data_type.name]
    if item.get("logicalType", logical) != logical:
        told = f"{item['physicalType']} is logicalType {logical}, not {item['logicalType']}"
        tell(item.at("logicalType"), told)
    if kind is Kind.SOURCE and data_type.name is TypeName.MAP:
        tell(item.at("physicalType"), "departments deliver no maps")
        return None
    return data_type


def _check_kind(item: Fields, own: Properties, kind: Kind, tell: Tell) -> None:
    name = item["name"]
    if name.startswith("_") and (kind is Kind.SOURCE or name != SOURCES):
        tell(item.at("name"), f"a leading underscore is kept for redcliff's own columns: {name}")
    if item.get("physicalName", name) != name:
        tell(item.at("physicalName"), f"expected {name!r}, the name of the column")
    foreign = MODEL_PROPERTIES if kind is Kind.SOURCE else DELIVERY_PROPERTIES
    other = Kind.THEMATIC if kind is Kind.SOURCE else Kind.SOURCE
    for word in foreign:
        if word in own:
            tell(own.where(word), f"redcliff.{word} goes with redcliff.layer {other} only")


def _check_type(item: Fields, own: Properties, data_type: DataType, tell: Tell) -> None:
    """The properties that only some types may have."""
    name, of = item["name"], data_type.name
    fits = {
        "type": of is TypeName.STRING,
        "code_table": of is TypeName.STRING,
        "codes": of is not TypeName.MAP,
        "date_forms": of is TypeName.DATE,
        "unit": name.endswith("_yuan"),
    }
    wants = {
        "type": "a text column",
        "code_table": "a text column",
        "codes": "a column of one value",
        "date_forms": "a date column",
        "unit": "a column named …_yuan",
    }
    for word, fit in fits.items():
        if word in own and not fit:
            tell(own.where(word), f"redcliff.{word} needs {wants[word]}")
    if name.endswith("_yuan") and data_type != MONEY and "physicalType" in item:
        tell(item.at("physicalType"), "money in yuan is decimal(20,2)")
    if name == SOURCES and of is not TypeName.MAP:
        tell(item.at("physicalType"), f"{SOURCES} is map<varchar,varchar>")
    if item.get("primaryKey") and of is TypeName.MAP:
        tell(item.at("primaryKey"), "a map is no key")


def _check_lengths(options: Fields, data_type: DataType | None, tell: Tell) -> None:
    if data_type is not None and data_type.name is not TypeName.STRING:
        for word in ("minLength", "maxLength", "pattern"):
            if word in options:
                tell(options.at(word), f"{word} judges text; the column is none")
    elif options.get("minLength", 0) > options.get("maxLength", float("inf")):
        tell(options.at("minLength"), "minLength is above maxLength")
    elif "pattern" in options and (message := why_not_portable(options["pattern"])):
        tell(options.at("pattern"), message)


def _bounds(
    options: Fields, data_type: DataType | None, tell: Tell
) -> tuple[Decimal | date | None, Decimal | date | None]:
    bounds = {
        word: _bound(options, word, data_type, tell)
        for word in ("minimum", "maximum")
        if word in options and data_type is not None
    }
    low, high = bounds.get("minimum"), bounds.get("maximum")
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        tell(options.at("minimum"), "minimum is above maximum")
    return low, high


def _bound(options: Fields, word: str, data_type: DataType, tell: Tell) -> Decimal | date | None:
    value = options[word]
    if data_type.name in NUMBERS:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Decimal(str(value))
        tell(options.at(word), f"expected a number, found {describe(value)}")
    elif data_type.name is TypeName.DATE:
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            found = describe(value)
            tell(options.at(word), f"expected a date such as 2025-03-03, found {found}")
    else:
        tell(options.at(word), f"{word} judges numbers and dates; the column is neither")
    return None


def _mask(own: Properties, tell: Tell) -> Mask | None:
    mask = own.get("mask")
    if mask is None or "kind" not in mask:
        return None
    kind = mask["kind"]
    takes = {MaskKind.PARTIAL: ("keep_first", "keep_last"), MaskKind.GENERALIZE: ("to",)}
    words = takes.get(kind, ())
    for word in mask:
        if word != "kind" and word not in words:
            tell(own.where("mask", word), f"the mask {kind} takes no {word!r}")
    if words and not any(mask.get(word) for word in words):
        tell(own.where("mask"), f"the mask {kind} needs {' or '.join(words)}")
    return Mask(kind, mask.get("keep_first", 0), mask.get("keep_last", 0), mask.get("to"))


def _references(item: Fields, theme: Theme, tell: Tell) -> tuple[Reference, ...]:
    references = []
    for relationship in item.get("relationships", ()):
        target = relationship.get("to")
        if target is None:
            continue
        table, _, column = target.rpartition(".")
        first, parted, dataset = table.rpartition("__")
        if not DATASET_NAME.fullmatch(dataset) or not DATASET_NAME.fullmatch(column):
            told = "expected <theme>__<dataset>.<column>, or <dataset>.<column> in the same theme"
            tell(relationship.at("to"), f"{told}, found {describe(target)}")
            continue
        references.append(Reference(f"{first if parted else theme}.{dataset}", column))
    if len(references) > 1:
        tell(item.at("relationships"), "a column refers to one other column at most")
    return tuple(references)


def _derived(column: Column, columns: dict[str, Column]) -> Column:
    """A column `<name>_delivered` beside `<name>` with a `redcliff.type` derives from it."""
    origin = columns.get(column.name.removesuffix(DELIVERED))
    if column.derive is not None or not column.name.endswith(DELIVERED):
        return column
    if origin is None or origin.semantic_type is None:
        return column
    return replace(column, derive=Derive(origin.name, Derivation.DELIVERED))


def _check_derive(column: Column, columns: dict[str, Column], item: Fields, tell: Tell) -> None:
    if column.derive is None:
        return
    own: Properties = item.get("customProperties", Properties(around=item.where))
    where = own.where("derive", "from") if "derive" in own else item.at("name")
    origin = columns.get(column.derive.column)
    if origin is None:
        hint = did_you_mean(column.derive.column, columns)
        tell(where, f"unknown column {column.derive.column!r}{hint}")
    elif origin.derive is not None:
        tell(where, f"{origin.name!r} is not delivered either")
    elif column.derive.how is Derivation.DELIVERED and column.type.name is not TypeName.STRING:
        tell(where, "what keeps the delivered text is a text column")
    elif column.derive.how is Derivation.PERMANENT and (
        column.type.name is not TypeName.BOOLEAN or origin.type.name is not TypeName.DATE
    ):
        tell(where, "permanent is a boolean column that derives from a date column")
    for word in ("delivered_as", "codes", "date_forms", "unit", "code_table", "type"):
        if word in own:
            tell(own.where(word), f"redcliff.{word} on a column that is not delivered")
    if column.is_key:
        tell(item.at("primaryKey"), "a column that is not delivered is no key")


def _check_headers(columns: Iterable[Column], places: dict[str, Fields], tell: Tell) -> None:
    """A header of a delivered file leads to one column."""
    owners: dict[str, str] = {}
    delivered = [column for column in columns if column.derive is None]
    for column in delivered:
        owners[column.name] = column.name
    for column in delivered:
        own = places[column.name].get("customProperties", Properties())
        for i, header in enumerate(column.delivered_as):
            owner = owners.setdefault(header, column.name)
            if owner != column.name:
                where = own.where("delivered_as", i)
                tell(where, f"the header {header!r} leads to {owner!r} already")
            elif header in column.delivered_as[:i]:
                tell(own.where("delivered_as", i), f"the header {header!r} stands twice")


def _check_key(columns: Iterable[Column], places: dict[str, Fields], tell: Tell) -> None:
    keyed = [column for column in columns if column.is_key]
    taken: dict[int, str] = {}
    for column in columns:
        item = places[column.name]
        if "primaryKeyPosition" in item and not column.is_key:
            tell(item.at("primaryKeyPosition"), "a position in the key needs primaryKey: true")
        if not column.is_key:
            continue
        if not column.required:
            tell(item.at("required"), "a key is always required")
        position = column.key_position or 1
        if len(keyed) > 1 and "primaryKeyPosition" not in item:
            tell(item.where, "a key of several columns needs primaryKeyPosition on each")
        elif position in taken:
            told = f"position {position} of the key is {taken[position]!r} already"
            tell(item.at("primaryKeyPosition"), told)
        elif position > len(keyed):
            told = f"the key has {len(keyed)} column(s), there is no position {position}"
            tell(item.at("primaryKeyPosition"), told)
        taken[position] = column.name
