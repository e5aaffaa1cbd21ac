"""What a handler returned: bytes the guest chose, taken for hostile until they are one JSON value.

They come on a pipe of their own, so nothing a program prints is among them. Whoever runs in the payload can
write to that pipe, its handler's author above all; so the promise is about the form: one line with one JSON
value or none, and a second one makes both worthless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandlot.contracts.events import Event, Exited, Reason, Returned, Stderr
from sandlot.contracts.handler import DEEPEST_VALUE, LARGEST_VALUE, Handler
from sandlot.wire import json_object
from sandlot.wire.frames import FrameError
from sandlot.wire.json_object import JsonError

_SHORT = 65_536  # is read at once; what is longer holds up nobody else
_LINE_END = b"\n"
BEYOND_VALUE = len(_LINE_END) + 1
"""Bytes that come behind the largest value: its line end, and one by which is seen that it is too long."""
_TOO_LONG = f"it is longer than {LARGEST_VALUE} bytes"


def asked(handler: Handler | None) -> Mapping[str, Any] | None:
    """The field `handler` of the verb `run`; the event itself is the end of the program's text."""
    if handler is None:
        return None
    context = {"function_name": handler.name, "function_version": "$LATEST", **handler.context}
    return {
        "name": handler.name,
        "event": len(handler.text),
        "limit": LARGEST_VALUE,
        "depth": DEEPEST_VALUE,
        "context": context,
        "raised": handler.raised,
        "valueless": handler.valueless,
    }


class Value:
    """What one command returns."""

    def __init__(self, handler: Handler | None = None) -> None:
        """Expect nothing without *handler*."""
        self._most = 0 if handler is None else LARGEST_VALUE + BEYOND_VALUE
        self._untaken = 1 if handler is None else handler.valueless
        self._received = bytearray()

    def add(self, data: bytes) -> Event | None:
        """Keep *data*; what is to be told at once, which is nothing. Raises FrameError for too much."""
        self._received += data
        if len(self._received) > self._most:
            raise FrameError(f"the agent sent more of a value than the {self._most} bytes it may")
        return None

    async def concluded(self, end: Event) -> tuple[Event, ...]:
        """*end*, which is the command's, behind the value where one has come.

        A program that ended well with a value that cannot be taken has failed, and is told why.
        """
        received = bytes(self._received)
        if not received or not isinstance(end, Exited):
            return (end,)
        try:
            found = read(received) if len(received) <= _SHORT else await asyncio.to_thread(read, received)
        except JsonError as error:
            if end.reason is not Reason.EXITED:
                return (end,)  # it was killed while it wrote
            said = f"sandlot: what the handler returned cannot be taken: {error}\n"
            return Stderr(said.encode()), replace(end, exit_code=end.exit_code or self._untaken)
        return found, end


def read(received: bytes) -> Returned:
    """The value that *received* tells. Raises JsonError."""
    text, end, more = received.partition(_LINE_END)
    if len(text) > LARGEST_VALUE:
        raise JsonError(_TOO_LONG)
    if not end:
        raise JsonError("it breaks off")
    if more:
        raise JsonError("more than one was written to its channel")
    value = json_object.parse_value(text, max_depth=DEEPEST_VALUE)
    # Others are told it in this form, which a guest may have made shorter: 1e9 becomes 1000000000.0.
    size = len(json_object.render(value))
    if size > LARGEST_VALUE:
        raise JsonError(_TOO_LONG)
    return Returned(value, size)
