"""Every error sandlot raises, divided by whose fault it is.

    SandlotError
    ├── Misuse        the caller asked for something wrong
    │   ├── InvalidSpec, PathEscape, NotFound, Conflict, Unsupported
    ├── Exceeded      the program used more than it was given
    │   ├── TimedOut, OutOfMemory, OutputTooLarge, DiskFull, TooManyProcesses
    ├── Denied        policy says no
    │   ├── Unauthorized, Forbidden, NetworkDenied, QuotaDenied, ApprovalRejected
    └── Unavailable   we, or what we stand on, failed
        ├── EngineUnavailable, StartFailed, BoxDied, PoolExhausted, ConnectionLost

`code` is stable and the same on the wire, in logs and in docs. `retryable` says whether the same
request may succeed later without a change. A program that fails is a Result, never an exception.
"""

from __future__ import annotations

from typing import Dict, Iterator, Type


class SandlotError(Exception):
    """The root of all errors of sandlot; only its leaves are raised."""

    code = "error"
    retryable = False

    def __init__(self, message: str) -> None:
        """Keep *message*: what happened, the value, the next step."""
        if type(self).__subclasses__():
            raise TypeError(f"{type(self).__name__} is not raised itself: raise one of its kinds")
        super().__init__(message)
        self.message = message


class Misuse(SandlotError):
    """The caller asked for something that cannot be right."""


class InvalidSpec(Misuse):
    """A value of a request cannot be read or is out of range."""

    code = "invalid_spec"


class PathEscape(Misuse):
    """A path leads, or would lead, out of the sandbox."""

    code = "path_escape"


class NotFound(Misuse):
    """The thing named does not exist (or is not the caller's)."""

    code = "not_found"


class Conflict(Misuse):
    """The thing named is in a state that forbids the request."""

    code = "conflict"


class Unsupported(Misuse):
    """The engine or this machine cannot enforce or do what was asked."""

    code = "unsupported"


class Exceeded(SandlotError):
    """The program used up something it was limited in."""


class TimedOut(Exceeded):
    """The time given ran out."""

    code = "timed_out"


class OutOfMemory(Exceeded):
    """The memory given ran out."""

    code = "out_of_memory"


class OutputTooLarge(Exceeded):
    """More came out than may come out."""

    code = "output_too_large"


class DiskFull(Exceeded):
    """The storage given ran out."""

    code = "disk_full"


class TooManyProcesses(Exceeded):
    """The processes given ran out."""

    code = "too_many_processes"


class Denied(SandlotError):
    """Policy says no."""


class Unauthorized(Denied):
    """No valid credential came with the request."""

    code = "unauthorized"


class Forbidden(Denied):
    """The credential does not allow this."""

    code = "forbidden"


class NetworkDenied(Denied):
    """Network policy forbids the connection."""

    code = "network_denied"


class QuotaDenied(Denied):
    """The owner's quota is used up."""

    code = "quota_denied"


class ApprovalRejected(Denied):
    """A person or rule rejected the tool call."""

    code = "approval_rejected"


class Unavailable(SandlotError):
    """What sandlot needs is not there or broke."""

    retryable = True


class EngineUnavailable(Unavailable):
    """The engine cannot work on this machine as it is."""

    code = "engine_unavailable"
    retryable = False


class StartFailed(Unavailable):
    """The engine works here, but this box did not start."""

    code = "start_failed"


class BoxDied(Unavailable):
    """The box ended while it was in use; `who` says which part died first.

    *who* is one of keeper, launcher, agent, host.
    """

    code = "box_died"

    def __init__(self, message: str, *, who: str = "agent") -> None:
        """Keep who died besides the message."""
        super().__init__(message)
        self.who = who


class PoolExhausted(Unavailable):
    """No warm box came free in time."""

    code = "pool_exhausted"


class ConnectionLost(Unavailable):
    """The connection to the server broke before the answer was complete."""

    code = "connection_lost"


def kinds() -> Dict[str, Type[SandlotError]]:
    """Every leaf class by its code."""
    return {kind.code: kind for kind in _leaves(SandlotError)}


def _leaves(root: Type[SandlotError]) -> Iterator[Type[SandlotError]]:
    for kind in root.__subclasses__():
        if kind.__subclasses__():
            yield from _leaves(kind)
        else:
            yield kind
