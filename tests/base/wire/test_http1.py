from __future__ import annotations

from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.http import Head
from sandlot.wire.http1 import Body, End, Event, HttpError, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"


def read(sent: bytes, method: str = "GET", *, ends: bool = False) -> Tuple[Optional[Head], bytes, bool]:
    """Head, joined body and whether the answer is complete."""
    parser = ResponseParser(method)
    events = parser.feed(sent)
    if ends:
        events += parser.finish()
    return joined(events)


def joined(events: List[Event]) -> Tuple[Optional[Head], bytes, bool]:
    heads = [event for event in events if isinstance(event, Head)]
    body = b"".join(event.data for event in events if isinstance(event, Body))
    return heads[0] if heads else None, body, End() in events


@pytest.mark.parametrize(
    ("sent", "status", "headers", "body"),
    [
        (EMPTY, 200, {"content-length": "0"}, b""),
        (OK + b"Content-Length: 5\r\n\r\nhello", 200, {"content-length": "5"}, b"hello"),
        (b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, {"content-length": "0"}, b""),
        (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, {"content-length": "0"}, b""),
        (OK + b"TE: a\r\nTe: b\r\nEmpty:\r\n\r\n", 200, {"te": "a, b", "empty": ""}, None),
        (OK + b"X: \t caf\xe9 \t y\t\r\n\r\n", 200, {"x": "caf\xe9 \t y"}, None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, {}, b""),
        (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", 204, {"content-length": "0"}, b""),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 304, {"content-length": "9"}, b""),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + EMPTY,
            200,
            {"content-length": "0"},
            b"",
        ),
        (
            OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, sandlot!\r\n0\r\n\r\n",
            200,
            {"transfer-encoding": "Chunked"},
            b"hello, sandlot!",
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n000\r\nTrailer: x\r\nB: y\r\n\r\n",
            200,
            {"transfer-encoding": "chunked"},
            b"abc",
        ),
    ],
)
def test_answers_are_read(sent: bytes, status: int, headers: object, body: Optional[bytes]) -> None:
    head, read_body, is_complete = read(sent)
    assert head is not None
    assert (head.status, head.headers) == (status, headers)
    assert (read_body, is_complete) == ((b"", False) if body is None else (body, True))


def test_a_body_without_length_lasts_until_the_connection_ends() -> None:
    sent = b"HTTP/1.0 200 OK\r\n\r\nhello\r\n"
    assert read(sent)[1:] == (b"hello\r\n", False)
    assert read(sent, ends=True)[1:] == (b"hello\r\n", True)


@pytest.mark.parametrize("about", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_an_answer_to_head_has_no_body(about: bytes) -> None:
    parser = ResponseParser("HEAD")
    assert parser.feed(OK + about + b"\r\n")[1:] == [End()]
    assert parser.is_reusable


def test_a_tunnel_has_no_body_and_what_follows_is_the_next_protocols() -> None:
    parser = ResponseParser("CONNECT")
    assert parser.feed(OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nHI")[1:] == [End()]
    assert parser.rest == b"HI"
    assert read(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "CONNECT")[1] == b"no"


def test_an_upgrade_is_an_answer_only_to_who_asked() -> None:
    sent = b"HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\n\r\n\x81\x00"
    parser = ResponseParser("GET", upgrade=True)
    assert parser.feed(sent) == [Head(101, {"upgrade": "websocket"}), End()]
    assert parser.rest == b"\x81\x00"
    with pytest.raises(HttpError, match="nobody asked"):
        read(sent)


@pytest.mark.parametrize(
    ("sent", "is_reusable"),
    [
        (EMPTY, True),
        (OK + b"Content-Length: 0\r\nConnection: keep-alive, x\r\n\r\n", True),
        (OK + b"Content-Length: 0\r\nConnection: x, Close\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\nConnection: x\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", False),
        (OK + b"\r\nrest", False),
        (OK + b"Content-Length: 1\r\n\r\n", False),
        (EMPTY + b"H", False),
    ],
)
def test_a_connection_is_reusable_after_a_clean_end_only(sent: bytes, is_reusable: bool) -> None:
    parser = ResponseParser("GET")
    parser.feed(sent)
    assert parser.is_reusable is is_reusable


def test_a_body_is_told_as_it_arrives() -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    assert parser.feed(b"5\r\nhe") == [Body(b"he")]
    assert parser.feed(b"l") == [Body(b"l")]
    assert parser.feed(b"lo\r\n0\r\n") == [Body(b"lo")]
    assert parser.feed(b"\r\n") == [End()]
    assert parser.finish() == []


_NAMES = st.text("abcXYZ-_!", min_size=1, max_size=8)
_VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
_FIELDS = st.lists(st.tuples(_NAMES, _VALUES), max_size=5)
_PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@st.composite
def _answers(draw: st.DrawFn) -> Tuple[bytes, bytes]:
    """An answer as sent, and its body."""
    fields = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in draw(_FIELDS))
    pieces = draw(_PIECES)
    body = b"".join(pieces)
    if draw(st.booleans()):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return OK + fields + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body
    return OK + fields + b"Content-Length: %d\r\n\r\n%s" % (len(body), body), body


@given(_answers(), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_cutting_gives_the_same_answer(answer: Tuple[bytes, bytes], cuts: List[int]) -> None:
    sent, body = answer
    whole = read(sent)
    parser, events, start = ResponseParser("GET"), [], 0
    for size in cuts * (len(sent) // sum(cuts) + 1):
        events += parser.feed(sent[start : start + size])
        start += size
    assert joined(events) == whole == (whole[0], body, True)
    assert parser.is_reusable


@given(_answers())
def test_byte_by_byte_the_answer_ends_with_its_last_byte(answer: Tuple[bytes, bytes]) -> None:
    *early, last = answer[0]
    parser = ResponseParser("GET")
    events = [event for byte in early for event in parser.feed(bytes([byte]))]
    assert End() not in events
    assert not parser.complete
    assert parser.feed(bytes([last]))[-1] == End()


@given(st.lists(st.binary(max_size=100), max_size=8), st.sampled_from(["GET", "HEAD", "CONNECT"]))
def test_any_bytes_are_an_answer_or_an_http_error(pieces: List[bytes], method: str) -> None:
    parser = ResponseParser(method, upgrade=True)
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.finish()
    except HttpError:
        pass


@given(_answers(), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_answers_are_answers_or_an_http_error(
    answer: Tuple[bytes, bytes], damage: List[Tuple[int, int]]
) -> None:
    sent = bytearray(answer[0])
    for place, byte in damage:
        sent[place % len(sent)] = byte
    parser = ResponseParser("GET")
    try:
        parser.feed(bytes(sent))
        parser.finish()
    except HttpError:
        pass
