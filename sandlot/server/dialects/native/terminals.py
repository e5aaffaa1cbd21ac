"""Terminals: a command on a pseudo-terminal behind a WebSocket.

Binary frames are bytes both ways. Text frames are JSON: the client's say {"resize": {"rows", "columns"}},
the server's are the command's first and last events. A terminal that was opened with `resume` tells its name
in the first; who loses the connection comes back with it and with the count of bytes that were seen, and is
told first how many of those that followed were not kept.
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
from sandlot.contracts.events import Exited, Failed, Started
from sandlot.contracts.paths import identifier
from sandlot.server import answers
from sandlot.server.access import caller_of, demand, service_of
from sandlot.server.query import Query
from sandlot.wire import values
from sandlot.wire.events import NDJSON, ndjson
from sandlot.wire.fields import body_of, object_from

from . import translate
from .kept_terminals import Attendance, KeptTerminal, KeptTerminals, Parting
from .manners import COMMANDS
from .reading import refuse_hidden_slash, terminals_of
from .registry import Key, new_key

PROTOCOL = "sandlot.terminal.v1"
PATIENCE = 60.0
"""Seconds that a program may leave what was typed untaken; meanwhile nothing else is read of the client."""

MOST_ROWS = 65_535

_SHELL = ("/bin/sh",)
_DONE = 1000
_NOT_TAKEN = 1013  # "try again later", RFC 6455 and its registry of close codes
_NOT_UNDERSTOOD = 1008  # a message that violates the policy of the endpoint
_TAKEN_OVER = 4001  # of those that are for applications to define
_WITH_A_WORD = frozenset((1000, 1001, 1005))
"""What a client closes with that means to leave; everything else is a connection that was lost."""


class Terminals:
    """The routes of terminals."""

    def __init__(self) -> None:
        """None is open."""
        self._kept = KeptTerminals()

    async def open(self, socket: WebSocket) -> None:
        """WS /v1/sandboxes/{id}/terminal. What is wrong at the start is raised before the handshake ends."""
        caller = demand(socket, "write")
        refuse_hidden_slash(socket)
        name = identifier(socket.path_params["id"], "sandbox id")
        query = Query(socket.scope["query_string"])
        command, is_kept = _command(query), query.flag("resume")
        box = await service_of(socket).reach(name)
        key = new_key(caller.owner, name)
        kept = KeptTerminal(await terminals_of(box).open(command), key.number if is_kept else "")
        if is_kept:
            self._kept.add(key, kept)
        await _attended(socket, kept, kept.attend(), translate.facts_of(box))

    async def resume(self, socket: WebSocket) -> None:
        """WS /v1/sandboxes/{id}/terminals/{terminal}?after=BYTES. Raises NotFound, Conflict."""
        demand(socket, "write")
        refuse_hidden_slash(socket)
        name = identifier(socket.path_params["id"], "sandbox id")
        after = Query(socket.scope["query_string"]).count("after", 0)
        box = await service_of(socket).reach(name)
        kept = self._kept.find(Key(caller_of(socket).owner, name, socket.path_params["terminal"]))
        await _attended(socket, kept, kept.attend(after), translate.facts_of(box), after)


async def _attended(
    socket: WebSocket,
    kept: KeptTerminal,
    who: Attendance,
    facts: Mapping[str, Any],
    after: int | None = None,
) -> None:
    """Have *who* see and type at *kept* while it stays; *after* is what one that came back had seen."""
    parting = Parting(0, comes_back=True)
    try:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
        if after is not None:
            told = {"event": "resumed", "terminal": kept.name, "after": after, "missed": who.missed}
            await socket.send_text(body_of(told).decode("ascii"))
        parting = await _conversation(socket, kept, who, facts)
        if parting.code:
            await socket.close(parting.code, answers.short_reason(parting.reason))
    except WebSocketDisconnect:
        return
    finally:
        await kept.leave(who, comes_back=parting.comes_back)


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


async def _conversation(
    socket: WebSocket, kept: KeptTerminal, who: Attendance, facts: Mapping[str, Any]
) -> Parting:
    """Tell and listen until one side has had enough."""
    telling = asyncio.ensure_future(_tell(socket, kept, who, facts))
    listening = asyncio.ensure_future(_listen(socket, kept.terminal))
    try:
        await asyncio.wait([telling, listening], return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and isinstance(telling.exception(), WebSocketDisconnect):
            return await listening  # which hears how the client left
    finally:
        await answers.cancelled([telling, listening])
    return (listening if telling.cancelled() else telling).result()


async def _tell(socket: WebSocket, kept: KeptTerminal, who: Attendance, facts: Mapping[str, Any]) -> Parting:
    number = 0
    while (told := await kept.told(who)) is not None:
        number += 1
        if isinstance(told, bytes):
            await socket.send_bytes(told)
            continue
        named = {"terminal": kept.name} if kept.name and isinstance(told, Started) else None
        line = ndjson(number, told, **named) if named else COMMANDS.written(NDJSON, number, told, "", facts)
        await socket.send_text(line.decode("ascii").rstrip())
        if isinstance(told, (Exited, Failed)):
            return Parting(_DONE)
    return Parting(_TAKEN_OVER, "another client has come in its place", comes_back=True)


async def _listen(socket: WebSocket, held: Terminal) -> Parting:
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        try:
            async with asyncio.timeout(PATIENCE):
                await _take(held, message)
        except TimeoutError:
            return Parting(_NOT_TAKEN, f"the program took no input for {PATIENCE:g} s")
        except InvalidSpec as error:
            return Parting(_NOT_UNDERSTOOD, error.message)
    return Parting(0, comes_back=message.get("code") not in _WITH_A_WORD)


async def _take(held: Terminal, message: Message) -> None:
    typed = message.get("bytes")
    if typed is not None:
        await held.type(typed)
        return
    fields = values.Fields(object_from(message["text"].encode("utf-8", "surrogatepass")), "message")
    size = values.size_from(fields.raw("resize"), "resize")
    fields.end()
    await held.resize(size)
