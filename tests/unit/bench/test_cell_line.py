from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from sandlot.bench.cell_line import CellLine, cell, told
from sandlot.bench.connection import Answer, door
from sandlot.transport.memory import frame, spoken
from sandlot.wire.websocket import Close, Ping, Pong

OPENED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
BEGUN = '{"id":1,"event":"begun","cell":"1"}\n'
REST = '{"id":2,"event":"stdout","text":"1\\n"}\n{"id":3,"event":"finished","status":"ok"}\n'
LONG = '{"id":2,"event":"stdout","text":"' + "x" * 70_000 + '"}\n'
FAILED = '{"id":1,"event":"failed","code":"conflict","message":"no"}\n'


class Peer:
    """A server of one connection that says what it is told to, byte by byte where that is short."""

    def __init__(self, *says: bytes) -> None:
        self.says, self.heard = says, bytearray()

    def serve(self, listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            while b"\r\n\r\n" not in self.heard:
                self.heard += accepted.recv(65536)
            for piece in b"".join(self.says[:1]), *self.says[1:]:
                accepted.sendall(piece[:3])
                accepted.sendall(piece[3:])
            accepted.shutdown(socket.SHUT_WR)
            while data := accepted.recv(65536):
                self.heard += data


@contextmanager
def line_to(peer: Peer) -> Iterator[CellLine]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=peer.serve, args=(listener,))
        thread.start()
        with closing(CellLine(door(f"http://127.0.0.1:{listener.getsockname()[1]}"), "s", "c")) as line:
            yield line
        thread.join(10)


def test_a_cell_is_asked_for_and_heard_up_to_its_end() -> None:
    peer = Peer(
        OPENED, frame(BEGUN), frame(Ping(b"there?")), frame("\n"), frame(LONG), frame(REST), frame(FAILED)
    )
    with line_to(peer) as line:
        first = line.exchange(cell("print(1)"))
        assert told(first) == ("ok", "x" * 70_000 + "1\n")
        assert told(line.exchange(cell("2"))) == ("conflict", "")
    head, _, said = bytes(peer.heard).partition(b"\r\n\r\n")
    assert head.startswith(b"GET /v1/sandboxes/s/contexts/c/channel HTTP/1.1\r\n")
    assert b"Sec-WebSocket-Version: 13" in head
    first_said, *others = spoken(said)
    assert first_said == '{"cell":"1","code":"print(1)","timeoutSeconds":30.0}'
    assert Pong(b"there?") in others


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((b"HTTP/1.1 404 Not Found\r\n\r\n",), "opens no WebSocket"),
        ((OPENED, frame(BEGUN)), "hung up"),
        ((OPENED, frame(Close(1012))), "instead of the cell's events"),
    ],
)
def test_a_server_without_an_end_to_tell_is_an_error(says: tuple[bytes, ...], why: str) -> None:
    with line_to(Peer(*says)) as line:
        with pytest.raises(OSError, match=why):
            line.exchange(cell("1"))
        with pytest.raises(OSError, match="no connection"):
            line.fileno()


def test_an_answer_of_signs_of_life_and_events_is_read() -> None:
    body = f"\n{BEGUN}\n{REST}".encode()
    assert told(Answer(200, body, len(body))) == ("ok", "1\n")
