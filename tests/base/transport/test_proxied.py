from __future__ import annotations

from typing import List

import pytest

from sandlot.contracts.errors import ConnectionLost
from sandlot.wire.http import Request
from tests.base.transport.faces import Connect
from tests.base.transport.servers import Peer, answer, answering, serving

GET = Request("GET", "/x")


def test_a_plain_request_goes_to_the_proxy_whole(connect: Connect) -> None:
    asked: List[bytes] = []

    def serve(peer: Peer) -> None:
        asked.append(peer.request())
        peer.send(answer(b"by proxy"))
        peer.is_left()

    with serving(serve) as proxy:
        url = proxy.url.replace("//", "//us:er@")
        transport = connect("http://far.example:8/api", proxies={"http_proxy": url})
        with transport.open(GET) as exchange:
            assert exchange.read() == b"by proxy"
        transport.close()
    assert asked[0].startswith(b"GET http://far.example:8/api/x HTTP/1.1\r\nHost: far.example:8\r\n")
    assert b"\r\nProxy-Authorization: Basic dXM6ZXI=\r\n" in asked[0]


def test_a_websocket_goes_through_a_tunnel(connect: Connect) -> None:
    asked: List[bytes] = []

    def serve(peer: Peer) -> None:
        asked.append(peer.request())
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        asked.append(peer.accept())
        peer.say("hello")
        peer.is_left()

    with serving(serve) as proxy:
        url = proxy.url.replace("//", "//us:er@")
        talk = connect("http://far.example", proxies={"http_proxy": url}).websocket(GET)
        assert talk.receive() == "hello"
        talk.close()
    assert asked[0].startswith(
        b"CONNECT far.example:80 HTTP/1.1\r\nHost: far.example:80\r\nProxy-Authorization: "
    )
    assert asked[1].startswith(b"GET /x HTTP/1.1\r\nHost: far.example\r\n")
    assert b"Proxy-Authorization" not in asked[1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"", "407 Who are you"), "the proxy .* answers 407 when asked for https://far.example"),
        (b"SSH-2.0\r\n", "does not speak"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "speaks before the server"),
        (b"", "broke before"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_told(connect: Connect, said: bytes, why: str) -> None:
    def serve(peer: Peer) -> None:
        assert peer.request().startswith(b"CONNECT far.example:443 ")
        peer.send(said)

    with serving(serve) as proxy:
        transport = connect("https://far.example", key="secret", proxies={"HTTPS_PROXY": proxy.url})
        with pytest.raises(ConnectionLost, match=why), transport.open(GET):
            pass


def test_the_key_never_reaches_a_proxy_of_https(connect: Connect) -> None:
    received: List[bytes] = []

    def serve(peer: Peer) -> None:
        received.append(peer.request())
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        received.append(peer.socket.recv(65536))

    with serving(serve) as proxy:
        transport = connect("https://far.example", key="sl_secret", proxies={"https_proxy": proxy.url})
        with pytest.raises(ConnectionLost), transport.open(GET):
            pass
    assert received[1][:1] == b"\x16"  # a TLS handshake, RFC 8446, 5.1
    assert b"sl_secret" not in b"".join(received)


def test_what_no_proxy_lists_is_reached_directly(connect: Connect) -> None:
    with serving(answering(answer(b"direct"))) as server:
        transport = connect(server.url, proxies={"http_proxy": "http://proxy.example", "no_proxy": "x"})
        with transport.open(GET) as exchange:
            assert exchange.read() == b"direct"
        transport.close()
