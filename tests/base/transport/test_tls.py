"""TLS with a certificate made for the test by the program openssl."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import List, Union

import pytest

from sandlot.contracts.errors import ConnectionLost
from sandlot.transport import sync
from sandlot.transport.tls import default_context
from sandlot.wire.http import Request
from tests.base.transport.faces import Connect
from tests.base.transport.servers import OK, Peer, Serve, answer, serving

GET = Request("GET", "/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and the certificate it signed for localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        f"{folder}/key",
        "-out",
        f"{folder}/cert",
    ]
    subprocess.run(command, check=True, capture_output=True)
    whole = folder / "both"
    whole.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return whole


def secured(serve: Serve, certificate: Path, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Serve:
    """*serve* behind TLS; a client that breaks the handshake off is none of its business."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.load_cert_chain(certificate)

    def behind(peer: Peer) -> None:
        try:
            with context.wrap_socket(peer.socket, server_side=True) as tls:
                assert tls.selected_alpn_protocol() in ("http/1.1", None)
                serve(Peer(tls))
                tls.unwrap()
        except (ssl.SSLError, ConnectionError):
            pass  # the client broke it off

    return behind


def trusting(certificate: Path) -> ssl.SSLContext:
    context = default_context()
    context.load_verify_locations(certificate)
    return context


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_trusted_server_is_spoken_to(connect: Connect, certificate: Path, newest: ssl.TLSVersion) -> None:
    content = [bytes(300_000), b"x" * 700_000]

    def serve(peer: Peer) -> None:
        for _ in range(2):
            asked = peer.request()
            assert b"Authorization: Bearer sl_secret\r\n" in asked
            assert peer.content() == b"".join(content)
            peer.send(answer(bytes(2_000_000)))
        peer.is_left()

    with serving(secured(serve, certificate, newest=newest)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        transport = connect(url, key="sl_secret", context=trusting(certificate))
        for _ in range(2):
            with transport.open(Request("PUT", "/"), content=content) as exchange:
                assert b"".join(exchange) == bytes(2_000_000)
        assert server.connections == 1
        transport.close()


def test_a_websocket_works_over_tls(connect: Connect, certificate: Path) -> None:
    def serve(peer: Peer) -> None:
        peer.accept("", "at once")
        peer.exactly(500_000 + 14)
        peer.say(bytes(500_000))
        peer.is_left()

    with serving(secured(serve, certificate)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        talk = connect(url, context=trusting(certificate)).websocket(GET)
        talk.send_bytes(bytes(500_000))
        assert [talk.receive(), talk.receive()] == ["at once", bytes(500_000)]
        talk.close()


def never(_peer: Peer) -> None:
    raise AssertionError("a request was sent")


def test_a_server_nobody_trusts_gets_no_request(connect: Connect, certificate: Path) -> None:
    with serving(secured(never, certificate)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        told = pytest.raises(
            ConnectionLost, match=r"certificate of https://localhost:.* not trusted: self.signed"
        )
        with told, connect(url, key="secret").open(GET):
            pass
        assert server.connections == 1


def test_a_certificate_of_another_host_is_refused(connect: Connect, certificate: Path) -> None:
    with serving(secured(never, certificate)) as server:
        url = server.url.replace("http:", "https:")
        told = pytest.raises(ConnectionLost, match=r"IP address mismatch.*127\.0\.0\.1")
        with told, connect(url, context=trusting(certificate)).open(GET):
            pass


def test_a_server_without_tls_is_told(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.socket.recv(1)
        peer.send(answer(b"", "400 Bad Request"))
        peer.is_left()

    with serving(serve) as server:
        transport = connect(server.url.replace("http:", "https:"))
        with pytest.raises(ConnectionLost, match="does it speak https at this port"), transport.open(GET):
            pass


def test_the_default_is_strict() -> None:
    context = default_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_body_that_ends_without_goodbye_counts_as_cut(connect: Connect, certificate: Path) -> None:
    """An attacker can end a TCP connection, but cannot say the goodbye of TLS."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK + b"\r\nhalf")
        socket.socket.shutdown(peer.socket, socket.SHUT_RDWR)

    with serving(secured(serve, certificate)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        with connect(url, context=trusting(certificate)).open(GET) as exchange:
            assert exchange.read() == b"half"
            with pytest.raises(ConnectionLost, match="before the answer was complete"):
                exchange.read()


def test_a_server_that_breaks_the_handshake_is_tried_again(connect: Connect, certificate: Path) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"hello", headers="Connection: close\r\n"))

    with serving(Peer.reset, secured(serve, certificate)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        with connect(url, context=trusting(certificate)).open(Request("POST", "/")) as exchange:
            assert exchange.read() == b"hello"
        assert server.connections == 2


def test_a_server_that_reads_slowly_is_waited_for(connect: Connect, certificate: Path) -> None:
    size = 6_000_000

    def serve(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        left = size - len(peer.buffer)
        while left:
            left -= len(peer.socket.recv(min(left, 5000)))
        peer.send(answer(b"all of it", headers="Connection: close\r\n"))

    with serving(secured(serve, certificate)) as server:
        server._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        request = Request("POST", "/", {}, bytes(size))
        with connect(url, context=trusting(certificate)).open(request) as exchange:
            assert exchange.read() == b"all of it"


def test_one_thread_sends_while_another_receives_over_tls(certificate: Path) -> None:
    """The server echoes and stops reading while nobody reads: both threads use one TLS connection at once."""
    message, rounds = bytes(60_000), 60

    def serve(peer: Peer) -> None:
        peer.accept()
        for _ in range(rounds):
            peer.say(*peer.message())
        peer.is_left()

    received: List[Union[bytes, str, None]] = []
    with serving(secured(serve, certificate)) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        talk = sync.connect(url, context=trusting(certificate), proxies={}).websocket(GET)
        receiving = threading.Thread(target=lambda: received.extend(talk.receive() for _ in range(rounds)))
        receiving.start()
        for _ in range(rounds):
            talk.send_bytes(message)
        receiving.join()
        talk.close()
    assert received == [message] * rounds
