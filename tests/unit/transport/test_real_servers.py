"""The servers people run: uvicorn for HTTP and WebSocket, the library websockets for WebSocket."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sandlot.contracts.errors import Forbidden
from sandlot.wire.http import Request
from sandlot.wire.websocket import Close
from tests.base.transport.faces import Connect, face

uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed: it comes with the extra `server`")
server_of = pytest.importorskip("websockets.asyncio.server", reason="websockets is not installed")


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with face(request.param) as made:
        yield made


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Echoes bodies and messages; /refuse answers before it has read anything."""
    if scope["type"] == "http":
        await _answer(scope["path"], receive, send)
    elif scope["type"] == "websocket":
        await _talk(scope["path"], receive, send)


async def _answer(path: str, receive: Any, send: Any) -> None:
    status = 413 if path == "/refuse" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-path", path.encode())]})
    is_more = path != "/refuse"
    while is_more:
        message = await receive()
        is_more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    await send({"type": "http.response.body", "body": b"end"})


async def _talk(path: str, receive: Any, send: Any) -> None:
    await receive()
    if path == "/refuse":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": "b" if path == "/b" else None})
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001, "reason": "as asked"})
            return
        said = {name: message[name] for name in ("text", "bytes") if message.get(name) is not None}
        await send({"type": "websocket.send", **said})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An uvicorn on loopback, in a thread."""
    config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)
    listening.close()


def test_bodies_go_there_and_back(connect: Connect, url: str) -> None:
    transport = connect(url)
    for content in (None, [b"a" * 200_000, b"b"]):
        request = Request("PUT", "/x?y", {}, b"" if content else b"small")
        with transport.open(request, content=content) as exchange:
            assert exchange.head.headers["x-path"] == "/x"
            assert exchange.read(1)
            whole = b"".join(exchange)
            assert whole.endswith(b"end")
            assert len(whole) == (200_001 if content else 5) + 2
    transport.close()


def test_a_refused_upload_is_told(connect: Connect, url: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65536)

    with connect(url).open(Request("POST", "/refuse"), content=endless()) as exchange:
        assert exchange.head.status == 413
        assert exchange.read() == b"end"


def test_messages_go_there_and_back(connect: Connect, url: str) -> None:
    talk = connect(url).websocket(Request("GET", "/b"), ["a", "b"])
    assert talk.protocol == "b"
    for message in ("ä", bytes(300_000)):
        if isinstance(message, str):
            talk.send_text(message)
        else:
            talk.send_bytes(message)
        assert talk.receive(10) == message
    talk.send_text("bye")
    assert talk.receive(10) is None
    assert talk.ending == Close(4001, "as asked")
    talk.close()


def test_a_websocket_closed_by_us_is_parted_from(connect: Connect, url: str) -> None:
    talk = connect(url).websocket(Request("GET", "/talk"))
    talk.close(4000)
    assert talk.ending == Close(4000)
    assert talk.receive() is None


def test_a_refused_websocket_is_an_error(connect: Connect, url: str) -> None:
    with pytest.raises(Forbidden):
        connect(url).websocket(Request("GET", "/refuse"))


def test_the_library_websockets_is_spoken_to(connect: Connect) -> None:
    heard: list[Any] = []
    told: list[str] = []
    started, ended = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    async def talk_to(connection: Any) -> None:
        await connection.ping()
        await connection.send(["in ", "pieces"])  # an iterable is sent as fragments
        heard.extend([message async for message in connection])
        heard.append(connection.close_code)
        ended.set()

    async def serve() -> None:
        async with server_of.serve(
            talk_to, "127.0.0.1", 0, subprotocols=["b"], compression="deflate"
        ) as server:
            told.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            started.set()
            await loop.run_in_executor(None, ended.wait, 20)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    talk = connect(told[0]).websocket(Request("GET", "/"), ["a", "b"])
    assert talk.protocol == "b"
    assert talk.receive(10) == "in pieces"
    talk.send_text("one")
    talk.send_bytes(bytes(70_000))
    talk.close()
    thread.join(20)
    loop.close()
    assert heard == ["one", bytes(70_000), 1000]
