"""A kernel of a kernel gateway, and the connection to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from sandlot.contracts.errors import SandlotError
from sandlot.transport import aio
from sandlot.transport.base import AsyncTransport, AsyncWebSocket
from sandlot.wire.http import Request, escaped

from . import errors
from .messages import DIED, Replied, Said, State, request_frame, told_in
from .running import Running

LARGEST_MESSAGE: Final = 64 * 2**20
"""Bytes of one message of a kernel, such as a picture."""

_START: Final = 60.0  # seconds for a kernel to start
_KERNELS: Final = "/api/kernels"
_DEATHS: Final = ("restarting", "dead", "autorestarting")
_NOT_CONNECTED: Final = "Not connected to kernel"
_log = logging.getLogger("sandlot.compat.ipybox")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where kernels are, and how often a quiet connection to one shows that it lives, in seconds."""

    host: str
    port: int
    heartbeat: float

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


class Kernel:
    """A kernel of ours, from `open` to `close`, and what is running in it.

    A kernel that died and was started anew by its gateway runs *first* again before anything else.
    """

    def __init__(self, gateway: Gateway, first: str) -> None:
        """*first* is the code that a new kernel runs."""
        self.id: str | None = None
        self._gateway, self._first = gateway, first
        self._running: dict[str, Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._transport: AsyncTransport | None = None
        self._socket: AsyncWebSocket | None = None
        self._session = ""
        self._lost = _NOT_CONNECTED
        self._is_fresh = self._is_mourned = False
        self._refreshing = asyncio.Lock()

    async def open(self, retries: int, retry_interval: float, timeout: float) -> None:
        """Start it, connect, and run the first code within *timeout* seconds.

        Raises ConnectionError after *retries* tries, *retry_interval* seconds apart; TimeoutError and
        ExecutionError as the first code does. Nothing is left then.
        """
        self._transport = aio.connect(self._gateway.url, proxies={})
        try:
            self.id = await self._made(retries, retry_interval)
            await self._connect()
            await self._refreshed(timeout)
        except BaseException:
            await asyncio.shield(self.close())
            raise

    async def close(self) -> None:
        """End it; idempotent. That its gateway is no more is no error: it has ended with that."""
        name, self.id = self.id, None
        socket, self._socket = self._socket, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._lose(_NOT_CONNECTED)
        if socket is not None:
            await socket.close()
        if name is not None:
            with contextlib.suppress(errors.ConnectionError):
                await self._asked("DELETE", f"{_KERNELS}/{escaped(name)}")
        if self._transport is not None:
            await self._transport.close()

    async def ask(self, code: str, timeout: float) -> Running:
        """Ask for *code* to be run. Raises ConnectionError; *timeout* is for the first code, see open."""
        if self._is_fresh:
            async with self._refreshing:
                if self._is_fresh:
                    await self._refreshed(timeout)
        return await self._ask(code)

    async def run(self, code: str, timeout: float) -> None:
        """Run *code* for its effects. Raises as `ask` and Running.outputs."""
        running = await self.ask(code, timeout)
        async for _ in running.outputs(timeout):
            pass

    async def interrupt(self) -> None:
        """Interrupt what runs. Raises ConnectionError."""
        if self.id is None:
            raise errors.ConnectionError(_NOT_CONNECTED)
        target = f"{_KERNELS}/{escaped(self.id)}/interrupt"
        await self._asked("POST", target, {"kernel_id": self.id})

    async def _made(self, retries: int, retry_interval: float) -> str:
        cause: Exception | None = None
        for number in range(retries):
            if number:
                await asyncio.sleep(retry_interval)
            try:
                return _id_in(await self._asked("POST", _KERNELS, {"name": "python"}))
            except errors.ConnectionError as error:
                cause = error
        raise errors.ConnectionError("Failed to create kernel") from cause

    async def _connect(self) -> None:
        assert self._transport is not None  # noqa: S101 - `open` has made it
        self._session = uuid4().hex
        target = f"{_KERNELS}/{escaped(self.id or '')}/channels?session_id={self._session}"
        try:
            socket = await self._transport.websocket(Request("GET", target), largest=LARGEST_MESSAGE)
        except SandlotError as error:
            raise errors.ConnectionError(f"Failed to connect to kernel: {error.message}") from error
        self._socket, self._lost = socket, ""
        self._tasks = [asyncio.ensure_future(each) for each in (self._read(socket), self._beat(socket))]

    async def _refreshed(self, timeout: float) -> None:
        self._is_fresh = False
        try:
            running = await self._ask(self._first)
            async for _ in running.outputs(timeout):
                pass
        except BaseException:
            self._is_fresh = True
            raise

    async def _ask(self, code: str) -> Running:
        socket = self._socket
        if socket is None or self._lost:
            raise errors.ConnectionError(self._lost or _NOT_CONNECTED)
        running = Running(uuid4().hex, self.interrupt)
        self._running[running.request_id] = running
        try:
            await socket.send_text(request_frame(running.request_id, code, self._session))
        except SandlotError as error:
            self._running.pop(running.request_id, None)
            raise errors.ConnectionError(f"the code could not be sent: {error.message}") from error
        return running

    async def _read(self, socket: AsyncWebSocket) -> None:
        try:
            while (frame := await socket.receive()) is not None:
                if isinstance(frame, str):  # what has buffers is for widgets
                    self._hear(frame)
            ending = socket.ending
            why = f"{ending.code} {ending.reason}".strip() if ending else "it was closed"
        except SandlotError as error:
            why = error.message
        except ValueError as error:
            why = f"a message of the kernel cannot be read: {error}"
        self._lose(f"the connection to the kernel was lost: {why}")

    async def _beat(self, socket: AsyncWebSocket) -> None:
        try:
            while True:
                await asyncio.sleep(self._gateway.heartbeat)
                await socket.ping()
        except SandlotError as error:
            _log.info("a kernel's connection took no ping: %s", error.message)  # who reads is told

    def _hear(self, frame: str) -> None:
        told = told_in(frame)
        for said in told.said:
            if isinstance(said, State) and said.name in _DEATHS:
                self._bury(is_forever=said.name == "dead")
            elif (running := self._running.get(told.about)) is not None:
                self._pass_on(running, said)

    def _pass_on(self, running: Running, said: Said) -> None:
        if isinstance(said, Replied):
            self._is_mourned = said.raised is not None and said.raised.name == DIED
            self._is_fresh = self._is_fresh or self._is_mourned
        running.hear(said)
        if running.is_over:
            del self._running[running.request_id]

    def _bury(self, *, is_forever: bool) -> None:
        """The kernel died; another one takes its place, unless *is_forever*."""
        self._is_fresh = True
        if is_forever or not self._is_mourned:  # else what runs was asked of the one that takes its place
            self._forget(Running.die)
        self._is_mourned = False
        if is_forever:
            self._lost = "the kernel is dead: connect again"

    def _lose(self, why: str) -> None:
        self._lost = why
        self._forget(lambda each: each.lose(why))

    def _forget(self, tell: Callable[[Running], None]) -> None:
        running, self._running = self._running, {}
        for each in running.values():
            tell(each)

    async def _asked(self, method: str, target: str, body: object = None) -> Any:
        """The JSON that the gateway answers, None for nothing. Raises ConnectionError."""
        assert self._transport is not None  # noqa: S101 - `open` has made it
        content = b"" if body is None else json.dumps(body).encode()
        request = Request(method, target, {"Content-Type": "application/json"}, content)
        try:
            async with self._transport.open(request, timeout=_START) as exchange:
                told = b"".join([piece async for piece in exchange])
                status = exchange.head.status
        except SandlotError as error:
            raise errors.ConnectionError(error.message) from error
        if status >= 400:
            raise errors.ConnectionError(f"{method} {target} was answered with {status}: {told[:500]!r}")
        return _parsed(told)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else None
    except (ValueError, RecursionError) as error:
        raise errors.ConnectionError(f"the gateway's answer is no JSON: {error}") from error


def _id_in(answer: Any) -> str:
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not found:
        raise errors.ConnectionError(f"the gateway's answer names no kernel: {str(answer)[:200]}")
    return found
