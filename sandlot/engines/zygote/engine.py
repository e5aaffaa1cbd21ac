"""The engine zygote: one zygote per environment, boxes parked ahead of their claims, fitted when claimed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import BoxDied, EngineUnavailable, NotFound, StartFailed
from sandlot.contracts.spec import Bounds, Isolation, SandboxSpec
from sandlot.environments import agent, native, registry
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.orders import ZygoteOrder
from sandlot.link.agentbox import AgentBox
from sandlot.link.channel import open_pipes
from sandlot.link.greeting import Greeted, greet
from sandlot.link.life import Usage
from sandlot.link.places import Places

from ..keeping import START_DEADLINE, KeeperEngine, KeptLife
from ..kept import missing_walls
from ..layout import host_layout
from . import tree
from .lent import LentImage
from .stocks import ZygoteStock
from .terms import NAME, REMOVABLE, Terms

LOAD_DEADLINE = 60.0
"""Seconds an environment's packages have to load."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A box that waits, its agent greeted: contracts.engine.Parked."""

    kept: KeptBox
    greeted: Greeted
    keeper: Keeper
    terms: Terms
    image: LentImage | None = None
    """What stands at its workspace, where it is of a stock with images."""

    @property
    def is_gone(self) -> bool:
        return self.kept.ending is not None

    def when_gone(self, callback: Callable[[], object]) -> None:
        self.kept.when_ended(callback)

    async def discard(self) -> None:
        self.greeted.calls.connection.close()
        if self.image is not None:
            self.image.close()
        await self.kept.kill()


@dataclass(frozen=True, slots=True)
class _Zygote:
    """One that has loaded its packages."""

    keeper: Keeper
    number: int
    terms: Terms


class ZygoteEngine(KeeperEngine):
    """contracts.engine.Engine and Parking."""

    name = NAME
    isolation = Isolation.NAMESPACE
    parks = True
    lacks = Feature.NETWORK_FULL | Feature.MOUNTS
    removable = REMOVABLE
    remedy = "allow user namespaces (user.max_user_namespaces above 0), or run as root"

    def __init__(self, *, without: frozenset[str] = frozenset()) -> None:
        """An engine that starts nothing before it is asked; *without* leaves walls out, for tests only."""
        super().__init__(without=without)
        self._zygotes: dict[str, asyncio.Task[_Zygote]] = {}
        self._terms: Terms | None = None

    def obstacle(self) -> tuple[str, str] | None:
        return None

    def stock(self, spec: SandboxSpec) -> str | None:
        if self._terms is not None:
            self._terms.grant(spec)
        return ZygoteStock.of(spec).name

    async def park(self, stock: str) -> Parked:
        wanted = ZygoteStock.named(stock)
        parked = await self._park(wanted.environment)
        return parked if wanted.bounds is None else await self._with_image(parked, wanted.bounds)

    async def _park(self, environment: str) -> Parked:
        try:
            zygote = await self._zygote(environment)
        except BoxDied:  # the keeper ended while it loaded
            zygote = await self._zygote(environment)
        try:
            return await self._parked(zygote)
        except (NotFound, BoxDied):  # the zygote or the keeper is gone: others are the whole repair
            self._forget(environment, zygote)
            if not zygote.keeper.is_alive:
                await self._drop(zygote.keeper)
            following = await self._zygote(environment)
        try:
            return await self._parked(following)
        except NotFound as error:
            raise StartFailed(f"two zygotes of environment {environment!r} ended: {error.message}") from error

    async def _with_image(self, parked: Parked, bounds: Bounds) -> Parked:
        """It with an empty image of *bounds* at its workspace, or nothing of it is left."""
        furnished = parked
        try:
            image = LentImage(await self._kept_in(parked.keeper), bounds)
            furnished = replace(parked, image=image)
            await image.bring(parked.keeper, parked.kept)
        except BaseException:
            await asyncio.shield(furnished.discard())
            raise
        return furnished

    async def claim(self, parked: Parked, spec: SandboxSpec) -> AgentBox:
        parked.greeted.reserve()
        try:
            granted = parked.terms.grant(spec)
            if parked.image is None:
                await self._make_workspace(spec, parked.keeper)
            fit = parked.terms.fit(spec, granted, has_image=parked.image is not None)
            if fit is not None:
                await parked.keeper.fit(parked.kept, fit)
            if parked.is_gone:
                raise StartFailed("the box died while it was parked")
            if parked.image is not None:
                await parked.image.give(spec)
        except BaseException:
            await asyncio.shield(parked.discard())
            raise
        facts = parked.terms.facts(spec)
        is_moved = parked.image is not None or (fit is not None and fit.kept is not None)
        parked.greeted.claim(granted.rlimits(), facts.patience, is_moved=is_moved)
        box = AgentBox.of(facts, parked.greeted)
        self._hold(box, parked.kept)
        return box

    async def _make(self, spec: SandboxSpec) -> tuple[AgentBox, KeptBox]:
        parked = await self._park(ZygoteStock.of(spec).environment)
        return await self.claim(parked, spec), parked.kept

    async def _parked(self, zygote: _Zygote) -> Parked:
        try:
            channel, ends = open_pipes()
        except OSError as error:
            raise StartFailed(f"no descriptors are left for a box ({error}): end some boxes") from error
        try:
            kept = await zygote.keeper.park(zygote.number, zygote.terms.limits, ends.descriptors)
        except BaseException as error:
            said = channel.diagnostics().decode("utf-8", "replace").strip()[-1000:]
            channel.close()
            if isinstance(error, StartFailed):
                raise StartFailed(f"{error.message}{': ' if said else ''}{said}") from error
            raise
        finally:
            ends.close()
        life = KeptLife(kept, self.launcher)
        terms = zygote.terms
        greeted = await greet(channel, life, Places(), terms.plan, within=START_DEADLINE, unused=Usage())
        return Parked(kept, greeted, zygote.keeper, terms)

    async def _zygote(self, stock: str) -> _Zygote:
        """The zygote of an environment, started when there is none; everybody waits for the same start."""
        task = self._zygotes.get(stock)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._zygotes[stock] = asyncio.ensure_future(self._raised(stock))
            # Whoever waits hears of a failure, and after a close nobody may wait any more.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    def _forget(self, stock: str, zygote: _Zygote) -> None:
        # Somebody else who found it dead may have raised the next one already.
        task = self._zygotes.get(stock)
        is_there = task is not None and task.done() and not task.cancelled() and task.exception() is None
        if task is not None and is_there and task.result() is zygote:
            del self._zygotes[stock]

    async def _raised(self, stock: str) -> _Zygote:
        keeper = await self._able_keeper()
        terms = self._terms = Terms(keeper.powers, without=self.without, missing=missing_walls())
        order = await asyncio.to_thread(_order, stock, terms)
        try:
            async with asyncio.timeout(LOAD_DEADLINE):
                return _Zygote(keeper, await keeper.raise_zygote(order), terms)
        except TimeoutError as error:
            raise EngineUnavailable(
                f"the packages of environment {stock!r} did not load within {LOAD_DEADLINE:g} s"
            ) from error


def _order(stock: str, terms: Terms) -> ZygoteOrder:
    environment = registry.get(stock)
    layout = host_layout()
    nest = json.dumps(terms.nest(environment, layout))
    library = native.library().path
    return ZygoteOrder(
        argv=agent.zygote_command(environment, tree.AGENT, nest, tree.LIBRARY if library else ""),
        env=tree.ZYGOTE_VARIABLES,
        tree=tree.entries(
            environment,
            layout,
            str(agent.archive_for(environment)),
            None if library is None else str(library),
        ),
    )
