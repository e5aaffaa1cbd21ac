from __future__ import annotations

import threading
from pathlib import Path
from typing import List, Tuple

import pytest

from sandlot.contracts.errors import ConnectionLost, InvalidSpec
from sandlot.transport import sync
from sandlot.wire.http import Request
from tests.base.transport.faces import GET, POST, Connect, ask
from tests.base.transport.servers import OK, Peer, answer, answering, serving


def test_an_answer_arrives(connect: Connect) -> None:
    with serving(answering(answer(b"hello", headers="X-Y: z\r\n"))) as server:
        transport = connect(server.url)
        with transport.open(GET) as exchange:
            assert exchange.head.status == 200
            assert exchange.head.headers["x-y"] == "z"
            assert [exchange.read(2) for _ in range(4)] == [b"he", b"ll", b"o", b""]
        transport.close()


def test_a_body_arrives_piece_by_piece_and_nothing_is_held_back(connect: Connect) -> None:
    has_read = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert has_read.wait(10)
        peer.send(b"3\r\nend\r\n0\r\n\r\n")

    with serving(serve) as server, connect(server.url).open(GET) as exchange:
        pieces = iter(exchange)
        assert next(pieces) == b"hello"
        has_read.set()
        assert list(pieces) == [b"end"]


def test_a_connection_is_used_again(connect: Connect) -> None:
    with serving(answering(answer(b"one"), answer(b"two"), answer(b""))) as server:
        transport = connect(server.url)
        assert [ask(transport), ask(transport, POST), ask(transport)] == [
            (200, b"one"),
            (200, b"two"),
            (200, b""),
        ]
        assert server.connections == 1
        transport.close()


def test_leaving_early_closes_the_connection(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"Content-Length: 10\r\n\r\nhello")
        assert peer.is_left()

    with serving(serve, answering(answer(b"new"))) as server:
        transport = connect(server.url)
        with transport.open(GET) as exchange:
            assert exchange.read() == b"hello"
        assert ask(transport) == (200, b"new")
        assert server.connections == 2
        transport.close()
        with pytest.raises(ConnectionLost):
            exchange.read()


@pytest.mark.parametrize(
    "last",
    [
        answer(b"x", headers="Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        answer(b"x") + b"HTTP/1.1 200 Unasked\r\n",
    ],
)
def test_a_connection_that_may_not_be_kept_is_closed(connect: Connect, last: bytes) -> None:
    with serving(answering(last)) as server:
        transport = connect(server.url)
        assert [ask(transport), ask(transport)] == [(200, b"x"), (200, b"x")]
        assert server.connections == 2


def test_a_body_until_the_end_of_the_connection_is_read(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"\r\nhello")

    with serving(serve) as server:
        assert ask(connect(server.url)) == (200, b"hello")


def test_a_small_request_is_one_packet(connect: Connect) -> None:
    received = []

    def serve(peer: Peer) -> None:
        received.append(peer.socket.recv(65536))
        peer.send(answer())

    with serving(serve) as server:
        ask(connect(f"{server.url}/api/", key="sl_secret"), Request("POST", "/x?y", {"A": "b"}, b"body"))
        host = server.url[7:]
    lines = received[0].split(b"\r\n")
    assert lines[0] == b"POST /api/x?y HTTP/1.1"
    assert lines[1] == f"Host: {host}".encode()
    assert lines[2].startswith(b"User-Agent: sandlot/")
    assert lines[3:] == [b"Authorization: Bearer sl_secret", b"A: b", b"Content-Length: 4", b"", b"body"]


def test_a_user_agent_may_be_the_callers(connect: Connect) -> None:
    received = []

    def serve(peer: Peer) -> None:
        received.append(peer.request())
        peer.send(answer())

    with serving(serve) as server:
        ask(connect(server.url), Request("GET", "/", {"user-agent": "me"}))
    assert received[0].lower().count(b"user-agent") == 1


@pytest.mark.parametrize("form", ["unix://{}", "http+unix://{}/api"])
def test_a_unix_socket_is_reached(connect: Connect, tmp_path: Path, form: str) -> None:
    path = tmp_path / "s"
    received = []

    def serve(peer: Peer) -> None:
        received.append(peer.request())
        peer.send(answer(b"hello"))

    url = form.format(str(path).replace("/", "%2F") if "+" in form else path)
    with serving(serve, path=path):
        assert ask(connect(url, key="secret")) == (200, b"hello")
    assert received[0].startswith(b"GET /api/x " if "+" in form else b"GET /x ")
    assert b"\r\nHost: localhost\r\n" in received[0]


def test_the_names_of_localhost_are_resolved(connect: Connect) -> None:
    with serving(answering(answer(b"hello"))) as server:
        transport = connect(server.url.replace("127.0.0.1", "localhost"))
        assert ask(transport) == (200, b"hello")
        transport.close()


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://user:secret@elsewhere.example/a?secret", "elsewhere.example"),
        ("/secret", "another path of its own"),
        ("http://[secret", "another path of its own"),
    ],
)
def test_a_redirect_is_told_and_not_followed(connect: Connect, location: str, host: str) -> None:
    told = pytest.raises(InvalidSpec, match=f"redirects to {host}")
    redirect = answer(status="307 Elsewhere", headers=f"Location: {location}\r\n")
    with serving(answering(redirect)) as server, told as caught:
        ask(connect(server.url))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("target", ["", "x", "http://elsewhere/", "*"])
def test_a_target_begins_with_a_slash(connect: Connect, target: str) -> None:
    with pytest.raises(InvalidSpec, match="slash"):
        ask(connect("http://localhost"), Request("GET", target))


def test_a_closed_transport_says_so(connect: Connect) -> None:
    transport = connect("http://localhost")
    transport.close()
    with pytest.raises(RuntimeError, match="closed"):
        ask(transport)


def test_a_connection_in_use_while_the_transport_closes_is_not_kept(connect: Connect) -> None:
    with serving(answering(answer(b"x"))) as server:
        transport = connect(server.url)
        with transport.open(GET) as exchange:
            transport.close()
            assert exchange.read() == b"x"


def test_a_transport_does_not_show_its_key(connect: Connect) -> None:
    assert repr(connect("http://localhost:1", key="secret")) == "<SocketTransport to http://localhost:1>"


def test_threads_share_a_transport() -> None:
    answers: List[Tuple[int, bytes]] = []

    def serve(peer: Peer) -> None:
        while True:
            asked = peer.request()
            if not asked:
                return
            peer.send(answer(asked[:10]))

    with serving(serve) as server:
        transport = sync.connect(server.url, proxies={})

        def work() -> None:
            answers.extend(ask(transport) for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [(200, b"GET /x HTT")] * 80
        assert server.connections <= 4
        transport.close()
