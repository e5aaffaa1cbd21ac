"""What is known of a sandbox on a server, and how its end is told; shared by both twins."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, Optional, Protocol, Tuple

from sandlot.contracts.contexts import ContextEnd, ContextEnding, ContextFacts, ContextSpec
from sandlot.contracts.errors import NotFound
from sandlot.contracts.events import Event, Exited, Failed
from sandlot.contracts.lease import Ending, EndReason, State
from sandlot.contracts.result import Result, fold
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation
from sandlot.wire.contexts import ContextRow
from sandlot.wire.events import Received
from sandlot.wire.flows import commands, contexts

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


class Known(Protocol):
    """What a Result tells of the box it comes from."""

    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...]
    failover: Tuple[str, ...]


class Facts:
    """The attributes of a Box, as the server told them last: a sandbox that was stopped gets another box."""

    def __init__(self, status: SandboxStatus) -> None:
        """Know what *status* tells."""
        self.id = status.id
        self.engine, self.isolation = status.engine, status.isolation
        self.enforced, self.features = status.enforced, status.features
        self.failover: Tuple[str, ...] = ()

    def learn(self, behind: Optional[Dict[str, Any]]) -> None:
        """Take over what the last event of a command told of its box."""
        if behind is not None:
            self.engine, self.isolation = behind["engine"], behind["isolation"]
            self.enforced, self.failover = behind["enforced"], behind["failover"]


def told(facts: Facts, received: Received, error: Optional[BaseException]) -> Event:
    """The event as it is told on; *error* of the command's input is raised where its end would come."""
    event = received.event
    assert event is not None  # noqa: S101 - flows.commands passes unknown kinds over
    if isinstance(event, (Exited, Failed)) and error is not None:
        raise error
    facts.learn(commands.behind(received))
    return event


def result_in(box: Known, events: Iterable[Event]) -> Result:
    """What *events* of a command in *box* amount to. Raises the error of a failed one."""
    return fold(
        events, engine=box.engine, isolation=box.isolation, enforced=box.enforced, failover=box.failover
    )


def usable(status: SandboxStatus) -> SandboxStatus:
    """*status* itself unless the sandbox has ended, which is NotFound for all but a look."""
    if status.state is not State.ENDED:
        return status
    why = "" if status.ending is None else f" ({status.ending.reason.value})"
    raise NotFound(f"sandbox {status.id!r} has ended{why}: make another one")


def end_of(status: SandboxStatus) -> Optional[Ending]:
    """How the box of a sandbox ended; None while it is up."""
    if status.state is State.RUNNING:
        return None
    return status.ending or Ending(EndReason.BOX_DIED, status.lease.active, "the server does not say why")


def end_of_context(told: Optional[ContextEnding]) -> ContextEnding:
    """How a context ended; one that the server does not know any more was closed."""
    return told or ContextEnding(ContextEnd.CLOSED, "the server no longer knows it")


def default_row() -> ContextRow:
    """The default context of a sandbox, of which nothing was asked yet."""
    spec = ContextSpec()
    return ContextRow(contexts.DEFAULT, spec, ContextFacts(spec.language, version="", shell=""))


def gone(now: float) -> Ending:
    """The ending of a sandbox that the server does not know any more."""
    return Ending(EndReason.DELETED, now, "the server no longer knows it")


def pauses() -> Iterator[float]:
    """Seconds between two looks at a sandbox: HTTP has no way to be told."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
