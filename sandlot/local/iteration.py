"""Async work driven from code that knows no event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

Value = TypeVar("Value")


class Background:
    """An event loop in a thread of its own, so that it works under a running loop too (Jupyter)."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="sandlot", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The result of *work*. An interrupt (Ctrl-C) cancels it, waits for its clean-up and goes on."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this sandbox is closed: make another one")
        outcome: concurrent.futures.Future[Value] = concurrent.futures.Future()
        tasks: list[asyncio.Task[Value]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda task: _tell(task, outcome))

        def stop() -> None:
            tasks[0].cancel()

        self._loop.call_soon_threadsafe(start)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                self._loop.call_soon_threadsafe(stop)
                concurrent.futures.wait([outcome])
            raise

    def begin(self, work: Coroutine[Any, Any, Value]) -> concurrent.futures.Future[Value]:
        """What will be the result of *work*, which has begun; cancelling it cancels the work."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this sandbox is closed: make another one")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def iterate(self, iterator: AsyncIterator[Value]) -> Iterator[Value]:
        """The values of *iterator*; leaving early closes it."""
        try:
            while True:
                try:
                    value = self.wait(_next(iterator))
                except StopAsyncIteration:
                    return
                yield value
        finally:
            if isinstance(iterator, AsyncGenerator) and not self._loop.is_closed():
                self.wait(_close(iterator))

    def close(self) -> None:
        """End the loop and its thread; idempotent."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()


def _tell(task: asyncio.Task[Value], outcome: concurrent.futures.Future[Value]) -> None:
    if task.cancelled():
        outcome.set_exception(concurrent.futures.CancelledError())
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


async def _next(iterator: AsyncIterator[Value]) -> Value:
    return await anext(iterator)


async def _close(iterator: AsyncGenerator[Value, None]) -> None:
    await iterator.aclose()
