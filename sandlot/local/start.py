"""LocalServices over every engine of this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

from sandlot.contracts.lease import DEFAULT_TTL
from sandlot.contracts.spec import Network
from sandlot.engines.failover import FailoverEngine
from sandlot.keeper.client import STORE
from sandlot.keeper.storage import WorkspaceStore
from sandlot.sandboxes.agreement import WorkspacePolicy
from sandlot.sandboxes.gate import Width
from sandlot.sandboxes.house import House
from sandlot.sandboxes.quota import Quota
from sandlot.sandboxes.sandboxes import Sandboxes
from sandlot.sandboxes.sqlite import SqliteRegistry
from sandlot.settings import Settings

from .asked import spec_of
from .service import LocalService


def start() -> LocalService:
    """A service that makes each box with the fastest engine that fulfils its spec; nothing starts yet.

    Its sandboxes end with it.
    """
    return LocalService(Sandboxes(FailoverEngine.installed()))


async def open_service(chosen: Settings, *, workspaces: WorkspacePolicy | None = None) -> LocalService:
    """The service of the data directory of *chosen*, with the sandboxes an earlier one left there.

    *workspaces* goes before what *chosen* says about them. It answers at once; whether engines work shows
    a moment later.
    Raises Conflict when another service has the directory or its registry cannot be read, InvalidSpec and
    EngineUnavailable when the directory will not do.
    """
    registry = await SqliteRegistry.open(chosen.data_directory)
    try:
        store = await asyncio.to_thread(WorkspaceStore, chosen.data_directory / STORE)
        sandboxes = Sandboxes(FailoverEngine.installed(), registry, store, house_of(chosen, workspaces))
        await sandboxes.open()
    except BaseException:
        await registry.close()
        raise
    return LocalService(sandboxes)


def house_of(chosen: Settings, workspaces: WorkspacePolicy | None = None) -> House:
    """What *chosen* says about sandboxes: every one is leased, and none gets a network it did not ask for."""
    return House(
        workspaces=workspaces or cast("WorkspacePolicy", chosen.workspaces),
        defaults=replace(spec_of(chosen), network=Network.NONE, ttl=DEFAULT_TTL),
        quota=Quota(per_owner=chosen.most_sandboxes_per_owner, in_all=chosen.most_sandboxes),
        commands=Width.shared(chosen.most_commands, chosen.most_waiting),
    )
