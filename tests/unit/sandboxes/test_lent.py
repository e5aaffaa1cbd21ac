"""A lent box does what the box does, counts its commands, and cannot end it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.cells import Begun, Cell, CellEvent, CellStatus, Finished
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.contexts import ContextFacts, ContextSpec
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminals
from sandlot.contracts.errors import PoolExhausted, Unsupported
from sandlot.contracts.events import Event
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.streams import ended
from sandlot.sandboxes import audit
from sandlot.sandboxes.default_context import DefaultContext
from sandlot.sandboxes.gate import Gate, Width
from sandlot.sandboxes.lent import LentBox
from tests.unit.local.memory import MemoryBox
from tests.unit.sandboxes.house import record

PATH = PurePosixPath("/workspace/x")
COMMAND = Command(argv=("echo", "x"))
EVERY = Feature.FILES | Feature.PROCESSES | Feature.TERMINALS | Feature.FILE_WATCH


class ToldBox(MemoryBox):
    """Remembers what it was asked; answers with the name of the verb."""

    features = EVERY

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("list", "read", "watch"):
            return lambda *words, **named: self.each(name, *words, *named.values())

        async def answer(*words: object, **named: object) -> object:
            self.asked.append((name, *words, *named.values()))
            return ToldTerminal(self) if name == "open" else name

        return answer

    async def each(self, *asked: object) -> AsyncIterator[object]:
        self.asked.append(asked)
        yield asked[0]


class ToldTerminal:
    def __init__(self, box: ToldBox) -> None:
        self.box = box

    async def events(self) -> AsyncIterator[Event]:
        async for event in self.box.run(COMMAND):
            yield event

    async def type(self, data: bytes) -> None:
        self.box.asked.append(("type", data))

    async def resize(self, size: TerminalSize) -> None:
        self.box.asked.append(("resize", size))

    async def close(self) -> None:
        self.box.asked.append(("close",))


def lent(box: MemoryBox, width: Width | None = None) -> tuple[LentBox, Gate]:
    gate = Gate("commands", width or Width(1, 0))
    return LentBox(box, gate, "one", DefaultContext()), gate


def test_it_is_every_protocol_of_a_box() -> None:
    async def work() -> None:
        given, _ = lent(ToldBox())
        every: tuple[Box, Files, FileWatch, Processes, Terminals] = (given, given, given, given, given)
        assert all(each.features == EVERY for each in (every[0], given))

    asyncio.run(work())


def test_what_is_asked_of_it_is_asked_of_the_box() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b""

    async def work() -> None:
        box = ToldBox()
        given, gate = lent(box)
        data = content()
        streams: list[AsyncIterator[Any]] = [given.list(PATH), given.read(PATH, 1, 2)]
        streams.append(given.watch(PATH, recursive=True))
        calls: list[Any] = [given.stat(PATH), given.write(PATH, data, 0o600), given.mkdir(PATH, parents=True)]
        calls += [given.move(PATH, PATH), given.remove(PATH, recursive=True), given.start(COMMAND)]
        calls += [given.processes(), given.signal("1", 9), given.feed("1", b"", end=True)]
        calls += [given.wait("1", 2.0), given.output("1", 3)]
        told = [await call for call in calls]
        assert (told[0], told[5], told[6]) == ("stat", "start", "processes")
        assert [item for stream in streams async for item in stream] == ["list", "read", "watch"]
        assert box.asked == [
            ("stat", PATH), ("write", PATH, data, 0o600), ("mkdir", PATH, True), ("move", PATH, PATH),
            ("remove", PATH, True), ("start", COMMAND), ("processes",), ("signal", "1", 9),
            ("feed", "1", b"", True), ("wait", "1", 2.0), ("output", "1", 3),
            ("list", PATH), ("read", PATH, 1, 2), ("watch", PATH, True),
        ]  # fmt: skip
        assert gate.inside == 0

    asyncio.run(work())


def test_a_feature_the_box_lacks_is_refused() -> None:
    async def work() -> None:
        given, _ = lent(MemoryBox())
        with pytest.raises(Unsupported, match="files"):
            await given.stat(PATH)
        with pytest.raises(Unsupported, match="file_watch"):
            given.watch(PATH)
        with pytest.raises(Unsupported, match="processes"):
            await given.start(COMMAND)
        with pytest.raises(Unsupported, match="terminals"):
            await given.open(COMMAND)
        with pytest.raises(Unsupported, match="contexts"):
            await given.open_context(ContextSpec())

    asyncio.run(work())


def test_commands_and_terminals_take_places_until_they_end() -> None:
    async def work() -> None:
        box = ToldBox()
        given, gate = lent(box)
        async with ended(given.run(Command(argv=("hang",)))) as events:
            await anext(events)
            with pytest.raises(PoolExhausted):
                await given.open(COMMAND)
            with pytest.raises(PoolExhausted):
                await given.start(COMMAND)
        assert (gate.inside, box.killed) == (0, 1)
        terminal = await given.open(COMMAND)
        await terminal.type(b"x")
        await terminal.resize(TerminalSize(1, 2))
        assert len([event async for event in terminal.events()]) == 3
        with pytest.raises(PoolExhausted):
            [event async for event in given.run(COMMAND)]
        await terminal.close()
        assert gate.inside == 0
        assert box.asked == [
            ("open", COMMAND), ("type", b"x"), ("resize", TerminalSize(1, 2)), ("close",),
        ]  # fmt: skip

    asyncio.run(work())


class ToldContext:
    """A context that answers with the name of the verb, and whose cells wait to be let go."""

    id, spec, facts = "c", ContextSpec(), ContextFacts("python", "3", "plain")

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.going = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        async def answer(*words: object, **named: object) -> object:
            self.asked.append((name, *words, *named.values()))
            return name

        return answer

    async def run(self, _cell: Cell) -> AsyncIterator[CellEvent]:
        yield Begun(1)
        await self.going.wait()
        yield Finished(CellStatus.OK)


class ContextBox(ToldBox):
    """A box with one context."""

    features = Feature.CONTEXTS

    def __init__(self) -> None:
        super().__init__()
        self.context = ToldContext()

    async def open_context(self, _spec: ContextSpec) -> Any:
        return self.context

    async def contexts(self) -> tuple[Any, ...]:
        return (self.context,)


def test_cells_of_contexts_take_places_until_they_end() -> None:
    async def work() -> None:
        box = ContextBox()
        given, gate = lent(box)
        opened = await given.open_context(ContextSpec())
        (context,) = await given.contexts()
        assert (opened.id, context.facts, gate.inside) == ("c", box.context.facts, 0)
        cell = context.run(Cell("1"))
        assert await anext(cell) == Begun(1)
        with pytest.raises(PoolExhausted):
            await anext(context.run(Cell("2")))
        with pytest.raises(PoolExhausted):
            await context.restart()
        box.context.going.set()
        assert await anext(cell) == Finished(CellStatus.OK)
        assert gate.inside == 0  # whoever stops at the end holds no place
        told: list[object] = [await context.complete("a", 1), await context.inspect("b", 1, detail=1)]
        told += [await context.is_complete("c"), await context.history(3), await context.ended()]
        assert told == ["complete", "inspect", "is_complete", "history", "ended"]
        for verb in (context.answer("x"), context.interrupt(), context.restart(), context.close()):
            await verb
        assert box.context.asked[:4] == [
            ("complete", "a", 1),
            ("inspect", "b", 1, 1),
            ("is_complete", "c"),
            ("history", 3),
        ]
        assert [asked[0] for asked in box.context.asked[5:]] == ["answer", "interrupt", "restart", "close"]

    asyncio.run(work())


def test_closing_it_leaves_the_box_alone_and_its_end_is_the_boxs() -> None:
    async def work() -> None:
        box = MemoryBox()
        given, _ = lent(box)
        await given.close()
        assert box.closed == 0
        box.die(EndReason.OUT_OF_MEMORY)
        assert (await given.ended()).reason is EndReason.OUT_OF_MEMORY

    asyncio.run(work())


def test_the_audit_log_is_one_line_of_json_for_each_event(caplog: pytest.LogCaptureFixture) -> None:
    forged = record(owner='x"}\n{"event":"deleted')
    with caplog.at_level(logging.INFO, "sandlot.sandboxes"):
        audit.tell("ended", forged, Ending(EndReason.EXPIRED, 1.0, "why\n"), cause="c")
        audit.tell("created", record())
    lines = [entry.getMessage() for entry in caplog.records]
    assert all("\n" not in line for line in lines)
    told: Mapping[str, str] = json.loads(lines[0])
    assert told == {
        "event": "ended", "owner": forged.owner, "sandbox": "one", "engine": "",
        "reason": "expired", "detail": "why\n", "cause": "c",
    }  # fmt: skip
