"""Where documents come from: a small interface, and the document service that it speaks to over HTTP.

The service gives out documents in two steps: asked for one, it tells the request by which its storage gives
it. Both addresses must be among those that the operator configured, and redirects are not followed: nobody
reaches through the server what they could not reach without it. Tokens go to the service only, into no log.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from sandlot.contracts.errors import (
    ConnectionLost,
    Forbidden,
    InvalidSpec,
    NotFound,
    SandlotError,
    Unsupported,
)
from sandlot.transport import aio
from sandlot.transport.base import AsyncExchange
from sandlot.transport.credentials import Key, Signature
from sandlot.wire import json_object
from sandlot.wire.fields import Fields, object_from
from sandlot.wire.http import Request

from .asked import Document

_ASK = "/api/efast/v1/file/osdownload/"
_LARGEST_TICKET = 2**16
_PATIENCE = 60.0
_MOST_HEADERS = 20
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}):[ \t]*([\x20-\x7e]{0,8000})")
# Of the connection and not of the request: the transport knows them better.
_OURS = frozenset(("authorization", "host", "connection", "content-length", "transfer-encoding"))


@dataclass(frozen=True)
class Content:
    """A document as it comes: its name and size as the service tells them, and its bytes."""

    name: str
    size: int
    revision: str
    pieces: AsyncIterator[bytes]


class Documents(Protocol):
    """A place where documents are."""

    def fetch(self, document: Document) -> AbstractAsyncContextManager[Content]:
        """*document*, for the length of a block. Raises SandlotError kinds, NotFound for none."""


@dataclass(frozen=True)
class Ticket:
    """The request by which a storage gives a document: an address and headers."""

    url: str
    headers: dict[str, str]
    signature: str | None
    name: str
    size: int
    revision: str


def service_of(wanted: str, configured: Sequence[str]) -> str:
    """The service that is asked: *wanted*, or the first one *configured* for an empty text.

    Raises Unsupported when none is configured, Forbidden when *wanted* is not one of them or below one.
    """
    if not configured:
        raise Unsupported(
            "no document service is configured: the operator names one by SANDLOT_DOCUMENT_SERVICES"
        )
    if not wanted:
        return configured[0]
    if not is_configured(wanted, configured):
        raise Forbidden(
            "that document service is not one of those that the operator configured: leave efast_url out"
        )
    return wanted.rstrip("/")


def is_configured(url: str, configured: Sequence[str]) -> bool:
    """Whether *url* is one of *configured*, or lies below one of them."""
    if not url.isascii() or not url.isprintable() or "\\" in url or ".." in url:
        return False
    try:
        asked = urlsplit(url)
        return "@" not in asked.netloc and any(_lies_below(asked, urlsplit(each)) for each in configured)
    except ValueError:
        return False


def ticket_from(body: bytes) -> Ticket:
    """The ticket that the service's answer tells. Raises InvalidSpec."""
    fields = Fields(object_from(body))
    lines = fields.items("authrequest")
    if len(lines) < 2 or len(lines) > _MOST_HEADERS or not all(isinstance(line, str) for line in lines):
        raise InvalidSpec("the document service told no request by which a storage gives the document")
    read = [_HEADER.fullmatch(line.strip()) for line in lines[2:]]
    headers = {each[1].lower(): each[2] for each in read if each is not None}
    return Ticket(
        lines[1],
        {name: value for name, value in headers.items() if name not in _OURS},
        headers.get("authorization"),
        fields.text("name", ""),
        fields.count("size", 0),
        str(fields.raw("rev") or ""),
    )


class HttpDocuments:
    """Implements Documents by the service at *service*, one of those *configured*."""

    def __init__(self, service: str, configured: Sequence[str], token: str) -> None:
        """Nothing is opened yet. Raises InvalidSpec for a token that no header could carry."""
        self._service, self._configured = service, configured
        self._token = Key(token) if token else None

    @contextlib.asynccontextmanager
    async def fetch(self, document: Document) -> AsyncIterator[Content]:
        ticket = await self._ticket(document)
        if not is_configured(ticket.url, self._configured):
            raise Forbidden(
                "the document service sends us on to a storage that the operator did not configure: "
                "SANDLOT_DOCUMENT_SERVICES names it besides"
            )
        signature = None if ticket.signature is None else Signature(ticket.signature)
        async with _answer(ticket.url, Request("GET", "", ticket.headers), signature) as answer:
            yield Content(ticket.name, ticket.size, ticket.revision, answer.__aiter__())

    async def _ticket(self, document: Document) -> Ticket:
        asked: dict[str, Any] = {"docid": document.docid, "savename": document.savename}
        asked |= {"rev": document.revision} if document.revision else {}
        request = Request("POST", "", {"Content-Type": "application/json"}, json_object.render(asked))
        async with _answer(self._service + _ASK, request, self._token) as answer:
            body = b""
            async for piece in answer:
                body += piece
                if len(body) > _LARGEST_TICKET:
                    raise InvalidSpec(f"the document service told more than {_LARGEST_TICKET} bytes")
        return ticket_from(body)


@contextlib.asynccontextmanager
async def _answer(url: str, request: Request, key: Key | None) -> AsyncIterator[AsyncExchange]:
    """The answer to *request* with *url* as its target."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # Straight there and, where the operator wrote http, in clear text: they know that network.
    transport = aio.connect(f"{parts.scheme}://{parts.netloc}", key=key, proxies={}, allow_plain=True)
    try:
        async with transport.open(replace(request, target=target), timeout=_PATIENCE) as answer:
            if answer.head.status != 200:
                raise _refused(answer.head.status)
            yield answer
    finally:
        await transport.close()


def _refused(status: int) -> SandlotError:
    why = f"the document service answered {status}"
    return (
        NotFound(why) if status == 404 else ConnectionLost(f"{why}: see whether document and token are right")
    )


def _lies_below(asked: Any, known: Any) -> bool:
    if (asked.scheme, asked.hostname, asked.port) != (known.scheme, known.hostname, known.port):
        return False
    prefix = known.path.rstrip("/")
    return bool(asked.path.rstrip("/") == prefix or asked.path.startswith(prefix + "/"))
