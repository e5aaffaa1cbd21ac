"""Requests to one agent, and what they come to when it misbehaves or its box dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandlot.contracts.errors import BoxDied, Conflict, InvalidSpec
from sandlot.wire.frames import FrameError, Kind
from sandlot.wire.order import Order

from . import replies
from .channel import Channel
from .connection import Arrival, Connection, ConnectionEnded, Saying, Stream
from .life import Death, Life, Usage
from .places import Places


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds the host waits before it kills the box."""

    silence: float = 60.0
    """On a request that has no time limit of its own."""
    cancel: float = 1.0
    """For the end of a command that was cancelled. What files and archives began is undone first, and that
    takes as long as there is much of it: `silence` bounds it."""
    death: float = 2.0
    """For the box's end once its link has broken."""
    overdue: float = 2.0
    """For the end of a command whose timeout is over. Its agent ends it within a fifth of a second; this is
    ten times that, because where others take every processor it does so late, and a box with all its files
    and programs is too much to lose for that."""


_UNTOLD = Usage()


class Calls:
    """The requests of one box. Every breach of the protocol kills it."""

    def __init__(
        self,
        channel: Channel,
        life: Life,
        places: Places,
        patience: Patience | None = None,
        unused: Usage | None = None,
    ) -> None:
        """Speak over *channel*; *life* ends the box when that is needed. *unused* as BoxFacts has it."""
        self.patience = patience or Patience()
        # What the box has used, while nothing went on in it since that was told.
        self._known = unused
        self.connection = Connection(channel, self._connection_ended)
        self.life, self.places = life, places
        self.commands = 0
        """How many commands were begun."""
        self.takes_orders = False
        """Whether its agent takes orders (wire.order)."""
        self._under_way = 0
        self._has_background = False
        self._oom_kills = 0
        self._ending: asyncio.Task[object] | None = None
        self._cause: str | None = None

    def request(self, verb: str, sayings: Iterable[Saying] = (), /, **fields: Any) -> Request:
        """A stream for one request, which *sayings* follow, for the length of a block; see Request."""
        begin = partial(self.connection.open, {"verb": verb, **fields}, sayings)
        return Request(self, begin, is_command=verb == "run", is_kept=bool(fields.get("background")))

    def order(self, order: Order) -> Request:
        """As `request`, for a command that one frame orders."""
        return Request(self, partial(self.connection.order, order), is_command=True)

    def begin(self, begin: Callable[[], Stream], *, is_command: bool, is_kept: bool) -> Stream:
        """For Request only. Raises ConnectionEnded besides."""
        if not (is_command and self.connection.is_idle):
            self._known = None
        stream = self._open(begin)
        if is_command:
            self.commands += 1
            self._under_way += 1
            self._has_background = self._has_background or is_kept
        return stream

    async def finish(self, stream: Stream, *, is_command: bool) -> None:
        """For Request only."""
        self._under_way -= is_command
        if not stream.is_done:
            await self.abandon(stream, self.patience.cancel if is_command else self.patience.silence)

    @property
    def mistrust(self) -> str | None:
        """What the agent did that cost its box its life; None for a box that was not killed for it."""
        return self._cause

    @property
    def is_one_alone(self) -> bool:
        """Whether a single command is under way, so that what the box uses is its."""
        return self._under_way == 1 and not self._has_background

    async def ask(self, verb: str, **fields: Any) -> Mapping[str, Any]:
        """The answer to a request that sends and receives nothing else. Raises what the agent tells."""
        async with self.request(verb, **fields) as stream:
            return await self.conclusion(stream)

    async def conclusion(self, stream: Stream, *, events: int = 0) -> Mapping[str, Any]:
        """The answer of an agent that has nothing else to say but so many *events*. Raises what it tells."""
        arrival = await self.next(stream)
        while arrival.kind == Kind.EVENT and events:
            events, arrival = events - 1, await self.next(stream)
        if arrival.kind != Kind.DONE:
            # Else one that talks on and on would never be silent for long enough.
            raise FrameError("the agent told something else than how the request ended")
        return self.concluded(arrival)

    def concluded(self, arrival: Arrival) -> Mapping[str, Any]:
        """What a DONE says. Raises what the agent tells."""
        return replies.conclusion(arrival.value, self.places.told)

    async def next(self, stream: Stream) -> Arrival:
        """The next arrival; an agent that stays silent too long loses its box."""
        return await self.within(self.patience.silence, stream)

    async def within(self, seconds: float | None, stream: Stream) -> Arrival:
        """The next arrival; an agent that stays silent for *seconds* loses its box, with None never."""
        try:
            async with asyncio.timeout(seconds):
                return await stream.receive()
        except TimeoutError:
            self.distrust(f"the agent said nothing for {seconds:g} s")
            raise ConnectionEnded from None

    def distrust(self, cause: str) -> None:
        """Kill the box because of what its agent did; returns at once, and nobody waits for it any more."""
        if self._cause is None:
            self._cause = cause
            self.connection.close()
            self._ending = asyncio.ensure_future(self.life.kill())

    async def death(self) -> Death:
        """How the box died; when nobody can tell in time, that its agent broke the link."""
        try:
            async with asyncio.timeout(self.patience.death):
                death = await self.life.ended()
        except TimeoutError:
            self.distrust("its link broke and it lived on")
            death = Death("agent", "")
        return Death("agent", self._cause, death.usage) if self._cause else death

    async def usage(self) -> Usage:
        """What the box has used; zeros when nobody tells in time."""
        counted = self.life.counted()
        if counted is not None:
            return counted
        try:
            async with asyncio.timeout(self.patience.death):
                return await self.life.usage()
        except TimeoutError:
            return _UNTOLD

    def account(self) -> asyncio.Future[Usage]:
        """What the box has used at the beginning of the command begun last."""
        if self._known is None:
            return asyncio.ensure_future(self.usage())
        known: asyncio.Future[Usage] = asyncio.get_running_loop().create_future()
        known.set_result(self._known)
        return known

    def has_run_out_of_memory(self, usage: Usage) -> bool:
        """Whether the box's control group killed for memory since `blame` was last called."""
        return usage.oom_kills > self._oom_kills

    def blame(self, usage: Usage) -> None:
        """Note that one command was told of every kill for memory so far: they are no other's end."""
        self._oom_kills = max(usage.oom_kills, self._oom_kills)
        self._known = usage if self.connection.is_idle and usage is not _UNTOLD else None

    async def died(self) -> BoxDied:
        """The error for a request the box did not live to answer."""
        death = await self.death()
        tail = self.connection.diagnostics().decode("utf-8", "replace").strip()[-500:]
        said = f"; its last words: {tail!r}" if tail else ""
        return BoxDied(f"the box died ({death.who}: {death.detail}): make a new one{said}", who=death.who)

    async def abandon(self, stream: Stream, seconds: float) -> None:
        """Cancel a request and read it to its end; an agent that does not end it in time loses its box."""
        stream.post(Kind.CANCEL)
        try:
            async with asyncio.timeout(seconds):
                await stream.finish()
        except TimeoutError:
            self.distrust(f"the agent did not end a cancelled request within {seconds:g} s")
        except ConnectionEnded:
            return

    def _open(self, begin: Callable[[], Stream]) -> Stream:
        if self.connection.is_full:
            raise Conflict("too many requests are under way in this box: wait for some to end")
        try:
            return begin()
        except FrameError as error:
            raise InvalidSpec(f"the request is too long for the box's link: {error}") from error

    def _connection_ended(self) -> None:
        if self.connection.breach is not None:
            self.distrust(self.connection.breach)
        else:
            # Mostly the box is dying and `death` learns why; an agent that only hung up is killed there.
            self._ending = asyncio.ensure_future(self.death())


class Request:
    """A stream for one request, for the length of a block; left before DONE has come, it is cancelled.

    Entering it raises InvalidSpec when it fits no frame and Conflict when too many are under way, the whole
    block BoxDied when the box is gone or goes.
    """

    def __init__(
        self, calls: Calls, begin: Callable[[], Stream], *, is_command: bool, is_kept: bool = False
    ) -> None:
        """Made by Calls."""
        self._calls, self._begin = calls, begin
        self._is_command, self._is_kept = is_command, is_kept

    async def __aenter__(self) -> Stream:
        try:
            self._stream = self._calls.begin(self._begin, is_command=self._is_command, is_kept=self._is_kept)
        except ConnectionEnded:
            raise await self._calls.died() from None
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        try:
            if isinstance(error, FrameError):
                self._calls.distrust(str(error))
            if isinstance(error, (FrameError, ConnectionEnded)):
                raise await self._calls.died() from None
        finally:
            await self._calls.finish(self._stream, is_command=self._is_command)
