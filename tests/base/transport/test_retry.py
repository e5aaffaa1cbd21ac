from __future__ import annotations

from typing import Optional

import pytest

from sandlot.transport.retry import Failure, is_repeatable, pause_before_retry


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "get"])
def test_only_whole_requests_that_may_happen_twice_are_repeatable(method: str) -> None:
    assert is_repeatable(method, is_streamed=False) is (method in ("GET", "HEAD", "PUT", "DELETE"))
    assert not is_repeatable(method, is_streamed=True)


@pytest.mark.parametrize(
    ("failure", "repeatable", "other"),
    [
        # connect failed
        (Failure(1, was_reused=False, was_sent=False), 0.1, 0.1),
        (Failure(2, was_reused=False, was_sent=False), 0.4, 0.4),
        (Failure(3, was_reused=False, was_sent=False), None, None),
        # lost before the first byte of the answer
        (Failure(1, was_reused=False, was_sent=True), 0.1, None),
        (Failure(2, was_reused=False, was_sent=True), 0.4, None),
        (Failure(3, was_reused=False, was_sent=True), None, None),
        # a kept connection was closed, before and after something was sent
        (Failure(0, was_reused=True, was_sent=False), 0.0, 0.0),
        (Failure(0, was_reused=True, was_sent=True), 0.0, None),
    ],
)
def test_the_pause_before_the_next_try(
    failure: Failure, repeatable: Optional[float], other: Optional[float]
) -> None:
    assert pause_before_retry(failure, is_repeatable=True) == repeatable
    assert pause_before_retry(failure, is_repeatable=False) == other
