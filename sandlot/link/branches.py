"""Copies of a context's interpreter: forks that are contexts themselves, and checkpoints that wait.

A checkpoint is a copy that nobody runs cells in; a rollback copies it once more, so it can be gone back to
again. Such copies are killed when they are needed no longer, and so is the interpreter that a rollback
replaces: what a Python does when it ends by itself, such as deleting temporary directories, would take from
the others what they share.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AbstractContextManager
from typing import Protocol

from sandlot.contracts.contexts import Checkpoint, Context, ContextEnd, ContextSpec
from sandlot.contracts.errors import Conflict, NotFound, Unsupported

from .interpreter import Interpreter
from .spill import Spills

MOST_CHECKPOINTS = 16
"""Of one context."""

FORK_PATIENCE = 20.0
"""Seconds a copy may take: page tables of many gigabytes have to be copied."""

DEAD = "the context's interpreter has ended ({}): restart it, or open another"

_FORK = "fork"


class Home(Protocol):
    """The contexts of a box, as one of them knows them."""

    def place_of_context(self) -> AbstractContextManager[None]:
        """For the length of a block, a place for one more interpreter. Raises Conflict."""

    def add_context(self, spec: ContextSpec, interpreter: Interpreter) -> Context:
        """A context of the box for *interpreter*."""

    async def start_interpreter(self, spec: ContextSpec) -> Interpreter:
        """One of *spec*, which runs."""

    @property
    def spills(self) -> Spills:
        """Where output goes that is too long to be told."""

    def forget_context(self, name: str) -> None:
        """It was closed."""


class Branches:
    """The part of a context that copies it."""

    spec: ContextSpec
    _home: Home
    _interpreter: Interpreter
    _kept: dict[str, Interpreter]
    _turn: asyncio.Lock
    _restarting: asyncio.Lock
    _waiting: int
    _is_closed: bool

    @property
    def kept(self) -> int:
        """How many checkpoints there are."""
        return len(self._kept)

    async def fork(self) -> Context:
        with self._home.place_of_context():
            return self._home.add_context(self.spec, await self._copied())

    async def checkpoint(self) -> Checkpoint:
        if len(self._kept) >= MOST_CHECKPOINTS:
            raise Conflict(f"the context has {MOST_CHECKPOINTS} checkpoints, the most kept: discard one")
        with self._home.place_of_context():
            found = Checkpoint(uuid.uuid4().hex)
            self._kept[found.id] = await self._copied()
        return found

    async def rollback(self, checkpoint: Checkpoint) -> None:
        async with self._restarting:
            self._check_open()
            kept = self._kept.get(checkpoint.id)
            if kept is None:
                raise NotFound(f"this context keeps no checkpoint {checkpoint.id!r:.60}: take another")
            if kept.ending is not None:
                raise Conflict(f"the checkpoint has ended ({kept.ending.end.value}): discard it")
            with self._home.place_of_context():
                fresh = await self._copy_of(kept)
            replaced, self._interpreter = self._interpreter, fresh
            await replaced.kill(ContextEnd.CLOSED, "it was rolled back")

    async def discard(self, checkpoint: Checkpoint) -> None:
        found = self._kept.pop(checkpoint.id, None)
        if found is not None:
            await found.kill(ContextEnd.CLOSED)

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        return tuple(map(Checkpoint, self._kept))

    async def _discard_all(self) -> None:
        kept, self._kept = self._kept, {}
        await asyncio.gather(*(each.kill(ContextEnd.CLOSED) for each in kept.values()))

    async def _copied(self) -> Interpreter:
        """A copy of the interpreter there is now, in its turn."""
        if self._turn.locked() or self._waiting:
            raise Conflict("a cell runs or waits in this context: interrupt it, or copy it afterwards")
        async with self._restarting, self._turn:
            self._check_open()
            ending = self._interpreter.ending
            if ending is not None:
                raise Conflict(DEAD.format(ending.end.value))
            return await self._copy_of(self._interpreter)

    async def _copy_of(self, interpreter: Interpreter) -> Interpreter:
        if _FORK not in interpreter.facts.features:
            raise Unsupported("this context cannot be copied: its features lack fork")
        copying = asyncio.ensure_future(interpreter.fork())
        try:
            await asyncio.wait([copying], timeout=FORK_PATIENCE)
            if not copying.done():
                await interpreter.kill(ContextEnd.TIMEOUT, f"it was not copied within {FORK_PATIENCE:g} s")
            copy = await asyncio.shield(copying)
            self._check_open()
        except (asyncio.CancelledError, Conflict):
            await _end(copying)
            raise
        return copy

    def _check_open(self) -> None:
        if self._is_closed:
            raise Conflict("the context was closed: open another")


async def _end(copying: asyncio.Future[Interpreter]) -> None:
    """End a copy that nobody wants any more, once its original has answered."""
    await asyncio.wait([copying])
    if copying.exception() is None:
        await copying.result().kill(ContextEnd.CLOSED)
