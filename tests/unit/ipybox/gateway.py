"""A kernel gateway that says what its script says, so that messages come in every order there may be."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandlot import settings
from sandlot.server.listening import listen, place_of
from sandlot.server.worker import Worker, configured

Said = tuple[str, dict[str, Any]]
OK: Said = ("execute_reply", {"status": "ok"})
IDLE: Said = ("status", {"execution_state": "idle"})
CLOSE: Said = ("close", {})


def out(text: str) -> Said:
    return "stream", {"name": "stdout", "text": text}


def state(name: str) -> Said:
    """A word about the kernel itself, on no request."""
    return "state", {"execution_state": name}


@dataclass
class Script:
    """What is said to the code of each request; to code it does not have, that it has run."""

    says: dict[str, Sequence[Said]] = field(default_factory=dict)
    refusals: int = 0
    asked: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    has_come: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self, _request: Request) -> Response:
        self.asked.append("create")
        self.refusals -= 1
        if self.refusals >= 0:
            return JSONResponse({"message": "no"}, 503)
        return JSONResponse({"id": "k1"}, 201)

    async def interrupt(self, _request: Request) -> Response:
        self.asked.append("interrupt")
        return Response(status_code=204)

    async def delete(self, _request: Request) -> Response:
        self.asked.append("delete")
        return Response(status_code=204)

    async def channels(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await self._answer(socket, await socket.receive_json())
        except (WebSocketDisconnect, RuntimeError):  # it is closed, by either side
            return

    async def _answer(self, socket: WebSocket, request: dict[str, Any]) -> None:
        code = request["content"]["code"]
        self.codes.append(code)
        self.has_come.set()
        for kind, content in self.says.get(code, (OK, IDLE)):
            if kind == "close":
                await socket.close(1011, "gone")
                return
            parent = {} if kind == "state" else request["header"]
            header = {"msg_type": "status" if kind == "state" else kind}
            told = {"header": header, "parent_header": parent, "content": content}
            await socket.send_text(json.dumps(told))


@asynccontextmanager
async def gateway(script: Script) -> AsyncIterator[int]:
    """The port where *script* is played."""
    app = Starlette(
        routes=[
            Route("/api/kernels", script.create, methods=["POST"]),
            Route("/api/kernels/k1", script.delete, methods=["DELETE"]),
            Route("/api/kernels/k1/interrupt", script.interrupt, methods=["POST"]),
            WebSocketRoute("/api/kernels/k1/channels", script.channels),
        ]
    )
    chosen = settings.load({"port": 0}, {"HOME": "/"}, [])
    with closing(listen(chosen)) as listener:
        worker = Worker(configured(app, 100))
        served = asyncio.ensure_future(worker.serve([listener]))
        try:
            yield place_of(listener).port or 0
        finally:
            worker.handle_exit(signal.SIGTERM, None)
            await served
