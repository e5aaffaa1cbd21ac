"""One-shot runs: the answer comes before the box is gone, and nothing is forgotten for that."""

from __future__ import annotations

import asyncio

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import EngineUnavailable
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import SandboxSpec
from sandlot.local.service import LocalService
from sandlot.sandboxes.gate import Width
from sandlot.sandboxes.house import House
from sandlot.sandboxes.sandboxes import Sandboxes
from tests.unit.local.memory import MemoryBox, MemoryEngine
from tests.unit.sandboxes.house import until

ECHO = RunRequest(Command(argv=("echo", "a")))


class Lingering(MemoryBox):
    """A box that is gone only when it is let go, or fails to go."""

    def __init__(self, spec: SandboxSpec, let_go: asyncio.Event, failure: Exception | None) -> None:
        super().__init__(spec)
        self.let_go, self.failure = let_go, failure

    async def close(self) -> None:
        await self.let_go.wait()
        if self.failure is not None:
            raise self.failure
        await super().close()


class LingeringEngine(MemoryEngine):
    """Makes such boxes."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.let_go, self.failure = asyncio.Event(), failure

    async def create(self, spec: SandboxSpec) -> Box:
        self.boxes.append(Lingering(spec, self.let_go, self.failure))
        return self.boxes[-1]


def test_a_result_is_told_before_its_box_is_gone() -> None:
    async def work() -> None:
        engine = LingeringEngine()
        service = LocalService(Sandboxes(engine))
        assert (await service.run(ECHO)).stdout == b"a"
        assert len(engine.living) == 1
        closing = asyncio.ensure_future(service.close())
        await asyncio.sleep(0)
        engine.let_go.set()
        await closing
        assert engine.living == []

    asyncio.run(work())


def test_boxes_that_are_still_going_keep_their_places() -> None:
    async def work() -> None:
        engine = LingeringEngine()
        service = LocalService(Sandboxes(engine, house=House(commands=Width(inside=2, waiting=5))))
        await asyncio.gather(service.run(ECHO), service.run(ECHO))
        third = asyncio.ensure_future(service.run(ECHO))
        await until(lambda: service.census().commands_waiting == 1)
        assert len(engine.boxes) == 2
        engine.let_go.set()
        assert (await third).exit_code == 0
        await service.close()
        assert (len(engine.boxes), engine.living, service.census().commands) == (3, [], 0)

    asyncio.run(work())


def test_a_box_that_cannot_be_ended_gives_its_place_back_all_the_same() -> None:
    async def work() -> None:
        engine = LingeringEngine(EngineUnavailable("something of it is left"))
        engine.let_go.set()
        service = LocalService(Sandboxes(engine, house=House(commands=Width(inside=1, waiting=1))))
        assert [(await service.run(ECHO)).exit_code for _ in range(3)] == [0, 0, 0]
        await service.close()

    asyncio.run(work())
