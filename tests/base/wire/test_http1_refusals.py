from __future__ import annotations

from typing import List

import pytest

from sandlot.wire.http1 import MAX_FIELDS, MAX_HEAD, Event, HttpError, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"


def read(sent: bytes, *, ends: bool = False) -> List[Event]:
    parser = ResponseParser("GET")
    events = parser.feed(sent)
    return events + parser.finish() if ends else events


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\r\n", "not HTTP/1.1"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP/1.1"),
        (b"HTTP/2.0 200 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.2 200 OK\r\n", "not HTTP/1.1"),
        (b"http/1.1 200 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1  200 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 20 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 600 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 O\0K\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\n", "CR LF"),
        (b"HTTP/1.1 200 OK\rX: y\r\n", "CR LF"),
        (OK + b"X: y\n", "CR LF"),
        (OK + b"X: y\rZ: w\r\n", "CR LF"),
        (OK + b"X\r\n", "no name"),
        (OK + b": y\r\n", "no name"),
        (OK + b"X : y\r\n", "no name"),
        (OK + b"X Y: z\r\n", "no name"),
        (OK + b"X\0: z\r\n", "no name"),
        (OK + b"X\xe9: z\r\n", "no name"),
        (OK + b"X: y\r\n folded\r\n", "folded"),
        (OK + b"\tX: y\r\n", "folded"),
        (OK + b"X: a\0b\r\n", "control"),
        (OK + b"X: a\x0bb\r\n", "control"),
        (OK + b"X: a\x7fb\r\n", "control"),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "one of them lies"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "not one number"),
        (OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "not one number"),
        (OK + b"Content-Length: 1, 1\r\n\r\n", "not one number"),
        (OK + b"Content-Length: -1\r\n\r\n", "not one number"),
        (OK + b"Content-Length: +1\r\n\r\n", "not one number"),
        (OK + b"Content-Length: 0x1\r\n\r\n", "not one number"),
        (OK + b"Content-Length: 1_0\r\n\r\n", "not one number"),
        (OK + b"Content-Length: \xb2\r\n\r\n", "not one number"),
        (OK + b"Content-Length:\r\n\r\n", "not one number"),
        (OK + b"Content-Length: 1000000000000000000\r\n\r\n", "not one number"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "not chunked alone"),
        (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "not chunked alone"),
        (OK + b"Transfer-Encoding: identity\r\n\r\n", "not chunked alone"),
        (OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n", "control"),
        (OK + b"Transfer-Encoding: xchunked\r\n\r\n", "not chunked alone"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "not chunked alone"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n", "cannot have"),
        (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "cannot have"),
        (b"HTTP/1.1 103 Hints\r\nContent-Length: 1\r\n\r\n", "cannot have"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "interim"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sent: bytes, why: str) -> None:
    with pytest.raises(HttpError, match=why):
        read(sent)
    parser = ResponseParser("GET")
    for _ in range(2):
        with pytest.raises(HttpError, match=why):
            parser.feed(sent)
    assert not parser.is_reusable


@pytest.mark.parametrize(
    "chunks",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1_0\r\n",
        b"1\n",
        b"1;a\0\r\n",
        b"10000000000000000\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"1;" + b"x" * 1024 + b"\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * (MAX_FIELDS + 1),
    ],
)
def test_bad_chunks_are_refused(chunks: bytes) -> None:
    with pytest.raises(HttpError):
        read(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)


def test_headers_are_bounded_in_number_and_size() -> None:
    assert read(OK + b"X: y\r\n" * MAX_FIELDS + b"\r\n")
    with pytest.raises(HttpError, match="more than 200 headers"):
        read(OK + b"X: y\r\n" * (MAX_FIELDS + 1))
    long = b"x" * (MAX_HEAD - 1000)
    assert read(OK + b"X: " + long + b"\r\n\r\n")
    for too_long in (
        b"HTTP/1.1 200 " + b"x" * MAX_HEAD,
        OK + b"X: " + b"x" * MAX_HEAD,
        OK + b"X: " + long + b"\r\nY: " + long,
    ):
        with pytest.raises(HttpError, match="too long"):
            read(too_long)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        OK,
        OK + b"X: y\r\n",
        OK + b"Content-Length: 2\r\n\r\na",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
)
def test_an_answer_cut_off_is_told(sent: bytes) -> None:
    with pytest.raises(HttpError, match="before the answer was complete"):
        read(sent, ends=True)
