"""Background processes of a box: programs that run on while requests come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec, Misuse, TimedOut, Unavailable
from sandlot.wire.frames import FrameError, Kind

from . import asking, replies
from .calls import Calls
from .connection import StreamEnded

MOST_KEPT = 2 * 2**20
"""Twice what an agent keeps of a background process's output, which may grow while it is told."""


class BoxProcesses:
    """Implements contracts.engine.Processes."""

    _calls: Calls
    _feeders: set[asyncio.Task[None]]

    def _fields(self, command: Command, limit: int) -> dict[str, Any]:
        """The fields of `run` for *command* in this box."""
        raise NotImplementedError

    async def start(self, command: Command) -> str:
        """As Processes.start. Without `stdin` the input stays open for `feed`; with it, it ends there."""
        if command.handler is not None:
            raise InvalidSpec("a handler does not run in the background: nobody would take what it returns")
        fields = {**self._fields(command, asking.UNBOUNDED), "background": True, "stdin": True}
        async with self._calls.request("run", **fields) as stream:
            with suppress(StreamEnded):  # the conclusion says why
                await asking.send_source(stream, command)
            process = replies.process_name(await self._calls.conclusion(stream, events=1))
        if command.stdin is not None:
            feeder = asyncio.ensure_future(self._feed_all(process, command))
            self._feeders.add(feeder)
            feeder.add_done_callback(self._feeders.discard)
        return process

    async def processes(self) -> tuple[Mapping[str, Any], ...]:
        return replies.process_rows(await self._calls.ask("processes"))

    async def signal(self, process: str, number: int) -> None:
        await self._calls.ask("process_signal", process=process, signal=number)

    async def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        async with self._calls.request("process_input", process=process, end=end) as stream:
            with suppress(StreamEnded):  # the conclusion says why
                await stream.send(Kind.INPUT, data)
                stream.post(Kind.INPUT_END)
            await self._calls.conclusion(stream)

    async def wait(
        self,
        process: str,
        timeout: float | None = None,
    ) -> Mapping[str, Any]:
        async with self._calls.request("process_wait", process=process, timeout=timeout) as stream:
            bound = None if timeout is None else timeout + self._calls.patience.silence
            arrival = await self._calls.within(bound, stream)
            if arrival.kind != Kind.DONE:
                raise FrameError("the agent told something else than how the process ended")
            row = replies.process_row(self._calls.concluded(arrival))
        if row["running"]:
            raise TimedOut(f"process {process} still runs after {timeout} s: wait longer or signal it")
        return row

    async def output(self, process: str, offset: int = 0) -> tuple[bytes, int, int]:
        kept = bytearray()
        async with self._calls.request("process_output", process=process, offset=offset) as stream:
            while (arrival := await self._calls.next(stream)).kind != Kind.DONE:
                if arrival.kind == Kind.OUTPUT:
                    kept += arrival.data
                if len(kept) > MOST_KEPT:
                    raise FrameError(f"the agent told more than the {MOST_KEPT} bytes it may keep")
            told = self._calls.concluded(arrival)
        return bytes(kept), replies.count(told, "next"), replies.count(told, "dropped")

    def _stop_feeding(self) -> None:
        for feeder in self._feeders:
            feeder.cancel()

    async def _feed_all(self, process: str, command: Command) -> None:
        """Give the process its standard input and close it; what comes after its end is dropped."""
        with suppress(Unavailable, Misuse):
            async for data in command.input():
                await self.feed(process, data)
            await self.feed(process, b"", end=True)
