from __future__ import annotations

import json
from functools import partial
from typing import Any

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


def _running(call: Calls, box: str) -> list[Any]:
    return [row for row in call("GET", f"{box}/processes").json["processes"] if row["running"]]
