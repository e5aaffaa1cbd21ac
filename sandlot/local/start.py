"""LocalServices over every engine of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.lease import DEFAULT_TTL
from sandlot.contracts.spec import Network, SandboxSpec
from sandlot.engines.failover import FailoverEngine
from sandlot.keeper.client import STORE
from sandlot.keeper.storage import WorkspaceStore
from sandlot.pool.pools import Pools
from sandlot.pool.stock import Rules
from sandlot.sandboxes.agreement import WorkspacePolicy
from sandlot.sandboxes.gate import Width
from sandlot.sandboxes.house import House
from sandlot.sandboxes.quota import Quota
from sandlot.sandboxes.sandboxes import Sandboxes
from sandlot.sandboxes.sqlite import SqliteRegistry
from sandlot.settings import Settings

from .asked import spec_of
from .service import LocalService


def start(*, is_brief: bool = False) -> LocalService:
    """A service that makes each box with the fastest engine that fulfils its spec; nothing starts yet.

    Its sandboxes end with it. *is_brief* says that it will make one.
    """
    return LocalService(Sandboxes(FailoverEngine.installed(is_brief=is_brief)))


Admit = Callable[[SandboxSpec], object]
"""Raises Forbidden for a spec that may not be started."""


async def open_service(
    chosen: Settings, admit: Admit | None = None, *, workspaces: WorkspacePolicy | None = None
) -> LocalService:
    """The service of the data directory of *chosen*, with the sandboxes an earlier one left there.

    *admit* judges those before they are started again. *workspaces* goes before what *chosen* says about
    them. It answers at once; whether engines work shows a moment later.
    Raises Conflict when another service has the directory or its registry cannot be read, InvalidSpec and
    EngineUnavailable when the directory will not do.
    """
    registry = await SqliteRegistry.open(chosen.data_directory)
    try:
        store = await asyncio.to_thread(WorkspaceStore, chosen.data_directory / STORE)
        house = house_of(chosen, workspaces)
        house = house if admit is None else replace(house, admit=admit)
        pools = pools_of(chosen, house.defaults)
        engine = FailoverEngine.installed(None if pools is None else pools.over)
        sandboxes = Sandboxes(engine, registry, store, house, steady_clock())
        await sandboxes.open()
    except BaseException:
        await registry.close()
        raise
    if pools is not None:
        with contextlib.suppress(SandlotError):  # who asks for a box will be told
            engine.prepare(house.defaults)
        pools.warm()
    return LocalService(sandboxes, pools=pools)


def pools_of(chosen: Settings, defaults: SandboxSpec) -> Pools | None:
    """The pools that *chosen* asks for, which keep boxes for *defaults* ready besides; None for none."""
    if not chosen.pool_depth:
        return None
    kept = [defaults, *(replace(defaults, environment=name) for name in chosen.pool_keep)]
    rules = Rules(depth=chosen.pool_depth, at_once=max(2, os.cpu_count() or 1), wait=float(chosen.pool_wait))
    return Pools(rules, kept)


def steady_clock() -> Callable[[], float]:
    """Seconds since the epoch as they were now, counted on steadily: a lease is a length of time.

    Whoever sets the machine's clock while it runs neither ends sandboxes nor prolongs them; sleep counts.
    """
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    offset = time.time() - time.clock_gettime(which)
    return lambda: offset + time.clock_gettime(which)


def house_of(chosen: Settings, workspaces: WorkspacePolicy | None = None) -> House:
    """What *chosen* says about sandboxes: every one is leased, and none gets a network it did not ask for."""
    return House(
        workspaces=workspaces or cast("WorkspacePolicy", chosen.workspaces),
        defaults=replace(spec_of(chosen), network=Network.NONE, ttl=DEFAULT_TTL),
        images=chosen.images,
        quota=Quota(per_owner=chosen.most_sandboxes_per_owner, in_all=chosen.most_sandboxes),
        commands=Width.shared(chosen.most_commands, chosen.most_waiting),
    )
