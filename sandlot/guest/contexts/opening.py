"""How a payload becomes a context: what stands in the runner where a handler's call would."""

from __future__ import annotations

from .program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

_PYTHON = "python"


class Opening:
    """What a command is that is a context: it takes the place of a handler's call in the runner."""

    failed = 1

    def __init__(self, language: str) -> None:
        """Of *language*; its program is loaded now, while its file is in reach."""
        self._made: Callable[[Dict[str, Any]], Program] = Program
        if language != _PYTHON:
            from .kernel_program import KernelProgram

            self._made = lambda namespace: KernelProgram(namespace, language)

    def ask(self, source: bytes) -> Opening:
        """Nothing but the loop is wanted of the program, whose text *source* runs before it."""
        self.program = source
        return self

    def answer(self, namespace: Dict[str, Any]) -> None:
        """Serve until the requests end; returns in the context's own process only."""
        self._made(namespace).serve()
