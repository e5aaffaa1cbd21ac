"""The C library's raw doors: `syscall(2)` and `prctl(2)`, with errors as OSError.

While somebody listens (`listeners`), none is made: they are noted, to be made in other processes (`tape`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from .syscall_numbers import ABSENT, MACHINES, NUMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Tuple, Union

    Argument = Union[int, bytes, None, ctypes.Array[ctypes.c_char]]
    Listener = Callable[[str, Tuple[Argument, ...]], int]

_LOADED: List[ctypes.CDLL] = []
_MACHINE: List[str] = []
listeners: List[Listener] = []
"""The last of them is told name and arguments of each call, and says what it will return."""

AT_FDCWD = -100


def libc() -> ctypes.CDLL:
    """The C library of this process. Raises OSError(ENOSYS) anywhere but on Linux."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, f"walls need Linux, this is {sys.platform}; use an engine that runs here")
    if not _LOADED:
        library = ctypes.CDLL(None, use_errno=True)
        library.syscall.restype = ctypes.c_long
        library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        _LOADED.append(library)
    return _LOADED[0]


def machine() -> str:
    """The architecture as the kernel names it, such as `x86_64`."""
    if not _MACHINE:
        _MACHINE.append(os.uname().machine)
    return _MACHINE[0]


def number(name: str, architecture: str) -> int:
    """The number of a system call. Raises OSError(ENOSYS) where the table or the architecture lacks it."""
    if architecture not in MACHINES:
        raise OSError(errno.ENOSYS, f"no system call table for {architecture}; known: {', '.join(MACHINES)}")
    found = NUMBERS[name][MACHINES.index(architecture)]
    if found == ABSENT:
        raise OSError(errno.ENOSYS, f"{architecture} has no system call {name}")
    return found


def syscall(name: str, *arguments: Argument) -> int:
    """Make a system call; `bytes` are passed by address for reading only.

    Returns the non-negative result. Raises OSError with the kernel's errno and the call's name.
    """
    if listeners:
        return listeners[-1](name, arguments)
    result: int = libc().syscall(ctypes.c_long(number(name, machine())), *map(_word, arguments))
    if result < 0:
        raise _failure(name)
    return result


def prctl(option: int, *arguments: int) -> int:
    """Operate on the calling thread (prctl(2)); missing arguments are zero. Raises OSError."""
    if listeners:
        return listeners[-1]("prctl", (option, *arguments))
    result: int = libc().prctl(option, *(*arguments, 0, 0, 0, 0)[:4])
    if result < 0:
        raise _failure(f"prctl({option})")
    return result


def call(function: str, *arguments: Argument) -> int:
    """Call a C library function that is a system call of the same name and arguments. Raises OSError."""
    if listeners:
        return listeners[-1](function, arguments)
    result: int = getattr(libc(), function)(*map(_word, arguments))
    if result < 0:
        raise _failure(function)
    return result


def told(name: str, question: bytes, size: int) -> bytes:
    """What a system call answers in the *size* bytes its second argument points to. Raises OSError."""
    answer = ctypes.create_string_buffer(size)
    syscall(name, question, answer)
    return answer.raw


def opened(path: str, flags: int) -> int:
    """A descriptor of a file, close-on-exec. Raises OSError."""
    if listeners:
        return syscall("openat", AT_FDCWD, os.fsencode(path), flags | os.O_CLOEXEC, 0)
    return os.open(path, flags | os.O_CLOEXEC)


def moved(descriptor: int, number: int) -> int:
    """The same under another number, close-on-exec. Raises OSError."""
    syscall("dup3", descriptor, number, os.O_CLOEXEC)
    close(descriptor)
    return number


def close(descriptor: int) -> None:
    """As os.close."""
    if listeners:
        syscall("close", descriptor)
    else:
        os.close(descriptor)


def address_of(content: bytes) -> int:
    """Where the bytes lie in memory; valid while the caller keeps the object alive."""
    return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0


def _word(argument: Argument) -> object:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_char_p(argument) if argument is None or isinstance(argument, bytes) else argument


def _failure(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
