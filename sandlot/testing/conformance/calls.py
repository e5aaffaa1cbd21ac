"""How the suites call a handler."""

from __future__ import annotations

from typing import Any

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.events import Reason
from sandlot.contracts.handler import Handler
from sandlot.contracts.result import Result
from sandlot.testing.suite import Suite

GIVE_BACK = "def handler(event):\n    return event"


class Calling(Suite):
    """A suite that calls handlers, where the engine does."""

    def need(self) -> None:
        """Skip the test where the engine calls none."""
        if not self.offers(Feature.HANDLERS):
            pytest.skip(f"engine {self.engine_name} calls no handlers")

    async def call(self, code: str, event: object = None, name: str = "handler", **rest: Any) -> Result:
        """The Result of calling the function *name* of *code*."""
        self.need()
        return await self.run(Command(code=code, handler=Handler(name, event), **rest))


def is_refused(result: Result, *said: bytes) -> None:
    """Assert that the program failed without a value and said so."""
    assert (result.reason, result.exit_code) == (Reason.EXITED, 1), result
    assert not result.has_result
    assert all(each in result.stderr for each in said), result.errors
