"""Kernel: one context as Jupyter's clients know it, whichever wire they came by.

Theory. What comes on shell is served in order, one turn at a time; what comes on control and stdin besides.
Every request is answered in one order: `busy`, what it brings forth, `idle`, and only then its reply. A
client that stops reading at the reply has therefore seen everything (kernels elsewhere send both at once,
and such clients lose output). What is told on iopub goes to `publish`, for all clients; replies and questions
go back the way their request came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sandlot.contracts.cells import Begun, Cell, CellEvent, CellStatus, InputAsked
from sandlot.contracts.contexts import Context, ContextEnd, ContextEnding
from sandlot.contracts.errors import Conflict, InvalidSpec, SandlotError, Unsupported
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.streams import ended

from . import asked as reading
from . import told
from .joining import joined
from .message import Channel, Maker, Message
from .questions import QUESTIONS
from .told import Telling
from .waiting import Asked, Send, Waiting

OUTPUT_LIMIT: Final = Bytes(16 * 2**20)
"""Bytes of output one cell may tell; more is told by its first and last half."""

MOST_DEATHS: Final = 5
"""Times in a row that an interpreter is started anew by itself, with no cell that ended well between."""

_EXECUTE: Final = "execute_request"
_SHUTDOWN: Final = "shutdown_request"


@dataclass(frozen=True, slots=True)
class KernelEnd:
    """Why a kernel is no more: a client asked it to go (`is_asked`), or it died.

    With `is_restart` the client wants another in its place. `ending` is how its interpreter died, where
    that is known.
    """

    is_asked: bool = False
    is_restart: bool = False
    ending: ContextEnding | None = None


class Kernel:
    """Serves a context.

    With *revives* it does what a notebook server does for its kernels: an interpreter that died is started
    anew, and so is one that was asked to go with `restart`. *timeout* bounds every cell.
    """

    def __init__(
        self,
        context: Context,
        maker: Maker,
        publish: Send,
        *,
        revives: bool = False,
        output_limit: Bytes = OUTPUT_LIMIT,
        timeout: Seconds | None = None,
    ) -> None:
        """Nothing is served before `serve` runs; *publish* and the replies' senders must not raise."""
        self.context = context
        self.execution_state = "starting"
        self._maker, self._publish = maker, publish
        self._revives, self._output_limit, self._timeout = revives, output_limit, timeout
        self._shell, self._aside = Waiting(), Waiting()
        self._turn, self._restarts, self._up = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
        self._up.set()
        self._life = self._deaths = self._count = 0
        self._group: asyncio.TaskGroup | None = None
        self._asking: tuple[Asked, InputAsked] | None = None
        self._end: asyncio.Future[KernelEnd] = asyncio.get_running_loop().create_future()

    async def serve(self) -> KernelEnd:
        """Serve what `take` takes until the kernel ends; the context is left to its owner."""
        await self._tell_state("starting")
        await self._tell_state("idle")
        async with asyncio.TaskGroup() as group:
            self._group = group
            served = (self._serve_shell(), self._serve_aside(), self._watch())
            loops = [group.create_task(each) for each in served]
            try:
                return await asyncio.shield(self._end)
            finally:
                for each in loops:
                    each.cancel()

    async def take(self, message: Message, reply: Send) -> None:
        """Take a client's message, whose answers go to *reply*. Never waits for its turn.

        Raises InvalidSpec for a channel that clients do not send on.
        """
        if message.channel == "iopub":
            raise InvalidSpec("iopub is what a kernel tells: send requests on shell or control")
        waiting = self._shell if message.channel == "shell" else self._aside
        try:
            waiting.put(Asked(message, reply))
        except Conflict as error:
            await self._answer(Asked(message, reply), told.refusal_of(message, error))

    async def interrupt(self) -> None:
        """Interrupt the cell that runs; state stays."""
        await self.context.interrupt()

    async def restart(self) -> None:
        """Another interpreter in place of this one; what waits is given up. Raises as Context.restart."""
        async with self._restarts:
            await self._restart()

    async def _restart(self) -> None:
        self._abort()
        self._life += 1
        await self._tell_state("restarting")
        try:
            await self.context.restart()
        except SandlotError:
            await self._die(None)
            raise
        finally:
            self._life += 1  # whoever saw the old one end meanwhile takes it for no death
        async with self._turn:  # the cell that the restart ended is told first
            await self._tell_state("starting")
            await self._tell_state("idle")
            self._up.set()

    async def _watch(self) -> None:
        """Tell the death of the interpreter, after the cell it died in."""
        while not self._end.done():
            life = self._life
            ending = await self.context.ended()
            async with self._turn:
                pass
            async with self._restarts:
                if life == self._life:
                    await self._died(ending)

    async def _died(self, ending: ContextEnding) -> None:
        self._deaths += 1
        is_hopeless = ending.end is ContextEnd.BOX_DIED or self._deaths > MOST_DEATHS
        if not self._revives or is_hopeless:
            await self._die(ending)
            return
        await self._revived()

    async def _revived(self) -> None:
        try:
            await self._restart()
        except SandlotError:
            return  # told as dead

    async def _die(self, ending: ContextEnding | None) -> None:
        await self._tell_state("dead")
        if not self._end.done():
            self._end.set_result(KernelEnd(ending=ending))

    async def _serve_shell(self) -> None:
        while True:
            asked = await self._shell.get()
            await self._up.wait()  # what comes after a death is for the next interpreter
            async with self._turn:
                self.execution_state = "busy"
                await self._serve(asked)
                self.execution_state = "idle"

    async def _serve_aside(self) -> None:
        while True:
            asked = await self._aside.get()
            if asked.message.channel == "stdin":
                await self._give(asked.message)
            else:
                await self._serve(asked)

    async def _serve(self, asked: Asked) -> None:
        """A request from busy to its reply."""
        message = asked.message
        await self._tell(told.status("busy"), message)
        try:
            answer = await self._answered(asked)
        except SandlotError as error:
            answer = told.refusal_of(message, error)
        await self._tell(told.status("idle"), message)
        await self._answer(asked, answer)
        if message.kind == _SHUTDOWN:
            self._leave(is_restart=message.content.get("restart") is True)

    def _leave(self, *, is_restart: bool) -> None:
        if is_restart and self._revives and self._group is not None:
            self._group.create_task(self._revive())
        elif not self._end.done():
            self._end.set_result(KernelEnd(is_asked=True, is_restart=is_restart))

    async def _revive(self) -> None:
        async with self._restarts:
            await self._revived()

    async def _answered(self, asked: Asked) -> Telling | None:
        message, kind, content = asked.message, asked.message.kind, asked.message.content
        if message.channel == "shell" and kind == _EXECUTE:
            return Telling("execute_reply", await self._execute(asked))
        if kind in QUESTIONS and (message.channel == "shell" or kind == "kernel_info_request"):
            return Telling(told.reply_to(kind), await QUESTIONS[kind](self.context, content))
        if message.channel == "control" and kind == "interrupt_request":
            await self.interrupt()
            return Telling("interrupt_reply", {"status": "ok"})
        if kind == _SHUTDOWN:
            end = Telling("shutdown_reply", {"status": "ok", "restart": content.get("restart") is True})
            await self._tell(end, message)
            return end
        if kind == "comm_open":  # there is nobody to talk to
            await self._tell(Telling("comm_close", {"comm_id": content.get("comm_id"), "data": {}}), message)
        if kind.endswith("_request"):
            raise Unsupported(f"a kernel of sandlot does not know {kind} on {message.channel}: leave it out")
        return None

    async def _execute(self, asked: Asked) -> told.Content:
        if asked.is_aborted:
            return told.aborted(self._count)
        content = asked.message.content
        cell = reading.cell_from(content, self._output_limit, self._timeout)
        stops = reading.stops_on_error(content)
        outcome = await self._run(cell, asked)
        end, failure = outcome.end, outcome.failure
        self._count = end.execution_count
        if failure is None:
            self._deaths = 0
        elif failure is not outcome.raised:
            await self._tell(Telling("error", told.error_of(failure)), asked.message)
        if end.status is CellStatus.DIED:
            self._up.clear()
        if end.status is CellStatus.DIED or (failure is not None and stops and not cell.silent):
            self._abort()
        return outcome.reply

    async def _run(self, cell: Cell, asked: Asked) -> told.Outcome:
        outcome = told.Outcome(self._count)
        try:
            async with ended(joined(self.context.run(cell))) as events:
                async for event in events:
                    outcome.add(event)
                    if isinstance(event, Begun):
                        self._count = event.execution_count
                    await self._pass_on(event, cell, asked)
        finally:
            self._asking = None
        return outcome

    async def _pass_on(self, event: CellEvent, cell: Cell, asked: Asked) -> None:
        if isinstance(event, InputAsked):
            self._asking = asked, event
            await self._answer(asked, told.input_request(event), "stdin")
            return
        telling = told.telling_of(event, cell)
        if telling is not None:
            await self._tell(telling, asked.message)

    async def _give(self, message: Message) -> None:
        """Give the cell the line it asked for; ask again for one that cannot be."""
        asking = self._asking
        if message.kind != "input_reply" or asking is None:
            return
        try:
            await self.context.answer(reading.text(message.content, "value").removesuffix("\n"))
        except InvalidSpec:
            await self._answer(asking[0], told.input_request(asking[1]), "stdin")
        except SandlotError:
            return  # the cell is over, or asks no longer

    def _abort(self) -> None:
        """Give up the cells that wait."""
        for asked in self._shell:
            asked.is_aborted = asked.is_aborted or asked.message.kind == _EXECUTE

    async def _tell_state(self, state: str) -> None:
        self.execution_state = state
        await self._tell(told.status(state))

    async def _tell(self, telling: Telling, about: Message | None = None) -> None:
        await self._publish(self._maker.message("iopub", telling.kind, telling.content, about))

    async def _answer(self, asked: Asked, telling: Telling | None, channel: Channel | None = None) -> None:
        if telling is not None:
            way = channel or asked.message.channel
            await asked.reply(self._maker.message(way, telling.kind, telling.content, asked.message))
