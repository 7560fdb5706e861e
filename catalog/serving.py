"""
The serving profile (SEMANTICS §7): what a table may ask of who reads and writes it.

Trino reads it and delta-rs writes it. A table leaves the profile when somebody else's tool alters
it; then it is told which table and why, before a reader finds out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

READ = frozenset({"deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""The reader features of the profile; Trino 476 reads two more, which delta-rs does not write."""

WRITTEN = READ | {"appendOnly", "changeDataFeed", "invariants"}
"""The writer features of the profile."""

UNUSED = frozenset({"checkConstraints", "generatedColumns", "identityColumns"})
"""Writer features that protocol 7 may list although the table uses none of them."""

FORBIDDEN = {
    "delta.columnMapping.mode": "column mapping",
    "delta.enableTypeWidening": "type widening",
    "delta.enableIcebergCompatV1": "Iceberg compatibility",
    "delta.enableIcebergCompatV2": "Iceberg compatibility",
    "delta.enableRowTracking": "row tracking",
}
OFF = ("", "none", "false")


def outside_profile(
    reads: Collection[str],
    writes: Collection[str],
    properties: Mapping[str, str],
    *,
    published: bool = False,
) -> list[str]:
    """
    Why a table stands outside of the profile, each reason in words; nothing when it does not.

    `reads` and `writes` are the features that its protocol lists. A `published` table, which
    others than Trino and our engines read, carries no deletion vectors either.
    """
    return list(dict.fromkeys(_reasons(reads, writes, properties, published)))


def _reasons(
    reads: Collection[str], writes: Collection[str], properties: Mapping[str, str], published: bool
) -> Iterator[str]:
    for name, what in FORBIDDEN.items():
        if properties.get(name, "").lower() not in OFF:
            yield f"{what} ({name} = {properties[name]})"
    if any(name.startswith("delta.constraints.") for name in properties):
        yield "CHECK constraints"
    for feature in sorted(set(reads) - READ):
        yield f"the reader feature {feature}"
    for feature in sorted(set(writes) - set(reads) - WRITTEN - UNUSED):
        yield f"the writer feature {feature}"
    if published and "deletionVectors" in reads:
        yield "deletion vectors on a published table"
