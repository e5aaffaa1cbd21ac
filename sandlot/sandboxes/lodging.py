"""Lodging: one sandbox as long as it lasts, with at most one box at a time.

States change at once, on the event loop, where everybody sees them; what takes time follows in tasks of the
sandbox's own, so a caller that is cancelled leaves nothing half done. The lock keeps those tasks in order:
a box starts only when the one before it is gone, because both have the same workspace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Conflict, SandlotError, Unsupported
from sandlot.contracts.lease import Ending, EndReason, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import WorkspaceKind

from . import audit
from .means import Means
from .record import Record
from .shared import Shared

PATIENCE = 4.0
"""Seconds to wait for a workspace that a box had whose service was killed; such a box is gone in 2."""

_PAUSE = 0.1


class Lodging:
    """A sandbox that has not ended. Without *kinds* it is one that was there before."""

    def __init__(
        self,
        record: Record,
        means: Means,
        over: Callable[[Lodging], None],
        kinds: tuple[WorkspaceKind, ...] = (),
    ) -> None:
        """*over* is called once it is no more, or never came to be; *kinds* as agreement.kinds_to_try."""
        self.record = record
        self.is_new = bool(kinds)
        self._means, self._over, self._kinds = means, over, kinds
        # Whoever asked for no lease ends it with its service: a record would only tell of a crash.
        self._is_stored = record.lease.ttl is not None
        self._lock = asyncio.Lock()
        self._box: Box | None = None
        self._starting: Shared[Box] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def is_leaving(self) -> bool:
        """Whether it is about to be no more: wait for `gone` and look again."""
        return self._leaving is not None or (self.is_new and self._is_doomed)

    @property
    def _is_doomed(self) -> bool:
        return self._starting is not None and self._starting.is_doomed

    async def gone(self) -> None:
        """Wait until it is no more, when it is leaving."""
        if self._leaving is not None:
            await asyncio.shield(self._leaving)
        elif self._starting is not None:
            await self._starting.over()

    async def up(self) -> Box:
        """Its box, started when it has none; everybody who asks meanwhile waits for the same start.

        Raises the kinds of Engine.create, PoolExhausted, QuotaDenied, and Conflict when it is deleted
        meanwhile.
        """
        while self._starting is not None and self._starting.is_doomed:
            await self._starting.over()
        if self._leaving is not None:
            raise Conflict(f"sandbox {self.record.id!r} is being ended: ask again")
        if self._box is not None:
            return self._box
        if self._starting is None:
            self._starting = Shared(self._start(), self._start_over)
        return await self._starting.result()

    async def claim(self, ttl: Seconds | None = None) -> Record:
        """Renew the lease, for *ttl* when one is given."""
        self.record = self.record.claimed(self._means.clock(), ttl)
        await self._save()
        return self.record

    def leave(self, reason: EndReason, *, keep: bool = False) -> asyncio.Task[None]:
        """End it for *reason*; with *keep* what is durable stays for the next service. Wait for the task."""
        if self._leaving is None:
            ending = Ending(reason, self._means.clock())
            if not (keep and self.record.is_durable):
                self.record = self.record.ended(ending)
            elif self.record.state is State.RUNNING:
                self.record = self.record.stopped(ending)
            self._leaving = asyncio.ensure_future(self._leave())
        return self._leaving

    async def _start(self) -> Box:
        async with self._lock, self._means.starts.place(self.record.owner):
            try:
                box = await (self._first() if self.is_new else self._again())
            except SandlotError as error:
                self._means.tally.failed_starts += 1
                audit.tell("not started", self.record, cause=error.code)
                raise
            audit.tell("created" if self.is_new else "started again", self.record)
            self.is_new = False
            return box

    def _start_over(self) -> None:
        self._starting = None
        if self.is_new and self._leaving is None:
            self._over(self)

    async def _first(self) -> Box:
        *others, last = self._kinds
        for kind in others:
            try:
                return await self._furnished(kind)
            except Unsupported:
                continue  # this engine has no use for such a workspace, and nobody asked for it
        return await self._furnished(last)

    async def _furnished(self, kind: WorkspaceKind) -> Box:
        """Its first box, on a new workspace of *kind*; both or nothing."""
        record = replace(self.record, kind=kind)
        self._note(record)
        try:
            return await self._raise(record)
        except BaseException:
            await self._quietly(self._means.clear(record))
            if self._is_stored:
                await self._quietly(self._means.registry.forget([record.key]))
            raise

    async def _again(self) -> Box:
        self._means.admit(self.record.spec)
        await self._means.swept.wait()
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while True:
            try:
                return await self._raise(self.record)
            except Conflict:  # the workspace is still another box's: the one of a service that was killed
                if loop.time() >= until:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _raise(self, before: Record) -> Box:
        box = await self._means.engine.create(before.box_spec(is_first=self.is_new))
        try:
            self._note(self.record.running(box, self._means.clock() if self.is_new else None))
            await self._save()
        except BaseException:
            self._note(replace(before, lease=self.record.lease))
            await self._quietly(box.close())
            raise
        self._box = box
        self._means.tally.started += 1
        self._watching = asyncio.ensure_future(self._watch(box))
        return box

    async def _watch(self, box: Box) -> None:
        """Wait for the end of *box* and tell it; the sandbox ends with it unless its workspace is kept."""
        ending = await box.ended()
        async with self._lock:
            if self._box is not box or self._leaving is not None:
                return
            self._box = None
            if self.record.is_durable:
                self.record = self.record.stopped(ending)
                await self._put_away(box)
                return
            self.record, self._leaving = self.record.ended(ending), self._watching
            try:
                await self._put_away(box)
            finally:
                self._over(self)

    async def _leave(self) -> None:
        if self._starting is not None:
            await self._starting.cancel(
                f"sandbox {self.record.id!r} was ended while it started: ask for it again"
            )
        try:
            async with self._lock:
                if self._watching is not None:
                    self._watching.cancel()
                box, self._box = self._box, None
                if not self.is_new:
                    await self._put_away(box)
        finally:
            self._over(self)

    async def _put_away(self, box: Box | None) -> None:
        """What follows from an end that `record` already tells, step by step whatever fails."""
        ending = self.record.ending
        if ending is not None and (box is not None or self.record.has_ended):
            self._means.tally.ended[ending.reason] += 1
            audit.tell(self.record.state.value, self.record, ending)
        if box is not None:
            await self._quietly(box.close())
        # Saved before the workspace goes: a crash between the two leaves a workspace nobody has, which the
        # next service removes, and never a sandbox without its files.
        await self._quietly(self._save())
        if self.record.has_ended:
            await self._quietly(self._means.clear(self.record))

    async def _save(self) -> None:
        if self._is_stored:
            await self._means.registry.save(self.record)

    async def _quietly(self, work: Awaitable[object]) -> None:
        await audit.quietly(work, self.record.key)

    def _note(self, record: Record) -> None:
        """What a start finds, unless it is too late to matter."""
        if self._leaving is None:
            self.record = record
