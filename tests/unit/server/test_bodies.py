"""Bounds on bodies, fed to the layer by hand: what comes in, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from sandlot import settings
from sandlot.server.bodies import LARGEST_JSON, Bodies
from sandlot.server.dialect import Context
from sandlot.server.lifecycle import Lifecycle
from sandlot.server.metrics import Metrics

MOST = 1000
STALL = 0.05
Headers = Sequence[tuple[bytes, bytes]]


def taken(pieces: Sequence[bytes], headers: Headers = (), *, endless: bool = False) -> bytes:
    """What an application reads of a body that comes in *pieces*, and then no more if it is *endless*."""
    waiting = list(pieces)
    got: list[bytes] = []

    async def receive() -> Message:
        if not waiting and endless:
            await asyncio.Event().wait()
        body = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": body, "more_body": bool(waiting) or endless}

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            message = await receive()
            got.append(message["body"])
            if not message["more_body"]:
                return

    async def send(_message: Message) -> None:
        raise AssertionError

    chosen = settings.load({"most_upload": str(MOST)}, {"HOME": "/h"}, [])
    layer = Bodies(app, Context(chosen, Metrics(), Lifecycle()), STALL)
    asyncio.run(layer({"type": "http", "headers": headers}, receive, send))
    return b"".join(got)


def refusal(pieces: Sequence[bytes], headers: Headers = (), *, endless: bool = False) -> int:
    with pytest.raises(HTTPException) as caught:
        taken(pieces, headers, endless=endless)
    assert (caught.value.headers or {})["Connection"] == "close"
    return caught.value.status_code


def test_a_body_within_the_bounds_passes() -> None:
    assert taken([b"x" * 400, b"y" * 600]) == b"x" * 400 + b"y" * 600
    assert taken([]) == b""


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    assert refusal([], [(b"content-length", b"1001")], endless=True) == 413
    assert refusal([], [(b"content-length", b"9" * 4000)], endless=True) == 413


def test_a_body_that_grows_too_large_is_refused_as_it_does() -> None:
    assert refusal([b"x" * 600] * 2, [(b"transfer-encoding", b"chunked")], endless=True) == 413


def test_json_is_bounded_by_itself() -> None:
    kind = (b"content-type", b"Application/JSON ; charset=utf-8")
    chosen = settings.load({}, {"HOME": "/h"}, [])
    assert chosen.most_upload > LARGEST_JSON
    layer = Bodies(_never, Context(chosen, Metrics(), Lifecycle()))
    length = (b"content-length", str(LARGEST_JSON + 1).encode())
    with pytest.raises(HTTPException, match="4194304"):
        asyncio.run(layer({"type": "http", "headers": [kind, length]}, _nothing, _nowhere))


def test_a_body_that_stands_still_is_refused() -> None:
    assert refusal([b"x"], endless=True) == 408
    assert refusal([], endless=True) == 408


async def _never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError


async def _nothing() -> Message:
    raise AssertionError


async def _nowhere(_message: Message) -> None:
    raise AssertionError
