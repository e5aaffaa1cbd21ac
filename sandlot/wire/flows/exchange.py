"""What a flow asks for and is given: the pieces every operation is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Generator, Generic, Iterable, List, Optional, Protocol, Tuple, TypeVar

from sandlot.contracts.errors import ConnectionLost, InvalidSpec, SandlotError
from sandlot.wire.events import ALIVE_SECONDS
from sandlot.wire.fields import body_of, object_from
from sandlot.wire.http import Head, Request, target
from sandlot.wire.problems import error_from

Value = TypeVar("Value")
Item = TypeVar("Item")
Told_co = TypeVar("Told_co", covariant=True)

QUIET = 60.0
"""Seconds of silence after which a server that only looks something up is given up."""
WORKING = 300.0
"""The same while it starts a box, ends one, or writes what it was sent."""
STREAMING = 8 * ALIVE_SECONDS
"""The same for a stream, which has a sign of life every ALIVE_SECONDS once it has begun."""


@dataclass(frozen=True)
class Ask:
    """A request to send now. `patience` bounds each silence in seconds; None waits for ever.

    With `has_content` its body is what the caller streams; the answer is read whole.
    """

    request: Request
    patience: Optional[float] = QUIET
    has_content: bool = False


@dataclass(frozen=True)
class Answer:
    """The whole answer to an Ask."""

    head: Head
    body: bytes = b""


Flow = Generator[Ask, Answer, Value]


class Items(Protocol[Told_co]):
    """Understands the body of a Stream as it comes."""

    is_complete: bool
    """Whether all that matters has come, so that a connection lost now is no loss."""

    def feed(self, data: bytes) -> Iterable[Told_co]:
        """What *data* completes. Raises ConnectionLost for what no server of ours says."""

    def finish(self) -> None:
        """The body has ended; raises ConnectionLost when something is missing."""


@dataclass(frozen=True)
class Stream(Generic[Item]):
    """One request whose answer is understood while it comes; a status not `accepted` is an error."""

    request: Request
    items: Callable[[Head], Items[Item]]
    patience: Optional[float] = STREAMING
    accepted: Tuple[int, ...] = (200,)


def sandbox_target(sandbox: str, *segments: str, query: Iterable[Tuple[str, str]] = ()) -> str:
    """The target of something in a sandbox."""
    return target(("v1", "sandboxes", sandbox, *segments), query)


def asking(
    method: str,
    where: str,
    value: Optional[Dict[str, Any]] = None,
    *,
    accept: str = "application/json",
    body: bytes = b"",
) -> Request:
    """A request with *value* as its JSON body, or with the raw *body*. Raises InvalidSpec."""
    headers = {"Accept": accept}
    if value is not None:
        return Request(method, where, {**headers, "Content-Type": "application/json"}, body_of(value))
    if body:
        headers["Content-Type"] = "application/octet-stream"
    return Request(method, where, headers, body)


def streaming(method: str, where: str, media_type: str) -> Ask:
    """An Ask whose body the caller streams."""
    request = Request(method, where, {"Accept": "application/json", "Content-Type": media_type})
    return Ask(request, patience=WORKING, has_content=True)


def refusal(answer: Answer) -> SandlotError:
    """The error that *answer* tells."""
    return error_from(answer.head.status, answer.body, answer.head.headers)


def accepted(answer: Answer, *statuses: int) -> Answer:
    """*answer* itself when its status is among *statuses*; raises the error it tells otherwise."""
    if answer.head.status not in statuses:
        raise refusal(answer)
    return answer


def value_of(answer: Answer, read: Callable[[object], Value]) -> Value:
    """What *read* makes of the JSON in *answer*. Raises ConnectionLost when it cannot."""
    return understood(lambda: read(object_from(answer.body)))


def understood(read: Callable[[], Value]) -> Value:
    """What *read* gives; its InvalidSpec is the server's fault here, not the caller's: ConnectionLost."""
    try:
        return read()
    except InvalidSpec as error:
        raise ConnectionLost(
            f"the server's answer cannot be understood: {error.message}; is it a sandlot server?"
        ) from error


class Pieces:
    """Passes a body of raw bytes on. An end that comes too early is the transport's to notice."""

    is_complete = False

    def __init__(self, _head: Head) -> None:
        """Begin."""

    def feed(self, data: bytes) -> List[bytes]:
        """As Items.feed."""
        return [data]

    def finish(self) -> None:
        """As Items.finish."""
