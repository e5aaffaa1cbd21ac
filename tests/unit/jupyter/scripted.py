"""A context that does as its script says, and a kernel over it whose messages are kept."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sandlot.contracts.cells import (
    Begun,
    Cell,
    CellEvent,
    CellStatus,
    Finished,
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    StreamName,
)
from sandlot.contracts.contexts import (
    Checkpoint,
    Completeness,
    Completions,
    Context,
    ContextEnd,
    ContextEnding,
    ContextFacts,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import Conflict, StartFailed
from sandlot.contracts.quantity import Seconds
from sandlot.jupyter.kernel import Kernel, KernelEnd
from sandlot.jupyter.message import Channel, Maker, Message, message_from

FACTS = ContextFacts("python", "3.11.2", "ipython", "9.0", ("magics",))


class ScriptedContext:
    """Implements contracts.contexts.Context: a cell's code names what it does."""

    def __init__(self) -> None:
        self.id, self.spec, self.facts = "scripted", ContextSpec(), FACTS
        self.ran: list[Cell] = []
        self.restarts = 0
        self.can_restart = True
        self.may_restart = asyncio.Event()
        self.may_restart.set()
        self._count = 0
        self._interrupted = asyncio.Event()
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._died: asyncio.Future[ContextEnding] = asyncio.get_running_loop().create_future()

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        self.ran.append(cell)
        if self._died.done():
            yield Finished(CellStatus.DIED, self._count, detail="exited: exit code 3")
            return
        self._count += 1
        yield Begun(self._count)
        status = CellStatus.OK
        async for event in self._told(cell):
            if isinstance(event, Finished):
                status = event.status
            else:
                yield event
        yield Finished(status, self._count)

    async def _told(self, cell: Cell) -> AsyncIterator[CellEvent]:
        if cell.code.startswith("print "):
            yield Streamed(StreamName.STDOUT, cell.code[6:])
        elif cell.code == "fail":
            yield Raised("ValueError", "no", ("Traceback\n", "ValueError: no"))
            yield Finished(CellStatus.ERROR)
        elif cell.code == "wait":
            self._interrupted.clear()
            await self._interrupted.wait()
            yield Finished(CellStatus.INTERRUPTED)
        elif cell.code == "ask":
            yield InputAsked("name? ")
            yield Resulted({"text/plain": await self._answers.get()}, {}, self._count)
        elif cell.code == "die":
            self.die()
            yield Finished(CellStatus.DIED)

    def die(self) -> None:
        self._died.set_result(ContextEnding(ContextEnd.EXITED, "exit code 3"))

    async def answer(self, text: str) -> None:
        self._answers.put_nowait(text)

    async def interrupt(self) -> None:
        self._interrupted.set()

    async def restart(self) -> None:
        await self.may_restart.wait()
        self.restarts += 1
        if not self._died.done():
            self._died.set_result(ContextEnding(ContextEnd.CLOSED))
        self._interrupted.set()
        if not self.can_restart:
            raise StartFailed("no room")
        self._died, self._count = asyncio.get_running_loop().create_future(), 0

    async def complete(self, code: str, cursor: int) -> Completions:
        return Completions((code + "t",), 0, cursor, {"types": [{"text": code + "t", "type": "module"}]})

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        return Inspection(found=True, data={"text/plain": f"{code} {cursor} {detail}"})

    async def is_complete(self, code: str) -> Judgement:
        if code == "dead":
            raise Conflict("the context's interpreter has ended")
        return Judgement(Completeness.INCOMPLETE, "    ")

    async def history(self, most: int = 100) -> tuple[HistoryEntry, ...]:
        return (HistoryEntry(1, "a = 1"), HistoryEntry(2, "b = 2"), HistoryEntry(3, "a = 1"))[-most:]

    async def fork(self) -> Context:
        raise AssertionError("a kernel does not copy the context it was lent")

    async def checkpoint(self) -> Checkpoint:
        raise AssertionError("a kernel does not copy the context it was lent")

    async def rollback(self, checkpoint: Checkpoint) -> None:
        raise AssertionError(f"a kernel does not go back to {checkpoint}")

    async def discard(self, checkpoint: Checkpoint) -> None:
        raise AssertionError(f"a kernel does not go back to {checkpoint}")

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        return ()

    async def ended(self) -> ContextEnding:
        return await asyncio.shield(self._died)

    async def close(self) -> None:
        raise AssertionError("a kernel does not close the context it was lent")


class Client:
    """One client of a kernel: asks, and keeps everything it hears in the order it came."""

    def __init__(self, kernel: Kernel, heard: list[Message]) -> None:
        self._kernel, self._numbers = kernel, itertools.count()
        self.heard = heard
        self._came = asyncio.Condition()

    async def hear(self, message: Message) -> None:
        self.heard.append(message)
        async with self._came:
            self._came.notify_all()

    async def send(self, kind: str, content: Mapping[str, Any], channel: Channel = "shell") -> Message:
        header = {"msg_id": f"asked-{next(self._numbers)}", "msg_type": kind, "session": "s", "username": ""}
        message = message_from(channel, {"header": header, "content": dict(content)})
        await self._kernel.take(message, self.hear)
        return message

    async def execute(self, code: str, **content: Any) -> Message:
        return await self.send("execute_request", {"code": code, **content})

    async def until(self, kind: str, about: Message | None = None) -> Message:
        """The first message of this kind, about that request."""
        async with self._came:
            while True:
                for message in self.heard:
                    if message.kind == kind and (
                        about is None or message.parent_header.get("msg_id") == about.header["msg_id"]
                    ):
                        return message
                await self._came.wait()

    async def idle_again(self, times: int) -> None:
        """Wait until the kernel told this many times that it is ready for anybody."""
        async with self._came:
            while self.states.count("idle") < times:
                await self._came.wait()

    @property
    def states(self) -> list[str]:
        told = [each for each in self.heard if each.kind == "status" and not each.parent_header]
        return [each.content["execution_state"] for each in told]

    def about(self, request: Message) -> list[str]:
        """What was told about a request, in order."""
        mine = [m for m in self.heard if m.parent_header.get("msg_id") == request.header["msg_id"]]
        return [m.content["execution_state"] if m.kind == "status" else m.kind for m in mine]


class Served:
    """A kernel that is being served."""

    def __init__(self, *, revives: bool = False, timeout: Seconds | None = None) -> None:
        numbers = itertools.count()
        maker = Maker(lambda: f"told-{next(numbers)}", lambda: 0.5, session="kernel")
        self.context = ScriptedContext()
        self.kernel = Kernel(self.context, maker, self._publish, revives=revives, timeout=timeout)
        self.client = Client(self.kernel, [])
        self.end: asyncio.Future[KernelEnd] = asyncio.ensure_future(self.kernel.serve())

    async def _publish(self, message: Message) -> None:
        assert message.channel == "iopub"
        await self.client.hear(message)


@asynccontextmanager
async def served(*, revives: bool = False, timeout: Seconds | None = None) -> AsyncIterator[Served]:
    """A kernel over a scripted context, with one client."""
    found = Served(revives=revives, timeout=timeout)
    try:
        async with asyncio.timeout(5):
            yield found
    finally:
        found.end.cancel()
        await asyncio.wait([found.end])
