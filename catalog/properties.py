"""
The words redcliff adds to ODCS: every `redcliff.*` property and the form of its value.

`docs/reference/contract.md` says what each of them means.
"""

from __future__ import annotations

import re

from catalog.grammar import (
    WRONG,
    Custom,
    Day,
    Entries,
    Flag,
    Form,
    Items,
    Number,
    OneOf,
    Record,
    Tell,
    Text,
)
from catalog.naming import DATASET_NAME
from catalog.nodes import Where
from catalog.vocabulary import (
    Consumer,
    DateForm,
    Derivation,
    Drift,
    Format,
    Gate,
    Kind,
    MaskKind,
    Mode,
    OpenLevel,
    SemanticType,
    SharingLevel,
    Theme,
    Unit,
)

PREFIX = "redcliff."

NAME = Text("a name such as birth_date", DATASET_NAME)
DATASET = Text(
    "a dataset such as population.person",
    re.compile(rf"(?:{'|'.join(Theme)})\.{DATASET_NAME.pattern}"),
)
REFERENCE = Text(
    "a code table such as reference.sex", re.compile(rf"reference\.{DATASET_NAME.pattern}")
)
TEXTS = Items(Text())
WORDS = Entries(Text())

SOURCE = Record(
    {
        "mode": OneOf(Mode),
        "format": OneOf(Format),
        "encoding": OneOf(("utf-8", "gb18030")),
        "delimiter": Text("one character", re.compile(r"[^\"\r\n]")),
        "sequence": NAME,
        "change": Record(
            {"column": Items(Text(), single=True), "upsert": TEXTS, "delete": TEXTS},
            required=("column", "upsert", "delete"),
        ),
        "drift": Record(
            dict.fromkeys(("unknown_column", "missing_column", "untypable_value"), OneOf(Drift))
        ),
        "max_vanished": Number(minimum=0, maximum=1),
        "code_table": Text("a file name such as sex.csv", re.compile(r"[a-z0-9_]+\.csv")),
        "edition": Day(),
    },
    required=("mode", "format"),
)

DATASET_PROPERTIES = Custom(
    PREFIX,
    {
        "layer": OneOf(Kind),
        "source": SOURCE,
        "golden": Record(
            {"key_register": DATASET, "identity": Items(NAME), "sources": Items(DATASET)},
            required=("key_register", "identity", "sources"),
        ),
        "key_register": Record(
            {"entity": NAME, "identity": NAME, "sources": Items(DATASET)},
            required=("entity", "identity", "sources"),
        ),
        "sharing": Record(
            {
                "level": OneOf(SharingLevel),
                "condition": Text(),
                "reason": Text(),
                "modes": Items(OneOf(("table", "interface", "file", "feed"))),
            },
            required=("level",),
        ),
        "opening": Record(
            {"level": OneOf(OpenLevel), "condition": Text(), "reason": Text()},
            required=("level",),
        ),
        "resource_code": Text(
            "a resource code such as 307014212810001/000001", re.compile(r"\d{8,}/\d{1,}")
        ),
        "history": Flag(),
        "gates": Entries(OneOf((Gate.WARN.value, Gate.QUARANTINE.value))),
        "await": Items(DATASET),
        "declassified": Text(),
    },
)

COLUMN_FORMS: dict[str, Form] = {
    "delivered_as": TEXTS,
    "type": OneOf(SemanticType),
    "code_table": REFERENCE,
    "codes": WORDS,
    "date_forms": Items(OneOf(DateForm)),
    "unit": OneOf(Unit),
    "derive": Record({"from": NAME, "how": OneOf(Derivation)}, required=("from", "how")),
    "mask": Record(
        {
            "kind": OneOf(MaskKind),
            "keep_first": Number(minimum=0, whole=True),
            "keep_last": Number(minimum=0, whole=True),
            "to": NAME,
        },
        required=("kind",),
    ),
    "quasi_identifier": Flag(),
    "authority": Items(DATASET),
    "declassified": Text(),
}
COLUMN_PROPERTIES = Custom(PREFIX, COLUMN_FORMS)


class _GateForm:
    """`warn`, `quarantine`, or `{block: [load, share, …]}`."""

    _word = OneOf((Gate.WARN.value, Gate.QUARANTINE.value))
    _block = Record({"block": Items(OneOf(Consumer), single=True)}, required=("block",))

    def read(self, value: object, where: Where, tell: Tell) -> object:
        """The gate, and the consumers where it blocks some."""
        if isinstance(value, dict):
            blocked = self._block.read(value, where, tell)
            if isinstance(blocked, dict) and "block" in blocked:
                return Gate.BLOCK, blocked["block"]
            return WRONG
        word = self._word.read(value, where, tell)
        return (Gate(word), ()) if isinstance(word, str) else WRONG


RULE_PROPERTIES = Custom(PREFIX, {"gate": _GateForm()})
NO_PROPERTIES = Custom(PREFIX, {})
