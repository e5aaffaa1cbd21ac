"""The end of a program that ran in this process, as the interpreter would end it, without taking that apart.

An interpreter's own end visits every object of every module: 2 ms for a bare one, ten times that with a large
library loaded. What a program can notice is done here in the same order: threads are joined, atexit is
called, `__main__` and the modules the program brought are let go and collected, so that files are written
and finalisers run, and the streams are flushed; then the process is gone (Py_FinalizeEx, "Initialization,
Finalization, and Threads" of the C API). What the program hung on a module that was there before it is not
finalised.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence, Set, Tuple

    Held = List[Any]

_FLUSH_FAILED = 120
# A collection of all generations empties the interpreter's lists of spare objects, too: 25 pages to copy.
_collect, _count, _statistics = gc.collect, gc.get_count, gc.get_stats
_OLDEST = 2
_HAS_GENERATIONS = sys.version_info < (3, 14)
_weakly = __import__("_weakref").ref  # `weakref` itself would cost every agent its imports

# What lets objects go runs under the interpreter's own name: a warning that comes of it would name our file.
_LET_GO = compile("held.clear(); collect(oldest)", "sys", "exec")
_CLEAR = compile("for name in names: namespace[name] = None", "sys", "exec")


class Mark:
    """Where the keys of a dictionary ended once.

    To look at a key counts a reference to it: with a large library loaded, looking at all modules copies 400
    pages of memory. So only the end of the dictionary is read, as long as that tells all.
    """

    def __init__(self, keys: Sequence[Any]) -> None:
        """After *keys*, in the order of their arrival."""
        self._count, self._last = 0, None
        self.move(keys)

    def __len__(self) -> int:
        """How many keys there were."""
        return self._count

    def move(self, keys: Sequence[Any]) -> None:
        """To behind *keys*, which came later."""
        if keys:
            self._count, self._last = self._count + len(keys), keys[-1]

    def put_last(self, keys: Sequence[Any]) -> None:
        """Some of them, *keys*, were taken out and put in again."""
        if keys:
            self._last = keys[-1]

    def since(self, mapping: Dict[Any, Any]) -> Optional[List[Any]]:
        """The keys that came later, in order; None where it cannot be told from the end alone."""
        late: List[Any] = []
        try:
            for key in reversed(mapping):
                if key is self._last:
                    break
                late.append(key)
        except RuntimeError:  # a thread that goes on imports
            return None
        return late[::-1] if len(mapping) - len(late) == self._count else None


class Before:
    """What there was before a program."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names of the modules in the order of their arrival; `begin` comes later."""
        self._names, self._mark = frozenset(names), Mark(names)
        self._late: Set[str] = set()
        self._exits = _thread_exits(sys.modules.get("threading"))
        self._collected = 0, 0, 0

    def __len__(self) -> int:
        """How many modules there were."""
        return len(self._mark)

    def add(self, names: Sequence[str]) -> None:
        """Take modules that came later for some that were there, too."""
        self._late.update(names)
        self._mark.move(names)

    def begin(self) -> None:
        """The program's own process is here, and nothing was made for it yet."""
        self._collected = _collections()

    def modules_since(self, modules: Dict[Any, Any]) -> List[Any]:
        """The names in *modules* that came later, in order."""
        late = self._mark.since(modules)
        late = list(modules) if late is None else late
        return [name for name in late if name not in self._names and name not in self._late]

    def is_collected_since(self) -> bool:
        """Whether anything that was made since may have left the youngest generation of the collector."""
        return not _HAS_GENERATIONS or _collections() != self._collected

    def is_alone(self, threading: Any) -> bool:
        """Whether there is no thread to join, and nobody wants to be called when that is done."""
        alive = getattr(threading, "_active", None)
        return type(alive) is dict and len(alive) == 1 and _thread_exits(threading) == self._exits


def _thread_exits(threading: Any) -> Optional[int]:
    """How many functions are called when the threads are joined, private to the standard library."""
    exits = getattr(threading, "_threading_atexits", None)
    return len(exits) if isinstance(exits, list) else None


def _collections() -> Tuple[int, int, int]:
    _, young, middle = _count()
    return young, middle, _statistics()[-1]["collections"]


def finish(status: int, main: Held, before: Before) -> NoReturn:
    """End the process with *status*; *main* holds `__main__` alone, *before* is what it found."""
    status = settle(status, main, before)
    os._exit(status)


def pretend(status: int, main: Held, before: Before) -> int:
    """As `settle`, in a process that goes on: no thread is joined and nothing at exit is called."""
    return _settle_rest(status, main, before, sys.modules)


def settle(status: int, main: Held, before: Before) -> int:
    """Everything but the last step; the exit status, which a stream that cannot be flushed makes 120.

    *main* is empty afterwards: as long as somebody holds `__main__`, its finalisers find it cleared.
    """
    modules: Any = sys.modules if type(sys.modules) is dict else {}
    threading = modules.get("threading")
    if threading is not None and not before.is_alone(threading):
        # Looked up in the step: a program may have put anything there.
        _attempt(lambda: threading._shutdown())  # noqa: PLW0108, SLF001 - what the interpreter's end calls
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - as above
    except BaseException:  # noqa: BLE001, S110 - it has printed what it raises, before Python 3.10
        pass
    return _settle_rest(status, main, before, modules)


def _settle_rest(status: int, main: Held, before: Before, modules: Dict[Any, Any]) -> int:
    is_flushed = _flush()
    # What survives a collection is finalised from the outside in by the next: a file before its buffer.
    oldest = _OLDEST if before.is_collected_since() else 0
    _attempt(lambda: _collect(oldest))
    _let_go(main, before.modules_since(modules), modules, min(oldest + 1, _OLDEST))
    return status if _flush() and is_flushed else status or _FLUSH_FAILED


def _let_go(main: Held, brought: List[Any], modules: Dict[Any, Any], oldest: int) -> None:
    """Forget `__main__` and what the program *brought*; what lives on, for others hold it, is emptied."""
    main.extend([modules.pop(name, None) for name in ("__main__", *brought)])
    module_type = type(sys)
    alive = [_weakly(each) for each in main if isinstance(each, module_type)]
    _attempt(lambda: _run(_LET_GO, held=main, collect=_collect, oldest=oldest))
    is_any = False
    for reference in reversed(alive):
        module = reference()
        if module is not None:
            is_any = True
            clear(vars(module))
        del module
    if is_any:
        _attempt(lambda: _run(_LET_GO, held=[], collect=_collect, oldest=_OLDEST))


def clear(namespace: Dict[str, Any]) -> None:
    """Let go of every value, those with one underscore first, as the interpreter clears a module."""
    names = [name for name in namespace if isinstance(name, str) and name != "__builtins__"]
    names.sort(key=lambda name: not (name[:1] == "_" and name[1:2] != "_"))
    _run(_CLEAR, names=names, namespace=namespace)


def _run(line: Any, **names: object) -> None:
    exec(line, {"__name__": "sys", "__builtins__": vars(builtins), **names})  # noqa: S102 - the lines above


def code_of(error: SystemExit) -> int:
    """The exit status that a SystemExit means; what is no number is printed, as the interpreter does."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    try:
        sys.stderr.write(f"{code}\n")
    except (OSError, ValueError, AttributeError):  # a closed or missing stream
        return 1
    return 1


def _flush() -> bool:
    """Whether standard output could be written; of standard error nobody would be told."""
    is_flushed = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException as error:  # noqa: BLE001 - a stream may be any object the program put there
            if name == "stdout":
                is_flushed = False
                sys.unraisablehook(_Unraisable(error, stream))  # type: ignore[arg-type] # shaped like it
    return is_flushed


class _Unraisable:
    """What sys.unraisablehook takes."""

    err_msg = None

    def __init__(self, error: BaseException, stream: object) -> None:
        self.exc_type, self.exc_value, self.exc_traceback = type(error), error, None
        vars(self)["object"] = stream


def _attempt(step: Callable[[], object]) -> None:
    try:
        step()
    except BaseException as error:  # noqa: BLE001 - the program's own callbacks: printed, and the end goes on
        try:
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:  # noqa: BLE001, S110 - its hook, or its stream, is broken too
            pass
