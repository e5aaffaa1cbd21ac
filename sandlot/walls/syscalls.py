"""The C library's raw doors: `syscall(2)` and `prctl(2)`, with errors as OSError."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from .syscall_numbers import ABSENT, MACHINES, NUMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Union

    Argument = Union[int, bytes, None]

_LOADED: List[ctypes.CDLL] = []
_MACHINE: List[str] = []


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
    result: int = libc().syscall(ctypes.c_long(number(name, machine())), *map(_word, arguments))
    if result < 0:
        raise _failure(name)
    return result


def prctl(option: int, *arguments: int) -> int:
    """Operate on the calling thread (prctl(2)); missing arguments are zero. Raises OSError."""
    result: int = libc().prctl(option, *(*arguments, 0, 0, 0, 0)[:4])
    if result < 0:
        raise _failure(f"prctl({option})")
    return result


def call(function: str, *arguments: Argument) -> int:
    """Call a C library function that returns -1 and sets errno on failure. Raises OSError."""
    result: int = getattr(libc(), function)(*map(_word, arguments))
    if result < 0:
        raise _failure(function)
    return result


def address_of(content: bytes) -> int:
    """Where the bytes lie in memory; valid while the caller keeps the object alive."""
    return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0


def _word(argument: Argument) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)


def _failure(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
