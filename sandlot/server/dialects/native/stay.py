"""Stay: a sandbox for the length of one streamed run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from sandlot.contracts.events import Event
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.service import RunRequest
from sandlot.contracts.streams import ended
from sandlot.server.lifecycle import OwnService
from sandlot.trees.pack import once, packed

from . import translate


class Stay:
    """One run whose events are wanted as they come, which Service.run does not tell.

    `facts` are those of its box, once it has one.
    """

    def __init__(self, service: OwnService, wanted: RunRequest) -> None:
        """Nothing is made yet."""
        self.facts: dict[str, Any] = {}
        self._service, self._wanted = service, wanted

    async def events(self) -> AsyncIterator[Event]:
        """Make the sandbox, run the command, and end the sandbox however that goes."""
        async with self._service.stay(self._wanted.spec) as box:
            self.facts.update(translate.facts_of(box))
            if self._wanted.files:
                await box.put(WORKSPACE, once(packed(self._wanted.files, WORKSPACE)))
            async with ended(box.run(self._wanted.command)) as events:
                async for event in events:
                    yield event
