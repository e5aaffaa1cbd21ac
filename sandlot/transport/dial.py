"""Making a connection: a socket, through a proxy where one is asked for, with TLS where the URL says so."""

from __future__ import annotations

import errno
import os
import socket
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from sandlot.contracts.errors import ConnectionLost
from sandlot.wire.http import Request
from sandlot.wire.http1 import ResponseParser
from sandlot.wire.http1_request import request_bytes

from .address import Address, ip_literal
from .conversation import Conversation
from .failures import Lost, broken, not_connected, reason, unreachable
from .proxy import Proxy
from .stream import Stream
from .waiting import Flow, Lookup

if TYPE_CHECKING:
    import ssl

    from .tls import TlsStream

# A server that is gone without a word is noticed after about two minutes, not after two hours (tcp(7)).
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
_Place = Tuple[int, Any]


@dataclass(frozen=True)
class Route:
    """How to get to a server: its address, perhaps a proxy, perhaps a lent TLS context."""

    address: Address
    proxy: Optional[Proxy] = None
    context: Optional[ssl.SSLContext] = None

    def dial(self, seconds: float, *, is_tunnelled: bool = False) -> Flow[Stream]:
        """A connection ready for a request, made within *seconds*.

        Through a proxy, https and what *is_tunnelled* asks for a tunnel. Raises Lost when trying again may
        help, ConnectionLost when not, and TimedOut.
        """
        dialling = _Dialling(self.address, seconds)
        nearest = self.proxy.address if self.proxy else self.address
        stream = yield from dialling.connect(nearest)
        try:
            if self.proxy and (is_tunnelled or self.address.scheme == "https"):
                yield from dialling.tunnel(stream, self.proxy)
            if self.address.scheme == "https":
                stream = yield from dialling.secure(stream, self.context)
        except BaseException:
            stream.close()
            raise
        return stream


class _Dialling:
    """One attempt, within its time."""

    def __init__(self, address: Address, seconds: float) -> None:
        self._address = address
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def connect(self, nearest: Address) -> Flow[Stream]:
        last: Optional[OSError] = None
        for family, place in (yield from self._places(nearest)):
            try:
                return (yield from self._connected(family, place))
            except OSError as error:
                last = error
        raise Lost(unreachable(nearest, last), was_sent=False) from last

    def _places(self, nearest: Address) -> Flow[List[_Place]]:
        if nearest.scheme == "unix":
            return [(socket.AF_UNIX, os.fsencode(nearest.socket))]
        literal = ip_literal(nearest.host)
        if literal is not None:
            family = socket.AF_INET6 if literal.version == 6 else socket.AF_INET
            return [(family, (nearest.host, nearest.port))]
        try:
            found = yield Lookup(nearest.host, nearest.port, self._left())
        except OSError as error:
            failure = unreachable(nearest, error)
            if error.errno == socket.EAI_AGAIN:
                raise Lost(failure, was_sent=False) from error
            raise failure from error
        if found is None:
            raise not_connected(self._address, self._seconds)
        return [(family, place) for family, _, _, _, place in found if _is_meant(nearest, place)]

    def _connected(self, family: int, place: Any) -> Flow[Stream]:
        made = socket.socket(family, socket.SOCK_STREAM)
        stream = Stream(made)
        try:
            made.setblocking(False)
            _tune(made, family)
            code = made.connect_ex(place)
            if code == errno.EINPROGRESS:
                yield from self._wait(stream, write=True)
                code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
        except BaseException:
            stream.close()
            raise
        return stream

    def tunnel(self, stream: Stream, proxy: Proxy) -> Flow[None]:
        """Ask the proxy to pass on whatever follows (RFC 9110, 9.3.6)."""
        place = self._address.endpoint
        asked = request_bytes(Request("CONNECT", place), {"Host": place, **proxy.fields()})
        conversation = Conversation(stream, ResponseParser("CONNECT"), proxy.address, self._left())
        try:
            head = yield from conversation.begin(asked, None)
        except Lost as lost:
            raise Lost(lost.error, was_sent=False) from lost  # the proxy read something, the server nothing
        if not 200 <= head.status < 300:
            raise ConnectionLost(
                f"the proxy {proxy.address} answers {head.status} when asked for {self._address}: check its"
                " rules, or name the host in NO_PROXY"
            )
        if conversation.parser.rest:
            raise ConnectionLost(f"the proxy {proxy.address} speaks before the server could: use another")

    def secure(self, stream: Stream, context: Optional[ssl.SSLContext]) -> Flow[Stream]:
        """Begin TLS (RFC 9110, 4.3.4: the certificate must be the host's)."""
        import ssl

        from .tls import TlsStream, default_context

        try:
            tls = TlsStream(stream.release(), context or default_context(), self._address.host)
            yield from self._handshake(tls)
        except ssl.SSLCertVerificationError as error:
            raise ConnectionLost(
                f"the certificate of {self._address} is not trusted: {error.verify_message};"
                " name its authority in SSL_CERT_FILE"
            ) from error
        except ConnectionError as error:
            raise Lost(broken(self._address, error), was_sent=False) from error
        except OSError as error:
            raise ConnectionLost(
                f"no TLS with {self._address}: {reason(error)}; does it speak https at this port?"
            ) from error
        return tls

    def _handshake(self, tls: TlsStream) -> Flow[None]:
        try:
            while not tls.try_handshake():
                yield from self._wait(tls, read=True)
        except BaseException:
            tls.close()
            raise

    def _wait(self, stream: Stream, *, read: bool = False, write: bool = False) -> Flow[None]:
        is_ready = yield stream.ready(read=read, write=write, seconds=self._left())
        if not is_ready:
            raise not_connected(self._address, self._seconds)

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())


def _tune(made: socket.socket, family: int) -> None:
    if family == socket.AF_UNIX:
        return
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # macOS has other names
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _is_meant(nearest: Address, place: Any) -> bool:
    """Whatever a resolver says, `localhost` is this machine (RFC 6761, 6.3): keys go there unencrypted."""
    return not nearest.is_loopback or ip_address(place[0]).is_loopback
