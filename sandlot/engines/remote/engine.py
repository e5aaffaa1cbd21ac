"""The engine: boxes on the server that the settings name, and nowhere without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandlot import settings
from sandlot.contracts.capability import Viability
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import EngineUnavailable, Forbidden, SandlotError, Unauthorized
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.engines import proof

if TYPE_CHECKING:
    from .backend import Backend

_NO_SERVER = (
    "engine remote has no server: set SANDLOT_URL to its address, and SANDLOT_KEY where it asks for a key"
)
_REMEDY = "see that the server runs there (sandlot serve), or set SANDLOT_URL to another one"


class RemoteEngine:
    """contracts.engine.Engine over HTTP.

    `isolation` is what holds before the server was asked: nothing. A box tells what its server promised.
    """

    name = "remote"
    isolation = Isolation.PROCESS

    def __init__(self, *, url: str | None = None, key: str | None = None) -> None:
        """For the server at *url*; what is None comes from the settings when it is first needed."""
        self._url, self._key = url, key
        self._backend: Backend | None = None
        self._is_closed = False

    async def probe(self) -> Viability:
        try:
            backend = self._reached()
        except EngineUnavailable as error:
            cause, _, remedy = error.message.partition(": ")
            return proof.failure(self.name, self.isolation, cause, remedy)
        except SandlotError as error:
            return proof.failure(self.name, self.isolation, error.message, _REMEDY)
        from .backend import tried

        return await proof.probe(self.name, self.isolation, backend.trial, _REMEDY, tried)

    async def create(self, spec: SandboxSpec) -> Box:
        backend = self._reached()
        try:
            return await backend.make(spec)
        except (Unauthorized, Forbidden) as error:
            # To the caller of this engine it is no answer about a key of his own.
            raise EngineUnavailable(
                f"the server of engine {self.name} refuses what it is asked: {error.message}"
            ) from error

    async def sweep(self) -> int:
        return 0  # leases end what a crashed predecessor left

    async def close(self) -> None:
        self._is_closed = True
        if self._backend is not None:
            await self._backend.close()

    def _reached(self) -> Backend:
        if self._is_closed:
            raise EngineUnavailable(f"engine {self.name} was closed: make a new one")
        if self._backend is None:
            chosen = settings.load(flags={"url": self._url, "key": self._key})
            if chosen.url is None or chosen.origins["url"] == "default":
                raise EngineUnavailable(_NO_SERVER)
            # Only now what speaks HTTP is loaded: the engine is on the list of every sandlot run.
            from .backend import Backend

            self._backend = Backend(chosen.url, chosen.key)
        return self._backend
