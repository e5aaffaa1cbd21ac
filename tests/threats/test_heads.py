"""Heads of requests: names that are none, and bytes that two readers would read in two ways."""

from __future__ import annotations

from typing import Any

import pytest

from sandlot.testing.servers import RunningServer
from tests.threats.proof import sandboxes
from tests.threats.raw import HANDSHAKE, Line, ask, head

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_NO_IDS = {
    "parent": "..",
    "here": ".",
    "parent, escaped": "%2e%2e",
    "parent, escaped twice": "%252e%252e",
    "parent, as a servlet reads it": "..;",
    "NUL": "%00",
    "NUL at the end": "box%00",
    "129 characters": "a" * 129,
    "10 kB": "a" * 10_240,
    "slash": "a/b",
    "slash, escaped": "a%2Fb",
    "up and down": "box/../box",
    "up and down, escaped": "box%2f..%2fbox",
    "backslash": "a%5C..%5Cb",
    "absolute": "%2Fetc%2Fpasswd",
    "accent": "caf%C3%A9",
    "full width": "%EF%BD%82ox",
    "Cyrillic o": "b%D0%BEx",
    "zero width": "bo%E2%80%8Bx",
    "right to left": "%E2%80%AExob",
    "no UTF-8": "box%FF",
    "overlong UTF-8": "%C0%AE%C0%AE",
    "line break": "box%0Abox",
    "space": "b%20x",
    "space at the end": "box%20",
    "leading dash": "-box",
    "leading dot": ".box",
    "shell": "$(id)",
    "another shell": "box;id",
    "half an escape": "box%2",
    "tilde": "~root",
}
_VERBS: tuple[tuple[str, str, Any], ...] = (
    ("PUT", "", {}),
    ("GET", "", b""),
    ("DELETE", "", b""),
    ("POST", "/touch", b""),
    ("POST", "/exec", {"cmd": ["true"]}),
    ("POST", "/processes", {"cmd": ["true"]}),
    ("GET", "/files/download", b""),
    ("POST", "/files/upload", b"x"),
)


def test_a06_what_is_no_id_is_refused_by_every_verb(server: RunningServer, box: str) -> None:
    taken = {}
    for what, name in _NO_IDS.items():
        target = f"/v1/sandboxes/{name}"
        answers = [ask(server, method, target + rest, body) for method, rest, body in _VERBS]
        answers.append(ask(server, "GET", f"{target}/terminal", **HANDSHAKE))
        # A slash makes another path, of which there may be no route, or one without the verb.
        wanted = {400, 404, 405} if "/" in name or "%2F" in name.upper() else {400}
        taken[what] = {answer.status for answer in answers} - wanted
    assert {what: statuses for what, statuses in taken.items() if statuses} == {}
    assert sandboxes(server) == [box]


def test_a06_what_is_no_name_of_a_command_or_process_is_refused(server: RunningServer, box: str) -> None:
    for name in ("..", "%2e%2e", "%00", "a" * 200, "%D0%BE", "1%20", "$(id)"):
        for target in (f"exec/{name}/events", f"processes/{name}", f"processes/{name}/output"):
            assert ask(server, "GET", f"/v1/sandboxes/{box}/{target}").code == "invalid_spec"
        assert ask(server, "DELETE", f"/v1/sandboxes/{box}/exec/{name}").code == "invalid_spec"


def test_a06_the_longest_id_is_one(server: RunningServer) -> None:
    name = "a" * 128
    assert ask(server, "PUT", f"/v1/sandboxes/{name}", {}).json["id"] == name
    assert ask(server, "DELETE", f"/v1/sandboxes/{name}").status == 204


_JSON = b"Content-Type: application/json\r\n"
_POST = b"POST /v1/run HTTP/1.1\r\nHost: HOST\r\n" + _JSON
_GET = b"GET /v1/sandboxes HTTP/1.1\r\nHost: HOST\r\n"
_HIDDEN = b"PUT /v1/sandboxes/smuggled HTTP/1.1\r\nHost: HOST\r\n" + _JSON + b"Content-Length: 2\r\n\r\n{}"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_AMBIGUOUS = {
    "a length and chunks": _POST + b"Content-Length: 6\r\n" + _CHUNKED + b"\r\n0\r\n\r\n" + _HIDDEN,
    "chunks and a length": _POST + _CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "two lengths": _POST + b"Content-Length: 0\r\nContent-Length: 99\r\n\r\n" + _HIDDEN,
    "a list of lengths": _POST + b"Content-Length: 0, 99\r\n\r\n" + _HIDDEN,
    "a negative length": _POST + b"Content-Length: -1\r\n\r\n" + _HIDDEN,
    "a length with a sign": _POST + b"Content-Length: +2\r\n\r\n{}",
    "a hexadecimal length": _POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length of 23 digits": _POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "an unknown coding": _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "identity": _POST + b"Transfer-Encoding: identity\r\n\r\n" + _HIDDEN,
    "compressed chunks": _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "chunks, then identity": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "chunks, and identity": _POST + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "a space before the colon": _POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "a chunk that is no number": _POST + _CHUNKED + b"\r\nzz\r\n\r\n",
    "a negative chunk": _POST + _CHUNKED + b"\r\n-1\r\n\r\n",
    "a chunk beyond 64 bits": _POST + _CHUNKED + b"\r\nffffffffffffffffff\r\n\r\n",
    "a chunk longer than it says": _POST + _CHUNKED + b"\r\n2\r\n{}xx0\r\n\r\n" + _HIDDEN,
    "chunks with bare line feeds": _POST + _CHUNKED + b"\r\n2\n{}\n0\n\n" + _HIDDEN,
    "no method": b"G=T" + _GET[3:] + b"\r\n",
    "an unknown method": b"FOO" + _GET[3:] + b"\r\n",
    "a method in lower case": b"get" + _GET[3:] + b"\r\n",
    "a tunnel": b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/1.9": b"GET /healthz HTTP/1.9\r\nHost: HOST\r\n\r\n",
    "HTTP/2 in words": b"GET /healthz HTTP/2.0\r\nHost: HOST\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": _GET + b"Host: evil.example\r\n\r\n",
    "a target elsewhere": b"GET http://evil.example/v1/sandboxes HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a target without a slash": b"GET healthz HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a header without a colon": _GET + b"X\r\n\r\n",
    "a folded header": _GET + b"X: a\r\n b\r\n\r\n",
    "NUL in a header": _GET + b"X: a\0b\r\n\r\n",
    "NUL in a header's name": _GET + b"X\0: a\r\n\r\n",
    "CR in a header": _GET + b"X: a\rContent-Length: 5\r\n\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: HOST\n\n",
    "a space in the target": b"GET /v1/sand boxes HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "NUL in the target": b"GET /v1\0/sandboxes HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "no ASCII in the target": b"GET /v1/\xff HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "every byte": bytes(range(256)) * 100,
}


def test_a13_what_can_be_read_in_two_ways_is_refused_and_the_connection_closed(server: RunningServer) -> None:
    wrong = {}
    for what, data in _AMBIGUOUS.items():
        with Line(server) as line:
            line.say(data.replace(b"HOST", line.host.encode()))
            answer = line.answer()
            told = (answer.status, answer.headers.get("connection"), line.rest())
        if told != (400, "close", b""):
            wrong[what] = told
    assert wrong == {}
    assert sandboxes(server) == []


@pytest.mark.parametrize(
    "data",
    [
        _GET + b"X: " + b"a" * 65_536 + b"\r\n\r\n",
        _GET + b"X: a\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"A" * 100_000,
    ],
    ids=["one header", "20,000 headers", "the target", "no line at all"],
)
def test_a13_a_head_of_more_than_64_kib_is_refused(server: RunningServer, data: bytes) -> None:
    with Line(server) as line:
        line.say(data.replace(b"HOST", line.host.encode()))
        # The parser's own bounds may come first.
        assert line.answer().status in (0, 400, 431)


def test_a13_requests_that_follow_each_other_are_answered_in_order(server: RunningServer) -> None:
    with Line(server) as line:
        line.say(head(server, "GET", "/healthz") + head(server, "GET", "/v1/nothing") * 2)
        assert b"OK" in line.socket.recv(65_536)
    answer = ask(server, "GET", "/v1/sandboxes", b"hello")
    assert answer.status == 200
