"""Programs run in a sandbox and waited for, from ordinary code; the twin of `async_programs`."""

from __future__ import annotations

from contextlib import closing
from pathlib import PurePosixPath
from typing import Any, Callable, Generator, Mapping, Optional, Sequence, Union

from sandlot.client.facts import result_in
from sandlot.client.remote import RemoteBox
from sandlot.contracts.capability import require
from sandlot.contracts.command import Command
from sandlot.contracts.events import Event
from sandlot.contracts.handler import Handler
from sandlot.contracts.result import Result

from . import plans
from .lent import LentBox

AnyBox = Union[RemoteBox, LentBox]


class Programs:
    """What of a Sandbox runs programs in the foreground."""

    _plan: plans.Plan
    _reach: Callable[[], AnyBox]

    def run(
        self,
        code: Optional[str] = None,
        *,
        argv: Optional[Sequence[str]] = None,
        stdin: plans.Input = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> Result:
        """Run Python *code*, or the program *argv*, and give its Result; a program that fails is a Result.

        *stdin* may be an iterable of bytes, read as the program takes it. *timeout* is "30s" or seconds; the
        default is that of the settings.
        """
        return self._result(plans.Program(code, argv, stdin, env, workdir), timeout)

    def shell(
        self,
        line: str,
        *,
        stdin: plans.Input = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> Result:
        """Give *line* to the sandbox's `sh -c`; otherwise as `run`."""
        return self.run(argv=plans.shell_line(line), stdin=stdin, env=env, workdir=workdir, timeout=timeout)

    def call(
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
        """Run *code*, then its function *handler* with *event*; the Result has what it returned as `result`.

        Both are what JSON can say. `has_result` is false when nothing came back; otherwise as `run`.
        """
        program = plans.Program(code, None, stdin, env, workdir, Handler(handler, event))
        return self._result(program, timeout)

    def events(self, command: Command) -> Generator[Event, None, None]:
        """What *command* does, as it happens; leaving the loop early kills it."""
        box = self._reach()
        with closing(box.run(command)) as events:
            yield from events

    def _result(self, program: plans.Program, timeout: plans.Amount) -> Result:
        command = plans.command_for(program, timeout, self._plan.settings.timeout)
        box = self._reach()
        require(program.needs, box.features, engine=box.engine)
        with closing(box.run(command)) as events:
            found = list(events)
        return result_in(box, found)
