"""TLS over a Stream; in a module of its own because `ssl` costs more to import than a request to make."""

from __future__ import annotations

import socket
import ssl
from typing import Optional, Tuple, Union

from .stream import STEP, Stream

# OpenSSL 3 tells when a connection ends without the goodbye of TLS; Python has it look away, and names the
# bit only since 3.10. Whoever can end a connection could cut an answer short unseen.
_LOOK_AWAY = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 1 << 7)


def default_context() -> ssl.SSLContext:
    """Verified certificates and host names, TLS 1.2 or later, HTTP/1.1 by ALPN (RFC 7301)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Python 3.8 and 3.9 would take 1.0
    context.options &= ~_LOOK_AWAY
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsStream(Stream):
    """A Stream that encrypts. TLS may need to write before it can read, and the other way round."""

    def __init__(self, connected: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS on *connected* to *host*, whose name the certificate must bear."""
        self._tls = context.wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        super().__init__(self._tls)
        self._receive_waits_to_write = False
        self._send_waits_to_read = False

    def try_handshake(self) -> bool:
        """Go on with the handshake; whether it is complete. Raises OSError, of which are `ssl`'s errors."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._receive_waits_to_write = False
            return False
        except ssl.SSLWantWriteError:
            self._receive_waits_to_write = True
            return False
        self._receive_waits_to_write = False
        return True

    def try_receive(self) -> Optional[bytes]:
        with self._lock:
            self._receive_waits_to_write = False
            try:
                return self._tls.recv(STEP)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLWantWriteError:
                self._receive_waits_to_write = True
                return None

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        with self._lock:
            self._send_waits_to_read = False
            try:
                return self._tls.send(data)
            except ssl.SSLWantWriteError:
                return 0
            except ssl.SSLWantReadError:
                self._send_waits_to_read = True
                return 0

    def _wanted(self, read: bool, write: bool) -> Tuple[bool, bool]:
        receive_writes = read and self._receive_waits_to_write
        send_reads = write and self._send_waits_to_read
        return (read and not receive_writes) or send_reads, (write and not send_reads) or receive_writes
