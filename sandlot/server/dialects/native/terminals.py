"""Terminals: a command on a pseudo-terminal behind a WebSocket.

Binary frames are bytes both ways. Text frames are JSON: the client's say {"resize": {"rows", "columns"}},
the server's are the command's first and last events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.engine import Terminal
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Stderr, Stdout
from sandlot.contracts.paths import identifier
from sandlot.contracts.streams import ended
from sandlot.server import answers
from sandlot.server.access import demand, service_of
from sandlot.server.query import Query
from sandlot.wire import values
from sandlot.wire.events import NDJSON
from sandlot.wire.fields import object_from

from . import translate
from .manners import COMMANDS
from .reading import refuse_hidden_slash, terminals_of

PROTOCOL = "sandlot.terminal.v1"
PATIENCE = 60.0
"""Seconds that a program may leave what was typed untaken; meanwhile nothing else is read of the client."""

MOST_ROWS = 65_535

_SHELL = ("/bin/sh",)
_DONE = 1000
_NOT_TAKEN = 1013  # "try again later", RFC 6455 and its registry of close codes
_NOT_UNDERSTOOD = 1008  # a message that violates the policy of the endpoint


async def terminal(socket: WebSocket) -> None:
    """WS /v1/sandboxes/{id}/terminal. What is wrong from the start is raised before the handshake ends."""
    demand(socket, "write")
    refuse_hidden_slash(socket)
    name = identifier(socket.path_params["id"], "sandbox id")
    command = _command(Query(socket.scope["query_string"]))
    box = await service_of(socket).reach(name)
    held = await terminals_of(box).open(command)
    try:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
        code, reason = await _conversation(socket, held, translate.facts_of(box))
        if code:
            await socket.close(code, answers.short_reason(reason))
    except WebSocketDisconnect:
        return
    finally:
        await held.close()


def _command(query: Query) -> Command:
    size = TerminalSize()
    return Command(
        argv=query.texts("cmd") or _SHELL,
        workdir=query.path("workdir", "/workspace"),
        timeout=None,
        tty=TerminalSize(
            rows=query.count("rows", size.rows, least=1, most=MOST_ROWS),
            columns=query.count("columns", size.columns, least=1, most=MOST_ROWS),
        ),
    )


async def _conversation(socket: WebSocket, held: Terminal, facts: Mapping[str, Any]) -> tuple[int, str]:
    """Tell and listen until one side has had enough: the code to close with, and why; 0 is a client gone."""
    telling = asyncio.ensure_future(_tell(socket, held, facts))
    listening = asyncio.ensure_future(_listen(socket, held))
    try:
        await asyncio.wait([telling, listening], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await answers.cancelled([telling, listening])
    return (listening if telling.cancelled() else telling).result()


async def _tell(socket: WebSocket, held: Terminal, facts: Mapping[str, Any]) -> tuple[int, str]:
    number = 0
    async with ended(held.events()) as events:
        async for event in events:
            number += 1
            if isinstance(event, Stdout):
                await socket.send_bytes(event.data)
            elif not isinstance(event, Stderr):
                line = COMMANDS.written(NDJSON, number, event, "", facts)
                await socket.send_text(line.decode("ascii").rstrip())
    return _DONE, ""


async def _listen(socket: WebSocket, held: Terminal) -> tuple[int, str]:
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        try:
            async with asyncio.timeout(PATIENCE):
                await _take(held, message)
        except TimeoutError:
            return _NOT_TAKEN, f"the program took no input for {PATIENCE:g} s"
        except InvalidSpec as error:
            return _NOT_UNDERSTOOD, error.message
    return 0, ""


async def _take(held: Terminal, message: Message) -> None:
    typed = message.get("bytes")
    if typed is not None:
        await held.type(typed)
        return
    fields = values.Fields(object_from(message["text"].encode("utf-8", "surrogatepass")), "message")
    size = values.size_from(fields.raw("resize"), "resize")
    fields.end()
    await held.resize(size)
