from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts.errors import ConnectionLost, Unauthorized
from sandlot.transport.memory import Asked, Script, acceptance, frame, response, spoken
from sandlot.wire.http import Request
from sandlot.wire.websocket import Close, Message, Ping, Pong, encode


def test_requests_are_answered_in_order_and_kept() -> None:
    script = Script(response(200, b"one", x_y="z"), [response(404)[:9], response(404)[9:]])
    transport = script.connect(key="sl_secret")
    with transport.open(Request("POST", "/a?b", {"A": "b"}, b"body")) as exchange:
        assert (exchange.head.status, exchange.head.headers["x-y"]) == (200, "z")
        assert exchange.read() == b"one"
    with transport.open(Request("PUT", "/c"), content=[b"in ", b"", b"pieces"]) as exchange:
        assert (exchange.head.status, exchange.read()) == (404, b"")
    first, second = script.asked
    assert first[:2] == ("POST", "/a?b")
    assert first.body == b"body"
    assert first.headers["authorization"] == "Bearer sl_secret"
    assert first.headers["a"] == "b"
    assert isinstance(second, Asked)
    assert second.body == b"in pieces"


def test_tasks_are_answered_alike() -> None:
    async def work() -> None:
        transport = Script(response(200, b"hello")).connect_async()
        async with transport.open(Request("GET", "/")) as exchange:
            assert [piece async for piece in exchange] == [b"hello"]
        await transport.close()

    asyncio.run(work())


def test_a_broken_connection_can_be_scripted() -> None:
    cut = response(200, b"hello")[:-1]
    script = Script(ConnectionResetError(), b"", [cut, ConnectionResetError(104, "reset")])
    with script.connect().open(Request("GET", "/")) as exchange:
        assert exchange.read() == b"hell"
        with pytest.raises(ConnectionLost, match="reset"):
            exchange.read()
    assert len(script.asked) == 3


def test_a_request_too_many_is_told() -> None:
    with pytest.raises(LookupError, match="no answer to request 1"), Script().connect().open(
        Request("GET", "/")
    ):
        pass


def test_a_websocket_is_scripted() -> None:
    script = Script(
        [acceptance("p"), frame("hello") + frame(Ping(b"x")), frame(bytes(70_000)), frame(Close(4000))]
    )
    talk = script.connect().websocket(Request("GET", "/t"), ["p"])
    assert talk.protocol == "p"
    talk.send_bytes(bytes(200))
    assert [talk.receive(), talk.receive(), talk.receive()] == ["hello", bytes(70_000), None]
    assert talk.ending == Close(4000)
    talk.close()
    assert spoken(script.asked[0].body) == [bytes(200), Pong(b"x"), Close(4000)]


def test_a_websocket_that_ends_or_is_refused() -> None:
    script = Script(acceptance(), response(401, b"{}"))
    transport = script.connect()
    with pytest.raises(ConnectionLost):
        transport.websocket(Request("GET", "/t")).receive()
    with pytest.raises(Unauthorized):
        transport.websocket(Request("GET", "/t"))


@pytest.mark.parametrize("message", ["", "x" * 126, b"x" * 70_000, Close(), Ping(b"x")])
def test_what_was_sent_is_read_back(message: Message) -> None:
    assert spoken(encode(message, b"abcd") * 2)[:1] == [message]
