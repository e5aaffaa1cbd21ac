from __future__ import annotations

from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.frames import (
    INITIAL_CREDIT,
    FrameError,
    Receipts,
    Window,
    credit_frame,
    encode,
    parse_credit,
)


def test_credit_travels_in_a_frame() -> None:
    frame = credit_frame(3, 131072)
    assert encode(frame) == b"\0\0\0\x04\x0c\0\0\0\x03\0\x02\0\0"
    assert parse_credit(frame.payload) == 131072


@pytest.mark.parametrize("amount", [-1, 0, INITIAL_CREDIT + 1, 2**32])
def test_credit_out_of_range_is_not_sent(amount: int) -> None:
    with pytest.raises(FrameError, match="out of range"):
        credit_frame(1, amount)


@pytest.mark.parametrize(
    "payload", [b"", b"\0\0\1", b"\0\0\0\0\1", b"\0\0\0\0", b"\0\4\0\1", b"\xff\xff\xff\xff"]
)
def test_credit_out_of_range_is_not_believed(payload: bytes) -> None:
    with pytest.raises(FrameError, match="CREDIT"):
        parse_credit(payload)


def test_a_sender_cannot_overdraw() -> None:
    window = Window()
    window.spend(INITIAL_CREDIT - 1)
    assert window.available == 1
    with pytest.raises(FrameError, match="2 bytes overdraw the credit of 1"):
        window.spend(2)
    with pytest.raises(FrameError):
        window.spend(-1)
    window.spend(1)
    window.grant(5)
    assert window.available == 5


def test_credit_that_was_never_spent_is_not_believed() -> None:
    window = Window()
    with pytest.raises(FrameError, match="exceed the 0 spent"):
        window.grant(1)
    window.spend(10)
    with pytest.raises(FrameError, match="exceed the 10 spent"):
        window.grant(11)
    with pytest.raises(FrameError):
        window.grant(-1)
    assert window.available == INITIAL_CREDIT - 10


def test_credit_is_due_when_half_is_consumed() -> None:
    receipts = Receipts()
    receipts.arrived(INITIAL_CREDIT)
    assert receipts.consumed(INITIAL_CREDIT // 2 - 1) == 0
    assert receipts.consumed(1) == INITIAL_CREDIT // 2
    assert receipts.consumed(1) == 0
    assert receipts.consumed(INITIAL_CREDIT // 2 - 1) == INITIAL_CREDIT // 2


def test_a_peer_that_sends_beyond_its_credit_is_found_out() -> None:
    receipts = Receipts()
    receipts.arrived(INITIAL_CREDIT)
    with pytest.raises(FrameError, match="overdraw"):
        receipts.arrived(1)
    with pytest.raises(FrameError):
        receipts.arrived(-1)


@pytest.mark.parametrize("amount", [-1, 11, 2**40])
def test_nothing_is_consumed_that_did_not_arrive(amount: int) -> None:
    receipts = Receipts()
    receipts.arrived(10)
    with pytest.raises(FrameError, match="fewer arrived"):
        receipts.consumed(amount)
    assert receipts.consumed(10) == 0
    with pytest.raises(FrameError, match="fewer arrived"):
        receipts.consumed(1)


@given(st.lists(st.integers(0, 70_000), max_size=60))
def test_a_sender_that_obeys_is_never_stuck_and_never_refused(payloads: List[int]) -> None:
    window, receipts = Window(), Receipts()
    for size in payloads:
        left = size
        while left:
            sent = min(left, window.available)
            assert sent > 0
            window.spend(sent)
            receipts.arrived(sent)
            window.grant(receipts.consumed(sent))
            left -= sent
