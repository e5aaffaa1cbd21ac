"""Whether a request that got no answer is sent again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

_IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE")  # RFC 9110, 9.2.2, and by what our routes do
_PAUSES = (0.1, 0.4)


@dataclass(frozen=True)
class Failure:
    """How a try ended before the first byte of its answer.

    `tries` counts connections made for this request, this one included; `was_reused` says that it was kept
    from an earlier request; `was_sent` that at least one byte went out.
    """

    tries: int
    was_reused: bool
    was_sent: bool


def is_repeatable(method: str, *, is_streamed: bool) -> bool:
    """Whether twice is as good as once; what is sent in pieces cannot be taken again."""
    return method in _IDEMPOTENT and not is_streamed


def pause_before_retry(failure: Failure, *, is_repeatable: bool) -> Optional[float]:
    """Seconds to wait before the next try; None gives up.

    What may have reached the server is only sent again when repeatable. The server may close a kept
    connection at any time, so its loss says nothing, and the next try follows at once.
    """
    if failure.was_sent and not is_repeatable:
        return None
    if failure.was_reused:
        return 0.0
    return _PAUSES[failure.tries - 1] if failure.tries <= len(_PAUSES) else None
