"""The contexts of a box."""

from __future__ import annotations

import uuid
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.contexts import PYTHON, Context, ContextSpec
from sandlot.contracts.errors import Conflict, Unsupported

from . import running
from .calls import Calls
from .context import BoxContext
from .interpreter import Interpreter
from .spill import Spills

MOST_CONTEXTS = 64
"""Of one box, those that have died and were not closed among them."""


class BoxContexts:
    """Implements contracts.contexts.Contexts."""

    _calls: Calls
    _contexts: dict[str, BoxContext]
    spills: Spills
    """Where output goes that is too long to be told."""
    _opening = 0

    def _fields(self, command: Command, limit: int) -> dict[str, Any]:
        """The fields of `run` for *command* in this box."""
        raise NotImplementedError

    async def open_context(self, spec: ContextSpec) -> Context:
        """As Contexts.open_context."""
        if spec.language != PYTHON:
            raise Unsupported(f"no context speaks {spec.language!r} here: python alone is known")
        if len(self._contexts) + self._opening >= MOST_CONTEXTS:
            raise Conflict(f"the box has {MOST_CONTEXTS} contexts, the most allowed: close one")
        self._opening += 1
        try:
            interpreter = await self._start_interpreter(spec)
        finally:
            self._opening -= 1
        name = uuid.uuid4().hex
        context = BoxContext(
            name,
            spec,
            lambda: self._start_interpreter(spec),
            interpreter,
            lambda: self._forget_context(name),
            self.spills,
        )
        self._contexts[name] = context
        return context

    async def contexts(self) -> tuple[Context, ...]:
        """As Contexts.contexts."""
        return tuple(self._contexts.values())

    async def _start_interpreter(self, spec: ContextSpec) -> Interpreter:
        command = Command(code="", env=spec.env, workdir=spec.workdir, timeout=None)
        fields = {**self._fields(command, running.UNBOUNDED), "context": True, "stdin": True}
        return await Interpreter.start(self._calls, fields)

    def _forget_context(self, name: str) -> None:
        self._contexts.pop(name, None)
