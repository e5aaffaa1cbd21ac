"""A server that does not read: what waits for it is bounded, and nobody waits for it for ever."""

from __future__ import annotations

import socket
from typing import Iterator, Tuple

import pytest

from sandlot.contracts.errors import ConnectionLost
from sandlot.transport.address import Address
from sandlot.transport.memory import frame
from sandlot.transport.stream import Stream
from sandlot.transport.sync import drive
from sandlot.transport.talk import Talk
from sandlot.transport.waiting import Flow, Ready, Want
from sandlot.wire.websocket import Close, Ping


@pytest.fixture
def ends() -> Iterator[Tuple[Talk, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    yield Talk(Stream(ours), Address("http"), None, b""), theirs
    theirs.close()
    ours.close()


def driven(flow: Flow[None], *, answer: bool) -> Iterator[Want]:
    """What *flow* waits for when everything is answered by *answer*."""
    try:
        want = next(flow)
        while True:
            yield want
            want = flow.send(answer)
    except StopIteration:
        return


def test_pings_of_who_does_not_read_stay_unanswered(ends: Tuple[Talk, socket.socket]) -> None:
    talk, server = ends
    pings = frame(Ping(bytes(125)))
    for _ in range(40):
        server.sendall(pings * 100 + frame("x"))
        assert drive(talk.receive(5)) == "x"
    assert 65536 <= len(talk._unsent) < 65536 + 131
    server.close()


def test_closing_does_not_wait_for_who_does_not_read(ends: Tuple[Talk, socket.socket]) -> None:
    talk, _ = ends
    sending = talk.send(bytes(1 << 20))
    want = next(sending)
    assert isinstance(want, Ready)
    assert (want.read, want.write, want.seconds) == (False, True, None)
    waited = list(driven(talk.close(), answer=False))  # its second is over at once
    assert all(isinstance(each, Ready) and each.seconds is not None and each.seconds <= 1 for each in waited)
    assert waited
    with pytest.raises(ConnectionLost):
        sending.send(True)


def test_who_receives_is_told_what_the_sender_met(ends: Tuple[Talk, socket.socket]) -> None:
    talk, server = ends
    server.close()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            drive(talk.send(b"x"))
        with pytest.raises(ConnectionLost, match="broke"):
            drive(talk.receive(5))
    drive(talk.close())
    assert drive(talk.receive(5)) is None


def test_a_quiet_connection_stands_until_either_side_ends_it(ends: Tuple[Talk, socket.socket]) -> None:
    talk, server = ends
    assert talk.stands()
    server.sendall(frame(Ping(b"there?")) + frame("kept"))
    assert talk.stands()
    assert server.recv(100)[:2] == bytes([0x8A, 0x80 | len(b"there?")])  # a pong (RFC 6455, 5.2)
    assert drive(talk.receive(5)) == "kept"
    server.sendall(frame(Close(1001)))
    assert not talk.stands()
    assert talk.ending == Close(1001)


def test_a_connection_that_broke_does_not_stand(ends: Tuple[Talk, socket.socket]) -> None:
    talk, server = ends
    server.close()
    assert not talk.stands()
    with pytest.raises(ConnectionLost):
        drive(talk.send("x"))
