from __future__ import annotations

import pytest

from sandlot.bench.connection import Answer, AnswerReader, Connection, Door, door
from sandlot.contracts.errors import InvalidSpec
from sandlot.transport.address import parse_address
from tests.unit.bench.server import answer, serving

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Other: a:b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PLAIN, Answer(200, b"hello", 5)),
        (CHUNKED, Answer(201, b"hello", 5)),
        (EMPTY, Answer(204, b"", 0)),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_is_read_however_it_is_cut(data: bytes, expected: Answer, size: int) -> None:
    reader = AnswerReader()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [reader.feed(piece) for piece in pieces]
    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] == expected


def test_a_body_that_is_not_kept_is_counted() -> None:
    assert AnswerReader(keeps=False).feed(CHUNKED) == Answer(201, b"", 5)


def test_what_is_no_http_is_an_error() -> None:
    with pytest.raises(OSError, match="does not speak HTTP"):
        AnswerReader().feed(b"SSH-2.0-OpenSSH\r\n\r\n")


def test_a_request_carries_what_the_server_needs() -> None:
    there = Door(parse_address("http://localhost:81/below"), "sl_key")
    assert there.request("POST", "/v1/run", b"{}") == (
        b"POST /below/v1/run HTTP/1.1\r\nHost: localhost:81\r\nAuthorization: Bearer sl_key\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert door("unix:///run/s.sock").request("GET", "/healthz") == (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )


def test_a_server_behind_tls_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidSpec, match=r"does not speak https.*measure the server behind it"):
        door("https://sandlot.example")


def test_a_connection_is_kept_and_opened_anew_when_the_server_hung_up() -> None:
    heads: list[bytes] = []

    def reply(head: bytes) -> bytes | None:
        heads.append(head)
        return answer(b"%d" % len(heads)) + (b"" if len(heads) != 2 else b"surplus")

    with serving(reply) as there:
        connection = Connection(there)
        request = there.request("GET", "/")
        first = connection.exchange(request), connection.fileno()
        second = connection.exchange(request), connection.fileno()
        # Bytes nobody asked for make the connection useless, as an end does.
        third = connection.exchange(request)
        connection.close()
    assert (first[0].body, second[0].body, third.body) == (b"1", b"2", b"3")
    assert first[1] == second[1]


def test_an_answer_that_breaks_off_is_an_error_and_closes() -> None:
    with serving(lambda _head: None) as there:
        connection = Connection(there)
        with pytest.raises(ConnectionResetError, match="hung up"):
            connection.exchange(there.request("GET", "/"))
        with pytest.raises(OSError, match="no connection"):
            connection.fileno()
