"""What a descriptor is that somebody sent who may not be believed."""

from __future__ import annotations

import os
import signal
import socket
import stat


def is_packet_socket(descriptor: int) -> bool:
    """Whether it is a local socket of packets."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as found:
        return (found.family, found.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET)


def is_process(descriptor: int) -> bool:
    """Whether it is a pidfd: anything else would be readable at once, or never (pidfd_open(2))."""
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):  # /proc/PID takes signals too, and is always readable
        return False
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return True
