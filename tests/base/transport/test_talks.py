from __future__ import annotations

import threading
from typing import List, Union

import pytest

from sandlot.contracts.errors import Conflict, ConnectionLost, InvalidSpec, TimedOut, Unauthorized
from sandlot.transport import sync
from sandlot.transport.memory import spoken
from sandlot.wire.http import Request
from sandlot.wire.websocket import Close, Message, Ping, Pong
from tests.base.transport.faces import Connect
from tests.base.transport.servers import Peer, answer, closed_port, hanging_up, serving

ASKED = Request("GET", "/v1/terminal?rows=24")
OFFERED = ("sandlot.terminal.v1",)


class Heard:
    """Accepts, says what it is told to, then keeps every message until the client has left."""

    def __init__(self, *says: Message, ends: bool = False) -> None:
        self.asked = b""
        self.messages: List[Message] = []
        self._says = says
        self._ends = ends

    def __call__(self, peer: Peer) -> None:
        self.asked = peer.accept(OFFERED[0])
        peer.say(*self._says)
        if not self._ends:
            self.messages = peer.messages()


def test_messages_go_both_ways(connect: Connect) -> None:
    heard = Heard("hello", b"\0\xff", "bye")
    with serving(heard) as server:
        talk = connect(server.url, key="sl_secret").websocket(ASKED, OFFERED)
        assert talk.protocol == "sandlot.terminal.v1"
        assert [talk.receive(), talk.receive(5), talk.receive()] == ["hello", b"\0\xff", "bye"]
        talk.send_text("ä")
        talk.send_bytes(b"\0")
        talk.send_bytes(bytes(1 << 20))
        talk.close()
        assert talk.ending is None
    assert heard.messages == ["ä", b"\0", bytes(1 << 20), Close(1000)]
    assert heard.asked.startswith(b"GET /v1/terminal?rows=24 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer sl_secret\r\n" in heard.asked
    assert b"\r\nSec-WebSocket-Protocol: sandlot.terminal.v1\r\n" in heard.asked


def test_what_comes_with_the_handshake_is_read(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.accept("", "at once", Close(1000))
        peer.is_left()

    with serving(serve) as server:
        talk = connect(server.url).websocket(ASKED)
        assert talk.protocol is None
        assert [talk.receive(), talk.receive()] == ["at once", None]
        talk.close()


def test_pings_are_answered_and_pongs_pass(connect: Connect) -> None:
    heard = Heard(Ping(b"there?"), Pong(b"alive"), "x")
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        assert talk.receive() == "x"
        talk.close()
    assert heard.messages == [Pong(b"there?"), Close(1000)]


def test_the_servers_goodbye_is_answered_and_kept(connect: Connect) -> None:
    heard = Heard("last", Close(4001, "gone"))
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        assert [talk.receive(), talk.receive(), talk.receive()] == ["last", None, None]
        assert talk.ending == Close(4001, "gone")
        with pytest.raises(ConnectionLost, match=r"closed by the server \(4001 gone\)"):
            talk.send_text("x")
        talk.close()
    assert heard.messages == [Close(4001, "gone")]


def test_a_closed_websocket_stays_closed(connect: Connect) -> None:
    heard = Heard("never read")
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        talk.close(4000)
        talk.close()
        assert talk.receive() is None
        with pytest.raises(ConnectionLost, match="is closed: open another"):
            talk.send_bytes(b"x")
    assert heard.messages == [Close(4000)]


def test_a_code_that_is_none_is_told(connect: Connect) -> None:
    heard = Heard()
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        with pytest.raises(InvalidSpec, match="1006 is no code"):
            talk.close(1006)


def test_a_silent_server_loses_no_message(connect: Connect) -> None:
    may_speak = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        assert may_speak.wait(10)
        peer.say("late")
        peer.is_left()

    with serving(serve) as server:
        talk = connect(server.url).websocket(ASKED)
        for _ in range(2):
            with pytest.raises(TimedOut, match=r"no message within 0\.02 seconds"):
                talk.receive(0.02)
        may_speak.set()
        assert talk.receive() == "late"
        talk.close()


def test_a_connection_that_breaks_is_told(connect: Connect) -> None:
    with serving(Heard("x", ends=True)) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        assert talk.receive() == "x"
        with pytest.raises(ConnectionLost, match="broke"):
            talk.receive()
        with pytest.raises(ConnectionLost, match="broke"):
            talk.receive()
        with pytest.raises(ConnectionLost, match="is closed"):
            talk.send_text("x")
        talk.close()
        assert talk.receive() is None


def test_a_connection_that_is_reset_is_told(connect: Connect) -> None:
    may_break = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        assert may_break.wait(10)
        peer.reset()

    with serving(serve) as server:
        talk = connect(server.url).websocket(ASKED)
        may_break.set()
        with pytest.raises(ConnectionLost, match="reset by peer"):
            talk.receive()
        talk.close()


def test_what_breaks_the_protocol_is_told_to_both(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        peer.send(b"\x83\x00")
        received.append(spoken(peer.exactly(8)))
        peer.is_left()

    received: List[List[Message]] = []
    with serving(serve) as server, pytest.raises(ConnectionLost, match="does not speak"):
        connect(server.url).websocket(ASKED).receive()
    assert received == [[Close(1002)]]


def test_a_refusal_is_the_servers_error(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b'{"code": "unauthorized", "detail": "no key"}', "401 Unauthorized"))
        assert peer.is_left()

    with serving(serve) as server:
        with pytest.raises(Unauthorized, match="no key"):
            connect(server.url).websocket(ASKED)
        assert server.connections == 1


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"", "308 Gone", "Location: https://elsewhere.example/\r\n"))
        assert peer.is_left()

    with serving(serve) as server, pytest.raises(InvalidSpec, match=r"elsewhere\.example"):
        connect(server.url).websocket(ASKED)


@pytest.mark.parametrize("headers", ["", "Upgrade: websocket\r\nConnection: Upgrade\r\n"])
def test_a_handshake_of_another_is_refused(connect: Connect, headers: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 101 Yes\r\n{headers}\r\n".encode())
        assert peer.is_left()

    with serving(serve) as server, pytest.raises(ConnectionLost, match="does not speak"):
        connect(server.url).websocket(ASKED)


def test_a_handshake_is_asked_for_once_and_a_connection_thrice(connect: Connect) -> None:
    with serving(hanging_up) as server:
        with pytest.raises(ConnectionLost, match="broke"):
            connect(server.url).websocket(ASKED)
        assert server.connections == 1
    with pytest.raises(ConnectionLost, match="sandlot serve"):
        connect(f"http://127.0.0.1:{closed_port()}").websocket(ASKED)


def test_a_message_too_long_is_refused_and_the_rest_goes_on(connect: Connect) -> None:
    heard = Heard()
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        with pytest.raises(InvalidSpec, match="do not fit"):
            talk.send_bytes(bytes((1 << 20) + 1))
        talk.send_text("x")
        talk.close()
    assert heard.messages == ["x", Close(1000)]


def test_one_thread_sends_while_another_receives() -> None:
    """The server echoes: neither side may stop reading while it waits to write."""
    rounds, size = 40, 100_000

    def serve(peer: Peer) -> None:
        peer.accept()
        whole = rounds * (size + 14)
        echoing = threading.Thread(target=peer.say, args=[bytes(size)] * rounds)
        echoing.start()
        peer.exactly(whole)
        echoing.join()
        peer.is_left()

    received: List[Union[bytes, str, None]] = []
    with serving(serve) as server:
        talk = sync.connect(server.url, proxies={}).websocket(ASKED)
        receiving = threading.Thread(target=lambda: received.extend(talk.receive() for _ in range(rounds)))
        receiving.start()
        for _ in range(rounds):
            talk.send_bytes(bytes(size))
        receiving.join()
        talk.close()
    assert received == [bytes(size)] * rounds


def test_closing_wakes_the_thread_that_receives() -> None:
    received: List[Union[bytes, str, None]] = []
    with serving(Heard("x")) as server:
        talk = sync.connect(server.url, proxies={}).websocket(ASKED, OFFERED)
        has_begun = threading.Event()

        def receive() -> None:
            received.append(talk.receive())
            has_begun.set()
            received.append(talk.receive())

        receiving = threading.Thread(target=receive)
        receiving.start()
        assert has_begun.wait(10)
        talk.close()
        receiving.join(10)
        assert not receiving.is_alive()
    assert received == ["x", None]


def test_two_cannot_receive_at_once() -> None:
    may_end = threading.Event()
    conflicts: List[bool] = []

    def serve(peer: Peer) -> None:
        peer.accept()
        assert may_end.wait(10)
        peer.say("x")
        peer.is_left()

    with serving(serve) as server:
        talk = sync.connect(server.url, proxies={}).websocket(ASKED)

        def receive() -> None:
            try:
                talk.receive()
                conflicts.append(False)
            except Conflict:
                conflicts.append(True)
                may_end.set()

        threads = [threading.Thread(target=receive) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        talk.close()
    assert sorted(conflicts) == [False, True]
