"""Connections that are slow, huge or impolite, against a real one of ours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from sandlot.server.protocol import LARGEST_HEAD, GuardedProtocol
from tests.unit.server.talk import read_answer, rest

Address = tuple[str, int]


class Hasty(GuardedProtocol):
    head_seconds = 0.2
    linger_seconds = 0.2


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body of /read, and answers everything else without a look at it."""
    request = Request(scope, receive)
    text = "ok"
    if scope["path"] == "/read":
        text = str(len(await request.body()))
    await PlainTextResponse(text)(scope, receive, send)


@contextmanager
def answering(limit: int | None = None) -> Iterator[Address]:
    """A loop in a thread that speaks our protocol, to *limit* connections at most."""
    loop = asyncio.new_event_loop()
    config = uvicorn.Config(
        app, http=Hasty, lifespan="off", log_config=None, interface="asgi3", limit_concurrency=limit
    )
    config.load()
    state = ServerState()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        starting = loop.create_server(lambda: Hasty(config, state, {}, loop), sock=listener)
        server = loop.run_until_complete(starting)
        thread = Thread(target=loop.run_forever)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            loop.call_soon_threadsafe(server.close)
            for connection in list(state.connections):
                loop.call_soon_threadsafe(connection.shutdown)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with answering() as address, socket.create_connection(address, 10) as dialled:
        yield dialled


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code", "detail"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", 408, "timed_out", "did not come in time"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, "too_large", "exceeds 64 KiB"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "invalid_spec", "one header Host"),
        (b"what is this\r\n\r\n", 400, "invalid_spec", "cannot be read"),
    ],
)
def test_what_never_became_a_request_is_refused_as_a_problem(
    connection: socket.socket, sent: bytes, status: int, code: str, detail: str
) -> None:
    connection.sendall(sent)
    told = read_answer(connection)
    assert (told.status, told.problem["code"], told.headers["connection"]) == (status, code, "close")
    assert detail in told.problem["error"]


def test_one_connection_too_many_is_refused_as_a_problem() -> None:
    # Uvicorn refuses whoever makes the limit full, so with a limit of one that is the first.
    with answering(limit=1) as address, socket.create_connection(address, 10) as connection:
        connection.sendall(GET)
        told = read_answer(connection)
    assert (told.status, told.problem["code"], told.problem["retryable"]) == (503, "pool_exhausted", True)
    assert told.headers["retry-after"]


def test_a_connection_without_a_request_is_closed(connection: socket.socket) -> None:
    assert rest(connection) == b""


def test_a_head_that_does_not_come_to_an_end_is_refused(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_slow_head_is_refused_on_a_kept_connection_too(connection: socket.socket) -> None:
    connection.sendall(GET)
    assert read_answer(connection).status == 200
    connection.sendall(b"\r\n\r\nGE")
    assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_kept_connection_may_rest_longer_than_a_head_takes(connection: socket.socket) -> None:
    connection.sendall(GET)
    assert read_answer(connection).status == 200
    connection.settimeout(3 * Hasty.head_seconds)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.sendall(GET)
    assert read_answer(connection).status == 200


@pytest.mark.parametrize("whole", [False, True])
def test_a_huge_head_is_refused(connection: socket.socket, whole: bool) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"x" * (LARGEST_HEAD + 1000)
    connection.sendall(head + b"\r\n\r\n" if whole else head)
    assert rest(connection).startswith(b"HTTP/1.1 431 ")


def test_many_requests_on_a_connection_are_no_huge_head(connection: socket.socket) -> None:
    for _ in range(2 * LARGEST_HEAD // 2000):
        connection.sendall(GET[:-2] + b"X: " + b"x" * 2000 + b"\r\n\r\n")
        assert read_answer(connection).status == 200


def test_a_large_body_is_no_huge_head(connection: socket.socket) -> None:
    body = b"x" * (4 * LARGEST_HEAD)
    connection.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert read_answer(connection).body == b"%d" % len(body)


def test_small_chunks_pass_and_endless_wrapping_does_not(connection: socket.socket) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n")
    assert read_answer(connection).body == b"30000"
    connection.sendall(head)
    with pytest.raises(OSError, match=r"[Rr]eset|[Bb]roken"):
        connection.sendall((b"1;" + b"e" * 10_000 + b"\r\nx\r\n") * 5_000)


def test_trailers_are_no_headers(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: y\r\n\r\n"
    )
    assert read_answer(connection).body == b"1"


def test_an_early_answer_reaches_a_client_that_still_sends(connection: socket.socket) -> None:
    connection.sendall(
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10000000\r\n\r\n"
        + b"x" * 500_000
    )
    # Were the connection closed at once, the unread bytes would reset it.
    assert read_answer(connection).body == b"ok"


def test_what_nobody_reads_is_not_waited_for_for_ever(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
    assert read_answer(connection).body == b"ok"
    with suppress(ConnectionResetError):
        assert rest(connection) == b""


@pytest.mark.parametrize("body", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"])
def test_the_handshake_of_a_web_socket_that_announces_a_body_is_refused(
    connection: socket.socket, body: bytes
) -> None:
    head = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    head += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    connection.sendall(head + body + b"hello")
    assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_a_few_requests_may_wait_for_their_turn_and_a_flood_may_not(connection: socket.socket) -> None:
    connection.sendall(GET * 10)
    told = b""
    while told.count(b"HTTP/1.1 200 ") < 10:
        told += connection.recv(65536)
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(GET * 5_000)
        assert rest(connection).count(b"HTTP/1.1 200 ") < 5_000
