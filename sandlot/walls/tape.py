"""A tape of system calls: noted once, by the functions that make them, then made in many processes.

What a fork runs costs it a copy of every page of memory that is touched by that, code and arguments included.
So what is the same in many forks is worked out before them, and one loop over numbers is left for each.
"""

from __future__ import annotations

import ctypes
import errno
import os

from . import syscalls
from .syscalls import address_of, libc, machine, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Set, Tuple

    from .syscalls import Argument

_OPENING = frozenset(("openat", "socket", "landlock_create_ruleset"))
_MOST_ARGUMENTS = 6
_UNANSWERED = b"\xff"


class Tape:
    """Within `with`, whatever goes through `syscalls` in this process is noted instead of done.

    Results are foretold. New descriptors are, for the kernel hands out the lowest number: where the tape is
    played, none from *free* on may be open. Other calls return 0, and answer zeros where they fill a buffer.
    """

    ANSWER_WORDS = 2

    def __init__(self, *, free: int) -> None:
        """Note nothing yet."""
        self._free = free
        self._open: Set[int] = set()
        self._names: List[str] = []
        self._calls: List[Tuple[Tuple[int, ...], int]] = []
        self._kept: List[bytes] = []
        self._answers: List[ctypes.Array[ctypes.c_char]] = []
        words = [ctypes.c_long] * (1 + _MOST_ARGUMENTS)
        self._make: Any = ctypes.CFUNCTYPE(ctypes.c_long, *words, use_errno=True)(("syscall", libc()))

    def __enter__(self) -> Tape:  # noqa: PYI034 - `Self` needs Python 3.11
        """Listen."""
        syscalls.listeners.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        syscalls.listeners.pop()
        for answer in self._answers:
            answer.raw = _UNANSWERED * len(answer)

    def play(self) -> None:
        """Make the calls in order. Raises OSError when one does not do what was foretold, also later."""
        make = self._make
        for words, foretold in self._calls:
            if make(*words) != foretold:
                self._fail(words, ctypes.get_errno())
        for answer in self._answers:
            if any(answer.raw):
                raise OSError(errno.EPERM, f"a system call answers {answer.raw.hex()} instead of zeros")

    @property
    def length(self) -> int:
        """How many calls it holds."""
        return len(self._calls)

    def packed(self) -> Tuple[ctypes.Array[ctypes.c_long], ctypes.Array[ctypes.c_long]]:
        """The same for a loop in C: of each call words and result, of each answer where and how long it is.

        Valid while this tape is kept. `play` says what is to be done with them.
        """
        calls = [word for words, foretold in self._calls for word in (*words, foretold)]
        answers = [word for each in self._answers for word in (ctypes.addressof(each), len(each))]
        return (ctypes.c_long * len(calls))(*calls), (ctypes.c_long * len(answers))(*answers)

    def _fail(self, words: Tuple[int, ...], code: int) -> None:
        name = next(name for name, (noted, _) in zip(self._names, self._calls) if noted is words)
        raise OSError(code, f"{name} as foretold: {os.strerror(code)}")

    def _note(self, name: str, arguments: Tuple[Argument, ...]) -> int:
        words = [number(name, machine()), *map(self._word, arguments)]
        foretold = self._foretell(name, words[1:])
        self._names.append(name)
        self._calls.append((tuple(words + [0] * (1 + _MOST_ARGUMENTS - len(words))), foretold))
        return foretold

    def _foretell(self, name: str, words: List[int]) -> int:
        if name == "close":
            self._open.remove(words[0])
        elif name == "dup3":
            self._open.add(words[1])
            return words[1]
        elif name in _OPENING:
            made = self._free
            while made in self._open:
                made += 1
            self._open.add(made)
            return made
        return 0

    def _word(self, argument: Argument) -> int:
        if isinstance(argument, int):
            return argument
        if argument is None:
            return 0
        if isinstance(argument, bytes):
            self._kept.append(argument)
            return address_of(argument)
        self._answers.append(argument)
        return ctypes.addressof(argument)
