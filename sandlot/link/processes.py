"""Background processes of a box: programs that run on while requests come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.errors import TimedOut
from sandlot.wire.frames import Kind

from . import replies, running
from .calls import Calls
from .connection import StreamEnded


class BoxProcesses:
    """Implements contracts.engine.Processes."""

    _calls: Calls

    def _fields(self, command: Command, limit: int) -> dict[str, Any]:
        """The fields of `run` for *command* in this box."""
        raise NotImplementedError

    async def start(self, command: Command) -> str:
        """As Processes.start. Without `stdin` the input stays open for `feed`; with it, it ends there."""
        fields = {**self._fields(command, running.UNBOUNDED), "background": True}
        async with self._calls.request("run", **fields) as stream:
            await running.feed(stream, command, end=command.stdin is not None)
            return replies.process_name(await self._calls.conclusion(stream))

    async def processes(self) -> tuple[Mapping[str, Any], ...]:
        return replies.process_rows(await self._calls.ask("processes"))

    async def signal(self, process: str, number: int) -> None:
        await self._calls.ask("process_signal", process=process, signal=number)

    async def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        async with self._calls.request("process_input", process=process, end=end) as stream:
            try:
                await stream.send(Kind.INPUT, data)
                stream.post(Kind.INPUT_END)
            except StreamEnded:
                pass  # the conclusion says why
            await self._calls.conclusion(stream)

    async def wait(
        self,
        process: str,
        timeout: float | None = None,
    ) -> Mapping[str, Any]:
        async with self._calls.request("process_wait", process=process, timeout=timeout) as stream:
            while (arrival := await stream.receive()).kind != Kind.DONE:
                pass
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
            told = self._calls.concluded(arrival)
        return bytes(kept), replies.count(told, "next"), replies.count(told, "dropped")
