"""`print` of a cell: in one piece, where the interpreter's own writes each value and each gap alone."""

from __future__ import annotations

import builtins
import sys

from .streams import Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_own = builtins.print


def install() -> None:
    """Put it in the place of the interpreter's."""
    vars(builtins)["print"] = _print


def _print(*values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
    """Prints the values to a stream, or to sys.stdout by default.

    sep
      string inserted between values, default a space.
    end
      string appended after the last value, default a newline.
    file
      a file-like object (stream); defaults to the current sys.stdout.
    flush
      whether to forcibly flush the stream.
    """
    __tracebackhide__ = True  # of IPython
    stream = sys.stdout if file is None else file
    gap, last = " " if sep is None else sep, "\n" if end is None else end
    # Pieces would come as events of their own, each of which wakes everybody up to the client.
    if type(stream) is Written and type(gap) is str and type(last) is str:
        stream.write(gap.join([str(value) for value in values]) + last)
        if flush:
            stream.flush()
    else:
        _own(*values, sep=sep, end=end, file=file, flush=flush)


_print.__name__ = _print.__qualname__ = "print"
_print.__module__ = "builtins"
