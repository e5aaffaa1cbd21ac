"""A client of a kernel's WebSocket: its messages as they are on the wire, in either subprotocol."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from sandlot.jupyter.message import Channel, Message, message_from
from sandlot.server.dialects.jupyter.frames import Protocol, chosen
from tests.unit.native.calls import Calls

_numbers = itertools.count()


class Talk:
    """One connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.protocol: Protocol = chosen([socket.subprotocol or ""])

    def send(self, kind: str, content: dict[str, Any], channel: Channel = "shell") -> str:
        """Send a request; its id."""
        name = f"asked-{next(_numbers)}"
        header = {"msg_id": name, "msg_type": kind, "session": "s", "username": ""}
        self.socket.send(self.protocol.written(message_from(channel, {"header": header, "content": content})))
        return name

    def hear(self) -> Message:
        return self.protocol.read(self.socket.recv(timeout=20))

    def until(self, kind: str) -> list[Message]:
        """Every message up to the next of that kind."""
        found = [self.hear()]
        while found[-1].kind != kind:
            found.append(self.hear())
        return found

    def run(self, code: str, **more: Any) -> list[Message]:
        """What a cell tells, up to its reply."""
        asked = self.send("execute_request", {"code": code, **more})
        found = self.until("execute_reply")
        return [each for each in found if each.parent_header.get("msg_id") == asked]

    def text(self, code: str) -> str:
        """What a cell writes, and its result."""
        told = [each.content for each in self.run(code)]
        return "".join(str(each.get("text", each.get("data", {}).get("text/plain", ""))) for each in told)


@contextmanager
def talk(call: Calls, kernel: str, *, offers: str | None = None, query: str = "") -> Iterator[Talk]:
    """A connection to *kernel*."""
    url = f"{call.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels{query}"
    offered = [Subprotocol(offers)] if offers else None
    with connect(url, subprotocols=offered, additional_headers=call.headers, max_size=None) as socket:
        yield Talk(socket)


@contextmanager
def kernel(call: Calls, **asked: Any) -> Iterator[str]:
    """The id of a new kernel, which is deleted after the block."""
    made = call("POST", "/api/kernels", {"name": "python3", **asked})
    assert made.status == 201, made.body
    name = made.json["id"]
    try:
        yield name
    finally:
        call("DELETE", f"/api/kernels/{name}")
