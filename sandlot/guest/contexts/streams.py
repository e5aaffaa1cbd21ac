"""sys.stdout, sys.stderr and sys.stdin of a context."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Optional

    from .outlet import Outlet


class Written(io.TextIOBase):
    """Text that becomes events at once, in the order in which it is written."""

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"

    def __init__(self, outlet: Outlet, name: str, descriptor: int) -> None:
        """*descriptor* is where a child process writes to that is given this as its output."""
        super().__init__()
        self._outlet, self._stream, self._descriptor = outlet, name, descriptor
        self.name = f"<{name}>"
        self.buffer = _Raw(self, descriptor)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if text:
            self._outlet.text(self._stream, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._descriptor

    def reconfigure(self, **_options: Any) -> None:
        """Everything a text stream can be told to be is settled."""


class _Raw(io.RawIOBase):
    """The bytes below: those that are no UTF-8 are shown as escapes."""

    def __init__(self, text: Written, descriptor: int) -> None:
        super().__init__()
        self._text, self._descriptor = text, descriptor

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._text.write(content.decode("utf-8", "backslashreplace"))
        return len(content)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


class Typed(io.TextIOBase):
    """Standard input: each line is asked of the client."""

    encoding = "utf-8"
    errors = "strict"
    mode = "r"
    name = "<stdin>"

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 0

    def readline(self, size: Optional[int] = -1) -> str:  # type: ignore[override]
        line = f"{self._outlet.ask()}\n"
        return line if size is None or size < 0 else line[:size]

    def read(self, size: Optional[int] = -1) -> str:
        return self.readline(size)

    def write(self, _text: str) -> NoReturn:
        raise io.UnsupportedOperation("not writable")
