from __future__ import annotations

import select
from pathlib import Path
from typing import Any, List

import pytest

from sandlot.contracts.errors import ConnectionLost, TimedOut
from sandlot.wire.http import Request
from tests.base.transport.faces import GET, POST, Connect, ask
from tests.base.transport.servers import OK, Peer, answer, answering, closed_port, hanging_up, serving


@pytest.mark.parametrize("request_", [GET, POST])
def test_a_kept_connection_that_was_closed_is_not_used(connect: Connect, request_: Request) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"one"))

    with serving(serve, answering(answer(b"two"))) as server:
        transport = connect(server.url)
        assert ask(transport) == (200, b"one")
        select.select([_kept(transport)[0][1].release()], [], [])
        assert ask(transport, request_) == (200, b"two")
        assert server.connections == 2
        transport.close()


def _kept(transport: Any) -> List[Any]:
    courier = getattr(transport, "_courier", None) or transport._transport._courier
    kept: List[Any] = courier._pool._idle
    return kept


def _dying_at_the_second(peer: Peer) -> None:
    peer.request()
    peer.send(answer(b"one"))
    peer.request()


def test_a_kept_connection_that_dies_with_a_get_is_replaced_at_once(connect: Connect) -> None:
    with serving(_dying_at_the_second, answering(answer(b"two"))) as server:
        transport = connect(server.url)
        assert [ask(transport), ask(transport)] == [(200, b"one"), (200, b"two")]
        assert server.connections == 2
        transport.close()


def test_a_post_that_was_sent_is_not_sent_again(connect: Connect) -> None:
    with serving(_dying_at_the_second) as server:
        transport = connect(server.url)
        assert ask(transport) == (200, b"one")
        with pytest.raises(ConnectionLost, match="before the answer was complete"):
            ask(transport, POST)
        assert server.connections == 1
    with serving(hanging_up) as server:
        with pytest.raises(ConnectionLost):
            ask(connect(server.url), POST)
        with pytest.raises(ConnectionLost):
            ask(connect(server.url), Request("PUT", "/"), content=[b"x"])
        assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_lost_request_that_may_happen_twice_is_sent_again(connect: Connect, method: str) -> None:
    with serving(hanging_up, answering(answer())) as server:
        transport = connect(server.url)
        assert ask(transport, Request(method, "/")) == (200, b"")
        assert server.connections == 2
        transport.close()


def test_a_reset_is_a_loss(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.reset()

    with serving(serve) as server:
        with pytest.raises(ConnectionLost, match="reset by peer"):
            ask(connect(server.url), POST)
        assert server.connections == 1


def test_the_third_loss_is_told(connect: Connect) -> None:
    with serving(hanging_up) as server:
        with pytest.raises(ConnectionLost, match="sandlot serve"):
            ask(connect(server.url))
        assert server.connections == 3


def test_a_server_that_is_not_there_is_named_with_the_next_step(connect: Connect, tmp_path: Path) -> None:
    port = closed_port()
    with pytest.raises(
        ConnectionLost, match=f"http://127.0.0.1:{port}: Connection refused; is `sandlot serve`"
    ):
        ask(connect(f"http://127.0.0.1:{port}", key="secret"), POST)
    with pytest.raises(ConnectionLost, match="No such file or directory; is `sandlot serve`"):
        ask(connect(f"unix://{tmp_path}/none.sock"))


def test_an_answer_that_breaks_off_is_told(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nhello")

    with serving(serve) as server, connect(server.url).open(GET) as exchange:
        assert exchange.read() == b"hello"
        with pytest.raises(ConnectionLost, match="before the answer was complete"):
            exchange.read()
        assert server.connections == 1


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n"])
def test_what_is_not_http_is_told(connect: Connect, said: bytes) -> None:
    told = pytest.raises(ConnectionLost, match="does not speak as a sandlot server does")
    with serving(answering(said)) as server, told:
        ask(connect(server.url))


def test_silence_is_bounded_where_asked(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        assert peer.is_left()

    def serve_half(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nhello")
        assert peer.is_left()

    with serving(serve, serve_half) as server:
        transport = connect(server.url)
        with pytest.raises(TimedOut, match=r"silent for 0\.05 seconds"):
            ask(transport, timeout=0.05)
        with transport.open(GET, timeout=0.05) as exchange:
            assert exchange.read() == b"hello"
            with pytest.raises(TimedOut):
                exchange.read()
        assert server.connections == 2


def test_a_server_that_never_says_hello_is_bounded(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        assert peer.is_left()

    with serving(serve) as server:
        transport = connect(server.url.replace("http:", "https:"), timeout=0.05)
        with pytest.raises(TimedOut, match=r"no connection to https://127.0.0.1:\d+ within 0\.05 seconds"):
            ask(transport)
