"""The contexts of a box."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.contexts import Context, ContextSpec
from sandlot.contracts.errors import Conflict

from . import asking
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
        with self.place_of_context():
            return self.add_context(spec, await self.start_interpreter(spec))

    async def contexts(self) -> tuple[Context, ...]:
        """As Contexts.contexts."""
        return tuple(self._contexts.values())

    @contextmanager
    def place_of_context(self) -> Iterator[None]:
        """For the length of a block, a place for one more interpreter. Raises Conflict."""
        kept = sum(1 + context.kept for context in self._contexts.values())
        if kept + self._opening >= MOST_CONTEXTS:
            raise Conflict(
                f"the box has {MOST_CONTEXTS} contexts and checkpoints, the most allowed: "
                "close or discard one"
            )
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def add_context(self, spec: ContextSpec, interpreter: Interpreter) -> BoxContext:
        """A context of the box for *interpreter*."""
        context = BoxContext(uuid.uuid4().hex, spec, self, interpreter)
        self._contexts[context.id] = context
        return context

    async def start_interpreter(self, spec: ContextSpec) -> Interpreter:
        """One of *spec*, which runs. Raises as `open_context`."""
        command = Command(code="", env=spec.env, workdir=spec.workdir, timeout=None)
        fields = {
            **self._fields(command, asking.UNBOUNDED),
            "context": True,
            "stdin": True,
            "language": spec.language,
        }
        return await Interpreter.start(self._calls, fields)

    def forget_context(self, name: str) -> None:
        """It was closed."""
        self._contexts.pop(name, None)
