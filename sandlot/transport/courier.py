"""Requests to one server: what they begin with, which connection carries them, when they are sent again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Mapping, Optional, Protocol, Sequence, Union
from urllib.parse import urlsplit

from sandlot._version import __version__
from sandlot.contracts.errors import InvalidSpec, SandlotError
from sandlot.settings import proxy_variables
from sandlot.wire.http import Head, Request
from sandlot.wire.http1 import ResponseParser
from sandlot.wire.http1_request import request_bytes
from sandlot.wire.problems import error_from, readable
from sandlot.wire.websocket import MAX_MESSAGE, WebSocketError, agreed_protocol, handshake_fields

from .address import Address, parse_address
from .conversation import Conversation, Source
from .credentials import Key, key_for
from .dial import Route
from .failures import Lost, garbled
from .pool import Pool
from .proxy import Proxy, proxy_for
from .retry import Failure, is_repeatable, pause_before_retry
from .stream import Stream
from .talk import Talk
from .waiting import Flow, Pause

if TYPE_CHECKING:
    import ssl

_LONGEST_REFUSAL = 65536
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class _Errand:
    """One request as every try sends it. A WebSocket has a connection of its own and is asked for once."""

    request: Request
    first: bytes
    content: Optional[Source]
    timeout: Optional[float]
    is_websocket: bool = False

    @property
    def is_repeatable(self) -> bool:
        is_streamed = self.is_websocket or self.content is not None
        return is_repeatable(self.request.method, is_streamed=is_streamed)


def courier_to(
    url: str,
    *,
    key: Union[str, Key, None] = None,
    timeout: float = 30.0,
    proxies: Optional[Mapping[str, str]] = None,
    context: Optional[ssl.SSLContext] = None,
    allow_plain: bool = False,
) -> Courier:
    """Read the URL, choose the proxy, check the key; `sync.connect` explains the arguments."""
    address = parse_address(url)
    proxy = proxy_for(address, proxy_variables() if proxies is None else proxies)
    return Courier(Route(address, proxy, context), key_for(address, key, allow_plain=allow_plain), timeout)


class Way(Protocol):
    """How a server is reached (`dial.Route`, or a script)."""

    @property
    def address(self) -> Address:
        """The server."""

    @property
    def proxy(self) -> Optional[Proxy]:
        """What stands between, if anything does."""

    def dial(self, seconds: float, *, is_tunnelled: bool = False) -> Flow[Stream]:
        """See `dial.Route.dial`."""


class Courier:
    """Everything about a transport but waiting."""

    def __init__(self, way: Way, key: Optional[Key] = None, timeout: float = 30.0) -> None:
        """Go by *way*, within *timeout* seconds; nothing is opened yet."""
        self.address = way.address
        self._way = way
        self._key = key
        self._timeout = timeout
        self._pool = Pool()

    def send(
        self, request: Request, content: Optional[Source], timeout: Optional[float]
    ) -> Flow[Conversation]:
        """Send *request*, and *content* in chunks, and read the head of the answer."""
        first = self._first(request, {}, is_chunked=content is not None)
        conversation = yield from self._run(_Errand(request, first, content, timeout))
        try:
            _refuse_redirect(self.address, conversation.head)
        except InvalidSpec:
            conversation.stream.close()
            raise
        return conversation

    def finish(self, conversation: Conversation) -> None:
        """Keep the connection for the next request, or close it when its answer was not read to the end."""
        if conversation.is_reusable:
            self._pool.give(conversation.stream, time.monotonic())
        else:
            conversation.stream.close()

    def talk(self, request: Request, protocols: Sequence[str], largest: int = MAX_MESSAGE) -> Flow[Talk]:
        """Open a WebSocket. Raises the error that the server told when it refuses."""
        nonce = os.urandom(16)
        first = self._first(request, handshake_fields(nonce, protocols), is_websocket=True)
        errand = _Errand(request, first, None, self._timeout, is_websocket=True)
        conversation = yield from self._run(errand)
        try:
            if conversation.head.status != 101:
                raise (yield from self._refusal(conversation))
            protocol = agreed_protocol(conversation.head, nonce, protocols)
        except WebSocketError as error:
            conversation.stream.close()
            raise garbled(self.address, error) from error
        except BaseException:
            conversation.stream.close()
            raise
        return Talk(conversation.stream, self.address, protocol, conversation.parser.rest, largest)

    def close(self) -> None:
        """Close what is kept; idempotent."""
        self._pool.close()

    def _run(self, errand: _Errand) -> Flow[Conversation]:
        if self._pool.is_closed:
            raise RuntimeError(f"the transport to {self.address} is closed: connect again")
        stream = None if errand.is_websocket else self._pool.take(time.monotonic())
        tries = 0
        while True:
            was_reused = stream is not None
            try:
                if stream is None:
                    tries += 1
                    stream = yield from self._way.dial(self._timeout, is_tunnelled=errand.is_websocket)
                return (yield from self._begun(stream, errand))
            except Lost as lost:
                failure = Failure(tries, was_reused, lost.was_sent)
                pause = pause_before_retry(failure, is_repeatable=errand.is_repeatable)
                if pause is None:
                    raise lost.error from lost.__cause__
            stream = None  # never another kept one: what ended the first has ended them all
            if pause:
                yield Pause(pause)

    def _begun(self, stream: Stream, errand: _Errand) -> Flow[Conversation]:
        parser = ResponseParser(errand.request.method, upgrade=errand.is_websocket)
        conversation = Conversation(stream, parser, self.address, errand.timeout)
        yield from conversation.begin(errand.first, errand.content)
        return conversation

    def _first(
        self,
        request: Request,
        extra: Mapping[str, str],
        *,
        is_chunked: bool = False,
        is_websocket: bool = False,
    ) -> bytes:
        """The head of the request and its short body: one piece, so that one packet carries it."""
        if not request.target.startswith("/"):
            raise InvalidSpec(f"the target {request.target!r} does not begin with a slash")
        target = self.address.prefix + request.target
        fields = {"Host": self.address.authority, **self._own_fields(request), **extra}
        proxy = self._way.proxy
        if proxy is not None and self.address.scheme == "http" and not is_websocket:
            target = f"{self.address}{target}"  # RFC 9112, 3.2.2: the proxy reads where it goes
            fields.update(proxy.fields())
        asked = Request(request.method, target, request.headers, request.body)
        return request_bytes(asked, fields, chunked=is_chunked)

    def _own_fields(self, request: Request) -> Dict[str, str]:
        named = {name.lower() for name in request.headers}
        fields = {} if "user-agent" in named else {"User-Agent": f"sandlot/{__version__}"}
        return {**fields, **(self._key.fields() if self._key else {})}

    def _refusal(self, conversation: Conversation) -> Flow[SandlotError]:
        """What the server says instead of opening a WebSocket."""
        head, body = conversation.head, b""
        _refuse_redirect(self.address, head)
        while len(body) < _LONGEST_REFUSAL:
            piece = yield from conversation.read(_LONGEST_REFUSAL)
            if not piece:
                break
            body += piece
        return error_from(head.status, body, head.headers)


def _refuse_redirect(address: Address, head: Head) -> None:
    """Raise InvalidSpec for a redirect: following it would show another host the key and the code."""
    if head.status not in _REDIRECTS:
        return
    try:
        host = urlsplit(head.headers.get("location", "")).hostname
    except ValueError:
        host = None
    raise InvalidSpec(
        f"{address} redirects to {readable(host) if host else 'another path of its own'} ({head.status}):"
        " connect to where it leads, redirects are not followed"
    )
