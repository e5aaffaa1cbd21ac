"""What was worked out last: a service asks for the same kind of box again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Argument = TypeVar("Argument")
Value = TypeVar("Value")


class Latest(Generic[Argument, Value]):
    """A function of a frozen value that need not run for the very object it was given before."""

    def __init__(self, function: Callable[[Argument], Value]) -> None:
        """Of *function*, which depends on nothing else."""
        self._function = function
        self._known: tuple[Argument, Value] | None = None

    def __call__(self, argument: Argument) -> Value:
        """What the function gives for *argument*; what it raises is not kept."""
        if self._known is None or self._known[0] is not argument:
            self._known = argument, self._function(argument)
        return self._known[1]
