"""Copies of a context's interpreter: forks, and checkpoints to go back to."""

from __future__ import annotations

from typing import Tuple

from sandlot.contracts.contexts import Checkpoint
from sandlot.wire import contexts as wire
from sandlot.wire.contexts import ContextRow

from .exchange import WORKING, Ask, Flow, accepted, asking, sandbox_target, value_of


def fork(sandbox: str, context: str) -> Flow[ContextRow]:
    """Another context with the same state; answers when it can run cells."""
    request = asking("POST", sandbox_target(sandbox, "contexts", context, "fork"))
    return value_of(accepted((yield Ask(request, patience=WORKING)), 201), wire.context_row_from)


def take(sandbox: str, context: str) -> Flow[Checkpoint]:
    """Keep the state there is now."""
    request = asking("POST", sandbox_target(sandbox, "contexts", context, "checkpoints"))
    return value_of(accepted((yield Ask(request, patience=WORKING)), 201), wire.checkpoint_from)


def listing(sandbox: str, context: str) -> Flow[Tuple[Checkpoint, ...]]:
    """Those that are kept, oldest first."""
    answer = yield Ask(asking("GET", sandbox_target(sandbox, "contexts", context, "checkpoints")))
    return value_of(accepted(answer, 200), wire.checkpoints_from)


def rollback(sandbox: str, context: str, checkpoint: Checkpoint) -> Flow[None]:
    """Go on with what it kept."""
    where = sandbox_target(sandbox, "contexts", context, "rollback")
    told = wire.rollback_to_json(checkpoint)
    accepted((yield Ask(asking("POST", where, told), patience=WORKING)), 200)


def discard(sandbox: str, context: str, checkpoint: Checkpoint) -> Flow[None]:
    """Keep it no longer; that it is gone already is fine."""
    where = sandbox_target(sandbox, "contexts", context, "checkpoints", checkpoint.id)
    accepted((yield Ask(asking("DELETE", where), patience=WORKING)), 204)
