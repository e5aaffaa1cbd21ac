"""SIGINT in a context: raises KeyboardInterrupt in the cell that runs, and nothing between cells."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any, Callable, Coroutine, List, Optional, Set, Tuple
else:
    import _signal

_SIGINT = 2
_left_behind: List[Any] = []
"""Loops of the process this was forked from: to let one go would close it, and what it waits on is shared."""


class Interrupts:
    """Knows whether a cell runs."""

    def __init__(self, puts_off: Callable[[], bool]) -> None:
        """No cell runs. *puts_off* says whether somebody else raises it in a moment."""
        self._puts_off = puts_off
        self._is_open = False

    def install(self) -> None:
        """Take the signal, as an interpreter does when it starts; a cell may take it for itself."""
        _signal.signal(_SIGINT, self._handle)

    def __enter__(self) -> None:
        """A cell begins."""
        self._is_open = True

    def __exit__(self, *_how: object) -> None:
        """It is over: who is late interrupts nothing."""
        self._is_open = False

    def _handle(self, _number: int, _frame: object) -> None:
        __tracebackhide__ = True  # of IPython
        if self._is_open and not self._puts_off():
            raise KeyboardInterrupt


class Loop:
    """The event loop of a context, made by the first cell that awaits; its tasks live from cell to cell."""

    def __init__(self) -> None:
        """There is none yet."""
        self._loop: Any = None
        self.is_interrupted = False

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What *coroutine* returns; an interrupt cancels it, so that it does not go on with the next cell."""
        __tracebackhide__ = True
        asyncio = __import__("asyncio")  # for this program; the agent must never load it
        loop = self._opened(asyncio)
        task = loop.create_task(coroutine)
        self.is_interrupted = False
        try:
            return loop.run_until_complete(task)
        except KeyboardInterrupt:
            self.is_interrupted = True
            if not task.done():
                task.cancel()
            if (value := _ended(loop, task, asyncio.CancelledError)) is not None:
                return value[0]
        raise KeyboardInterrupt

    def rest(self, descriptor: int, has_more: Callable[[], bool]) -> None:
        """Let the tasks that are left go on until *descriptor* is readable; returns at once without any."""
        if self._loop is None or self._loop.is_closed() or has_more():
            return
        asyncio = __import__("asyncio")
        if not asyncio.all_tasks(self._loop):
            return
        self._loop.add_reader(descriptor, self._loop.stop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.remove_reader(descriptor)

    def _opened(self, asyncio: Any) -> Any:
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    @property
    def descriptors(self) -> Set[int]:
        """Those of the loop, and of loops that were forgotten."""
        return {each for loop in (self._loop, *_left_behind) for each in _descriptors(loop)}

    def left(self) -> int:
        """How many tasks cells left."""
        if self._loop is None or self._loop.is_closed():
            return 0
        return len(__import__("asyncio").all_tasks(self._loop))

    def forget(self) -> None:
        """In a fork of the context: the loop is the parent's."""
        if self._loop is not None:
            _left_behind.append(self._loop)
        self._loop = None

    def part(self) -> None:
        """In a copy of the context: as `forget`, and nobody finds the parent's loop any more."""
        if self._loop is not None:
            __import__("asyncio").set_event_loop(None)
        self.forget()


def _descriptors(loop: Any) -> Set[int]:
    """The sockets by which threads and signals wake *loop* (asyncio.selector_events), and its selector."""
    parts = (getattr(loop, name, None) for name in ("_ssock", "_csock", "_selector"))
    return {part.fileno() for part in parts if part is not None and hasattr(part, "fileno")}


def _ended(loop: Any, task: Any, cancelled: Any) -> Optional[Tuple[Any]]:
    """What a task returned that was told to end; None when it did as it was told."""
    try:
        return (loop.run_until_complete(task),)
    except cancelled:
        return None
