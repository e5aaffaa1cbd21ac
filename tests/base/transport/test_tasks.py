"""What only tasks can do to a transport: be cancelled, wait for one socket together, outlive their loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, AsyncIterator, Awaitable, Coroutine, List

import pytest

from sandlot.contracts.errors import TimedOut
from sandlot.transport import aio
from sandlot.transport.memory import spoken
from sandlot.transport.waiting import Lookup
from sandlot.wire.http import Request
from sandlot.wire.websocket import Close, Message
from tests.base.transport.servers import OK, Peer, answer, answering, serving

GET = Request("GET", "/")


class Silence:
    """A server that reads everything, says *first* and no more, and tells when it was left."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.was_reached = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.send(self.first)
        self.was_reached.set()
        assert peer.is_left()

    async def reached(self) -> None:
        assert await asyncio.get_running_loop().run_in_executor(None, self.was_reached.wait, 10)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def cancelled(task: Awaitable[Any]) -> None:
    assert isinstance(task, asyncio.Task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def read(transport: Any, **options: Any) -> bytes:
    async with transport.open(GET, **options) as exchange:
        return b"".join([piece async for piece in exchange])


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200", OK + b"Content-Length: 9\r\n\r\nhello"])
def test_cancelling_closes_the_connection(first: bytes) -> None:
    silence = Silence(first)

    async def work(url: str) -> None:
        task = asyncio.ensure_future(read(aio.connect(url, proxies={})))
        await silence.reached()
        await asyncio.sleep(0)
        await cancelled(task)

    with serving(silence) as server:
        run(work(server.url))
        assert server.connections == 1


def test_cancelling_an_upload_closes_the_connection() -> None:
    silence = Silence()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.get_running_loop().create_future()

    async def work(url: str) -> None:
        task = asyncio.ensure_future(read(aio.connect(url, proxies={}), content=endless()))
        await silence.reached()
        await cancelled(task)

    with serving(silence) as server:
        run(work(server.url))


def test_kept_connections_outlive_their_loop() -> None:
    with serving(answering(answer(b"one"), answer(b"two"))) as server:
        transport = aio.connect(server.url, proxies={})
        assert asyncio.run(read(transport)) == b"one"
        assert asyncio.run(read(transport)) == b"two"
        assert server.connections == 1
        asyncio.run(transport.close())


def test_many_tasks_share_a_transport() -> None:
    async def work(url: str) -> None:
        transport = aio.connect(url, proxies={})
        assert await asyncio.gather(*(read(transport) for _ in range(20))) == [b"x"] * 20
        assert await asyncio.gather(*(read(transport) for _ in range(20))) == [b"x"] * 20
        await transport.close()

    with serving(answering(*[answer(b"x")] * 40)) as server:
        run(work(server.url))
        assert server.connections <= 32  # 20, of which 8 are kept, and 12 more


def test_a_cancelled_receive_loses_nothing() -> None:
    may_speak = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        assert may_speak.wait(10)
        peer.say("one", "two")
        peer.is_left()

    async def work(url: str) -> None:
        talk = await aio.connect(url, proxies={}).websocket(GET)
        with pytest.raises(TimedOut):
            await talk.receive(0.01)
        task = asyncio.ensure_future(talk.receive())
        await asyncio.sleep(0)
        await cancelled(task)
        may_speak.set()
        assert [await talk.receive(), await talk.receive(5)] == ["one", "two"]
        await talk.close()

    with serving(serve) as server:
        run(work(server.url))


def test_tasks_send_and_receive_at_once() -> None:
    """Several senders fill the socket while one receives: all wait for one descriptor."""
    size, rounds = 300_000, 10
    heard: List[Message] = []

    def serve(peer: Peer) -> None:
        peer.accept()
        speaking = threading.Thread(target=peer.say, args=[bytes(size)] * rounds)
        speaking.start()
        sent = peer.exactly(3 * rounds * (size + 14))
        speaking.join()
        heard.extend(spoken(sent))
        peer.is_left()

    async def work(url: str) -> None:
        talk = await aio.connect(url, proxies={}).websocket(GET)

        async def send(byte: bytes) -> None:
            for _ in range(rounds):
                await talk.send_bytes(byte * size)

        async def receive() -> None:
            for _ in range(rounds):
                assert await talk.receive() == bytes(size)

        await asyncio.gather(receive(), send(b"a"), send(b"b"), send(b"c"))
        await talk.close()

    with serving(serve) as server:
        run(work(server.url))
    counted = {byte: sum(1 for each in heard if each == byte * size) for byte in (b"a", b"b", b"c")}
    assert counted == {b"a": rounds, b"b": rounds, b"c": rounds}


def test_closing_wakes_the_task_that_receives() -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        heard.extend(spoken(peer.exactly(8)))
        assert peer.is_left()

    async def work(url: str) -> None:
        talk = await aio.connect(url, proxies={}).websocket(GET)
        task = asyncio.ensure_future(talk.receive())
        await asyncio.sleep(0)
        await talk.close(4000)
        assert await task is None

    heard: List[Message] = []
    with serving(serve) as server:
        run(work(server.url))
    assert heard == [Close(4000)]


def test_a_resolver_that_is_slow_is_not_waited_for() -> None:
    assert asyncio.run(aio._resolved(Lookup("localhost", 80, 0.0))) is None
    assert asyncio.run(aio._resolved(Lookup("localhost", 80, 5.0)))


def test_content_may_be_no_generator() -> None:
    async def work(url: str) -> None:
        transport = aio.connect(url, proxies={})
        async with transport.open(Request("PUT", "/"), content=[b"a", b"b"]) as exchange:
            assert await exchange.read() == b"done"
        await transport.close()

    def serve(peer: Peer) -> None:
        peer.request()
        assert peer.content() == b"ab"
        peer.send(answer(b"done"))

    with serving(serve) as server:
        run(work(server.url))
