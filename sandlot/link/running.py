"""One command under way: its events, and the bounds the host keeps itself.

The agent enforces the timeout and the output limit; both are enforced here again, because the agent shares
a kernel with what it guards: when it does not tell the end in time (Patience.overdue), the box is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import (
    Event,
    Exited,
    Failed,
    Reason,
    Started,
    Stderr,
    Stdout,
    exit_code_of,
)
from sandlot.wire.frames import FrameError, Kind

from . import replies
from .calls import Calls
from .connection import Arrival, ConnectionEnded, Stream
from .life import Death, Usage
from .value import Value

START_GRACE = 5.0
"""Seconds the agent has to start a command before its timeout begins."""

OWN_CPU = 0.025
"""Seconds of processor time that agent and supervisor may have used for a command themselves."""

_MOST_EARLY = 64


@dataclass(slots=True)
class Capped:
    """The host's own count of one output stream."""

    limit: int
    is_truncated: bool = False
    _kept: int = 0

    def take(self, data: bytes) -> bytes:
        """What of *data* is still within the limit."""
        kept = data[: self.limit - self._kept]
        self._kept += len(kept)
        self.is_truncated = self.is_truncated or len(kept) < len(data)
        return kept


@dataclass(slots=True)
class Run:
    """One foreground command on its stream."""

    calls: Calls
    stream: Stream
    timeout: float | None
    limit: int
    value: Value = field(default_factory=Value)
    is_overdue: bool = False
    _before: asyncio.Future[Usage] | None = None
    _number: int = 0
    _alarm: asyncio.TimerHandle | None = None
    _started: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything up to one Exited or Failed."""
        out, err = Capped(self.limit), Capped(self.limit)
        early: list[Event] | None = []  # a terminal echoes what was typed ahead before its program starts
        self._arm(START_GRACE)
        self._open_account()
        try:
            while (arrival := await self.stream.receive()).kind != Kind.DONE:
                event = self._event(arrival, out, err)
                if isinstance(event, Started):
                    if early is None:  # it would put the deadline off
                        raise FrameError("the agent started one command twice")
                    self._arm(0.0)
                    yield event
                    for held in early or ():
                        yield held
                    early = None
                elif event is not None and early is None:
                    yield event
                elif event is not None and early is not None:
                    _hold(early, event)
            last = await self.value.concluded(await self._ending(arrival, out, err))
            for held in (*(early or ()), *last):
                yield held
        except (ConnectionEnded, FrameError) as error:
            if isinstance(error, FrameError):
                self.calls.distrust(str(error))
            death = await self.calls.death()
            is_out_of_memory = self.calls.has_run_out_of_memory(await self.calls.usage())
            yield self._died(death, is_out_of_memory, out, err)
        finally:
            self.disarm()
            self._close_account()

    def _close_account(self) -> None:
        if self._before is not None:
            self._before.cancel()

    def _open_account(self) -> None:
        self._number = self.calls.commands
        if self.calls.is_one_alone:
            self._before = self.calls.account()

    def _accounted(self, end: Exited, after: Usage) -> Exited:
        """*end* with what the control group counted, which no program can talk down.

        wait4(2) leaves out children whose parent ignores SIGCHLD. The group counts the whole box, so it is
        asked only when nothing else ran in it meanwhile, and its memory peak only for the first command.
        """
        was_alone = self._before is not None and self._before.done() and not self._before.cancelled()
        if self._before is None or not was_alone:
            return end
        if not self.calls.is_one_alone or self.calls.commands != self._number:
            return end
        cpu = after.cpu_seconds - self._before.result().cpu_seconds
        peak = max(end.memory_peak, after.memory_peak if self._number == 1 else 0)
        return replace(end, cpu_seconds=max(end.cpu_seconds, cpu - OWN_CPU), memory_peak=peak)

    def _event(self, arrival: Arrival, out: Capped, err: Capped) -> Event | None:
        if arrival.kind == Kind.EVENT and arrival.value.get("event") == "started":
            return Started(replies.process_name(arrival.value))
        if arrival.kind == Kind.OUTPUT and (kept := out.take(arrival.data)):
            return Stdout(kept)
        if arrival.kind == Kind.ERROUT and (kept := err.take(arrival.data)):
            return Stderr(kept)
        if arrival.kind == Kind.VALUE:
            return self.value.add(arrival.data)
        return None

    def disarm(self) -> None:
        """Take the host's own bound away."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _arm(self, grace: float) -> None:
        self.disarm()
        if self.timeout is not None:
            loop = asyncio.get_running_loop()
            seconds = self.timeout + self.calls.patience.overdue + grace
            self._alarm = loop.call_later(seconds, self._overdue)

    def _overdue(self) -> None:
        # DONE may lie here unread because the caller is slow: then all is well.
        if not self.stream.is_done:
            self.is_overdue = True
            self.calls.distrust("a command outlived its timeout")

    async def _ending(self, arrival: Arrival, out: Capped, err: Capped) -> Event:
        try:
            end = replies.exited(self.calls.concluded(arrival))
        except SandlotError as error:
            return Failed(error.code, error.message)
        usage = await self.calls.usage()
        end = self._accounted(end, usage)
        is_out_of_memory = self.calls.has_run_out_of_memory(usage)
        self.calls.blame(usage)
        went_wrong = bool(end.exit_code) and end.reason in (Reason.EXITED, Reason.SIGNALLED)
        if went_wrong and is_out_of_memory:
            code = exit_code_of(Reason.OUT_OF_MEMORY, None, None)
            end = replace(end, reason=Reason.OUT_OF_MEMORY, exit_code=code)
        if not (out.is_truncated or err.is_truncated):
            return end
        return replace(
            end,
            stdout_truncated=end.stdout_truncated or out.is_truncated,
            stderr_truncated=end.stderr_truncated or err.is_truncated,
        )

    def _died(self, death: Death, is_out_of_memory: bool, out: Capped, err: Capped) -> Exited:
        reason = Reason.BOX_DIED
        if self.is_overdue:
            reason = Reason.TIMEOUT
        elif is_out_of_memory:
            reason = Reason.OUT_OF_MEMORY
        return Exited(
            reason=reason,
            exit_code=exit_code_of(reason, None, None),
            stdout_truncated=out.is_truncated,
            stderr_truncated=err.is_truncated,
            duration=asyncio.get_running_loop().time() - self._started,
            cpu_seconds=death.usage.cpu_seconds,
            memory_peak=death.usage.memory_peak,
            who=death.who if reason is Reason.BOX_DIED else None,
        )


def _hold(early: list[Event], event: Event) -> None:
    if len(early) >= _MOST_EARLY:
        raise FrameError(f"the agent sent {_MOST_EARLY} pieces of output of a command that has not started")
    early.append(event)
