"""SIGINT in a context: raises KeyboardInterrupt in the cell that runs, and nothing between cells."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any, Callable, Coroutine, List, Optional, Set, Tuple, TypeVar

    _Result = TypeVar("_Result")
else:
    import _signal

_SIGINT = 2
_left_behind: List[Any] = []
"""Loops of the process this was forked from: to let one go would close it, and what it waits on is shared."""


class Interrupts:
    """Knows whether a cell runs, and who has another way to end it than an exception."""

    def __init__(self, puts_off: Callable[[], bool]) -> None:
        """No cell runs. *puts_off* says whether somebody else raises it in a moment."""
        self._puts_off = puts_off
        self._is_open = self._is_held = self._is_late = False
        self.taker: Optional[Callable[[], bool]] = None
        """Is asked first, and says whether it has taken the interrupt upon itself."""

    def install(self) -> None:
        """Take the signal, as an interpreter does when it starts; a cell may take it for itself."""
        _signal.signal(_SIGINT, self._handle)

    def __enter__(self) -> None:
        """A cell begins."""
        self._is_open = True

    def __exit__(self, *_how: object) -> None:
        """It is over: who is late interrupts nothing."""
        self._is_open = False

    def whole(self, work: Callable[[], _Result]) -> _Result:
        """What *work* returns; an interrupt is heard after it: half an import cannot be mended."""
        __tracebackhide__ = True  # of IPython
        self._is_held = True
        try:
            done = work()
        finally:
            self._is_held, is_late, self._is_late = False, self._is_late, False
        if is_late:
            raise KeyboardInterrupt
        return done

    def _handle(self, _number: int, _frame: object) -> None:
        __tracebackhide__ = True  # of IPython
        if self._is_open and self._is_held:
            self._is_late = True
        elif self._is_open and not self._puts_off() and not (self.taker is not None and self.taker()):
            raise KeyboardInterrupt


def forget_half_imports() -> None:
    """Let packages whose import was interrupted be imported again, from the beginning.

    The interpreter forgets the package and keeps those of its modules that were complete; of these the next
    import would give the package no names (importlib binds a module to its package when it loads it).
    """
    for name in sorted(each for each in list(sys.modules) if type(each) is str):
        package = name.rpartition(".")[0]
        is_left = package and package not in sys.modules
        if is_left and getattr(sys.modules.get(name), "__spec__", None) is not None:
            sys.modules.pop(name, None)


class Loop:
    """The event loop of a context, made by the first cell that awaits; its tasks live from cell to cell."""

    def __init__(self, interrupts: Interrupts) -> None:
        """There is none yet."""
        self._interrupts = interrupts
        self._loop: Any = None
        self.is_interrupted = False

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What *coroutine* returns; an interrupt cancels it, so that it does not go on with the next cell."""
        __tracebackhide__ = True
        asyncio, loop = self._interrupts.whole(self._opened)
        task = loop.create_task(coroutine)
        self.is_interrupted = False
        self._interrupts.taker = lambda: self._cancels(asyncio, task)
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not self.is_interrupted:
                raise
        except KeyboardInterrupt:
            self.is_interrupted = True
            self._interrupts.taker = None
            if not task.done():  # it was raised in another task, or is not the first
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
        finally:
            self._interrupts.taker = None
        raise KeyboardInterrupt

    def _cancels(self, asyncio: Any, task: Any) -> bool:
        """Take an interrupt that comes while no task computes.

        Raised in the loop's own code it may take a step of a task away, which then waits for ever.
        """
        if self.is_interrupted or asyncio.current_task(self._loop) is not None:
            return False
        self.is_interrupted = True
        task.cancel()
        self._loop.call_soon_threadsafe(_nothing)  # wakes it
        return True

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

    def _opened(self) -> Tuple[Any, Any]:
        asyncio = __import__("asyncio")  # for this program; the agent must never load it
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return asyncio, self._loop

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


def _nothing() -> None:
    """Somebody has to be woken for it."""
