from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.nodes import read_document
from catalog.reading import parse, parse_contract, read_contract
from catalog.writing import write_contract, write_document
from tests.catalog.samples import SOURCE, text_of

REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY.parent / "shared" / "corpora" / "odcs" / "docs" / "examples"
CONTRACTS = sorted((REPOSITORY / "schemas").rglob("*.odcs.yaml"))
FOREIGN = sorted(CORPUS.rglob("*.odcs.yaml"))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(["no", "1", "08", "1e5", "2025-03-03", "~", "", " a ", "a\nb", "a\n", ": #"])
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_reading_what_was_written_gives_an_equal_contract() -> None:
    contract = parse_contract(text_of(SOURCE), SOURCE)

    again = parse_contract(write_contract(contract), contract.path)

    assert again == contract
    assert again.document == contract.document
    assert again.content_hash == contract.content_hash


def test_small_lists_and_mappings_stand_on_one_line() -> None:
    document = {"a": {"b": [1, 2]}, "c": [{"d": 1}], "e": "x" * 200, "f": ["y" * 60, "z" * 60]}

    text = write_document(document)

    lines = ["a: {b: [1, 2]}", "c:", "  - {d: 1}", f"e: {'x' * 200}"]
    assert text.splitlines() == [*lines, "f:", f"  - {'y' * 60}", f"  - {'z' * 60}"]


def test_a_long_text_is_written_as_a_block() -> None:
    assert write_document({"a": "一\n二"}) == "a: |-\n  一\n  二\n"


@settings(max_examples=300, deadline=None)
@given(documents)
@example({"a": "\u2028", "b": "\x85", "c": "\x00", "d": "\ufeff", "e": "𠮷䶮"})
@example({"a": "x\n  y\n", "b": "\nx", "c": "x\n\n\n", "d": "\t\n"})
def test_any_json_document_survives_writing_and_reading(document: Any) -> None:
    read = read_document(write_document(document))

    assert read.faults == ()
    assert read.value == document


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.name)
def test_every_contract_of_the_site_survives(path: Path) -> None:
    contract = read_contract(path, REPOSITORY)

    again = parse_contract(write_contract(contract), contract.path)

    assert again == contract
    assert again.document == contract.document


@pytest.mark.skipif(not FOREIGN, reason="the corpus of ODCS examples is not here")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda p: p.name)
def test_contracts_of_others_lose_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    document = read_document(text)

    again = read_document(write_document(document.value))

    assert document.faults == ()
    assert isinstance(document.value, dict)
    assert again.value == document.value
    assert list(again.value) == list(document.value)
    assert all(finding.line >= 1 for finding in parse(text, f"x/{path.name}").findings)
