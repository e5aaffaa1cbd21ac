"""AgentBox: everything contracts.engine asks of a Box, over any channel to an agent.

An engine starts the agent behind its walls, hands over the channel and a `Life`, and is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace

from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.engine import Terminal
from sandlot.contracts.errors import BoxDied, Conflict, Misuse
from sandlot.contracts.events import Event, Exited, Failed, Reason, exit_code_of
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.spec import DEFAULT_LIMITS, Isolation

from . import asking, running
from .calls import Patience
from .channel import Channel
from .connection import Stream
from .context import BoxContext
from .contexts import BoxContexts
from .files import BoxFiles
from .greeting import Greeted, greet
from .life import Death, Life, Usage
from .places import Places
from .processes import BoxProcesses
from .spill import Spills
from .terminal import BoxTerminal
from .value import Value

AGENT_FEATURES = (
    Feature.FILES
    | Feature.PROCESSES
    | Feature.TERMINALS
    | Feature.FILE_WATCH
    | Feature.HANDLERS
    | Feature.CONTEXTS
)
"""What every AgentBox can do; limits and networks are the engine's to add."""


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """What an engine knows about a box it made.

    `env` is the whole environment programs get but for what a command adds. `output_limit` is in bytes
    per stream. `enforced` names the outer walls and limits; the agent's own are added from its HELLO.
    `unused` is what counts as used before the first command; with None `Life.usage` is asked then.
    """

    engine: str
    isolation: Isolation
    enforced: tuple[str, ...]
    features: Feature = AGENT_FEATURES
    env: Mapping[str, str] = field(default_factory=dict)
    output_limit: int = DEFAULT_LIMITS.output or 2**20
    places: Places = field(default_factory=Places)
    patience: Patience = field(default_factory=Patience)
    unused: Usage | None = None


class AgentBox(BoxFiles, BoxProcesses, BoxContexts):
    """A Box with Files, FileWatch, Processes, Terminals and Contexts; make it with `connect`."""

    def __init__(self, facts: BoxFacts, greeted: Greeted) -> None:
        """Speak for a box whose agent has been *greeted*."""
        self.engine, self.isolation, self.features = facts.engine, facts.isolation, facts.features
        self.enforced = tuple(sorted({*facts.enforced, *greeted.walls}))
        self.failover: tuple[str, ...] = ()
        self._facts, self._calls = facts, greeted.calls
        self._contexts: dict[str, BoxContext] = {}
        self.spills = Spills(self)
        self._feeders: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[Ending] | None = None

    @classmethod
    async def connect(
        cls, channel: Channel, life: Life, facts: BoxFacts, plan: Mapping[str, object], *, within: float
    ) -> AgentBox:
        """Greet the agent at the end of *channel* and check that every wall of *plan* is up.

        Raises StartFailed when it does not answer *within* so many seconds, breaks the protocol or
        lacks a wall; the box is killed then.
        """
        greeted = await greet(
            channel,
            life,
            facts.places,
            plan,
            within=within,
            patience=facts.patience,
            unused=facts.unused,
        )
        return cls.of(facts, greeted)

    @classmethod
    def of(cls, facts: BoxFacts, greeted: Greeted) -> AgentBox:
        """The box of an agent that has been *greeted*."""
        return cls(facts, greeted)

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        if command.background:
            yield Failed(Conflict.code, "a background command has no events of its own: use start")
            return
        limit = command.output_limit or self._facts.output_limit
        try:
            async with self._started(command, limit) as stream:
                run = running.Run(self._calls, stream, command.timeout, limit, Value(command.handler))
                async with aclosing(run.events()) as events:
                    async for event in events:
                        yield event
        except BoxDied as error:
            code = exit_code_of(Reason.BOX_DIED, None, None)
            yield Exited(Reason.BOX_DIED, code, who=error.who)
        except Misuse as error:
            yield Failed(error.code, error.message)

    async def open(self, command: Command) -> Terminal:
        """As contracts.engine.Terminals.open; a command without `tty` gets a terminal of 24 by 80."""
        command = replace(command, tty=command.tty or TerminalSize())
        fields = self._fields(command, asking.UNBOUNDED)
        return await BoxTerminal.start(self._calls, fields, command)

    async def ended(self) -> Ending:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._watch())
        return await asyncio.shield(self._ending)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._end())
        await asyncio.shield(self._closing)

    @asynccontextmanager
    async def _started(self, command: Command, limit: int) -> AsyncGenerator[Stream, None]:
        """The stream of a command: ordered by one frame where that can be, fed by as many as it takes."""
        env, workdir = self._surroundings(command)
        order = asking.order(command, env, workdir, limit) if self._calls.takes_orders else None
        if order is not None:
            async with self._calls.order(order) as stream:
                yield stream
            return
        short = asking.short(command)
        fields = asking.request(command, env, workdir, limit)
        async with (
            self._calls.request("run", short or (), **fields) as stream,
            asking.feeding(stream, command) if short is None else nullcontext(),
        ):
            yield stream

    def _fields(self, command: Command, limit: int) -> dict[str, object]:
        return asking.request(command, *self._surroundings(command), limit)

    def _surroundings(self, command: Command) -> tuple[dict[str, str], str]:
        workdir = self._calls.places.directory(command.workdir)
        return {**self._facts.env, "PWD": workdir, **command.env}, workdir

    async def _watch(self) -> Ending:
        death = await self._calls.life.ended()
        if self._closing is not None and death.who in ("agent", "launcher"):
            # It leaves by itself when its channel closes, perhaps before it is killed.
            death = Death("host", "killed on request", death.usage)
        is_out_of_memory = self._calls.has_run_out_of_memory(death.usage)
        return ending_of(death, self._calls.mistrust, time.time(), is_out_of_memory=is_out_of_memory)

    async def _end(self) -> None:
        self._stop_feeding()
        self._calls.connection.close()
        await self._calls.life.kill()


def ending_of(death: Death, mistrust: str | None, at: float, *, is_out_of_memory: bool) -> Ending:
    """Why a box ended, from its death and from what its agent did to be killed for (pure).

    *is_out_of_memory* says whether it was killed in for memory without a command having been told.
    """
    if mistrust is not None:
        return Ending(EndReason.KILLED, at, f"agent: {mistrust}")
    detail = f"{death.who}: {death.detail}"
    if death.who == "host":
        return Ending(EndReason.KILLED, at, detail)
    if is_out_of_memory and death.who != "keeper":
        return Ending(EndReason.OUT_OF_MEMORY, at, detail)
    return Ending(EndReason.BOX_DIED, at, detail)
