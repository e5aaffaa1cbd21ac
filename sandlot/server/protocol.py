"""Uvicorn's HTTP protocol with bounds that it leaves to its surroundings: slow, huge and unread requests.

The head of a request is complete within ten seconds and 64 KiB. What surrounds the body (chunk sizes, chunk
extensions, trailers) stays in proportion to it. Where an answer goes out before its request has come in,
the connection lingers: closing it at once would reset it, and the client would lose the answer (RFC 9112,
section 9.6).
"""

from __future__ import annotations

import asyncio
import http
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from sandlot.contracts.errors import PoolExhausted

from . import errors
from .connection import Connection
from .head import Head

LARGEST_HEAD = 64 * 1024
# Requests sent before the one ahead of them is answered: each waits as an object fifty times its size.
_MOST_PIPELINED = 16
_LARGEST_OVERHEAD = 64 * 1024
_OVERHEAD_PER_BYTE = 8  # a body in chunks of one byte is five times its size


def fault_in(version: str, target: bytes, head: Head) -> str | None:
    """Why a head is none that servers and proxies read in one way (RFC 9112); None when it is sound.

    The parser has refused what cannot be read at all, and lengths that contradict each other.
    """
    hosts = head.every(b"host")
    codings = [value.strip().lower() for value in head.every(b"transfer-encoding")]
    lengths = [value.strip() for value in head.every(b"content-length")]
    if version not in ("1.0", "1.1"):
        return "HTTP/1.1 is spoken here"
    if len(hosts) != 1 and (hosts or version == "1.1"):
        return "a request has one header Host"
    if codings not in ([], [b"chunked"]):
        return "the transfer coding chunked is the only one that is understood"
    if not target.startswith((b"/", b"*")) and _authority(target) != b"".join(hosts).lower():
        return "the target and the header Host name different servers"
    if _opens_websocket(head) and (codings or lengths not in ([], [b"0"])):
        # Whoever speaks WebSocket would wait for that body for ever: the parser has it.
        return "the handshake of a WebSocket has no body"
    return None


def _opens_websocket(head: Head) -> bool:
    return any(value.strip().lower() == b"websocket" for value in head.every(b"upgrade"))


def _authority(target: bytes) -> bytes:
    """The host and port in a target in absolute form."""
    _scheme, _, rest = target.partition(b"://")
    return rest.partition(b"/")[0].partition(b"?")[0].lower()


def plain_refusal(status: int, detail: str) -> bytes:
    """A whole answer with *detail*, for what never became a request."""
    told = errors.refusal(HTTPException(status, detail), {})
    lines = [b"%b: %b\r\n" % header for header in told.raw_headers]
    phrase = http.HTTPStatus(status).phrase.encode("ascii")
    return b"".join([b"HTTP/1.1 %d %b\r\n" % (status, phrase), *lines, b"\r\n", bytes(told.body)])


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """Instead of uvicorn's answer at its limit of connections."""
    error = PoolExhausted("the server holds as many connections as it can: try again")
    await errors.refusal(error, scope)(scope, receive, send)


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    head_seconds = 10.0
    linger_seconds = 2.0
    """How long a client may still send what nobody reads, after its answer."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take a connection for uvicorn's *config*."""
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = True
        self._is_refused = False
        self._heads = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._other_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    @property
    def has_unread_request(self) -> bool:
        """Whether the client is still sending what nobody will read."""
        return not self._in_head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        lingering: Any = _Lingering(transport, self)
        self._lingering: _Lingering = lingering
        super().connection_made(lingering)
        self._connection = Connection(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "connection": self._connection}
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head_timer()
        self._connection.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        heads, was_in_head, body_bytes = self._heads, self._in_head, self._body_bytes
        super().data_received(data)
        if self._heads != heads:
            return
        if self._in_head and was_in_head:
            # Most heads come whole: only for one that did not is there anything to wait for.
            if self._head_timer is None and self._is_idle and not self._is_refused:
                self._await_head()
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse_head()
        else:
            self._other_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._other_bytes > _LARGEST_OVERHEAD + _OVERHEAD_PER_BYTE * self._body_bytes:
                self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come by the same door; nobody here wants them, and the gate has read the headers.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._forget_head_timer()
        self._heads += 1
        if self._is_refused:
            return
        if len(self.pipeline) >= _MOST_PIPELINED:
            self._is_refused = True
            self.transport.abort()
            return
        head = self.scope["state"]["head"] = Head(self.headers)
        if len(self.url) + head.size > LARGEST_HEAD:
            self._refuse_head()
            return
        fault = fault_in(self.parser.get_http_version(), self.url, head)
        if fault is not None:
            self._refuse(400, fault)
            return
        self._in_head, self._head_bytes, self._body_bytes, self._other_bytes = False, 0, 0, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        if not self._is_refused:
            self.scope["state"]["is_whole"] = True  # nothing of the body is waited for (bodies)
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._lingering.flush()
        super().on_response_complete()
        if self.has_unread_request:
            self.loop.call_later(self.linger_seconds, self._give_up_unread, self._heads)

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "the request cannot be read as HTTP/1.1")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        answering: Any = _crowded if app is service_unavailable else app
        super()._start_asgi_task(cycle, answering)

    def handle_websocket_upgrade(self) -> None:
        self._forget_head_timer()
        if self._is_refused:
            return
        super().handle_websocket_upgrade()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    @property
    def _is_unanswered(self) -> bool:
        """Whether nothing was answered yet to the one request there is, whose body still comes."""
        is_coming = self.has_unread_request and not self.pipeline
        return is_coming and not self._is_idle and not self.cycle.response_started

    def _give_up_unread(self, heads: int) -> None:
        if self.has_unread_request and self._heads == heads:
            self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _forget_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(408, "the head of the request did not come in time")
        else:
            self.transport.close()

    def _refuse_head(self) -> None:
        self._refuse(431, "the head of the request exceeds 64 KiB")

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what never became a request, or a request while its body comes."""
        self._is_refused = True
        if self._is_idle or self._is_unanswered:
            self.transport.write(plain_refusal(status, detail))
        if self._is_unanswered:
            self.cycle.disconnected = True  # whoever was to answer it sees the client leave
            self.cycle.message_event.set()
        self.transport.close()


class _Lingering:
    """A transport whose `close` first lets the client read the answer.

    The head of an answer of known length waits for its body, so that the two are one packet.
    """

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._is_closing = False
        self._begun: RequestResponseCycle | None = None
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        cycle: RequestResponseCycle | None = self._protocol.cycle
        if cycle is not self._begun and cycle is not None and cycle.response_started:
            self._begun = cycle
            if cycle.expected_content_length:
                self._head = data
                return
        head, self._head = self._head, b""
        self._transport.write(head + data if head else data)

    def flush(self) -> None:
        """Send a head that has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        if self.is_closing():
            return
        if not (self._protocol.has_unread_request and self._transport.can_write_eof()):
            self._transport.close()
            return
        self._is_closing = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._protocol.loop.call_later(self._protocol.linger_seconds, self._transport.close)
