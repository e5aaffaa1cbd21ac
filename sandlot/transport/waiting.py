"""What work on a connection waits for, as values: the work itself knows neither threads nor an event loop.

A Flow is a generator: it yields one of these, gets the answer sent in, and returns its result. Whoever drives
it (`sync.drive`, `aio.drive`) throws what goes wrong while waiting into the flow, which cleans up and lets it
out again. So both colours of a transport are the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, AsyncIterator, Generator, Iterator, Optional, TypeVar, Union

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ready:
    """Wait until a socket can be read or written; answered by False when *seconds* passed, None never."""

    descriptor: int
    read: bool
    write: bool
    seconds: Optional[float]


@dataclass(frozen=True)
class Pause:
    """Wait for *seconds*."""

    seconds: float


@dataclass(frozen=True)
class Lookup:
    """Resolve a host's name; answered as `socket.getaddrinfo` does, by None when *seconds* passed.

    Without an event loop the system's resolver keeps its own time limit (resolv.conf(5)).
    """

    host: str
    port: int
    seconds: float


@dataclass(frozen=True)
class Piece:
    """Take the next bytes of what is sent; answered by None at its end."""

    source: Union[Iterator[bytes], AsyncIterator[bytes]]


Want = Union[Ready, Pause, Lookup, Piece]
Flow = Generator[Want, Any, Value]
