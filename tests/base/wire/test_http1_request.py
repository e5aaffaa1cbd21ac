from __future__ import annotations

from typing import List, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.wire.http import Request
from sandlot.wire.http1 import Body, ResponseParser
from sandlot.wire.http1_request import LAST_CHUNK, chunk, request_bytes

HOST = {"Host": "h"}


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (Request("GET", "/"), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        (
            Request("PUT", "/a%20b?c=d", {"Content-Type": "text/plain; x=y", "X-Empty": ""}, b"hello"),
            (
                b"PUT /a%20b?c=d HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain; x=y\r\nX-Empty: \r\n"
                b"Content-Length: 5\r\n\r\nhello"
            ),
        ),
        (Request("POST", "/"), b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
        (Request("DELETE", "/"), b"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n"),
        (Request("DELETE", "/", {}, b"x"), b"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"),
        (Request("CONNECT", "h:443"), b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ],
)
def test_requests_are_written(request_: Request, sent: bytes) -> None:
    assert request_bytes(request_, HOST) == sent


def test_content_in_pieces_follows_the_head() -> None:
    head = request_bytes(Request("POST", "/"), HOST, chunked=True)
    assert head == b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert chunk(b"") == b""


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_chunks_are_read_as_they_were_written(pieces: List[bytes]) -> None:
    parser = ResponseParser("GET")
    events = parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    events += parser.feed(b"".join(map(chunk, pieces)) + LAST_CHUNK)
    assert b"".join(event.data for event in events if isinstance(event, Body)) == b"".join(pieces)
    assert parser.is_reusable


@pytest.mark.parametrize("method", ["", "GET ", "G\r\n", "GÉT", "GET /x HTTP/1.1\r\nX:"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(InvalidSpec, match="no HTTP method"):
        request_bytes(Request(method, "/"), HOST)


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nX: y", "/\0", "/ä", "/a#b", "/\x7f", "/\t"])
def test_a_target_that_needs_escapes_is_refused(target: str) -> None:
    with pytest.raises(InvalidSpec, match="escape it"):
        request_bytes(Request("GET", target), HOST)


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nY", "Ä", "X\0"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="no name"):
        request_bytes(Request("GET", "/", {name: "x"}), HOST)


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\0", "ä", " a", "a ", "\x7f", "\ud800"])
def test_a_value_that_http_cannot_carry_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(InvalidSpec, match="the header X-Y holds") as caught:
        request_bytes(Request("GET", "/", {"X-Y": "secret" + value if value[:1] != " " else value}), HOST)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "other"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"CONNECTION": "close"},
        {"Authorization": "Bearer x"},
        {"Expect": "100-continue"},
        {"Upgrade": "h2c"},
    ],
)
def test_headers_of_the_transport_are_not_the_callers(headers: Mapping[str, str]) -> None:
    with pytest.raises(InvalidSpec, match="leave it out"):
        request_bytes(Request("GET", "/", headers), HOST)


def test_a_body_comes_at_once_or_in_pieces() -> None:
    with pytest.raises(InvalidSpec, match="either a body or content"):
        request_bytes(Request("POST", "/", {}, b"x"), HOST, chunked=True)
