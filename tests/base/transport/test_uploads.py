from __future__ import annotations

import threading
from typing import Iterator

import pytest

from sandlot.contracts.errors import TimedOut
from sandlot.wire.http import Request
from tests.base.transport.faces import Connect, ask
from tests.base.transport.servers import OK, Peer, answer, serving


def test_content_is_sent_in_pieces(connect: Connect) -> None:
    received = []

    def serve(peer: Peer) -> None:
        received.append(peer.request())
        received.append(peer.content())
        peer.send(answer(b"thanks"))
        peer.is_left()

    pieces = [b"a" * 100_000, b"", b"b", b"c" * 1_000_000]
    with serving(serve) as server:
        transport = connect(server.url)
        assert ask(transport, Request("PUT", "/up"), content=iter(pieces)) == (200, b"thanks")
        transport.close()
    assert b"Transfer-Encoding: chunked" in received[0]
    assert received[1] == b"".join(pieces)


def test_what_a_server_says_before_it_hangs_up_is_read(connect: Connect) -> None:
    """An upload that is refused early ends with the server's words, not with a broken pipe."""

    def serve(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.send(answer(b"too large", "413 Too Large"))

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65536)

    with serving(serve) as server:
        transport = connect(server.url)
        assert ask(transport, Request("POST", "/"), content=endless()) == (413, b"too large")
        assert ask(transport, Request("POST", "/", {}, bytes(50_000_000))) == (413, b"too large")
        assert server.connections == 2


def test_an_early_answer_to_a_stalled_upload_is_read(connect: Connect) -> None:
    has_left = threading.Event()

    def serve(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.send(answer(b"no", "401 No"))
        assert has_left.wait(10)

    with serving(serve) as server:
        assert ask(connect(server.url), Request("POST", "/"), content=[bytes(50_000_000)]) == (401, b"no")
        has_left.set()


def test_content_that_fails_ends_the_request(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        assert peer.is_left()

    def failing() -> Iterator[bytes]:
        yield b"x"
        raise OSError("the disk is gone")

    with serving(serve) as server, pytest.raises(OSError, match="the disk is gone"):
        ask(connect(server.url), Request("PUT", "/"), content=failing())


def test_an_answer_may_begin_before_everything_is_sent(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nfew\r\n")
        size = len(peer.content())
        peer.send(b"7\r\n%07d\r\n0\r\n\r\n" % size)
        peer.is_left()

    with serving(serve) as server:
        transport = connect(server.url)
        assert ask(transport, Request("PUT", "/"), content=[bytes(4_000_000)] * 2) == (200, b"few8000000")
        transport.close()


def test_a_whole_answer_ends_the_sending(connect: Connect) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"enough"))
        assert peer.is_left()

    with serving(serve) as server:
        assert ask(connect(server.url), Request("PUT", "/"), content=endless()) == (200, b"enough")


def test_what_comes_while_sending_is_bounded(connect: Connect) -> None:
    """Two who only write wait for each other: that is silence, not memory."""

    def serve(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        try:
            peer.send(OK + b"Content-Length: 50000000\r\n\r\n" + bytes(50_000_000))
        except ConnectionError:
            pass

    with serving(serve) as server, pytest.raises(TimedOut):
        ask(connect(server.url), Request("PUT", "/"), content=[bytes(50_000_000)], timeout=0.2)


def test_nothing_at_all_can_be_sent_in_pieces(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        assert peer.content() == b""
        peer.send(answer(b"thanks"))

    with serving(serve) as server:
        assert ask(connect(server.url), Request("PUT", "/"), content=[]) == (200, b"thanks")
