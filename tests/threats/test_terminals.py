"""A14: WebSockets that flood, break the protocol or never read are closed, and cost the server nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from sandlot.testing.servers import RunningServer
from tests.threats.proof import resident, wait_until
from tests.threats.raw import HANDSHAKE, Line, ask, head

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_MIB = 2**20
_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9
_MARK = "86395"
"""Seconds the terminal's program would sleep: no other process of this machine does."""


def _frame(kind: int, data: bytes = b"", *, first: int = 0x80, mask: int = 0x80) -> bytes:
    """A client's frame (RFC 6455, section 5.2); *first* and *mask* are bits that may be wrong."""
    if len(data) < 126:
        length = bytes([mask | len(data)])
    else:
        length = bytes([mask | 127]) + len(data).to_bytes(8, "big")
    return bytes([first | kind]) + length + (bytes(4) if mask else b"") + data


@contextmanager
def _terminal(server: RunningServer, box: str) -> Iterator[Line]:
    with Line(server) as line:
        target = f"/v1/sandboxes/{box}/terminal?cmd=sleep&cmd={_MARK}"
        line.say(head(server, "GET", target, **HANDSHAKE))
        data = b""
        while b'"started"' not in data:
            piece = line.socket.recv(4096)
            assert piece, data
            data += piece
        yield line


_BROKEN = {
    "text that is no UTF-8": (1007, _frame(_TEXT, b"\xff")),
    "without a mask": (1002, _frame(_BINARY, b"x", mask=0)),
    "reserved bits": (1002, _frame(_BINARY, b"x", first=0xC0)),
    "a reserved kind": (1002, _frame(5, b"x")),
    "more of nothing": (1002, _frame(0, b"x")),
    "a message within a message": (1002, _frame(_BINARY, b"x", first=0) + _frame(_BINARY, b"y")),
    "a long ping": (1002, _frame(_PING, b"x" * 126)),
    "a ping in pieces": (1002, _frame(_PING, b"x", first=0)),
    "a close of one byte": (1002, _frame(_CLOSE, b"\x03")),
    "more than a mebibyte": (1009, _frame(_BINARY, b"x" * (_MIB + 1))),
    "more than a mebibyte in pieces": (
        1009,
        (_frame(_BINARY, b"x" * _MIB, first=0) + _frame(0, b"x" * _MIB)),
    ),
    "4 EiB announced": (1009, b"\x82\xff" + (2**62).to_bytes(8, "big") + bytes(4)),
    "pieces without end": (1009, _frame(_BINARY, b"x", first=0) + _frame(0, first=0) * 5000),
    "text that is no JSON": (1008, _frame(_TEXT, b"x")),
    "a size that is none": (1008, _frame(_TEXT, b'{"resize": {"rows": 0}}')),
    "a field nobody knows": (1008, _frame(_TEXT, b'{"resize": {}, "sudo": true}')),
    "a deep text": (1008, _frame(_TEXT, b"[" * 100_000)),
}


def test_a14_a_frame_that_breaks_the_rules_ends_the_terminal_with_its_code(
    server: RunningServer, box: str
) -> None:
    ended = {}
    for what, (_, data) in _BROKEN.items():
        with _terminal(server, box) as line:
            line.say(data)
            ended[what] = _close_code(line)
        wait_until(server, _MARK, 0)
    assert ended == {what: code for what, (code, _) in _BROKEN.items()}


def test_a14_a_handshake_that_is_none_is_answered(server: RunningServer, box: str) -> None:
    target = f"/v1/sandboxes/{box}/terminal"
    for wrong in (
        {"Sec_WebSocket_Version": "12"}, {"Sec_WebSocket_Key": "short"}, {"Content_Length": "5"},
        {"X_Long": "x" * 10_000}, {f"X_{number}": "x" for number in range(200)},
    ):  # fmt: skip
        assert ask(server, "GET", target, **{**HANDSHAKE, **wrong}).status == 400, str(wrong)[:50]
    assert ask(server, "GET", "/v1/nowhere", **HANDSHAKE).code == "not_found"
    assert ask(server, "GET", target + "?rows=0", **HANDSHAKE).code == "invalid_spec"
    assert ask(server, "GET", target + "?rows=99999", **HANDSHAKE).code == "invalid_spec"


def test_a14_pings_of_a_client_that_does_not_read_fill_no_memory(server: RunningServer, box: str) -> None:
    memory = resident(server)
    with _terminal(server, box) as line:
        for _ in range(100):
            line.say(_frame(_PING, b"x" * 125) * 800)
        assert ask(server, "GET", "/healthz").status == 200
        assert resident(server) - memory < 16 * _MIB
        line.vanish()
    wait_until(server, _MARK, 0)


def test_a14_typing_that_no_program_takes_fills_no_memory(server: RunningServer, box: str) -> None:
    memory = resident(server)
    with _terminal(server, box) as line:
        line.socket.settimeout(1.0)
        piece = _frame(_BINARY, b"x" * 65_000)
        with suppress(
            TimeoutError
        ):  # the kernel's terminal drops what does not fit, or the server reads no more
            for _ in range(100):
                line.socket.sendall(piece)
        assert resident(server) - memory < 16 * _MIB
        line.vanish()
    wait_until(server, _MARK, 0)


def _close_code(line: Line) -> int:
    """The code of the server's close frame, which comes at once; ours then ends the connection."""
    data = b""
    deadline = time.monotonic() + 10
    while len(data) < 4 or data.find(b"\x88") + 4 > len(data):
        assert time.monotonic() < deadline
        piece = line.socket.recv(4096)
        if not piece:
            return 0
        data += piece
    at = data.index(b"\x88") + 2
    line.say(_frame(_CLOSE, data[at : at + 2]))
    return int.from_bytes(data[at : at + 2], "big")
