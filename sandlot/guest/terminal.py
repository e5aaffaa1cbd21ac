"""Pseudo-terminals: the agent keeps the master, the payload gets the slave as its controlling terminal."""

from __future__ import annotations

import fcntl
import os
import struct

from ..walls import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

_TIOCSCTTY = 0x540E
_TIOCSWINSZ = 0x5414


def open_pair(rows: int, columns: int) -> Tuple[int, int]:
    """Master and slave of a new terminal of that size. Raises OSError."""
    master, slave = os.openpty()
    resize(master, rows, columns)
    return master, slave


def resize(master: int, rows: int, columns: int) -> None:
    """Set the size; the kernel tells the foreground processes by SIGWINCH."""
    fcntl.ioctl(master, _TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def control(slave: int) -> None:
    """Lead a new session whose controlling terminal this is. Raises OSError."""
    session.lead()
    fcntl.ioctl(slave, _TIOCSCTTY, 0)
