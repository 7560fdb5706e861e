"""A contract on its way: what could be read of the file, and the findings so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.contract import Contract
from catalog.errors import Finding
from catalog.grammar import Fields, Properties
from catalog.nodes import Document, Where


@dataclass
class Parsed:
    """A file as read: the contract as far as it goes, where things stand, and what is wrong."""

    path: str
    document: Document
    findings: list[Finding] = field(default_factory=list)
    contract: Contract | None = None
    own: Properties = field(default_factory=Properties)
    items: Mapping[str, Fields] = field(default_factory=dict)

    def tell(self, where: Where, message: str) -> None:
        """Add a finding, once."""
        finding = Finding(self.path, self.document.line(where), message)
        if finding not in self.findings:
            self.findings.append(finding)

    def at_column(self, column: str, name: str, *inner: str | int) -> Where:
        """The place of the `redcliff.<name>` property of a column."""
        item = self.items[column]
        own: Properties = item.get("customProperties", Properties(around=item.where))
        return own.where(name, *inner)
