"""What an engine says of an S3 that is not there is told as what it is."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from catalog.errors import TryAgain, UsageError
from lake.s3 import S3, while_it_answers
from tests.stack.endpoints import serving

pytestmark = pytest.mark.stack

NOBODY = S3("http://127.0.0.1:1", "redcliff", "guessed")


def test_an_engine_s_error_is_told_as_try_again_when_s3_is_gone() -> None:
    with (
        pytest.raises(
            TryAgain, match=r"S3 at http://127.0.0.1:1 did not answer.*try again"
        ) as told,
        while_it_answers(NOBODY),
    ):
        raise RuntimeError("in words of its own")

    assert "guessed" not in str(told.value)


def test_an_engine_s_error_is_told_as_try_again_when_s3_was_gone_for_a_moment() -> None:
    options = {**NOBODY.delta_options(), "max_retries": "0"}

    with serving(conditional=True) as s3, pytest.raises(TryAgain), while_it_answers(s3):
        DeltaTable("s3://city/table", storage_options=options)


def test_what_is_wrong_though_s3_answers_stays_what_it_is() -> None:
    with (
        serving(conditional=True) as s3,
        pytest.raises(DeltaError),
        while_it_answers(s3),
    ):
        raise DeltaError("a mistake")
    with pytest.raises(UsageError), while_it_answers(NOBODY):
        raise UsageError("a mistake")
    with pytest.raises(RuntimeError), while_it_answers(None):
        raise RuntimeError("a mistake")
