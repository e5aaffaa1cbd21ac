"""The native API as a table: one row for each verb of each path, and the WebSockets."""

from __future__ import annotations

from functools import partial

from starlette.routing import WebSocketRoute

from sandlot.server.dialect import Context, Dialect

from . import asked, files, pool, processes, sandboxes, told
from .cell_channel import open_channel
from .commands import Commands
from .contexts import Contexts
from .manners import CELLS, COMMANDS
from .operation import BYTES, Answer, Operation, Parameter, paths, schemas, served
from .registry import Runs
from .rows import AFTER, BODY, BOX, COUNT, END, EVENTS, NOTHING, SANDBOX, SAVED, STREAM, WAIT
from .rows_of_contexts import rows_of_contexts
from .rows_of_files import ROWS_OF_FILES
from .terminals import Terminals
from .translate import JSON

_EXEC = SANDBOX + "/exec/{exec}"
_PROCESS = SANDBOX + "/processes/{process}"
_ACCEPT = "Accept `application/x-ndjson` or `text/event-stream` for a stream of events."
_STATES = "^(?:running|stopped|ended)(?:,(?:running|stopped|ended))*$"
_STATUS = Answer(200, "The sandbox", {JSON: told.Sandbox})
_RESULT = Answer(200, "How it went, or its events", {JSON: told.Result, **STREAM})

_PAGE = (
    Parameter(
        "limit", "How many at most", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    ),
    Parameter("cursor", "The `next` of the page before", {"type": "string"}),
    Parameter(
        "state",
        "Which ones, with commas; those that have ended are remembered for a while",
        {"type": "string", "pattern": _STATES, "default": "running,stopped"},
    ),
)
_EVERY = Answer(200, "One page of them", {JSON: told.Sandboxes})
_SANDBOXES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/sandboxes",
        sandboxes.listed,
        "read",
        "The caller's sandboxes",
        [_EVERY],
        parameters=_PAGE,
    ),
    Operation(
        "PUT",
        SANDBOX,
        sandboxes.ensure,
        "write",
        "Make a sandbox, or claim the one there is",
        [_STATUS],
        (*BOX, *BODY),
        {JSON: asked.AskedSandbox},
    ),
    Operation(
        "GET",
        SANDBOX,
        sandboxes.status,
        "read",
        "One sandbox, ended ones too for a while",
        [_STATUS],
        (404,),
    ),
    Operation("DELETE", SANDBOX, sandboxes.delete, "write", "End a sandbox and its files", [NOTHING], BOX),
    Operation("POST", SANDBOX + "/touch", sandboxes.touch, "write", "Renew its lease", [_STATUS], (404, 409)),
)

_OFFSET = Parameter("offset", "Where to begin", {**COUNT, "default": 0})
_ROW = Answer(200, "How it is", {JSON: told.Process})
_SAID = Answer(
    200,
    "What it wrote since",
    {files.OCTETS: BYTES},
    {
        "Sandlot-Next-Offset": "Where to go on",
        "Sandlot-Dropped": "Bytes that were lost before these",
        **SAVED,
    },
)
_ERRORS = (*BOX, *BODY)
_PROCESSES: tuple[Operation, ...] = (
    Operation(
        "POST",
        SANDBOX + "/processes",
        processes.start,
        "write",
        "Start a command in the background, without a bound on its time unless one is given",
        [Answer(201, "It runs", {JSON: told.StartedProcess})],
        _ERRORS,
        {JSON: asked.AskedProcess},
    ),
    Operation(
        "GET",
        SANDBOX + "/processes",
        processes.listed,
        "read",
        "What runs, and what has ended lately",
        [Answer(200, "All of it", {JSON: told.Processes})],
        BOX,
    ),
    Operation("GET", _PROCESS, processes.status, "read", "One process", [_ROW], BOX, parameters=(WAIT,)),
    Operation(
        "POST",
        _PROCESS + "/signal",
        processes.signal,
        "write",
        "Send it a signal",
        [NOTHING],
        _ERRORS,
        {JSON: asked.AskedSignal},
    ),
    Operation(
        "POST",
        _PROCESS + "/input",
        processes.feed,
        "write",
        "More standard input; returns when it is taken",
        [NOTHING],
        BOX,
        {files.OCTETS: BYTES},
        (END,),
        needs_body=False,
    ),
    Operation(
        "GET",
        _PROCESS + "/output",
        processes.output,
        "read",
        "What it wrote",
        [_SAID],
        BOX,
        parameters=(_OFFSET,),
    ),
)


_POOL = Operation(
    "GET",
    "/v1/pool",
    pool.stocks,
    "metrics",
    "The stocks of warm boxes, of all owners together",
    [Answer(200, "Every stock", {JSON: told.Pool})],
)


def routes(context: Context) -> Dialect:
    """The dialect that sandlot's own clients and NoxRunner's speak."""
    del context
    table, terminals = operations(), Terminals()
    sockets = (
        WebSocketRoute(SANDBOX + "/terminal", terminals.open),
        WebSocketRoute(SANDBOX + "/terminals/{terminal}", terminals.resume),
        WebSocketRoute(SANDBOX + "/contexts/{context}/channel", open_channel),
    )
    return Dialect(
        "native",
        [*served(table), *sockets],
        partial(paths, table),
        partial(schemas, table),
    )


def operations() -> tuple[Operation, ...]:
    """Every verb of every path, and what they share: the commands and cells that are streamed."""
    commands, contexts = Commands(Runs(COMMANDS)), Contexts(Runs(CELLS))
    return (
        *_SANDBOXES,
        *_commands(commands),
        *rows_of_contexts(contexts),
        *ROWS_OF_FILES,
        *_PROCESSES,
        _POOL,
    )


def _commands(commands: Commands) -> tuple[Operation, ...]:
    errors = (*BOX, *BODY)
    body = {JSON: asked.AskedCommand}
    return (
        Operation(
            "POST",
            "/v1/run",
            commands.run,
            "write",
            f"Run one command in a sandbox of its own. {_ACCEPT}",
            [_RESULT],
            errors,
            {JSON: asked.AskedRun},
        ),
        Operation(
            "POST",
            SANDBOX + "/exec",
            commands.execute,
            "write",
            f"Run one command. {_ACCEPT}",
            [_RESULT],
            errors,
            body,
        ),
        Operation(
            "GET",
            _EXEC + "/events",
            commands.resume,
            "read",
            "Go on with a stream of server-sent events",
            [EVENTS],
            (404, 409),
            parameters=AFTER,
        ),
        Operation(
            "POST",
            _EXEC + "/input",
            commands.feed,
            "write",
            "More standard input; returns when it is taken",
            [NOTHING],
            (404, 409),
            {files.OCTETS: BYTES},
            (END,),
            needs_body=False,
        ),
        Operation("DELETE", _EXEC, commands.kill, "write", "Kill a streamed command", [NOTHING], (404,)),
    )
