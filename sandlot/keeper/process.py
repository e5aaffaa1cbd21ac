"""The keeper itself: one thread, one epoll(7) loop, the only holder of privilege; it dies with its service.

Three things wake it: a packet of the service, a dead child (SIGCHLD through a pipe), the end of
the service or of the stub (their pidfds). It never waits in send(2): answers queue up, and while the
queue is long no request is read. The service reads whatever it writes, so neither waits for the other.
What a turn costs does not grow with the boxes that live and have nothing to say.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import packets, protocol, sweep
from .boxes import PATIENCE, Boxes
from .launch import Refusal
from .nursery import Nursery
from .shapes import flat
from .supplies import Supplies

_LONGEST_QUEUE = 1024
_REQUESTS_PER_TURN = 32  # dead children are looked at in between


class KeeperProcess:
    """Serves the requests of one service until it goes away."""

    def __init__(self, channel: socket.socket, lifelines: Sequence[int], supplies: Supplies) -> None:
        """Serve *channel*; end when a pidfd of *lifelines* does."""
        channel.setblocking(False)
        self._channel, self._supplies = channel, supplies
        self._watchers: dict[int, Callable[[], None]] = {}
        self._boxes = Boxes(supplies, self._tell, self._watch)
        self._nursery = Nursery(supplies, self._boxes, self._tell, self._watch)
        self._queue: deque[bytes] = deque()
        self._is_serving = True
        self._deaths = _wake_on_child()
        self._lifelines = frozenset(lifelines)
        self._listening = self._interest()
        self._waiting = select.epoll()
        self._waiting.register(channel, self._listening)
        for descriptor in (*lifelines, self._deaths):
            self._waiting.register(descriptor, select.EPOLLIN)

    def serve(self) -> None:
        """Answer until the service is gone, then kill every box and take everything away."""
        self._tell({"event": "ready", "powers": protocol.powers_fields(self._supplies.powers)})
        self._send()
        with contextlib.suppress(OSError):  # whoever asks for a sweep is told what is in its way
            sweep.sweep(self._supplies)
        pause: float | None = 0.0
        while self._is_serving:
            pause = self._turn(pause)
        self._end()

    def _turn(self, pause: float | None) -> float | None:
        if self._listening != self._interest():
            self._listening = self._interest()
            self._waiting.modify(self._channel, self._listening)
        ready = dict(self._waiting.poll(pause))
        if self._lifelines & ready.keys():
            self._is_serving = False
        if self._deaths in ready:
            _drain(self._deaths)
        if ready.get(self._channel.fileno(), 0) & ~select.EPOLLOUT:
            self._receive()
        self._call(ready)
        self._boxes.reap()
        pause = self._settle()
        self._send()
        return pause

    def _settle(self) -> float | None:
        pauses = [pause for pause in (self._boxes.settle(), self._nursery.settle()) if pause is not None]
        return min(pauses, default=None)

    def _watch(self, descriptor: int, ready: Callable[[], None] | None) -> None:
        if ready is not None:
            self._watchers[descriptor] = ready
            self._waiting.register(descriptor, select.EPOLLIN)
        elif self._watchers.pop(descriptor, None) is not None:
            self._waiting.unregister(descriptor)

    def _call(self, ready: Mapping[int, int]) -> None:
        for descriptor in ready:
            if (watcher := self._watchers.get(descriptor)) is not None:
                watcher()

    def _interest(self) -> int:
        reading = select.EPOLLIN if len(self._queue) < _LONGEST_QUEUE else 0
        return reading | (select.EPOLLOUT if self._queue else 0)

    def _receive(self) -> None:
        for _ in range(_REQUESTS_PER_TURN):
            try:
                packet, descriptors, is_whole = packets.receive(self._channel)
            except BlockingIOError:
                return
            if not packet:  # the service closed its end or died
                self._is_serving = False
                return
            self._answer(packet, descriptors, is_whole=is_whole)

    def _answer(self, packet: bytes, descriptors: list[int], *, is_whole: bool) -> None:
        try:
            if not is_whole:
                raise Refusal("invalid", "the packet or its descriptors were cut off: send less at once")
            self._carry_out(protocol.parse_request(packet, len(descriptors)), descriptors)
        except Refusal as refusal:
            self._refuse(packet, refusal)
        except OSError as error:
            self._refuse(packet, Refusal("stuck", f"the keeper could not do it: {error}"))
        finally:
            packets.close(descriptors)

    def _refuse(self, packet: bytes, refusal: Refusal) -> None:
        error = {"code": refusal.code, "message": refusal.message}
        self._tell({"id": protocol.request_number(packet), "error": error})

    def _carry_out(self, request: protocol.Request, descriptors: list[int]) -> None:
        match request.verb:
            case "spawn" if request.launch is not None:
                self._boxes.spawn(request.id, request.launch, descriptors)
            case "zygote" | "park" | "fit" | "furnish":
                self._nurse(request, descriptors)
            case "kill" if self._nursery.has(request.box):
                self._nursery.kill(request.id, request.box)
            case "kill":
                self._boxes.kill(request.id, request.box)
            case "usage" if self._nursery.has(request.box):
                self._tell({"id": request.id, "ok": self._nursery.consumption(request.box)})
            case "usage":
                self._tell({"id": request.id, "ok": flat(self._boxes.consumption(request.box))})
            case "sweep":
                self._tell({"id": request.id, "ok": {"removed": sweep.sweep(self._supplies)}})
            case _:
                self._tell({"id": request.id, "ok": protocol.powers_fields(self._supplies.powers)})

    def _nurse(self, request: protocol.Request, descriptors: list[int]) -> None:
        if request.order is not None:
            self._nursery.raise_zygote(request.id, request.order)
        elif request.limits is not None:
            self._nursery.park(request.id, request.zygote, request.limits, descriptors)
        elif request.fit is not None:
            self._nursery.fit(request.id, request.box, request.fit)
        else:
            self._nursery.furnish(request.id, request.box, descriptors[0])

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._queue.append(protocol.encode(message))

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._queue:
                try:
                    packets.send(self._channel, self._queue[0])
                except (BrokenPipeError, ConnectionResetError):
                    self._is_serving = False
                    self._queue.clear()
                    return
                self._queue.popleft()

    def _end(self) -> None:
        # Not left to the kernel alone: control groups and mounts outlive the processes in them.
        self._boxes.kill_all()
        self._nursery.kill_all()
        left = until = 0.0
        while count := self._boxes.count + self._nursery.count:
            if count != left:  # thousands may take long, none may take longer than its time
                left, until = count, time.monotonic() + PATIENCE
            if time.monotonic() > until:
                return
            select.select([self._deaths], [], [], max(self._settle() or 0.0, 0.001))
            _drain(self._deaths)
            self._boxes.reap()


def _wake_on_child() -> int:
    receiver, sender = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # without a handler the pipe stays silent
    return receiver


def _drain(pipe: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(pipe, 4096):
            pass
