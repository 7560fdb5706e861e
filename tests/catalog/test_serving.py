from __future__ import annotations

import pytest

from catalog.serving import outside_profile


@pytest.mark.parametrize(
    ("reads", "writes", "properties", "reasons"),
    [
        pytest.param([], [], {"delta.enableChangeDataFeed": "true"}, [], id="a-plain-table"),
        pytest.param(
            ["deletionVectors", "timestampNtz"],
            ["deletionVectors", "timestampNtz", "appendOnly", "changeDataFeed", "checkConstraints"],
            {"delta.columnMapping.mode": "none"},
            [],
            id="what-our-engines-write",
        ),
        pytest.param(
            ["columnMapping"],
            ["columnMapping"],
            {"delta.columnMapping.mode": "name"},
            [
                "column mapping (delta.columnMapping.mode = name)",
                "the reader feature columnMapping",
            ],
            id="column-mapping",
        ),
        pytest.param(
            ["variantType"], ["variantType"], {}, ["the reader feature variantType"], id="variant"
        ),
        pytest.param(
            [],
            ["checkConstraints"],
            {"delta.constraints.positive": "n > 0", "delta.constraints.small": "n < 9"},
            ["CHECK constraints"],
            id="constraints-are-told-once",
        ),
        pytest.param(
            [], ["rowTracking"], {}, ["the writer feature rowTracking"], id="a-writer-feature"
        ),
    ],
)
def test_a_table_is_told_why_it_leaves_the_serving_profile(
    reads: list[str], writes: list[str], properties: dict[str, str], reasons: list[str]
) -> None:
    assert outside_profile(reads, writes, properties) == reasons


def test_a_published_table_has_no_deletion_vectors() -> None:
    features = ["deletionVectors"]

    assert outside_profile(features, features, {}) == []
    assert outside_profile(features, features, {}, published=True) == [
        "deletion vectors on a published table"
    ]
