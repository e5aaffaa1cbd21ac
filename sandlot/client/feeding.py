"""Standard input that goes to a server while the events of its command come back.

Each piece is a request of its own, answered when the program has taken it: a program that does not read holds
up its own input and nothing else, and one that ends without reading has its input dropped.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Iterable, Iterator, Optional

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound, SandlotError
from sandlot.contracts.streams import ended
from sandlot.wire.flows import commands

from .async_driver import AsyncDriver
from .driver import Driver
from .pieces import Pieces

MOST_WHOLE = 2 * 2**20
"""Bytes of standard input in the request of a run, which has a sandbox of its own."""

_OVER = (NotFound, Conflict)
"""What a server says to input for a command that has ended, or closed its input."""


def carried(command: Command) -> Command:
    """*command* with an input too long for one request as a stream."""
    if isinstance(command.stdin, bytes) and len(command.stdin) > commands.MOST_INLINE:
        return replace(command, stdin=Pieces(commands.slices(command.stdin)))
    return command


def has_stream(command: Command) -> bool:
    """Whether the input comes piece by piece."""
    return command.stdin is not None and not isinstance(command.stdin, bytes)


class Feeder:
    """Feeds a command from a thread, which nobody waits for: the iterable may block for ever.

    An error of the iterable, or of the connection, kills the command and is kept as `error`.
    """

    def __init__(self, driver: Driver, sandbox: str, execution: str, source: Iterable[bytes]) -> None:
        """Begin to feed the command *execution* of *sandbox* from *source*."""
        self.error: Optional[BaseException] = None
        self._driver, self._sandbox, self._execution = driver, sandbox, execution
        self._source = source
        self._stopped = False
        threading.Thread(target=self._run, name="sandlot-stdin", daemon=True).start()

    def stop(self) -> None:
        """Send nothing more after the piece under way."""
        self._stopped = True

    def _run(self) -> None:
        try:
            self._feed()
        except _OVER:
            return
        except BaseException as error:  # noqa: BLE001 - told to whoever reads the command's events
            self.error = error
            if not self._stopped:
                with suppress(SandlotError):
                    self._driver.value(commands.kill(self._sandbox, self._execution))

    def _feed(self) -> None:
        for data in self._source:
            for piece in commands.slices(data):
                if self._stopped:
                    return
                self._driver.value(commands.feed(self._sandbox, self._execution, piece))
        if not self._stopped:
            self._driver.value(commands.feed(self._sandbox, self._execution, b"", end=True))


def source_of(command: Command) -> Iterator[bytes]:
    """The pieces of the input of *command*; raises InvalidSpec for a stream that only a loop can read."""
    if not isinstance(command.stdin, Pieces):
        raise InvalidSpec(
            "an asynchronous stdin needs an event loop: give bytes or Pieces, or use AsyncClient"
        )
    return iter(command.stdin)


def whole(source: Iterable[bytes]) -> bytes:
    """All of an input that travels in its request. Raises InvalidSpec beyond MOST_WHOLE bytes."""
    data = bytearray()
    for piece in source:
        _add(data, piece)
    return bytes(data)


async def whole_of(command: Command) -> bytes:
    """As `whole`, of the input of *command*."""
    data = bytearray()
    async with ended(command.input()) as pieces:
        async for piece in pieces:
            _add(data, piece)
    return bytes(data)


def _add(data: bytearray, piece: bytes) -> None:
    data += piece
    if len(data) > MOST_WHOLE:
        raise InvalidSpec(
            f"an input of more than {MOST_WHOLE} bytes does not fit the request of a single run: "
            "make a sandbox and run the command there"
        )


class AsyncFeeder:
    """As Feeder, in a task."""

    def __init__(self, driver: AsyncDriver, sandbox: str, execution: str, command: Command) -> None:
        """Begin to feed the command *execution* of *sandbox* with the input of *command*."""
        self.error: Optional[BaseException] = None
        self._driver, self._sandbox, self._execution = driver, sandbox, execution
        self._task = asyncio.ensure_future(self._run(command))

    async def stop(self) -> None:
        """Send nothing more, at once."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, command: Command) -> None:
        try:
            await self._feed(command)
        except _OVER:
            return
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - told to whoever reads the command's events
            self.error = error
            with suppress(SandlotError):
                await self._driver.value(commands.kill(self._sandbox, self._execution))

    async def _feed(self, command: Command) -> None:
        async with ended(command.input()) as pieces:
            async for data in pieces:
                for piece in commands.slices(data):
                    await self._driver.value(commands.feed(self._sandbox, self._execution, piece))
        await self._driver.value(commands.feed(self._sandbox, self._execution, b"", end=True))
