"""What a request says: which sandbox, which box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from starlette.requests import HTTPConnection, Request

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminals
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.server.access import context_of, service_of


def refuse_hidden_slash(request: HTTPConnection) -> None:
    """Raise InvalidSpec for an escaped slash: a name that holds one would be taken for two."""
    if b"%2f" in request.scope["raw_path"].lower():
        raise InvalidSpec("the path holds an escaped slash: no name of a sandbox, command or process has one")


def named(request: HTTPConnection, what: str = "id") -> str:
    """A name in the path. Raises InvalidSpec when it is none."""
    return identifier(request.path_params[what], "sandbox id" if what == "id" else what)


def bounded(request: Request, body: Mapping[str, Any], command: Command) -> Command:
    """*command*, within the operator's setting `timeout` where the request's *body* says nothing about it."""
    timeout = command.timeout if "timeoutSeconds" in body else context_of(request).settings.timeout
    return command if timeout == command.timeout else replace(command, timeout=timeout)


async def box_of(request: HTTPConnection, feature: Feature = Feature.NOTHING) -> Box:
    """The box of the sandbox in the path, which can do *feature*. Raises NotFound, Unsupported."""
    box = await service_of(request).reach(named(request))
    require(feature, box.features, engine=box.engine)
    return box


async def files_of(request: Request) -> Files:
    """Its files."""
    return cast("Files", await box_of(request, Feature.FILES))


async def watched(request: Request) -> FileWatch:
    """What tells of their changes."""
    return cast("FileWatch", await box_of(request, Feature.FILE_WATCH))


async def processes_of(request: Request) -> Processes:
    """Its background processes."""
    return cast("Processes", await box_of(request, Feature.PROCESSES))


def terminals_of(box: Box) -> Terminals:
    """Its terminals. Raises Unsupported."""
    require(Feature.TERMINALS, box.features, engine=box.engine)
    return cast("Terminals", box)
