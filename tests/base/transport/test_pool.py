from __future__ import annotations

import socket
from typing import Iterator, List, Tuple

import pytest

from sandlot.transport.pool import Pool
from sandlot.transport.stream import Stream

Pair = Tuple[Stream, socket.socket]


@pytest.fixture
def pairs() -> Iterator[List[Pair]]:
    """Four connections, and the servers' ends of them."""
    made, sockets = [], []
    for _ in range(4):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made.append((Stream(ours), theirs))
        sockets += [ours, theirs]
    yield made
    for each in sockets:  # a stream may have been asked to let go of its own
        each.close()


def is_closed(pair: Pair) -> bool:
    return pair[0].release().fileno() < 0


def test_the_newest_is_taken_first(pairs: List[Pair]) -> None:
    pool = Pool()
    for pair in pairs:
        pool.give(pair[0], 0.0)
    assert [pool.take(1.0) for _ in range(5)] == [*(stream for stream, _ in reversed(pairs)), None]


def test_one_too_many_closes_the_oldest(pairs: List[Pair]) -> None:
    pool = Pool(most=2)
    for pair in pairs:
        pool.give(pair[0], 0.0)
    assert [is_closed(pair) for pair in pairs] == [True, True, False, False]


def test_what_was_idle_too_long_is_closed(pairs: List[Pair]) -> None:
    pool = Pool(seconds=30.0)
    for now, pair in enumerate(pairs):
        pool.give(pair[0], float(now))
    assert pool.take(32.5) is pairs[3][0]
    assert pool.take(32.5) is None
    assert [is_closed(pair) for pair in pairs] == [True, True, True, False]


def test_what_was_closed_or_spoken_on_unasked_is_not_given_out(pairs: List[Pair]) -> None:
    pool = Pool()
    for pair in pairs[:3]:
        pool.give(pair[0], 0.0)
    pairs[2][1].close()
    pairs[1][1].send(b"HTTP/1.1 408 Too late\r\n")
    pool.give(pairs[3][0], 0.0)
    pairs[3][0].close()
    assert pool.take(1.0) is pairs[0][0]
    assert [is_closed(pair) for pair in pairs] == [False, True, True, True]


def test_a_closed_pool_keeps_nothing(pairs: List[Pair]) -> None:
    pool = Pool()
    pool.give(pairs[0][0], 0.0)
    pool.close()
    pool.close()
    pool.give(pairs[1][0], 0.0)
    assert pool.take(0.0) is None
    assert is_closed(pairs[0])
    assert is_closed(pairs[1])
