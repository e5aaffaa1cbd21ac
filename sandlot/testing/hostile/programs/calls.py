"""System calls by name, as an attacker has them: through ctypes, past every library."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from typing import Dict, Tuple

_LIBC = ctypes.CDLL(None, use_errno=True)

# x86_64, aarch64; -1 where the machine has no such call.
NUMBERS: Dict[str, Tuple[int, int]] = {
    "mprotect": (10, 226),
    "ioctl": (16, 29),
    "pipe2": (293, 59),
    "socket": (41, 198),
    "clone": (56, 220),
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "setpriority": (141, 140),
    "personality": (135, 92),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "mlock": (149, 228),
    "pivot_root": (155, 41),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, -1),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "quotactl": (179, 60),
    "clock_settime": (227, 112),
    "mbind": (237, 235),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "prlimit64": (302, 261),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "finit_module": (313, 273),
    "sched_setattr": (314, 274),
    "seccomp": (317, 277),
    "memfd_create": (319, 279),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "ioprio_set": (251, 30),
    "landlock_create_ruleset": (444, 444),
    "inotify_init1": (294, 26),
    "epoll_create1": (291, 20),
    "timer_create": (222, 107),
    "exit": (60, 93),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}


def number(name: str) -> int:
    """The number of a call on this machine, -1 when it has none."""
    return NUMBERS[name][_COLUMN[platform.machine()]]


def raw(call: int, *arguments: object) -> int:
    """What the call numbered *call* returns. Raises OSError."""
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(call), *words))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def call(name: str, *arguments: object) -> int:
    """What the call *name* returns. Raises OSError, ENOSYS where the machine has no such call."""
    there = number(name)
    if there < 0:
        raise OSError(errno.ENOSYS, f"no {name} on {platform.machine()}")
    return raw(there, *arguments)


def prctl(option: int, *arguments: int) -> int:
    """Answer of the kernel to prctl, see its manual page. Raises OSError."""
    result = int(_LIBC.prctl(option, *(ctypes.c_ulong(a) for a in arguments)))
    if result == -1:
        raise OSError(ctypes.get_errno(), "prctl")
    return result
