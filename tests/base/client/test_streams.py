"""Input from ordinary iterables, and terminals, against a server that is a script."""

from __future__ import annotations

import asyncio
import threading
from typing import Iterator, List

import pytest

from sandlot.client.pieces import Pieces
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import ConnectionLost, InvalidSpec
from sandlot.contracts.events import Event, Exited, Reason, Started, Stdout
from sandlot.contracts.streams import ended
from sandlot.transport.memory import Script, acceptance, frame, spoken
from sandlot.wire.websocket import Close
from tests.base.client.twins import Twin

SHELL = Command(argv=("sh",), timeout=None)


async def _all(pieces: Pieces) -> List[bytes]:
    return [piece async for piece in pieces]


def test_an_iterable_is_read_by_threads_and_by_tasks() -> None:
    assert list(Pieces([b"a", b"b"])) == [b"a", b"b"]
    assert asyncio.run(_all(Pieces([b"a", b"b"]))) == [b"a", b"b"]


def test_its_error_is_raised_where_it_is_read() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        asyncio.run(_all(Pieces(broken())))


def test_one_that_blocks_for_ever_holds_up_nothing() -> None:
    def stuck() -> Iterator[bytes]:
        threading.Event().wait()
        yield b""

    async def work() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_all(Pieces(stuck())), 0.05)

    asyncio.run(work())


def test_an_iterator_without_clean_up_is_left_as_it_is() -> None:
    async def work() -> List[bytes]:
        async with ended(Pieces([b"a"]).__aiter__()) as pieces:
            return [piece async for piece in pieces]

    assert asyncio.run(work()) == [b"a"]


def test_a_stream_that_needs_a_loop_is_refused_without_one() -> None:
    async def words() -> Iterator[bytes]:  # type: ignore[misc]
        yield b"words"

    twin = Twin()
    with pytest.raises(InvalidSpec, match="needs an event loop"):
        twin.all(twin.box(Script()).run(Command(argv=("cat",), stdin=words())))  # type: ignore[arg-type]


def _answer(*messages: object) -> List[bytes]:
    return [acceptance("sandlot.terminal.v1"), *[frame(message) for message in messages]]  # type: ignore[arg-type]


def test_a_terminal_is_opened_typed_to_and_read(twin: Twin) -> None:
    exited = '{"event":"exited","reason":"exited","exitCode":3}'
    script = Script(
        _answer('{"event":"started","process":"1"}', b"$ ", '{"event":"cheered"}', exited, Close())
    )
    terminal = twin.wait(twin.box(script).open(SHELL))
    twin.wait(terminal.resize(TerminalSize(30, 90)))
    twin.wait(terminal.type(b"exit 3\n"))
    wanted: List[Event] = [Started("1"), Stdout(b"$ "), Exited(Reason.EXITED, 3)]
    assert twin.all(terminal.events()) == wanted
    twin.wait(terminal.close())
    twin.wait(terminal.type(b"too late"))
    (asked,) = script.asked
    assert asked.target.startswith("/v1/sandboxes/box/terminal?cmd=sh&")
    assert spoken(asked.body)[:2] == ['{"resize":{"rows":30,"columns":90}}', b"exit 3\n"]


def test_a_terminal_is_taken_up_again_after_what_was_seen(twin: Twin) -> None:
    resumed = '{"event":"resumed","terminal":"a1","after":3,"missed":4}'
    exited = '{"event":"exited","reason":"exited","exitCode":3}'
    script = Script(
        _answer('{"event":"started","process":"1","terminal":"a1"}', b"one"),
        _answer(resumed, b"two", Close(1012)),
        _answer(Close(1011)),
        _answer('{"event":"resumed","terminal":"a1","after":10,"missed":0}', exited, Close()),
    )
    terminal = twin.wait(twin.box(script).open(SHELL))
    assert not terminal.is_resumable
    with pytest.raises(ConnectionLost):
        twin.all(terminal.events())
    assert terminal.is_resumable
    assert twin.wait(terminal.resume()) == 4
    with pytest.raises(ConnectionLost, match="1012"):
        twin.all(terminal.events())
    with pytest.raises(ConnectionLost, match="where the terminal's output goes on"):
        twin.wait(terminal.resume())
    assert twin.wait(terminal.resume()) == 0
    assert twin.all(terminal.events()) == [Exited(Reason.EXITED, 3)]
    targets = [asked.target.rpartition("/")[2] for asked in script.asked]
    assert targets[1:] == ["a1?after=3", "a1?after=10", "a1?after=10"]


@pytest.mark.parametrize("messages", [[], [Close(1011, "the server stops")]])
def test_a_terminal_that_breaks_off_invents_no_end(twin: Twin, messages: List[object]) -> None:
    terminal = twin.wait(twin.box(Script(_answer(*messages))).open(SHELL))
    with pytest.raises(ConnectionLost):
        twin.all(terminal.events())
    twin.wait(terminal.close())
