from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from sandlot.testing.servers import RunningServer
from tests.unit.native.calls import Calls, until


def _open(server: RunningServer, path: str, **more: Any) -> ClientConnection:
    opened: ClientConnection = connect(server.url.replace("http", "ws", 1) + path, **more)
    return opened


def _seen(socket: ClientConnection, text: bytes) -> bytes:
    """What came up to *text*."""
    seen = b""
    while text not in seen:
        piece = socket.recv(timeout=10)
        assert isinstance(piece, bytes), piece
        seen += piece
    return seen


def _rest(socket: ClientConnection) -> tuple[list[Any], int]:
    """Every frame to come, and the code the server closes with."""
    frames: list[Any] = list(iter(partial(_frame, socket), None))
    return frames, socket.close_code or 0


def _frame(socket: ClientConnection) -> Any:
    """The next frame; None when the server has closed."""
    try:
        return socket.recv(timeout=10)
    except ConnectionClosed:
        return None


def test_a_terminal_is_typed_at_resized_and_ends(server: RunningServer, box: str) -> None:
    path = f"{box}/terminal?cmd=sh&rows=30&columns=100"
    with _open(server, path, subprotocols=["sandlot.terminal.v1"]) as socket:
        assert socket.subprotocol == "sandlot.terminal.v1"
        started = json.loads(socket.recv(timeout=10))
        assert started["event"] == "started"
        socket.send(b"stty size\n")
        _seen(socket, b"30 100")
        socket.send('{"resize":{"rows":10,"columns":20}}')
        socket.send(b"stty size\n")
        _seen(socket, b"10 20")
        socket.send(b"exit 4\n")
        frames, code = _rest(socket)
    ended = json.loads(frames[-1])
    assert (ended["event"], ended["exitCode"], ended["engine"], code) == ("exited", 4, "zygote", 1000)


def test_a_terminal_without_a_command_is_a_shell(server: RunningServer, box: str) -> None:
    with _open(server, f"{box}/terminal") as socket:
        socket.recv(timeout=10)
        socket.send(b"echo $((6 * 7))\n")
        _seen(socket, b"42")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sandboxes/nobodys/terminal", 404),
        ("/v1/sandboxes/-/terminal", 400),
        ("BOX/terminal?rows=0", 400),
        ("BOX/terminal?columns=65536", 400),
        ("BOX/terminal?workdir=../x", 400),
        ("BOX/terminal?cmd=", 400),
        ("BOX/terminal?cmd=a%00b", 400),
    ],
)
def test_what_is_wrong_from_the_start_is_told_before_the_handshake_ends(
    server: RunningServer, box: str, path: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        _open(server, path.replace("BOX", box))
    answer = refused.value.response
    assert answer.status_code == status
    assert json.loads(answer.body or b"")["status"] == status


@pytest.mark.parametrize(
    "text", ["junk", "{}", '{"resize":{}, "more":1}', '{"resize":{"rows":0}}', '{"resize":[]}']
)
def test_a_text_frame_that_is_no_message_closes_the_terminal(
    call: Calls, server: RunningServer, box: str, text: str
) -> None:
    with _open(server, f"{box}/terminal") as socket:
        socket.recv(timeout=10)
        socket.send(text)
        assert _rest(socket)[1] == 1008
    until(lambda: not _running(call, box))


def test_a_client_that_vanishes_ends_its_terminal(call: Calls, server: RunningServer, box: str) -> None:
    """A11."""
    with _open(server, f"{box}/terminal?cmd=sleep&cmd=60") as socket:
        socket.recv(timeout=10)
        assert _running(call, box)
        socket.socket.close()
        until(lambda: not _running(call, box))


def test_a_frame_too_large_ends_the_terminal(call: Calls, server: RunningServer, box: str) -> None:
    """A14."""
    with _open(server, f"{box}/terminal?cmd=sleep&cmd=60") as socket:
        socket.recv(timeout=10)
        try:
            socket.send(b"x" * (2 * 2**20))
        except ConnectionClosed:
            pass  # refused before all of it was sent
        assert _rest(socket)[1] in (
            1009,
            1006,
        )  # the reset of what was still being sent may outrun the reason
    until(lambda: not _running(call, box))


def test_a_terminal_ends_with_its_sandbox(call: Calls, server: RunningServer) -> None:
    path = "/v1/sandboxes/terminal-deleted"
    call("PUT", path, {})
    with _open(server, f"{path}/terminal") as socket:
        socket.recv(timeout=10)
        call("DELETE", path)
        frames, code = _rest(socket)
    assert (json.loads(frames[-1])["reason"], code) == ("box_died", 1000)


@contextmanager
def _opened(server: RunningServer, box: str, *words: str) -> Iterator[tuple[ClientConnection, str]]:
    """A terminal that is kept, and the path by which it is taken up again."""
    query = "&".join(f"cmd={quote(word)}" for word in words)
    with _open(server, f"{box}/terminal?resume=true&{query}") as socket:
        name = json.loads(socket.recv(timeout=10))["terminal"]
        yield socket, f"{box}/terminals/{name}"


@contextmanager
def _back(server: RunningServer, path: str, after: int) -> Iterator[tuple[ClientConnection, int]]:
    """The terminal again, and how many bytes were missed."""
    with _open(server, f"{path}?after={after}", subprotocols=["sandlot.terminal.v1"]) as socket:
        told = json.loads(socket.recv(timeout=10))
        assert (told["event"], told["after"], path.endswith(told["terminal"])) == ("resumed", after, True)
        yield socket, told["missed"]


def _lose(connection: ClientConnection) -> None:
    """End the connection without a word, as a network does."""
    connection.socket.shutdown(SHUT_RDWR)


def test_who_loses_the_connection_comes_back_and_misses_nothing(server: RunningServer, box: str) -> None:
    program = "stty -echo; echo one; read x; echo got $x; read x; exit 5"
    with _opened(server, box, "sh", "-c", program) as (first, path):
        seen = _seen(first, b"one\r\n")
        _lose(first)
    with _back(server, path, 0) as (second, missed):
        assert (_seen(second, b"one\r\n"), missed) == (seen, 0)
        second.send(b"two\n")
        seen += _seen(second, b"got two\r\n")
        _lose(second)
    for number in range(2):  # its end is told again, for a while
        with _back(server, path, len(seen)) as (last, missed):
            if number == 0:
                last.send(b"\n")
            frames, code = _rest(last)
        assert (json.loads(frames[-1])["exitCode"], missed, code) == (5, 0, 1000)


def test_what_was_missed_beyond_what_is_kept_is_counted(server: RunningServer, call: Calls, box: str) -> None:
    program = "read x; head -c 1000000 /dev/zero | tr '\\0' x; echo; touch written; read x; echo end"
    with _opened(server, box, "sh", "-c", f"stty -echo; echo up; {program}") as (socket, path):
        seen = _seen(socket, b"up\r\n")
        socket.send(b"\n")
        _lose(socket)
    until(lambda: call("GET", f"{box}/files/stat?path=written").status == 200)
    with _back(server, path, len(seen)) as (again, missed):
        again.send(b"\n")
        rest = _seen(again, b"end")
    assert missed > 500_000
    assert rest.startswith(b"x" * 100_000)
    assert missed + len(rest.partition(b"\r")[0]) == 1_000_000


def test_a_second_client_takes_a_terminal_over(server: RunningServer, box: str) -> None:
    with _opened(server, box, "sh", "-c", "echo up; read x") as (first, path):
        seen = _seen(first, b"up\r\n")
        with _back(server, path, len(seen)):
            assert _rest(first) == ([], 4001)


def test_who_closes_a_kept_terminal_ends_it(call: Calls, server: RunningServer, box: str) -> None:
    with _opened(server, box, "sleep", "60") as (_, path):
        assert _running(call, box)
    until(lambda: not _running(call, box))
    with _back(server, path, 0) as (again, _):
        assert json.loads(_rest(again)[0][-1])["reason"] == "killed"


@pytest.mark.parametrize(
    ("path", "status"), [("nobody", 404), ("NAME?after=9999", 409), ("NAME?after=x", 400)]
)
def test_what_cannot_be_taken_up_is_told_before_the_handshake_ends(
    server: RunningServer, box: str, path: str, status: int
) -> None:
    with _opened(server, box, "sleep", "60") as (_, here):
        asked = f"{box}/terminals/{path.replace('NAME', here.rpartition('/')[2])}"
        with pytest.raises(InvalidStatus) as refused, _open(server, asked):
            pass
    assert refused.value.response.status_code == status


def _running(call: Calls, box: str) -> list[Any]:
    return [row for row in call("GET", f"{box}/processes").json["processes"] if row["running"]]
