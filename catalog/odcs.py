"""
The Open Data Contract Standard, v3.1.0, as far as a contract of redcliff may use it.

Every key ODCS knows stands here, or among the refused ones with the reason: nothing that an
author writes is silently without effect. A test compares the lists with ODCS' JSON schema.
"""

from __future__ import annotations

import re

from catalog.grammar import Anything, Entries, Flag, Form, Items, Number, OneOf, Record, Text
from catalog.naming import DATASET_NAME
from catalog.properties import (
    COLUMN_PROPERTIES,
    DATASET,
    DATASET_PROPERTIES,
    NO_PROPERTIES,
    RULE_PROPERTIES,
)
from catalog.vocabulary import Sensitivity, Theme

LOGICAL_TYPES = (
    "string",
    "date",
    "timestamp",
    "time",
    "number",
    "integer",
    "object",
    "array",
    "boolean",
)
OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")

_TEXT = Text()
_TAGS = Items(_TEXT, empty=True)
_NAME = Text("a name such as birth_date", DATASET_NAME)
_COLUMN_NAME = Text(
    "a name such as birth_date", re.compile(rf"{DATASET_NAME.pattern}|_{DATASET_NAME.pattern}")
)
_VERSION = Text("a version such as 1.0.0", re.compile(r"\d+\.\d+\.\d+"))
_AUTHORITIES = Items(
    Record(
        {"id": _TEXT, "url": _TEXT, "type": _TEXT, "description": _TEXT}, required=("url", "type")
    )
)
_COMMON: dict[str, Form] = {
    "id": _TEXT,
    "businessName": _TEXT,
    "description": _TEXT,
    "tags": _TAGS,
    "authoritativeDefinitions": _AUTHORITIES,
}

RELATIONSHIP = Record(
    {"type": OneOf(("foreignKey",)), "to": _TEXT, "customProperties": NO_PROPERTIES},
    required=("to",),
    refused={"from": "a column's relationship starts at the column"},
)

RULE = Record(
    {
        **_COMMON,
        "name": _NAME,
        "dimension": OneOf(
            (
                "accuracy",
                "completeness",
                "conformity",
                "consistency",
                "coverage",
                "timeliness",
                "uniqueness",
            )
        ),
        "severity": OneOf(("error", "warning", "info")),
        "type": OneOf(("library", "sql", "custom")),
        "metric": OneOf(METRICS),
        "arguments": Entries(Anything()),
        "unit": OneOf(("rows", "percent")),
        "query": _TEXT,
        "engine": OneOf(("redcliff",)),
        "implementation": Record({"holds": _TEXT}, required=("holds",)),
        "businessImpact": _TEXT,
        "method": _TEXT,
        "customProperties": RULE_PROPERTIES,
        **dict.fromkeys(OPERATORS, Anything()),
    },
    required=("name", "description"),
    refused={
        "businessName": "a rule has a name and a description",
        "rule": "write metric",
        "schedule": "rules are judged with every delivery",
        "scheduler": "rules are judged with every delivery",
    },
)

LOGICAL_TYPE_OPTIONS = Record(
    {
        "minLength": Number(minimum=0, whole=True),
        "maxLength": Number(minimum=1, whole=True),
        "pattern": _TEXT,
        "minimum": Anything(),
        "maximum": Anything(),
    },
    refused=dict.fromkeys(
        (
            "exclusiveMaximum",
            "exclusiveMinimum",
            "format",
            "maxItems",
            "maxProperties",
            "minItems",
            "minProperties",
            "multipleOf",
            "required",
            "timezone",
            "defaultTimezone",
            "uniqueItems",
        ),
        "no rule follows from it; write a quality rule",
    ),
)

COLUMN = Record(
    {
        **_COMMON,
        "name": _COLUMN_NAME,
        "physicalName": _TEXT,
        "logicalType": OneOf(LOGICAL_TYPES),
        "physicalType": _TEXT,
        "logicalTypeOptions": LOGICAL_TYPE_OPTIONS,
        "required": Flag(),
        "unique": Flag(),
        "primaryKey": Flag(),
        "primaryKeyPosition": Number(minimum=1, whole=True),
        "classification": OneOf(Sensitivity),
        "criticalDataElement": Flag(),
        "examples": Items(Anything(), empty=True),
        "transformSourceObjects": _TAGS,
        "transformLogic": _TEXT,
        "transformDescription": _TEXT,
        "relationships": Items(RELATIONSHIP),
        "quality": Items(RULE),
        "customProperties": COLUMN_PROPERTIES,
    },
    required=("name", "businessName", "logicalType", "physicalType"),
    refused={
        "properties": "a column holds no columns",
        "items": "a column holds no list",
        "partitioned": "tables are not partitioned by their contract",
        "partitionKeyPosition": "tables are not partitioned by their contract",
        "encryptedName": "write redcliff.mask",
    },
)

TABLE = Record(
    {
        **_COMMON,
        "name": _NAME,
        "physicalName": _TEXT,
        "physicalType": OneOf(("table",)),
        "logicalType": OneOf(("object",)),
        "dataGranularityDescription": _TEXT,
        "properties": Items(COLUMN),
        "quality": Items(RULE),
        "customProperties": NO_PROPERTIES,
    },
    required=("name", "physicalName", "businessName", "description", "properties"),
    refused={"relationships": "write it on the column it starts at"},
)

MEMBER = Record(
    {
        **_COMMON,
        "username": _TEXT,
        "name": _TEXT,
        "role": _TEXT,
        "dateIn": _TEXT,
        "dateOut": _TEXT,
        "replacedByUsername": _TEXT,
        "customProperties": NO_PROPERTIES,
    },
    required=("username",),
    refused={"businessName": "a member has a name"},
)

TEAM = Record(
    {**_COMMON, "name": _NAME, "members": Items(MEMBER), "customProperties": NO_PROPERTIES},
    required=("name",),
    refused={"businessName": "the department's name stands in conf/departments.yaml"},
)

SERVICE_LEVEL = Record(
    {
        "id": _TEXT,
        "property": _TEXT,
        "value": Anything(),
        "valueExt": Anything(),
        "unit": _TEXT,
        "element": _TEXT,
        "driver": OneOf(("regulatory", "analytics", "operational")),
        "description": _TEXT,
        "scheduler": _TEXT,
        "schedule": _TEXT,
    },
    required=("property", "value"),
)

SUPPORT = Record(
    {
        "id": _TEXT,
        "channel": _TEXT,
        "url": _TEXT,
        "description": _TEXT,
        "tool": _TEXT,
        "scope": _TEXT,
        "invitationUrl": _TEXT,
        "customProperties": NO_PROPERTIES,
    },
    required=("channel",),
)

PRICE = Record({"id": _TEXT, "priceAmount": Number(), "priceCurrency": _TEXT, "priceUnit": _TEXT})

_DESCRIPTION = Record(
    {
        "purpose": _TEXT,
        "usage": _TEXT,
        "limitations": _TEXT,
        "authoritativeDefinitions": _AUTHORITIES,
        "customProperties": NO_PROPERTIES,
    },
    required=("purpose",),
)

DOCUMENT = Record(
    {
        "apiVersion": OneOf(("v3.1.0",)),
        "kind": OneOf(("DataContract",)),
        "id": DATASET,
        "name": _TEXT,
        "version": _VERSION,
        "status": OneOf(("proposed", "draft", "active", "deprecated", "retired")),
        "domain": OneOf(Theme),
        "tenant": _TEXT,
        "tags": _TAGS,
        "description": _DESCRIPTION,
        "team": TEAM,
        "support": Items(SUPPORT),
        "price": PRICE,
        "slaProperties": Items(SERVICE_LEVEL),
        "authoritativeDefinitions": _AUTHORITIES,
        "contractCreatedTs": _TEXT,
        "schema": Items(TABLE),
        "customProperties": DATASET_PROPERTIES,
    },
    required=(
        "apiVersion",
        "kind",
        "id",
        "name",
        "version",
        "status",
        "domain",
        "description",
        "team",
        "customProperties",
        "schema",
    ),
    refused={
        "servers": "tables lie where the profile says, not the contract",
        "roles": "who may read follows from redcliff.sharing and from grants",
        "dataProduct": "ODCS has done away with it; write domain",
        "slaDefaultElement": "ODCS has done away with it; write element",
    },
)
