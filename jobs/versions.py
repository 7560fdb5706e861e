"""FOR VERSION AS OF and FOR TIMESTAMP AS OF: tables as they stood before."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlglot import exp

from catalog.errors import UsageError
from catalog.queries import full_name
from lake.tables import Tables

TIMES = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.DATE)


def at_versions(query: exp.Query, tables: Tables) -> dict[str, tuple[str, int]]:
    """
    Name every table that `query`, changed in place, asks for as it stood before by its version too.

    Returns table and version by the new names. `UsageError` for a version that is not there.
    """
    found: dict[str, tuple[str, int]] = {}
    for table in query.find_all(exp.Table):
        asked = table.args.get("version")
        if asked is None:
            continue
        name, plain = full_name(table), table.name
        version = _version(name, asked, tables)
        table.set("version", None)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(plain)))
        table.set("this", exp.to_identifier(f"{plain}__version_{version}"))
        found[full_name(table)] = name, version
    return found


def _version(table: str, asked: exp.Version, tables: Tables) -> int:
    value = asked.expression
    if asked.name == "VERSION" and isinstance(value, exp.Literal) and value.is_int:
        newest = tables.version(table)
        if newest is None or int(value.name) > newest:
            raise UsageError(f"{table} has no version {value.name}; the newest is {newest}")
        return int(value.name)
    moment = _moment(value) if asked.name == "TIMESTAMP" else None
    if moment is None:
        raise UsageError(
            "write FOR VERSION AS OF 3, or FOR TIMESTAMP AS OF TIMESTAMP '2025-03-03 08:00:00 UTC'"
        )
    at = tables.version_at(table, moment)
    if at is None:
        raise UsageError(f"{table}: nothing is known of how it stood at {moment:%Y-%m-%d %H:%M:%S}")
    return at


def _moment(value: exp.Expr) -> datetime | None:
    """The instant that a literal of a time says, in UTC unless it says another zone."""
    if not isinstance(value, exp.Cast) or value.to.this not in TIMES or not value.this.is_string:
        return None
    text = value.this.name.removesuffix("UTC").removesuffix("Z").strip()
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return None
    return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
