"""Sockets: the five of a kernel, by ZeroMQ, on a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import zmq
import zmq.asyncio

from sandlot.contracts.errors import Conflict

from .connection import CHANNELS, Connection

_KINDS: Final[Mapping[str, int]] = {
    "shell": zmq.ROUTER,
    "control": zmq.ROUTER,
    "stdin": zmq.ROUTER,
    "iopub": zmq.XPUB,
    "hb": zmq.ROUTER,
}
_LARGEST: Final = 64 * 2**20
_LINGER: Final = 1000
"""Milliseconds that what was sent has to leave when the sockets are closed."""


class Sockets:
    """Bound sockets; `close` them on the same loop."""

    def __init__(self, connection: Connection) -> None:
        """Bind them. Raises Conflict when another has an address."""
        self._context = zmq.asyncio.Context()
        self._sockets: dict[str, zmq.asyncio.Socket] = {}
        try:
            ports = {name: self._bind(name, connection.endpoint(name)) for name in CHANNELS}
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise Conflict(
                f"a socket of the kernel cannot listen: {error}; restart it with new ports"
            ) from error
        self.connection = connection if connection.transport == "ipc" else connection.at(ports)

    def _bind(self, name: str, endpoint: str) -> int:
        socket = self._context.socket(_KINDS[name])
        # No bound on what waits to be sent: a full queue would drop messages, not hold the cell up. How much
        # a cell tells is bounded, and the client that does not read is who started this.
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.LINGER, _LINGER)
        # Whoever is on this machine can write here, and is not known before the signature is checked.
        socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST)
        if name == "iopub":
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        socket.bind(endpoint)
        self._sockets[name] = socket
        told: Any = socket.getsockopt(zmq.LAST_ENDPOINT)
        return int(told.rstrip(b"\0").rpartition(b":")[2]) if endpoint.startswith("tcp:") else 0

    async def receive(self, channel: str) -> list[bytes]:
        """The parts of the next message on *channel*; of iopub, who wants to hear what."""
        parts: Any = await self._sockets[channel].recv_multipart()
        return list(parts)

    async def send(self, channel: str, parts: Sequence[bytes]) -> None:
        """Send a message; it goes nowhere when nobody is there."""
        await self._sockets[channel].send_multipart(list(parts))

    async def forget(self, channel: str) -> None:
        """Drop what came on *channel* and was not received."""
        with suppress(zmq.Again):
            while True:
                await self._sockets[channel].recv_multipart(zmq.NOBLOCK)

    async def close(self) -> None:
        """Let what was sent leave, and free the addresses."""
        for socket in self._sockets.values():
            socket.close()
        # Waits for the last messages, for as long as they may linger.
        await asyncio.to_thread(self._context.term)
