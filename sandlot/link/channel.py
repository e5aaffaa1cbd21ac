"""The byte channel to the agent of a box: two pipes for frames and one for its diagnostics.

Pipes, not a socket: a socket made in the host's network namespace would show the box the host's
interfaces, and pipes carry no ancillary data (ARCHITECTURE.md sections 4 and 9).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

TAIL = 8192
"""Bytes kept of what the agent and its launcher wrote to their standard error."""

_READ = 262_144
_LOW_WATER = 262_144
_HIGH_WATER = 8 * 2**20  # far above what credit allows to be on its way: only a deaf agent gets us there


class Channel(Protocol):
    """Bytes both ways. Everything runs on the event loop that called `start`."""

    def start(self, received: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        """Deliver what comes in to *received*; call *ended* once, with the cause, when no more can come."""

    def write(self, data: bytes) -> None:
        """Queue *data*; silently dropped once the channel has ended."""

    def hold(self, is_held: bool) -> None:
        """Deliver nothing while held; the other side then has to wait."""

    async def drained(self) -> None:
        """Wait until little is queued; returns at once when the channel has ended."""

    def diagnostics(self) -> bytes:
        """The last bytes of the other side's standard error."""

    def close(self) -> None:
        """Give the descriptors back; idempotent. *ended* is not called any more."""


@dataclass(frozen=True, slots=True)
class ChildEnds:
    """The descriptors a child gets as its 0, 1 and 2; `close` them once it has them."""

    stdin: int
    stdout: int
    stderr: int

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """In the order 0, 1, 2."""
        return self.stdin, self.stdout, self.stderr

    def close(self) -> None:
        """Close this process's copies, or the end of the child would never show."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def open_pipes() -> tuple[PipeChannel, ChildEnds]:
    """A channel and the descriptors for the process at its other end; all close-on-exec.

    Raises OSError when there are no descriptors left, and holds none then.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe2(os.O_CLOEXEC)
    except OSError:
        for descriptor in opened:
            os.close(descriptor)
        raise
    stdin, outgoing, incoming, stdout, diagnostics, stderr = opened
    return PipeChannel(incoming, outgoing, diagnostics), ChildEnds(stdin, stdout, stderr)


class PipeChannel:
    """A Channel over pipe descriptors, which it owns from now on."""

    def __init__(self, incoming: int, outgoing: int, diagnostics: int | None = None) -> None:
        """Take the three ends; nothing is read before `start`."""
        self._incoming, self._outgoing, self._diagnostics = incoming, outgoing, diagnostics
        self._open = {end for end in (incoming, outgoing, diagnostics) if end is not None}
        for end in self._open:
            os.set_blocking(end, False)
        self._queue = bytearray()
        self._waits_to_write = False
        self._tail = bytearray()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._received: Callable[[bytes], None] = _forget
        self._ended: Callable[[str], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, received: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._received, self._ended = received, ended
        self._loop.add_reader(self._incoming, self._read)
        if self._diagnostics is not None:
            self._loop.add_reader(self._diagnostics, self._read_diagnostics)

    def write(self, data: bytes) -> None:
        if self._outgoing not in self._open:
            return
        was_idle = not self._queue
        self._queue += data
        if was_idle:
            self._flush()
        if len(self._queue) > _HIGH_WATER:
            self._end("the agent does not read what it is sent")
        elif len(self._queue) > _LOW_WATER:
            self._roomy.clear()

    def hold(self, is_held: bool) -> None:
        if self._loop is None or self._incoming not in self._open:
            return
        if is_held:
            self._loop.remove_reader(self._incoming)
        else:
            self._loop.add_reader(self._incoming, self._read)

    async def drained(self) -> None:
        await self._roomy.wait()

    def diagnostics(self) -> bytes:
        if self._diagnostics in self._open:
            self._read_diagnostics()
        return bytes(self._tail)

    def close(self) -> None:
        self._ended = None
        self.diagnostics()  # the last words, before their pipe goes
        for end in tuple(self._open):
            self._drop(end)
        self._queue.clear()
        self._roomy.set()

    def _read(self) -> None:
        try:
            data = os.read(self._incoming, _READ)
        except BlockingIOError:
            return
        if data:
            self._received(data)
        else:
            self._end("the agent closed its end")

    def _read_diagnostics(self) -> None:
        assert self._diagnostics is not None  # noqa: S101 - only watched when there is one
        try:
            data = os.read(self._diagnostics, _READ)
        except BlockingIOError:
            return
        if not data:
            self._drop(self._diagnostics)
        self._tail = (self._tail + data)[-TAIL:]

    def _flush(self) -> None:
        try:
            written = os.write(self._outgoing, self._queue)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            # What it wrote before may still lie in the other pipe: that one tells the end.
            self._queue.clear()
            self._roomy.set()
            self._drop(self._outgoing)
            return
        del self._queue[:written]
        if len(self._queue) <= _LOW_WATER:
            self._roomy.set()
        self._watch_writable()

    def _watch_writable(self) -> None:
        if self._loop is None:
            raise RuntimeError("write to a channel that was not started: call start first")
        if bool(self._queue) == self._waits_to_write:
            return
        self._waits_to_write = bool(self._queue)
        if self._waits_to_write:
            self._loop.add_writer(self._outgoing, self._flush)
        else:
            self._loop.remove_writer(self._outgoing)

    def _end(self, cause: str) -> None:
        ended, self._ended = self._ended, None
        self._drop(self._incoming)
        self._drop(self._outgoing)
        self._queue.clear()
        self._roomy.set()
        if ended is not None:
            ended(cause)

    def _drop(self, end: int | None) -> None:
        if end is None or end not in self._open:
            return
        if self._loop is not None and not self._loop.is_closed():
            (self._loop.remove_writer if end == self._outgoing else self._loop.remove_reader)(end)
        self._open.discard(end)
        os.close(end)


def _forget(_data: bytes) -> None:
    """Where bytes go before `start`."""
