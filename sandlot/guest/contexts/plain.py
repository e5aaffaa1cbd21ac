"""A shell without IPython: cells of plain Python with top-level await, and the value of the last expression.

No %magics, no !shell, completion by attribute look-up. Its tracebacks begin with the user's first frame.
"""

from __future__ import annotations

import builtins
import sys

from . import questions
from .bundles import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Dict, List, Optional, Tuple

    from .interrupts import Loop
    from .outlet import Outlet

_COROUTINE = 0x80  # inspect.CO_COROUTINE
_MOST_KEPT = 1000


class PlainShell:
    """Implements program.Shell with the standard library."""

    name, version = "plain", ""
    features: Tuple[str, ...] = ("await", "complete", "display", "history", "input", "inspect", "is_complete")

    def __init__(self, namespace: Dict[str, Any], outlet: Outlet, loop: Loop) -> None:
        """Run cells in *namespace*, which is that of `__main__`."""
        self.count = 1
        self.is_leaving = False
        self._namespace, self._outlet, self._loop = namespace, outlet, loop
        self._inputs: List[Tuple[int, str]] = []
        self._flags = questions.AWAIT
        self._displays = 0
        self._install()

    def _install(self) -> None:
        sys.displayhook = self._show
        known: Dict[str, Any] = vars(builtins)
        known.update(display=self.display, update_display=self.update_display, clear_output=self.clear_output)
        self._namespace.update(exit=self.leave, quit=self.leave)

    def run(self, code: str, *, store: bool, silent: bool) -> str:
        """Run a cell: ok, error or interrupted."""
        number = self.count
        if store and code.strip():
            self.count += 1
            self._inputs = [*self._inputs[1 - _MOST_KEPT :], (number, code)]
        try:
            for compiled, is_shown in self._compiled(code, f"<cell {number}>", silent=silent):
                value = self._evaluated(compiled)
                if is_shown:
                    self._number = number
                    sys.displayhook(value)
        except _Left:
            return "ok"
        except BaseException as error:  # noqa: BLE001 - whatever the cell raised is its result
            self._report(error)
            return "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
        return "ok"

    def evaluate(self, expressions: Dict[str, str]) -> None:
        for name, expression in expressions.items():
            try:
                code = compile(expression.strip(), f"<expression {name}>", "eval", dont_inherit=True)
                value = described(eval(code, self._namespace))  # noqa: S307 - the purpose of this module
            except Exception as error:  # noqa: BLE001 - whatever it raised is its result
                self._outlet.no_value(name, type(error).__name__, _text_of(error), formatted(error))
            else:
                self._outlet.value(name, *value)

    def leave(self, *_code: object) -> None:
        """End the context when this cell is over; `exit` and `quit` of a cell."""
        self.is_leaving = True
        raise _Left

    def complete(self, code: str, cursor: int) -> Dict[str, Any]:
        matches, start = questions.completions(self._namespace, code, cursor)
        return {"matches": matches, "start": start, "end": cursor, "metadata": {}}

    def inspect(self, code: str, cursor: int, detail: int) -> Dict[str, Any]:
        text = questions.inspection(self._namespace, code, cursor, detail=detail)
        return {"found": bool(text), "data": {"text/plain": text} if text else {}, "metadata": {}}

    def is_complete(self, code: str) -> Tuple[str, str]:
        return questions.completeness(code)

    def history(self, most: int) -> List[Tuple[int, str]]:
        return self._inputs[-most:] if most else []

    def display(
        self,
        *values: Any,
        display_id: Any = None,
        update: bool = False,
        raw: bool = False,
        metadata: Optional[Dict[str, Any]] = None,
        **_rest: Any,
    ) -> Optional[Handle]:
        """Show *values*; with a *display_id* (True: a new one) what can be updated by the handle returned."""
        if display_id is True:
            self._displays += 1
            display_id = f"display-{self._displays}"
        for value in values:
            data, own = (value, {}) if raw else described(value)
            self._outlet.display(data, {**own, **(metadata or {})}, display_id=display_id, update=update)
        return None if display_id is None else Handle(self, str(display_id))

    def update_display(self, value: Any, *, display_id: str, **rest: Any) -> None:
        """Show *value* in place of what was shown as *display_id*."""
        self.display(value, display_id=display_id, update=True, **rest)

    def clear_output(self, wait: bool = False) -> None:
        """Forget the cell's output so far."""
        self._outlet.clear(wait=wait)

    def _compiled(self, code: str, name: str, *, silent: bool) -> List[Tuple[CodeType, bool]]:
        import ast
        import linecache

        code = questions.without_indent(code)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        tree = compile(code, name, "exec", self._flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        last: List[Tuple[CodeType, bool]] = []
        # As in IPython, a semicolon at its end keeps a value to itself.
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            expression = ast.Expression(tree.body.pop().value)
            is_shown = not silent and not code.rstrip().endswith(";")
            last.append((compile(expression, name, "eval", self._flags, dont_inherit=True), is_shown))
        body = compile(tree, name, "exec", self._flags, dont_inherit=True)
        # A future statement holds for the cells after it too (PEP 236).
        self._flags |= body.co_flags & _FUTURE
        return [(body, False), *last]

    def _evaluated(self, code: CodeType) -> Any:
        value = eval(code, self._namespace)  # noqa: S307 - the purpose of this module
        return self._loop.run(value) if code.co_flags & _COROUTINE else value

    def _show(self, value: Any) -> None:
        """The displayhook of a cell."""
        if value is None:
            return
        data, metadata = described(value)
        self._outlet.result(data, metadata, self._number)
        names = self._namespace
        names["___"], names["__"], names["_"] = names.get("__"), names.get("_"), value

    def _report(self, error: BaseException) -> None:
        lines = formatted(error)
        self._outlet.error(type(error).__name__, _text_of(error), lines)


class Handle:
    """What was shown under an id."""

    def __init__(self, shell: PlainShell, display_id: str) -> None:
        """Made by `display`."""
        self._shell, self.display_id = shell, display_id

    def display(self, value: Any, **rest: Any) -> None:
        """Show another under the same id."""
        self._shell.display(value, display_id=self.display_id, **rest)

    def update(self, value: Any, **rest: Any) -> None:
        """Show *value* in its place."""
        self._shell.update_display(value, display_id=self.display_id, **rest)


class _Left(BaseException):  # nothing in a cell may catch it by accident
    """`exit()` was called."""


_FUTURE = 0x1FE0000  # CO_FUTURE_DIVISION to CO_FUTURE_ANNOTATIONS, Include/cpython/code.h


def formatted(error: BaseException) -> List[str]:
    """The lines of its traceback, and of those it came from, without the frames of this program."""
    import traceback

    told = traceback.TracebackException(type(error), error, error.__traceback__)
    strip(told, _OWN)
    return list(told.format())


def strip(told: Any, own: str) -> None:
    """Take the frames of files in the folder *own* out of *told* and what it came from."""
    waiting, seen = [told], set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack[:] = [frame for frame in each.stack if not frame.filename.startswith(own)]
        waiting += [each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ())]


_OWN = formatted.__code__.co_filename.rpartition("/")[0]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - somebody's __str__
        return "<no text>"
