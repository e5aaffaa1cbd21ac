"""Capabilities of the process: none effective, permitted, inheritable, ambient or bounding (if allowed)."""

from __future__ import annotations

import errno
import struct

from .syscalls import prctl, syscall, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_SETPCAP = 8
LAST_CAPABILITY = 63
VERSION_3 = 0x20080522  # <linux/capability.h>: 64 capabilities in two words each


def drop_all() -> None:
    """Give up every capability for good. Raises OSError when one is left.

    The bounding set needs CAP_SETPCAP to shrink; without it nothing is permitted anyway and
    no_new_privs keeps exec from raising it, so it is left as it was.
    """
    effective, _, _ = held()
    if effective >> CAP_SETPCAP & 1:
        _empty_bounding_set()
    _empty_sets()
    _check_none()


def drop_known() -> None:
    """As `drop_all`, for one that may empty the bounding set: it makes the same calls each time."""
    for capability in range(_last_known() + 1):
        prctl(PR_CAPBSET_DROP, capability)
    _empty_sets()
    _check_none()


def _check_none() -> None:
    if any(held()):
        raise OSError(errno.EPERM, f"capabilities left after capset: {held()}")


def held() -> Tuple[int, int, int]:
    """Effective, permitted and inheritable capabilities of this thread as bit sets."""
    low_and_high = struct.unpack("=6I", told("capget", struct.pack("=Ii", VERSION_3, 0), 24))
    effective, permitted, inheritable = (low_and_high[i] | low_and_high[i + 3] << 32 for i in range(3))
    return effective, permitted, inheritable


def _empty_sets() -> None:
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    syscall("capset", struct.pack("=Ii", VERSION_3, 0), bytes(24))


def _last_known() -> int:
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as told:
        return int(told.read())


def _empty_bounding_set() -> None:
    for capability in range(LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # this kernel knows no more
