"""A child by clone3(2) itself, past os.fork and what the interpreter does around it.

os.fork runs hooks in the child that touch 190 pages of memory, 3 to 4 microseconds each. A process with one
thread needs few of them: no lock is held by anybody, and the thread goes by the same identity. What is needed
all the same is in `reseed`. The C library is told the new thread id by the kernel, at the place it asked for
(CLONE_CHILD_SETTID), as its own fork would.
"""

from __future__ import annotations

import struct

from ..walls.syscalls import libc, prctl, syscall

CHILD_CLEARTID = 0x0020_0000
CHILD_SETTID = 0x0100_0000
PARENT = 0x8000
PIDFD = 0x1000
_GET_TID_ADDRESS = 40  # prctl(2)


class Cloner:
    """Makes children of this single-threaded process."""

    def __init__(self, *, exit_signal: int) -> None:
        """Ask where the C library keeps the thread id. OSError where the kernel does not tell."""
        import ctypes

        libc()
        self._cell = ctypes.create_string_buffer(8)
        self._pidfd = ctypes.create_string_buffer(8)
        self._pidfd_at = ctypes.addressof(self._pidfd)
        prctl(_GET_TID_ADDRESS, ctypes.addressof(self._cell))
        self.tid_at = struct.unpack("=Q", self._cell.raw)[0]
        self._exit_signal = exit_signal

    def clone(self, flags: int = 0) -> int:
        """The child's pid, or 0 in the child. With PARENT it is a sibling. OSError."""
        flags |= CHILD_SETTID | CHILD_CLEARTID
        # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, its size, tls, set_tid,
        # its size, cgroup. The exit signal of a sibling is the parent's own, so none may be asked for.
        exit_signal = 0 if flags & PARENT else self._exit_signal
        pidfd = self._pidfd_at if flags & PIDFD else 0
        arguments = struct.pack("=11Q", flags, pidfd, self.tid_at, 0, exit_signal, 0, 0, 0, 0, 0, 0)
        return syscall("clone3", arguments, len(arguments))

    @property
    def pidfd(self) -> int:
        """The descriptor of the last child that was made with PIDFD."""
        return int(struct.unpack("=i", self._pidfd.raw[:4])[0])
