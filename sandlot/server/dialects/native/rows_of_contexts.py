"""The rows of the table that are about contexts and their cells."""

from __future__ import annotations

from . import checkpoints, contexts
from . import models_of_contexts as models
from .contexts import MOST_HISTORY, Contexts
from .operation import Answer, Operation, Parameter
from .rows import AFTER, BODY, BOX, EVENTS, NOTHING, SANDBOX, STREAM, WAIT
from .translate import JSON

_CONTEXTS = SANDBOX + "/contexts"
_CONTEXT = _CONTEXTS + "/{context}"
_ERRORS = (*BOX, *BODY)
_ROW = Answer(200, "The context", {JSON: models.Context})
_MOST = Parameter(
    "most", "How many at most", {"type": "integer", "minimum": 1, "maximum": MOST_HISTORY, "default": 100}
)

_OF_CONTEXTS: tuple[Operation, ...] = (
    Operation(
        "POST",
        _CONTEXTS,
        contexts.create,
        "write",
        "Start an interpreter; answers when it can run cells",
        [Answer(201, "It runs", {JSON: models.Context})],
        _ERRORS,
        {JSON: models.AskedContext},
    ),
    Operation(
        "GET",
        _CONTEXTS,
        contexts.listed,
        "read",
        "The contexts that were not closed, dead ones too",
        [Answer(200, "All of them", {JSON: models.Contexts})],
        BOX,
    ),
    Operation("GET", _CONTEXT, contexts.status, "read", "One context", [_ROW], BOX, parameters=(WAIT,)),
    Operation("DELETE", _CONTEXT, contexts.close, "write", "End it, with all it started", [NOTHING], BOX),
    Operation(
        "POST",
        _CONTEXT + "/interrupt",
        contexts.interrupt,
        "write",
        "Interrupt the cell that runs; state stays",
        [NOTHING],
        BOX,
    ),
    Operation(
        "POST",
        _CONTEXT + "/restart",
        contexts.restart,
        "write",
        "Another interpreter in its place, without its state",
        [_ROW],
        BOX,
    ),
    Operation(
        "POST",
        _CONTEXT + "/answer",
        contexts.give,
        "write",
        "The line that the cell asked for",
        [NOTHING],
        _ERRORS,
        {JSON: models.AskedAnswer},
    ),
)

_COPIES: tuple[Operation, ...] = (
    Operation(
        "POST",
        _CONTEXT + "/fork",
        checkpoints.fork,
        "write",
        "Another context with the state of this one, in milliseconds; 409 says what makes it unsafe",
        [Answer(201, "It runs", {JSON: models.Context})],
        BOX,
    ),
    Operation(
        "POST",
        _CONTEXT + "/checkpoints",
        checkpoints.take,
        "write",
        "Keep the state there is now; it ends with the context",
        [Answer(201, "It is kept", {JSON: models.Checkpoint})],
        BOX,
    ),
    Operation(
        "GET",
        _CONTEXT + "/checkpoints",
        checkpoints.listed,
        "read",
        "The checkpoints of a context, oldest first",
        [Answer(200, "All of them", {JSON: models.Checkpoints})],
        BOX,
    ),
    Operation(
        "DELETE",
        _CONTEXT + "/checkpoints/{checkpoint}",
        checkpoints.discard,
        "write",
        "Keep it no longer",
        [NOTHING],
        BOX,
    ),
    Operation(
        "POST",
        _CONTEXT + "/rollback",
        checkpoints.rollback,
        "write",
        "Go on with the state of a checkpoint, which stays",
        [_ROW],
        _ERRORS,
        {JSON: models.AskedRollback},
    ),
)

_QUESTIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        _CONTEXT + "/complete",
        contexts.complete,
        "write",
        "What could come at a place in code; waits for the cells before it",
        [Answer(200, "What could", {JSON: models.Completions})],
        _ERRORS,
        {JSON: models.AskedCompletion},
    ),
    Operation(
        "POST",
        _CONTEXT + "/inspect",
        contexts.inspect,
        "write",
        "What is known of the name at a place in code; waits for the cells before it",
        [Answer(200, "What is known", {JSON: models.Inspection})],
        _ERRORS,
        {JSON: models.AskedInspection},
    ),
    Operation(
        "POST",
        _CONTEXT + "/is-complete",
        contexts.is_complete,
        "write",
        "Whether code can run as it stands; waits for the cells before it",
        [Answer(200, "Whether", {JSON: models.Judgement})],
        _ERRORS,
        {JSON: models.AskedCode},
    ),
    Operation(
        "GET",
        _CONTEXT + "/history",
        contexts.history,
        "read",
        "The last cells that were kept, oldest first",
        [Answer(200, "They", {JSON: models.History})],
        BOX,
        parameters=(_MOST,),
    ),
)


def rows_of_contexts(cells: Contexts) -> tuple[Operation, ...]:
    """Every verb of contexts; *cells* serves those that run or resume a cell."""
    return (
        *_OF_CONTEXTS,
        *_COPIES,
        Operation(
            "POST",
            _CONTEXT + "/run",
            cells.run,
            "write",
            "Run a cell; the context `default` is made when it is missing. Accept `application/x-ndjson` or "
            "`text/event-stream` for a stream of events.",
            [Answer(200, "How it went, or its events", {JSON: models.CellResult, **STREAM})],
            _ERRORS,
            {JSON: models.AskedCell},
        ),
        *_QUESTIONS,
        Operation(
            "GET",
            SANDBOX + "/cells/{cell}/events",
            cells.resume,
            "read",
            "Go on with a cell's stream of server-sent events",
            [EVENTS],
            (404, 409),
            parameters=AFTER,
        ),
    )
