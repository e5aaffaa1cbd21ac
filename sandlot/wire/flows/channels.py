"""Cells over a WebSocket of their context: one at a time on each, so that its events need no sorting."""

from __future__ import annotations

from typing import List, Optional, Union

from sandlot.contracts.cells import Cell
from sandlot.contracts.errors import ConnectionLost
from sandlot.wire import cell_messages
from sandlot.wire.cell_events import LONGEST_LINE, TellableEvent
from sandlot.wire.http import Head, Request
from sandlot.wire.problems import readable
from sandlot.wire.websocket import MAX_MESSAGE, Close

from .contexts import CellEvents
from .exchange import sandbox_target

PROTOCOLS = (cell_messages.PROTOCOL,)
LONGEST = LONGEST_LINE
"""Bytes of a message of the server."""

_NAME = "1"  # one is over when the next begins, so one name is enough
_HEAD = Head(101)


def opening(sandbox: str, context: str) -> Request:
    """The request that opens one; offer PROTOCOLS with it."""
    return Request("GET", sandbox_target(sandbox, "contexts", context, "channel"))


def asking(cell: Cell) -> Optional[str]:
    """The message that asks for *cell*; None where it is too long for one."""
    message = cell_messages.asking(_NAME, cell)
    return message if len(message) <= MAX_MESSAGE else None


class Heard:
    """What a WebSocket says of one cell."""

    def __init__(self) -> None:
        """Begin."""
        self._events = CellEvents(_HEAD)

    @property
    def is_whole(self) -> bool:
        """Whether the last event has come, so that the next cell may be asked for."""
        return self._events.is_complete

    def take(self, message: Union[bytes, str, None], ending: Optional[Close]) -> List[TellableEvent]:
        """The events in *message*; None is the *ending* of the connection. Raises ConnectionLost."""
        if message is None:
            why = "" if ending is None else f" (code {ending.code} {readable(ending.reason)})"
            raise ConnectionLost(
                f"the WebSocket ended{why} before the cell did; whether it ran on is unknown"
            )
        data = message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass")
        return self._events.feed(data)
