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
    from typing import Any, Callable, Dict, FrozenSet, List, NoReturn

    Held = List[Any]

_FLUSH_FAILED = 120
_collect = gc.collect
_weakly = __import__("_weakref").ref  # `weakref` itself would cost every agent its imports

# What lets objects go runs under the interpreter's own name: a warning that comes of it would name our file.
_LET_GO = compile("held.clear(); collect()", "sys", "exec")
_CLEAR = compile("for name in names: namespace[name] = None", "sys", "exec")


def finish(status: int, main: Held, before: FrozenSet[str]) -> NoReturn:
    """End the process with *status*; *main* holds `__main__` alone, *before* the modules it found loaded."""
    status = settle(status, main, before)
    os._exit(status)


def settle(status: int, main: Held, before: FrozenSet[str]) -> int:
    """Everything but the last step; the exit status, which a stream that cannot be flushed makes 120.

    *main* is empty afterwards: as long as somebody holds `__main__`, its finalisers find it cleared.
    """
    modules: Any = sys.modules if type(sys.modules) is dict else {}
    threading = modules.get("threading")
    if threading is not None:
        # Looked up in the step: a program may have put anything there.
        _attempt(lambda: threading._shutdown())  # noqa: PLW0108, SLF001 - what the interpreter's end calls
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - as above
    except BaseException:  # noqa: BLE001, S110 - it has printed what it raises, before Python 3.10
        pass
    is_flushed = _flush()
    # What survives a collection is finalised from the outside in by the next: a file before its buffer.
    _attempt(_collect)
    _let_go(main, modules, before)
    return status if _flush() and is_flushed else status or _FLUSH_FAILED


def _let_go(main: Held, modules: Dict[Any, Any], before: FrozenSet[str]) -> None:
    """Forget `__main__` and what the program brought; what is alive then, for others hold it, is emptied."""
    brought = [name for name in tuple(modules) if name not in before or name == "__main__"]
    main.extend([modules.pop(name, None) for name in brought])
    module_type = type(sys)
    alive = [_weakly(each) for each in main if isinstance(each, module_type)]
    _attempt(lambda: _run(_LET_GO, held=main, collect=_collect))
    is_any = False
    for reference in reversed(alive):
        module = reference()
        if module is not None:
            is_any = True
            clear(vars(module))
        del module
    if is_any:
        _attempt(lambda: _run(_LET_GO, held=[], collect=_collect))


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
