"""Sessions: made, seen, listed and ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.capability import Feature
from sandlot.contracts.engine import Files, Processes
from sandlot.contracts.errors import NotFound, SandlotError, Unsupported
from sandlot.contracts.lease import State
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.service import SandboxStatus, Service
from sandlot.contracts.spec import Limits, SandboxSpec
from sandlot.server import answers
from sandlot.server.access import caller_of, service_of
from sandlot.server.lifecycle import OwnService

from . import asked
from .files import beneath
from .reading import body_of, named, new_session
from .replies import superset
from .sizes import USUAL
from .workspace import kind

_ENFORCED = "disk"
"""What `enforced` has where the size of a workspace is bounded."""


async def healthy(request: Request) -> Response:
    """GET healthy."""
    del request
    return superset({"status": "success"})


class Sessions:
    """The routes of sessions that make one."""

    def __init__(self) -> None:
        """None is being made."""
        self._being_made: set[tuple[str, str]] = set()

    async def create(self, request: Request) -> Response:
        """POST session: there must be none of that name."""
        name = named(request)
        size = await body_of(request, asked.size_of_session)
        key = caller_of(request).owner, name
        if key in self._being_made or await _exists(service_of(request), name):
            raise HTTPException(409, f"session {name!r} exists already: delete it, or use it as it is")
        self._being_made.add(key)
        try:
            making = made(service_of(request), name, new_session(request), size)
            status = await answers.unless_gone(request, making)
        finally:
            self._being_made.discard(key)
        return superset(
            {
                "session_id": name,
                "size": None if size is None else size[0],
                "size_enforced": size is not None and _ENFORCED in status.enforced,
            }
        )


async def delete(request: Request) -> Response:
    """DELETE session: there is none of that name any more."""
    try:
        await service_of(request).delete(named(request))
    except NotFound:
        pass  # what was wanted is so
    return superset({"status": "success"})


async def status(request: Request) -> Response:
    """GET status: makes no session, and does not renew its lease."""
    name, service = named(request), service_of(request)
    about: dict[str, Any] = {
        "id": name,
        "exists": False,
        "created_at": None,
        "mount_point": None,
        "is_mounted": False,
        "files": [],
    }
    try:
        found = await service.status(name)
        if found.state is not State.ENDED:
            about |= {
                "exists": True,
                **_place(found),
                "is_mounted": True,
                "files": await _files(service, name),
            }
            about |= {"state": found.state.value, "expires_at": found.lease.expires}
    except NotFound:
        pass  # `exists` says so
    return superset(about)


async def workspaces(request: Request) -> Response:
    """GET workspaces: every sandbox of the caller."""
    found = await service_of(request).list()
    return superset({"workspaces": {each.id: _place(each) for each in found}})


async def clean_up(request: Request) -> Response:
    """POST cleanup-all: ends the caller's sandboxes; without `force` only where no program runs."""
    is_forced = await body_of(request, asked.force_from)
    service = service_of(request)
    found = await service.list()
    outcomes = await asyncio.gather(*(_ended(service, each, is_forced=is_forced) for each in found))
    told = {each.id: outcome for each, outcome in zip(found, outcomes, strict=True)}
    return superset(
        {
            "total": len(found),
            "success": sum(outcome is None for outcome in outcomes),
            "failed": [
                f"{name}: {why.message}" for name, why in told.items() if isinstance(why, SandlotError)
            ],
            "skipped": [f"{name}: {why}" for name, why in told.items() if isinstance(why, str)],
        }
    )


async def _exists(service: OwnService, name: str) -> bool:
    try:
        return (await service.status(name)).state is not State.ENDED
    except NotFound:
        return False


async def made(
    service: Service, name: str, spec: SandboxSpec, size: tuple[str, Bytes] | None
) -> SandboxStatus:
    """A session of *size*, as it was said and read; otherwise as *spec* has it.

    Raises Unsupported where the size cannot be enforced, unless it is the usual one: it is dropped then.
    """
    if size is None:
        return await service.ensure(name, spec)
    try:
        return await service.ensure(name, replace(spec, limits=Limits(disk=size[1])))
    except Unsupported:
        if size[0] not in USUAL:
            raise
        return await service.ensure(name, spec)


def _place(found: SandboxStatus) -> dict[str, Any]:
    # The host's side of a workspace is nobody's to know; programs see it at this place.
    return {"mount_point": str(WORKSPACE), "created_at": found.created}


async def _files(service: OwnService, name: str) -> list[dict[str, Any]]:
    """The files at the top of a workspace."""
    box = await service.reach(name)
    if Feature.FILES not in box.features:
        return []
    found = [entry async for entry in beneath(cast("Files", box), WORKSPACE, is_deep=False)]
    return [
        {
            "filename": entry["name"],
            "name": entry["name"],
            "size": entry["size"],
            "type": kind(entry["name"]),
            "modified_at": entry["mtime"],
        }
        for entry in sorted(found, key=lambda entry: str(entry["name"]))
    ]


async def _ended(service: OwnService, found: SandboxStatus, *, is_forced: bool) -> str | SandlotError | None:
    """End one sandbox: None when it is gone, text when it was left out, the error when that failed."""
    try:
        if not is_forced and await _is_busy(service, found):
            return "a program runs in it"
        await service.delete(found.id)
    except NotFound:
        return None
    except SandlotError as error:
        return error
    return None


async def _is_busy(service: OwnService, found: SandboxStatus) -> bool:
    if found.state is not State.RUNNING or Feature.PROCESSES not in found.features:
        return False
    rows = await cast("Processes", await service.reach(found.id)).processes()
    return any(row["running"] for row in rows)
