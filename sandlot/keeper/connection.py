"""The service's end of the channel: numbered requests out, answers and news in, never waiting in a send."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..contracts.errors import (
    BoxDied,
    Conflict,
    EngineUnavailable,
    InvalidSpec,
    NotFound,
    SandlotError,
    StartFailed,
    Unsupported,
)
from . import packets
from .launch import Code, Refusal
from .protocol import encode
from .reports import Reply, Report, parse_report

_ERRORS: Mapping[Code, type[SandlotError]] = {
    "invalid": InvalidSpec,
    "unsupported": Unsupported,
    "not_found": NotFound,
    "conflict": Conflict,
    "start_failed": StartFailed,
    "stuck": EngineUnavailable,
    "namespaces": EngineUnavailable,
}

Answer = TypeVar("Answer")


class Connection:
    """Requests and their answers over *channel*; *heard* gets the news with the descriptors that came along.

    It closes itself when the keeper closes its end or says what cannot be understood.
    """

    def __init__(
        self,
        channel: socket.socket,
        heard: Callable[[Report, list[int]], None],
    ) -> None:
        """Begin to listen on the running loop."""
        self._channel, self._heard = channel, heard
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[bytes, list[int]]] = deque()
        self._pending: dict[int, Callable[[Reply | SandlotError], None]] = {}
        self._asked = 0
        self._loop.add_reader(channel, self._receive)

    def ask(
        self,
        verb: str,
        fields: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Answer],
        descriptors: Sequence[int] = (),
    ) -> asyncio.Future[Answer]:
        """Send a request; the future holds what *read* makes of the answer, as soon as it arrives.

        The caller's *descriptors* stay its own. Raises InvalidSpec for a request that does not fit a packet,
        OSError when no descriptors are left; the future raises what the keeper refused, or BoxDied when
        it died first.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        if self._channel.fileno() < 0:
            future.set_exception(keeper_died())
            return future
        self._asked += 1
        try:
            packet = encode({"id": self._asked, "verb": verb, **fields})
        except Refusal as refusal:
            raise error_of(refusal) from None
        self._queue.append((packet, _copies(descriptors)))
        self._pending[self._asked] = lambda reply: _resolve(future, reply, read)
        self._send()
        return future

    def close(self) -> None:
        """Stop listening and close the channel, which ends the keeper; pending requests stay until `fail`."""
        if self._channel.fileno() >= 0:
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)
            self._channel.close()
        while self._queue:
            packets.close(self._queue.popleft()[1])

    def fail(self, error: SandlotError) -> None:
        """End every pending request with *error*."""
        pending, self._pending = self._pending, {}
        for resolve in pending.values():
            resolve(error)

    def drain(self) -> None:
        """Read what the keeper said before it ended."""
        while self._channel.fileno() >= 0 and self._receive_one():
            pass

    def _send(self) -> None:
        while self._queue:
            packet, descriptors = self._queue[0]
            try:
                packets.send(self._channel, packet, descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._channel, self._send)
                return
            except (BrokenPipeError, ConnectionResetError):
                pass  # the keeper is gone: the reader finds out and tells
            self._queue.popleft()
            packets.close(descriptors)
        self._loop.remove_writer(self._channel)

    def _receive(self) -> None:
        while self._receive_one():
            pass

    def _receive_one(self) -> bool:
        """Take one packet; False when there is none now or any more."""
        try:
            packet, descriptors, _ = packets.receive(self._channel)
        except BlockingIOError:
            return False
        try:
            report = parse_report(packet)  # the empty packet of a closed channel is no report either
        except Refusal:
            packets.close(descriptors)
            self.close()
            return False
        if isinstance(report, Reply):
            packets.close(descriptors)
            resolve = self._pending.pop(report.id, None)
            if resolve is not None:
                resolve(report)
        else:
            self._heard(report, descriptors)
        return self._channel.fileno() >= 0


def _copies(descriptors: Sequence[int]) -> list[int]:
    copies: list[int] = []
    try:
        for descriptor in descriptors:
            copies.append(os.dup(descriptor))  # noqa: PERF401 - those made so far are closed on failure
    except OSError:
        packets.close(copies)
        raise
    return copies


def error_of(refusal: Refusal) -> SandlotError:
    """The error a refusal of the keeper is to a caller."""
    return _ERRORS[refusal.code](refusal.message)


def keeper_died() -> BoxDied:
    """The error of whatever was asked of a keeper that is gone."""
    return BoxDied("the keeper is gone and every box with it: start another keeper", who="keeper")


def _resolve(
    future: asyncio.Future[Answer],
    reply: Reply | SandlotError,
    read: Callable[[Mapping[str, Any]], Answer],
) -> None:
    if isinstance(reply, Reply) and reply.error is None:
        answer = read(reply.ok)  # also for a caller that went away: a box must become known to be killed
        if not future.done():
            future.set_result(answer)
    elif not future.done():
        refused = reply.error if isinstance(reply, Reply) else None
        future.set_exception(error_of(refused) if refused else _as_error(reply))


def _as_error(reply: Reply | SandlotError) -> SandlotError:
    return reply if isinstance(reply, SandlotError) else keeper_died()
