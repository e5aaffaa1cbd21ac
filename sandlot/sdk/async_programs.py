"""Programs run in a sandbox and waited for, from async code; the twin of `programs`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, AsyncIterator, Awaitable, Callable, Mapping, Optional, Sequence, Union

from sandlot.client.facts import result_in
from sandlot.contracts.capability import require
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.events import Event
from sandlot.contracts.handler import Handler
from sandlot.contracts.result import Result
from sandlot.contracts.streams import ended

from . import plans


class AsyncPrograms:
    """What of an AsyncSandbox runs programs in the foreground."""

    _plan: plans.Plan
    _reach: Callable[[], Awaitable[Box]]

    async def run(
        self,
        code: Optional[str] = None,
        *,
        argv: Optional[Sequence[str]] = None,
        stdin: plans.Input = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> Result:
        """As Sandbox.run."""
        return await self._result(plans.Program(code, argv, stdin, env, workdir), timeout)

    async def shell(
        self,
        line: str,
        *,
        stdin: plans.Input = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> Result:
        """As Sandbox.shell."""
        return await self.run(
            argv=plans.shell_line(line), stdin=stdin, env=env, workdir=workdir, timeout=timeout
        )

    async def call(
        self,
        code: str,
        event: Any = None,
        *,
        handler: str = "handler",
        stdin: plans.Input = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> Result:
        """As Sandbox.call."""
        program = plans.Program(code, None, stdin, env, workdir, Handler(handler, event))
        return await self._result(program, timeout)

    async def events(self, command: Command) -> AsyncIterator[Event]:
        """As Sandbox.events."""
        box = await self._reach()
        async with ended(box.run(command)) as events:
            async for event in events:
                yield event

    async def _result(self, program: plans.Program, timeout: plans.Amount) -> Result:
        command = plans.command_for(program, timeout, self._plan.settings.timeout)
        box = await self._reach()
        require(program.needs, box.features, engine=box.engine)
        async with ended(box.run(command)) as events:
            found = [event async for event in events]
        return result_in(box, found)
