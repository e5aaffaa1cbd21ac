"""The seam between the server and the wire formats it speaks: what a dialect is given and what it gives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from sandlot.settings import Settings

from .lifecycle import Lifecycle, Services
from .metrics import Metrics

GROUP = "sandlot.dialects"
"""The entry points that name dialects; each is a `Callable[[Context], Dialect]`."""
_FROM_SOURCE = {
    name: f"sandlot.server.dialects.{name}:routes" for name in ("jupyter", "native", "sandbox_runtime")
}
_log = logging.getLogger(__name__)


Description = Callable[[], Mapping[str, Any]]
"""A part of the document, worked out when somebody asks for it, which few do."""

Teller = Callable[[Exception, Scope, str], Response]
"""Tells an error to who sent the request of a scope, which has that id; see `errors.answer`."""


@dataclass(frozen=True)
class Context:
    """What every route may use. There is one per server; `access.context_of` gives a request its own."""

    settings: Settings
    metrics: Metrics
    lifecycle: Lifecycle
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""

    @property
    def service(self) -> Services:
        """The services of all owners. Raises StartFailed while they are being opened."""
        return self.lifecycle.service


@dataclass(frozen=True)
class Dialect:
    """A wire format: its routes, and what the document of the API says of them.

    `openapi()` maps a path such as `/v1/run` to its OpenAPI 3.1 path item; `schemas()` are what these refer
    to as `#/components/schemas/...`. Errors of paths that begin with `prefix` (a path counts as if a slash
    stood at its end) are told by `tells`, those that no route of its raised too.
    """

    name: str
    routes: Sequence[BaseRoute]
    openapi: Description = dict
    schemas: Description = dict
    prefix: str = ""
    tells: Teller | None = None


def dialects(context: Context) -> list[Dialect]:
    """Every installed dialect. One that cannot be loaded is told to the log and left out."""
    found = []
    for point in sorted(_points(), key=lambda point: point.name):
        try:
            make: Callable[[Context], Dialect] = point.load()
            found.append(make(context))
        except (ImportError, AttributeError) as cause:
            _log.error("dialect %s cannot be loaded: %s", point.name, cause)
    return found


def _points() -> list[EntryPoint]:
    found = list(entry_points(group=GROUP))
    try:
        distribution("sandlot")
    except PackageNotFoundError:  # a source tree that was never installed
        found += [EntryPoint(name, target, GROUP) for name, target in _FROM_SOURCE.items()]
    return found
