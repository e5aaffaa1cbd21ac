"""A connection fed by hand: whatever comes in, it ends in order and holds little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandlot.link.connection import Connection, ConnectionEnded, Stream
from sandlot.wire.frames import FROM_AGENT, INITIAL_CREDIT, Frame, Kind, encode, json_frame

HELLO = encode(json_frame(Kind.HELLO, 0, {"protocol": 1}))


class MemoryChannel:
    """Delivers what a test gives it."""

    def __init__(self) -> None:
        self.received: Callable[[bytes], None] = lambda _data: None
        self.sent = b""
        self.is_held = self.is_closed = False

    def start(self, received: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self.received, self.ended = received, ended

    def write(self, data: bytes) -> None:
        self.sent += data

    def hold(self, is_held: bool) -> None:
        self.is_held = is_held

    async def drained(self) -> None:
        return

    def diagnostics(self) -> bytes:
        return b""

    def close(self) -> None:
        self.is_closed = True


async def _connected() -> tuple[MemoryChannel, Connection, Stream, list[str | None]]:
    channel, endings = MemoryChannel(), list[str | None]()
    connection = Connection(channel, lambda: endings.append(connection.breach))
    greeting = asyncio.ensure_future(connection.greet({}))
    await asyncio.sleep(0)
    channel.received(HELLO)
    await greeting
    return channel, connection, connection.open({"verb": "x"}), endings


def _held(stream: Stream) -> int:
    return sum(len(arrival.data) for arrival in stream._arrivals)


frames = st.builds(
    Frame,
    st.sampled_from(sorted(FROM_AGENT - {Kind.HELLO, Kind.CREDIT})),
    st.integers(1, 5),
    st.one_of(st.binary(max_size=100), st.just(b"{}"), st.just(b'{"ok": {}}'), st.just(bytes(65536))),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(frames, max_size=20), st.lists(st.integers(1, 70_000), max_size=5))
def test_any_frames_in_any_pieces_end_in_order(sent: list[Frame], cuts: list[int]) -> None:
    async def scene() -> None:
        channel, connection, stream, endings = await _connected()
        data = b"".join(encode(frame) for frame in sent)
        for cut in (*cuts, len(data)):
            if not channel.is_closed:
                channel.received(data[:cut])
            data = data[cut:]
        assert _held(stream) <= INITIAL_CREDIT
        assert endings == ([] if connection.ending is None else [connection.breach])
        assert channel.is_closed == (connection.ending is not None)

    asyncio.run(scene())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_order(data: bytes) -> None:
    async def scene() -> None:
        channel, connection, stream, endings = await _connected()
        channel.received(data)
        assert len(endings) == (connection.ending is not None)
        if connection.ending is not None and not stream._arrivals:
            with pytest.raises(ConnectionEnded, match="broke the protocol"):
                await stream.receive()

    asyncio.run(scene())


def test_a_crowd_of_events_holds_the_channel_until_they_are_taken() -> None:
    async def scene() -> list[bool]:
        channel, _, stream, _ = await _connected()
        event = encode(json_frame(Kind.EVENT, stream.number, {"n": 1}))
        held: list[Any] = []
        for _ in range(2):
            channel.received(event * 511)
            held.append(channel.is_held)
            channel.received(event)
            held.append(channel.is_held)
            for _ in range(512):
                await stream.receive()
            held.append(channel.is_held)
        return held

    assert asyncio.run(scene()) == [False, True, False] * 2


def test_nothing_is_sent_beyond_the_agents_credit() -> None:
    async def scene() -> tuple[int, int]:
        channel, _, stream, _ = await _connected()
        before = len(channel.sent)
        sending = asyncio.ensure_future(stream.send(Kind.INPUT, bytes(2 * INITIAL_CREDIT)))
        for _ in range(50):
            await asyncio.sleep(0)
        sent = len(channel.sent) - before
        channel.received(encode(Frame(Kind.CREDIT, stream.number, INITIAL_CREDIT.to_bytes(4, "big"))))
        await sending
        return sent, len(channel.sent) - before

    first, all_of_it = asyncio.run(scene())
    headers = 9 * INITIAL_CREDIT // 65536
    assert (first, all_of_it) == (INITIAL_CREDIT + headers, 2 * (INITIAL_CREDIT + headers))
