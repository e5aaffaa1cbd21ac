"""Stay: the sandbox that a kernel works in, from one interpreter to the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from sandlot.contracts.capability import Feature
from sandlot.contracts.contexts import Context
from sandlot.contracts.errors import NotFound, SandlotError, Unavailable
from sandlot.contracts.service import Service
from sandlot.sdk.plans import Plan
from sandlot.sdk.powers import with_power

from .wishes import Wishes

_log = logging.getLogger(__name__)


class Stay:
    """A sandbox of *service*, which is made for the first interpreter; `end` it, and with it the service."""

    def __init__(self, service: Service, wishes: Wishes, plan: Plan) -> None:
        """Nothing starts yet."""
        self.sandbox = plan.id
        self._service, self._wishes, self._spec = service, wishes, plan.spec
        self._renewing: asyncio.Task[None] | None = None

    async def open_context(self, env: Mapping[str, str]) -> Context:
        """An interpreter in the sandbox, which keeps its files; in a new one when the old one has ended.

        Raises as Service.ensure and Contexts.open_context.
        """
        await self._service.ensure(self.sandbox, self._spec)
        if self._renewing is None and self._spec.ttl is not None:
            self._renewing = asyncio.ensure_future(self._renew(float(self._spec.ttl) / 3))
        box = with_power(await self._service.reach(self.sandbox), Feature.CONTEXTS)
        return await box.open_context(self._wishes.context(env))

    async def end(self) -> None:
        """End the sandbox with everything in it; idempotent."""
        if self._renewing is not None:
            self._renewing.cancel()
        try:
            with suppress(NotFound):
                await self._service.delete(self.sandbox)
        except Unavailable as error:  # its lease ends it
            _log.warning("the sandbox %s is left to its server: %s", self.sandbox, error)
        finally:
            await self._service.close()

    async def _renew(self, seconds: float) -> None:
        """Keep the lease while this process lives: a server ends what nobody holds."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._service.touch(self.sandbox)
            except SandlotError as error:
                _log.warning("the lease of the sandbox %s was not renewed: %s", self.sandbox, error)
