"""Sandboxes: every sandbox of one service, by owner and id."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping

from sandlot.contracts.engine import Box, Engine
from sandlot.contracts.errors import Conflict
from sandlot.contracts.lease import EndReason, Lease, State
from sandlot.contracts.paths import identifier
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import SandboxSpec, WorkspaceKind

from . import audit, refusals
from .agreement import kinds_to_try, settled, without_image
from .census import Census
from .default_context import DefaultContexts
from .expiry import Expiry
from .gate import Gate
from .house import House
from .lent import LentBox
from .lodging import Lodging
from .means import Clock, Means, WorkspaceStore
from .opening import inherit
from .record import Record
from .registry import MemoryRegistry, Registry
from .shared import Afterwards, finished
from .stay import Stay
from .tombstones import Tombstones

Key = tuple[str, str]
"""Owner and id."""


_AS_IT_IS = SandboxSpec()
_STARTING = 1.0


class Sandboxes:
    """Makes, finds and ends sandboxes. Use it on one event loop, `open` it there before, `close` it there.

    Every verb is for one owner; what belongs to another is not found, in the words for what does not exist.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry | None = None,
        store: WorkspaceStore | None = None,
        house: House | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Over *engine* and *registry*, which are closed with it; without *store* no workspace is kept."""
        house = house or House()
        starts = Gate("starts of sandboxes", house.starts)
        self._means = Means(engine, registry or MemoryRegistry(), store, starts, clock, house.admit)
        self._means.swept.set()
        self._house = house
        self._commands = Gate("commands", house.commands)
        self._defaults = DefaultContexts()
        self._lodgings: dict[Key, Lodging] = {}
        self._counts: Counter[str] = Counter()
        self._tombstones = Tombstones()
        self._expiry: Expiry[Key] = Expiry(clock, self._due, self._forget_outdated)
        self._proving: asyncio.Future[Mapping[WorkspaceKind, str | None]] | None = None
        self._afterwards = Afterwards()
        self._clearing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take over what the service before this one left; what is slow about that goes on afterwards."""
        store = self._means.store
        records = await self._means.registry.load()
        found = inherit(records, None if store is None else await finished(store.names), self._means.clock())
        await asyncio.gather(*map(self._means.registry.save, found.changed))
        for record in found.ended:
            self._forget(self._tombstones.add(record))
        for record in found.living:
            self._keep(Lodging(record, self._means, self._over))
        for record in found.changed:
            audit.tell(record.state.value, record, record.ending)
        if self._means.registry.was_interrupted:
            self._means.swept.clear()
        self._clearing = asyncio.ensure_future(self._clear_up(found.strays))

    async def ensure(self, owner: str, name: str, spec: SandboxSpec) -> SandboxStatus:
        """As Service.ensure. Raises QuotaDenied, PoolExhausted besides."""
        key = owner, identifier(name, "sandbox")
        spec = without_image(spec, self._house.images)
        wanted = settled(spec, self._house.defaults)
        kinds = kinds_to_try(self._house.workspaces, wanted.ttl, await self._proven())
        while True:
            self._refuse_when_closed()
            lodging = self._lodgings.get(key)
            if lodging is None:
                return await self._created(self._admit(key, wanted, kinds))
            if lodging.is_leaving:
                await lodging.gone()
                continue
            refusals.refuse_difference(spec, lodging.record)
            if not lodging.is_new:
                return await self._claimed(lodging, spec)
            await lodging.up()

    def status(self, owner: str, name: str) -> SandboxStatus:
        """As Service.status."""
        lodging = self._lodgings.get((owner, name))
        if lodging is not None and not lodging.is_new:
            return lodging.record.status()
        record = self._tombstones.find(owner, name)
        if record is None:
            raise refusals.unknown(name)
        return record.status()

    async def touch(self, owner: str, name: str) -> SandboxStatus:
        """As Service.touch."""
        lodging = self._find(owner, name)
        if lodging.is_new:
            raise refusals.unknown(name)
        return await self._claimed(lodging, _AS_IT_IS)

    async def reach(self, owner: str, name: str) -> LentBox:
        """As Service.reach."""
        box = await self._find(owner, name).up()
        return LentBox(box, self._commands, owner, self._defaults.of(box))

    async def delete(self, owner: str, name: str) -> None:
        """As Service.delete; returns when nothing is left of it. One that is starting is stopped."""
        self._refuse_when_closed()
        while (lodging := self._lodgings.get((owner, name))) is not None and lodging.is_leaving:
            await lodging.gone()
        await asyncio.shield(self._find(owner, name).leave(EndReason.DELETED))

    def list(self, owner: str, *, ended: bool = False) -> tuple[SandboxStatus, ...]:
        """As Service.list."""
        lodgings = [each for (whose, _), each in self._lodgings.items() if whose == owner]
        records = self._tombstones.of(owner) if ended else []
        records += [each.record for each in lodgings if not each.is_new]
        newest = {each.id: each for each in records if ended or not each.has_ended}
        return tuple(newest[name].status() for name in sorted(newest))

    async def make(self, owner: str, spec: SandboxSpec) -> Box:
        """A box without a name, which the caller closes. Raises as Engine.create, and QuotaDenied."""
        self._refuse_when_closed()
        wanted = settled(without_image(spec, self._house.images), self._house.defaults)
        async with self._means.starts.place(owner):
            return await self._means.engine.create(wanted)

    def stay(self, owner: str, spec: SandboxSpec) -> Stay:
        """A box for the length of a block in which one command runs. Raises PoolExhausted too.

        It is ended after the block, for which nobody waits but `close`. Its place among the commands comes
        before it, for a box that waits for its turn would take memory, and lasts until it is gone: so there
        are never more of them than that gate lets in.
        """
        return Stay(lambda: self.make(owner, spec), self._commands, owner, self._afterwards)

    def census(self) -> Census:
        """How many there are and were."""
        tally, starts = self._means.tally, self._means.starts
        living = [each.record.state for each in self._lodgings.values() if not each.is_new]
        return Census(
            sandboxes={state: living.count(state) for state in (State.RUNNING, State.STOPPED)},
            started=tally.started,
            failed_starts=tally.failed_starts,
            ended=dict(tally.ended),
            starts=starts.inside,
            starts_waiting=starts.waiting,
            commands=self._commands.inside,
            commands_waiting=self._commands.waiting,
        )

    async def close(self) -> None:
        """Stop what is durable, end the rest, and let go of engine and registry; idempotent."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._expiry.close()
        if self._clearing is not None:
            self._clearing.cancel()
            await asyncio.wait([self._clearing])
        lodgings = tuple(self._lodgings.values())
        try:
            await asyncio.gather(*(each.leave(EndReason.SHUTDOWN, keep=True) for each in lodgings))
            await self._afterwards.over()
        finally:
            try:
                await self._means.engine.close()
            finally:
                await self._means.registry.close()

    async def _clear_up(self, strays: Collection[str]) -> None:
        """What a killed service left: boxes first, for they may hold workspaces."""
        store = self._means.store
        try:
            if not self._means.swept.is_set():
                # An engine is made when it is first needed, and one that was not made has nothing to sweep.
                await audit.quietly(self._means.engine.probe(), "the engine that serves by default")
                await audit.quietly(self._means.engine.sweep(), "boxes of an earlier service")
        finally:
            self._means.swept.set()
        if store is not None:
            await audit.quietly(finished(store.sweep), "workspaces of an earlier service")
            for name in strays:
                await audit.quietly(finished(store.remove, name), name)

    async def _proven(self) -> Collection[WorkspaceKind]:
        if self._means.store is None:
            return ()
        if self._proving is None:
            self._proving = asyncio.ensure_future(finished(self._means.store.kinds))
        found = await asyncio.shield(self._proving)
        return [kind for kind, cause in found.items() if cause is None]

    def _admit(self, key: Key, spec: SandboxSpec, kinds: tuple[WorkspaceKind, ...]) -> Lodging:
        owner, name = key
        self._house.quota.refuse_one_more(self._counts[owner], len(self._lodgings))
        now = self._means.clock()
        record = Record(owner, name, secrets.token_hex(16), spec, Lease(spec.ttl, now), now)
        return self._keep(Lodging(record, self._means, self._over, kinds))

    def _keep(self, lodging: Lodging) -> Lodging:
        record = lodging.record
        self._lodgings[record.owner, record.id] = lodging
        self._counts[record.owner] += 1
        self._expiry.note((record.owner, record.id), record.lease.expires)
        return lodging

    async def _created(self, lodging: Lodging) -> SandboxStatus:
        await lodging.up()
        record = lodging.record
        former = self._tombstones.take(record.owner, record.id)
        self._forget([] if former is None else [former.key])
        return record.status()

    async def _claimed(self, lodging: Lodging, spec: SandboxSpec) -> SandboxStatus:
        record = await lodging.claim(spec.ttl)
        self._expiry.note((record.owner, record.id), record.lease.expires)
        return record.status()

    def _find(self, owner: str, name: str) -> Lodging:
        self._refuse_when_closed()
        lodging = self._lodgings.get((owner, name))
        if lodging is not None and not lodging.is_leaving:
            return lodging
        record = lodging.record if lodging is not None else self._tombstones.find(owner, name)
        raise refusals.unknown(name, record)

    def _over(self, lodging: Lodging) -> None:
        record = lodging.record
        key = record.owner, record.id
        if self._lodgings.get(key) is not lodging:
            return
        del self._lodgings[key]
        self._expiry.forget(key)
        self._counts -= Counter((record.owner,))  # owners with none are not counted any more
        if record.has_ended and not lodging.is_new:
            self._forget(self._tombstones.add(record))

    def _due(self, key: Key) -> None:
        lodging = self._lodgings.get(key)
        if lodging is None or lodging.is_leaving:
            return
        now = self._means.clock()
        if lodging.is_new:
            self._expiry.note(key, now + _STARTING)  # its lease begins when it is up
        elif lodging.record.lease.is_due(now):
            lodging.leave(EndReason.EXPIRED)
        else:
            self._expiry.note(key, lodging.record.lease.expires)

    def _forget_outdated(self, now: float) -> None:
        self._forget(self._tombstones.outdated(now))

    def _forget(self, keys: Collection[str]) -> None:
        if keys:
            self._afterwards.do(self._means.registry.forget(keys), "ended sandboxes")

    def _refuse_when_closed(self) -> None:
        if self._closing is not None:
            raise Conflict("this service is closed: make another one")
