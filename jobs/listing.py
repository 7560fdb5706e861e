"""
SHOW and DESCRIBE: what tables and columns there are, read from the lake's Delta logs.

Columns are called as Trino calls them; beside a table stands what it holds, which Trino leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
from sqlglot import exp

from catalog.errors import UsageError
from catalog.grammar import did_you_mean
from catalog.queries import full_name
from lake.engine import Answer
from lake.tables import Tables
from lake.trino_types import trino_type

FORMS = (
    "SHOW SCHEMAS, SHOW TABLES [FROM schema] [LIKE 'x%'], SHOW COLUMNS FROM table, DESCRIBE table"
)
_LIKE = r"(?:\s+LIKE\s+'(?P<like>(?:[^']|'')*)')?"
_SCHEMAS = re.compile(rf"(?is)SCHEMAS{_LIKE}")
_TABLES = re.compile(rf'(?is)TABLES(?:\s+(?:FROM|IN)\s+"?(?P<schema>\w+)"?)?{_LIKE}')
_COLUMNS = re.compile(r"(?is)COLUMNS\s+(?:FROM|IN)\s+(?P<table>\S+)")


def listing(statement: exp.Expr, tables: Tables) -> Answer | None:
    """
    The answer to a SHOW or a DESCRIBE; None when the statement is neither.

    `UsageError` for one that is not among `FORMS`, and for a schema or table that is not there.
    """
    if isinstance(statement, exp.Describe) and isinstance(statement.this, exp.Table):
        return _columns(full_name(statement.this), tables)
    if not (isinstance(statement, exp.Command) and statement.name.upper() == "SHOW"):
        return None
    text = str(statement.expression.name).strip()
    if found := _SCHEMAS.fullmatch(text):
        return _rows({"Schema": _alike(_schemas(tables), found["like"])})
    if found := _TABLES.fullmatch(text):
        return _tables(found["schema"], found["like"], tables)
    if found := _COLUMNS.fullmatch(text):
        return _columns(found["table"].replace('"', ""), tables)
    raise UsageError(f"SHOW {text} is not answered; what is: {FORMS}")


def no_table(missing: Sequence[str], known: Sequence[str]) -> UsageError:
    """What is told of tables that are not there."""
    hint = did_you_mean(missing[0], known) or "; SHOW TABLES lists them"
    return UsageError(f"there is no table {', '.join(missing)}{hint}")


def _schemas(tables: Tables) -> list[str]:
    return sorted({name.partition(".")[0] for name in tables.names()})


def _tables(schema: str | None, like: str | None, tables: Tables) -> Answer:
    if schema is not None and schema.lower() not in _schemas(tables):
        raise UsageError(f"there is no schema {schema}; SHOW SCHEMAS lists them")
    names = [n for n in tables.names() if schema is None or n.startswith(f"{schema.lower()}.")]
    shown = {n if schema is None else n.partition(".")[2]: n for n in names}
    chosen = _alike(list(shown), like)
    return _rows({"Table": chosen, "Comment": [_comment(shown[n], tables) for n in chosen]})


def _comment(table: str, tables: Tables) -> str | None:
    opened = tables.open(table)
    return None if opened is None else opened.metadata().description


def _columns(table: str, tables: Tables) -> Answer:
    opened = tables.open(table) if table.count(".") == 1 else None
    if opened is None:
        raise no_table([table], tables.names())
    fields = opened.schema().fields
    types = pa.schema(opened.schema()).types
    return _rows(
        {
            "Column": [f.name for f in fields],
            "Type": [trino_type(t) for t in types],
            "Extra": ["" for _ in fields],
            "Comment": [f.metadata.get("comment") for f in fields],
        }
    )


def _alike(names: Sequence[str], like: str | None) -> list[str]:
    """Those that match a pattern of LIKE."""
    if like is None:
        return list(names)
    parts = {"%": ".*", "_": "."}
    pattern = "".join(parts.get(c) or re.escape(c) for c in like.replace("''", "'"))
    return [name for name in names if re.fullmatch(pattern, name, re.DOTALL)]


def _rows(columns: Mapping[str, Sequence[str | None]]) -> Answer:
    table = pa.table({name: pa.array(held, pa.string()) for name, held in columns.items()})
    return Answer(table.schema, iter(table.to_batches()))
