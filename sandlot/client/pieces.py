"""Bytes from an ordinary iterable, for threads and tasks alike."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Iterable, Iterator, Optional


class Pieces:
    """What `stdin` of a Command becomes when an iterable of bytes is given: a file, a generator, a list.

    It is read once. For tasks each piece is fetched in a thread of its own that nobody waits for at exit: an
    iterable that blocks for ever (a keyboard) holds up neither the event loop nor the interpreter's end.
    """

    def __init__(self, source: Iterable[bytes]) -> None:
        """Read from *source* when asked."""
        self._source = iter(source)

    def __iter__(self) -> Iterator[bytes]:
        return self._source

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = await _in_thread(self._next)
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _next(self) -> Optional[bytes]:
        return next(self._source, None)


async def _in_thread(work: Callable[[], Optional[bytes]]) -> Optional[bytes]:
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Optional[bytes]] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: Any) -> None:
        if not outcome.done():
            settle(value)

    def fetch() -> None:
        try:
            settle, value = outcome.set_result, work()
        except BaseException as error:  # noqa: BLE001 - told to the task that waits for the piece
            settle, value = outcome.set_exception, error  # type: ignore[assignment]
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, settle, value)

    threading.Thread(target=fetch, name="sandlot-stdin", daemon=True).start()
    return await outcome
