"""Kernels: every kernel of this server, by owner and id, each a context of a sandbox that is being served."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.contexts import Context, Contexts
from sandlot.contracts.errors import NotFound, SandlotError
from sandlot.contracts.spec import SandboxSpec
from sandlot.jupyter.kernel import Kernel
from sandlot.jupyter.message import Maker, Message
from sandlot.server import dialect
from sandlot.server.lifecycle import OwnService
from sandlot.server.policy import admit

from .audience import Audience, Listener
from .translate import KernelRow, Wanted

_log = logging.getLogger(__name__)
_RENEWALS = 3
"""Times that a lease is renewed before it would run out."""
_SELDOM = 60.0
_OFTEN = 0.5


@dataclass(eq=False, slots=True)
class Held:
    """One kernel, its clients, and what goes on of it."""

    id: str
    owner: str
    wanted: Wanted
    sandbox: str
    service: OwnService
    kernel: Kernel
    audience: Audience
    clock: Callable[[], float]
    last_activity: float = 0.0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """It is used from now on."""
        self.last_activity = self.clock()

    @property
    def is_alone(self) -> bool:
        """Whether its sandbox was made for it, and ends with it."""
        return self.wanted.sandbox is None

    @property
    def row(self) -> KernelRow:
        """As its owner sees it."""
        about = self.kernel.execution_state, self.audience.count, self.last_activity
        return KernelRow(self.id, self.wanted.name, self.sandbox, *about)

    async def take(self, message: Message, listener: Listener) -> None:
        """Take what came by *listener*. Raises InvalidSpec."""
        self.last_activity = self.clock()

        async def reply(answer: Message) -> None:
            await self.audience.answer(listener, answer)

        await self.kernel.take(message, reply)


class Kernels:
    """Makes, finds and ends kernels."""

    def __init__(self, context: dialect.Context, within: str | None = None) -> None:
        """There are none. All that come are of the one sandbox called *within*, unless that is None."""
        self._context, self._within = context, within
        self._held: dict[tuple[str, str], Held] = {}

    def find(self, owner: str, name: str) -> Held:
        """The kernel of *owner* with this id. Raises NotFound."""
        found = self._held.get((owner, name))
        if found is None:
            raise NotFound(f"Kernel does not exist: {name:.60}")  # the words of Jupyter's servers
        return found

    def all(self, owner: str) -> list[Held]:
        """Those of *owner*, the oldest first."""
        return [each for each in self._held.values() if each.owner == owner]

    async def make(self, owner: str, service: OwnService, wanted: Wanted) -> Held:
        """A new kernel, ready for requests. Raises as Service.reach, Contexts.open_context, policy.admit."""
        name = str(uuid.uuid4())
        wanted = self._placed(wanted)
        sandbox = wanted.sandbox
        if sandbox is None:
            sandbox = f"kernel-{name}"
            settings = self._context.settings
            await service.ensure(sandbox, admit(SandboxSpec(ttl=settings.session_ttl), settings))
        try:
            context = await _context_in(service, sandbox, wanted)
        except BaseException:
            if wanted.sandbox is None:
                await service.delete(sandbox)
            raise
        audience = Audience()
        kernel = Kernel(context, self._maker(), audience.tell, revives=True)
        held = Held(name, owner, wanted, sandbox, service, kernel, audience, self._context.clock)
        self._held[owner, name] = held
        held.tasks += [asyncio.ensure_future(self._live(held)), asyncio.ensure_future(_stay(held))]
        return held

    async def end(self, held: Held) -> None:
        """End a kernel, and its sandbox when that was made for it; idempotent."""
        if self._forget(held, "the kernel was deleted"):
            await _cleared(held)

    def _placed(self, wanted: Wanted) -> Wanted:
        if self._within is None:
            return wanted
        if wanted.sandbox not in (None, self._within):
            raise NotFound(f"there is one sandbox here, {self._within!r}, and {wanted.sandbox!r} is another")
        return replace(wanted, sandbox=self._within)

    def _maker(self) -> Maker:
        session, numbers = uuid.uuid4().hex, itertools.count()
        return Maker(lambda: f"{session}_{next(numbers)}", self._context.clock, session=session)

    async def _live(self, held: Held) -> None:
        """Serve a kernel until it ends by itself; its clients are told, and it is not found any more.

        What is left of a sandbox in which an interpreter died is left to its owner, or to its lease.
        """
        try:
            end = await held.kernel.serve()
        finally:
            self._forget(held, "the kernel has ended", but=asyncio.current_task())
        if end.is_asked:
            await _cleared(held)

    def _forget(self, held: Held, reason: str, but: asyncio.Task[None] | None = None) -> bool:
        """Whether it was known; nothing goes on of it *but* one task."""
        is_known = self._held.pop((held.owner, held.id), None) is not None
        held.audience.finish(reason)
        for task in held.tasks:
            if task is not but:
                task.cancel()
        return is_known


async def _context_in(service: OwnService, sandbox: str, wanted: Wanted) -> Context:
    box = await service.reach(sandbox)
    require(Feature.CONTEXTS, box.features, engine=box.engine)
    return await cast("Contexts", box).open_context(wanted.spec)


async def _cleared(held: Held) -> None:
    """Take a kernel's context away, and its own sandbox."""
    try:
        await held.kernel.context.close()
        if held.is_alone:
            await held.service.delete(held.sandbox)
    except NotFound:
        return  # the sandbox has ended, and everything in it


async def _stay(held: Held) -> None:
    """Renew the lease of a kernel's sandbox for as long as somebody is connected to it.

    A cell alone does not: one that never ends, and that nobody waits for, would keep its sandbox for ever.
    """
    try:
        ttl = (await held.service.status(held.sandbox)).lease.ttl
        while ttl is not None:
            await asyncio.sleep(max(_OFTEN, min(_SELDOM, ttl / _RENEWALS)))
            if held.audience.count:
                await held.service.touch(held.sandbox)
    except SandlotError as error:
        _log.info("the lease of kernel %s is not renewed any more: %s", held.id, error.code)
