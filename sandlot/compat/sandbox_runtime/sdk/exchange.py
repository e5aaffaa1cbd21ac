"""Requests on their way: one connection each, within the original's times, every failure a SandboxError."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import IO, Any, Dict, Optional

from sandlot.contracts.errors import InvalidSpec, SandlotError, TimedOut
from sandlot.transport import aio
from sandlot.transport.base import AsyncExchange, AsyncTransport
from sandlot.wire.http import Request

from .errors import SandboxError
from .requests import PREFIX, Asked

NO_SERVER = "No available server found"
_IN_ALL, _TO_CONNECT = 300.0, 10.0
_HEALTH = 10.0
_MOST_SHOWN = 500


@dataclass(frozen=True)
class Way:
    """How servers are spoken to: the key they are shown, and whether it may travel in clear text."""

    key: Optional[str] = None
    allow_plain: bool = False


class Exchange:
    """Sends requests; see `Way`."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def answer(self, server: str, asked: Asked) -> Any:
        """The JSON that *server* answers, None for nothing. Raises SandboxError."""
        body = await self._whole(server, asked, None)
        if not body.strip():
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            url = _url(server, asked)
            message = f"Network request failed: {asked.method} {url} - the answer is not JSON: {error}"
            raise SandboxError(message, error, {"method": asked.method, "url": url}) from error

    async def fetch(self, server: str, asked: Asked, file: IO[bytes]) -> None:
        """Write what *server* answers into *file* as it comes. Raises SandboxError."""
        await self._whole(server, asked, file)

    async def health(self, server: str) -> int:
        """The status that *server* answers when asked how it is. Raises SandlotError, TimeoutError."""
        asked = Asked("GET", "healthy", f"{PREFIX}/healthy")
        return await asyncio.wait_for(self._status(server, asked), _HEALTH)

    async def _whole(self, server: str, asked: Asked, file: Optional[IO[bytes]]) -> bytes:
        url = _url(server, asked)
        context: Dict[str, Any] = {"method": asked.method, "url": url}
        try:
            return await asyncio.wait_for(self._taken(server, asked, file), _IN_ALL)
        except (TimedOut, asyncio.TimeoutError) as error:
            message = f"Request timeout: {asked.method} {url} - Timeout: {_IN_ALL:g}s"
            raise SandboxError(message, error, {**context, "timeout": _IN_ALL}) from error
        except InvalidSpec as error:
            message = f"Request failed: {asked.method} {url} - {error.message}"
            raise SandboxError(message, error, context) from error
        except SandlotError as error:
            message = f"Network request failed: {asked.method} {url} - {error.message}"
            raise SandboxError(message, error, context) from error

    async def _taken(self, server: str, asked: Asked, file: Optional[IO[bytes]]) -> bytes:
        transport = self._transport(server)
        try:
            sent = transport.open(_request(asked), content=asked.content, timeout=_IN_ALL)
            async with sent as exchange:
                if exchange.head.status >= 400:
                    raise _refused(server, asked, exchange.head.status, await _body(exchange))
                if file is None:
                    return await _body(exchange)
                async for data in exchange:
                    file.write(data)
                return b""
        finally:
            await transport.close()

    async def _status(self, server: str, asked: Asked) -> int:
        transport = self._transport(server)
        try:
            async with transport.open(_request(asked), timeout=_HEALTH) as exchange:
                return exchange.head.status
        finally:
            await transport.close()

    def _transport(self, server: str) -> AsyncTransport:
        way = self._way
        # The original asks no proxy variable, and its servers are in the same house as their callers.
        return aio.connect(server, key=way.key, timeout=_TO_CONNECT, proxies={}, allow_plain=way.allow_plain)


def _request(asked: Asked) -> Request:
    return Request(asked.method, asked.target, {"Accept": "*/*", **asked.headers}, asked.body)


async def _body(exchange: AsyncExchange) -> bytes:
    return b"".join([data async for data in exchange])


def _url(server: str, asked: Asked) -> str:
    return server.rstrip("/") + asked.path


def _refused(server: str, asked: Asked, status: int, body: bytes) -> SandboxError:
    """The error for an answer with *status*; a body that is not JSON is told as text."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = body.decode("utf-8", "replace")[:_MOST_SHOWN]
    url = _url(server, asked)
    message = f"HTTP request failed: {asked.method} {url} - Status: {status}, Message: {said}"
    context = {"method": asked.method, "url": url, "status": status, "err_msg": said}
    return SandboxError(message, None, context)
