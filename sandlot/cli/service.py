"""The Service that a verb speaks to: of a server, or with `--local` of this process. No verb sees which."""

from __future__ import annotations

import argparse
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Coroutine, Mapping, Optional

from sandlot import settings
from sandlot.contracts.errors import Conflict, Unsupported
from sandlot.contracts.service import Service
from sandlot.settings import Settings

if TYPE_CHECKING:
    from sandlot.local.service import LocalService

_LOCAL_NEEDS = (3, 11)


@dataclass(frozen=True)
class Asked:
    """Which service, and with what settings."""

    settings: Settings
    local: bool


def asked(options: argparse.Namespace, flags: Optional[Mapping[str, Any]] = None) -> Asked:
    """What *options* ask for; *flags* are settings with a flag of their own, None where it was not given.

    Raises InvalidSpec for a setting that cannot be read, Unsupported for `--local` on an old Python.
    """
    if options.local and sys.version_info < _LOCAL_NEEDS:
        wanted, here = ("{}.{}".format(*version[:2]) for version in (_LOCAL_NEEDS, sys.version_info))
        raise Unsupported(f"--local needs Python {wanted} or later, this is {here}: name a server with --url")
    return Asked(settings.load(flags={"url": options.url, **(flags or {})}), options.local)


@asynccontextmanager
async def opened(wanted: Asked) -> AsyncIterator[Service]:
    """The service, for the length of a block."""
    there = await lasting(wanted.settings)() if wanted.local else _remote(wanted.settings)
    try:
        yield there
    finally:
        await there.close()


def _remote(chosen: Settings) -> Service:
    from sandlot.client import AsyncClient
    from sandlot.client.address import chosen_server

    server = chosen_server(chosen)
    return AsyncClient(server.url, key=server.key)


def lasting(chosen: Settings) -> Callable[[], Coroutine[Any, Any, LocalService]]:
    """What opens this machine's service of lasting sandboxes. Raises Conflict when another one has it."""

    async def opening() -> LocalService:
        from sandlot.local.start import open_service

        try:
            # A pool is for who comes again, and this process ends with its command.
            return await open_service(replace(chosen, pool_depth=0), workspaces="disk")
        except Conflict as cause:
            raise Conflict(
                f"{cause.message}; or, when that is a server, leave --local out to use it"
            ) from cause

    return opening
