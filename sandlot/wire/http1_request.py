"""An HTTP/1.1 request as bytes (RFC 9110, RFC 9112, section 3): a head, and a body at once or in chunks."""

from __future__ import annotations

import re
from typing import Mapping

from sandlot.contracts.errors import InvalidSpec

from .http import Request

LAST_CHUNK = b"0\r\n\r\n"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_TARGET = re.compile(r"[\x21\x22\x24-\x7e]+")  # visible, and no fragment

# What says where a message ends or whose connection it is belongs to the transport; a key is given to it.
_RESERVED = (
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)


def request_bytes(request: Request, fields: Mapping[str, str], *, chunked: bool = False) -> bytes:
    """The head of *request* and its body; with *chunked* the body follows as `chunk`s and LAST_CHUNK.

    *fields* are the transport's own, Host among them. Raises InvalidSpec for a method, target, name or value
    that HTTP cannot carry, for a header that is the transport's to write, and for a body besides chunks.
    """
    if not _TOKEN.fullmatch(request.method):
        raise InvalidSpec(f"{request.method!r} is no HTTP method")
    if not _TARGET.fullmatch(request.target):
        raise InvalidSpec(f"{request.target!r} is no request target: escape it with percent signs")
    if chunked and request.body:
        raise InvalidSpec("a request has either a body or content that follows in pieces")
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [_line(name, value) for name, value in fields.items()]
    lines += [_line(_free(name), value) for name, value in request.headers.items()]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body


def chunk(data: bytes) -> bytes:
    """*data* as one chunk; nothing for no data, because an empty chunk ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def _free(name: str) -> str:
    if name.lower() in _RESERVED:
        raise InvalidSpec(f"the header {name} is the transport's to write: leave it out")
    return name


def _line(name: str, value: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise InvalidSpec(f"{name!r} is no name of a header")
    if not _VALUE.fullmatch(value):
        # Not shown: it may be a secret.
        raise InvalidSpec(f"the header {name} holds what HTTP cannot carry: visible ASCII and blanks only")
    return f"{name}: {value}"
