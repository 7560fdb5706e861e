from __future__ import annotations

import pytest

from catalog.nodes import DEEPEST, Fault, read_document


def test_every_value_knows_its_line() -> None:
    document = read_document("a: 1\nb:\n  - c: x\n    d: [1,\n        2]\n  - 3\n")

    assert document.value == {"a": 1, "b": [{"c": "x", "d": [1, 2]}, 3]}
    assert document.faults == ()
    assert document.line(("a",)) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0, "d")) == 4
    assert document.line(("b", 0, "d", 1)) == 5
    assert document.line(("b", 1)) == 6


def test_what_is_not_there_has_the_line_of_what_is_around_it() -> None:
    document = read_document("a: 1\nb:\n  c: 2\n")

    assert document.line(("b", "missing", 0, "x")) == 2
    assert document.line(("missing",)) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2025-03-03", "2025-03-03"),
        ("2025-03-03T01:02:03Z", "2025-03-03T01:02:03Z"),
        ("'1'", "1"),
        ("1", 1),
        ("1.5", 1.5),
        ("no", False),
        ("08", "08"),
        ("~", None),
        ("|-\n  a\n  b", "a\nb"),
        ("!!str 12", "12"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_a_scalar_is_read_as_json_would_hold_it(text: str, value: object) -> None:
    document = read_document(f"a: {text}\n")

    assert document.value == {"a": value}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("a: 1\nb: 2\na: 3", 3, "the key 'a' stands twice", id="key-twice"),
        pytest.param("a: 1\n1: 2", 2, "the key 1 is not text; write it in quotes", id="number-key"),
        pytest.param("a: 1\nno: 2", 2, "the key no is not text; write it in quotes", id="flag-key"),
        pytest.param("a:\n  b: &x 1", 2, "the anchor &x is not allowed", id="anchor"),
        pytest.param(
            "a:\n\n  !!python/object:os.system x",
            3,
            "the tag tag:yaml.org,2002:python/object:os.system is not allowed",
            id="tag",
        ),
        pytest.param("a: .nan", 1, ".nan is not a number", id="not-a-number"),
        pytest.param("a: 1\nb: .inf", 2, ".inf is not a number", id="infinity"),
        pytest.param(
            "a: 1\n---\nb: 2", 2, "a second document; one file holds one contract", id="documents"
        ),
    ],
)
def test_a_fault_has_its_line_and_the_rest_is_read(text: str, line: int, message: str) -> None:
    document = read_document(text)

    assert document.faults == (Fault(line, message),)
    assert document.value is not None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("", 1, "the file is empty", id="empty"),
        pytest.param("# nothing\n", 1, "the file is empty", id="comments-only"),
        pytest.param("a: 1\nb: [1\nc: 2\n", 3, "not YAML: did not find expected", id="no-yaml"),
        pytest.param("a: 1\n\tb: 2", 2, "not YAML: found a tab", id="tab"),
        pytest.param("a: 1\nb: \x07", 2, "not YAML: control characters", id="control-character"),
        pytest.param("a: 1\n? [x]\n: 2", 2, "a list or mapping cannot be a key", id="list-key"),
        pytest.param("a: 1\nb: '\ud800'", 2, "not YAML: half of a surrogate", id="surrogate"),
        pytest.param("[" * 100_000, 1, f"more than {DEEPEST} levels deep", id="deep-flow"),
        pytest.param("- " * 100_000, 1, f"more than {DEEPEST} levels deep", id="deep-block"),
    ],
)
def test_what_cannot_be_read_is_told_and_never_raised(text: str, line: int, message: str) -> None:
    document = read_document(text)

    assert document.value is None
    assert [fault.line for fault in document.faults] == [line]
    assert document.faults[0].message.startswith(message)


def test_an_alias_is_not_followed() -> None:
    document = read_document("a: &x [1]\nb: *x\n*x : 2\n")

    assert document.value == {"a": [1], "b": None, "*x": 2}
    assert [fault.line for fault in document.faults] == [1, 2, 3]
