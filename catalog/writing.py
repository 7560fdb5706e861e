"""
From a contract back to its file: reading what is written gives an equal document.

Comments are not part of a document; everything else is kept, also what redcliff does not use.
"""

from __future__ import annotations

from typing import Any

import yaml

from catalog.contract import Contract

WIDTH = 100
"""The longest line of a list or mapping that stands on one line."""


def write_contract(contract: Contract) -> str:
    """The YAML text of the contract's document, keys in their order."""
    return write_document(contract.document)


def write_document(document: Any) -> str:
    """The YAML text of a document that JSON could hold."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=10_000,
        default_flow_style=False,
    )


class _Dumper(yaml.SafeDumper):
    """Small lists and mappings stand on one line, long texts in blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent list items below their key, as the contracts are written."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out: a contract has no aliases."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None
    if "\n" in value and _fits_a_block(value):
        style = "|"
    elif not value.isprintable():  # plain and single-quoted text folds U+0085 and U+2028
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _fits_a_block(value: str) -> bool:
    """Block text keeps no white space around its lines and no character that must be escaped."""
    lines = value.split("\n")
    return all(line == line.strip() and line.isprintable() for line in lines)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=_is_small(value))


def _mapping(dumper: _Dumper, value: dict[str, Any]) -> yaml.MappingNode:
    small = _is_small(value)
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=small)


def _is_small(value: list[Any] | dict[str, Any]) -> bool:
    return not _lists_mappings(value) and _width(value) <= WIDTH


def _lists_mappings(value: Any) -> bool:
    match value:
        case dict():
            return any(_lists_mappings(v) for v in value.values())
        case list():
            return any(isinstance(v, dict) or _lists_mappings(v) for v in value)
        case _:
            return False


def _width(value: Any) -> int:
    """About how many columns a value takes on one line."""
    match value:
        case dict():
            return sum(len(str(k)) + 4 + _width(v) for k, v in value.items())
        case list():
            return sum(2 + _width(v) for v in value)
        case str():
            return len(value) * (1 if value.isascii() else 2) + (WIDTH if "\n" in value else 0)
        case _:
            return len(str(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _mapping)
