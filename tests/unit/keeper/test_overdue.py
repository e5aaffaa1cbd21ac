from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sandlot.keeper.orders import ZygoteOrder
from sandlot.keeper.parking import ParkedBox
from sandlot.keeper.zygote import Zygote

ORDER = ZygoteOrder(("/x",), {}, (), loading=60.0, making=10.0)
NOW = 1000.0


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Zygote(1, 1, 1, ours, None, ORDER, silent_since=NOW)


def asked_at(number: int, moment: float) -> ParkedBox:
    return ParkedBox(number, number, 1, None, None, 0, [], -1, asked=moment)


def test_one_that_loads_has_the_time_it_was_allowed(zygote: Zygote) -> None:
    assert zygote.overdue(NOW) == (False, 60.0)
    assert zygote.overdue(NOW + 59.0) == (False, 1.0)
    assert zygote.overdue(NOW + 60.0)[0]


def test_one_that_is_ready_and_asked_for_nothing_may_be_silent_for_ever(zygote: Zygote) -> None:
    zygote.is_ready = True
    assert zygote.overdue(NOW + 1e9) == (False, None)


def test_the_box_that_was_asked_for_first_is_the_first_that_is_late(zygote: Zygote) -> None:
    zygote.is_ready = True
    zygote.asked = {1: asked_at(1, NOW + 5), 2: asked_at(2, NOW + 1)}
    assert zygote.overdue(NOW + 6) == (False, 5.0)
    assert zygote.overdue(NOW + 11)[0]
