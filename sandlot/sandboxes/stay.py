"""Stay: a box without a name for the length of a block, made by Sandboxes.stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandlot.contracts.engine import Box

from .gate import Gate
from .shared import Afterwards


class Stay:
    """A box that has its place among the commands, both as long as it lasts."""

    def __init__(
        self, make: Callable[[], Awaitable[Box]], commands: Gate, owner: str, afterwards: Afterwards
    ) -> None:
        """Nothing is made yet."""
        self._make, self._commands, self._owner, self._afterwards = make, commands, owner, afterwards
        self._box: Box | None = None

    async def __aenter__(self) -> Box:
        await self._commands.enter(self._owner)
        try:
            self._box = await self._make()
        except BaseException:
            self._commands.leave(self._owner)
            raise
        return self._box

    async def __aexit__(self, *_why: object) -> None:
        if self._box is not None:
            over = self._afterwards.do(self._box.close(), "a box whose command has ended")
            over.add_done_callback(lambda _: self._commands.leave(self._owner))
