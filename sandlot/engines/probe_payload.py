"""What a probe runs inside a box: it tries the walls from inside and reports what it saw as JSON.

Sent as text with a call of `main` behind it, so it is plain Python 3.8 and imports the standard library only.
Everything it tries is harmless where a wall is missing: it opens, and never writes.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/dev", "/etc", "/opt", "/run", "/usr", "/var")


def main() -> None:
    """Print the report; standard input holds a token to give back."""
    sys.stdout.write(json.dumps(report(sys.stdin.read())))


def report(token: str) -> dict[str, Any]:
    """What this process can see and do."""
    status = _fields("/proc/self/status")
    return {
        "token": token,
        "uid": os.getuid(),
        "owner_of_usr": os.stat("/usr").st_uid,
        "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16),
        "no_new_privs": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "leads_session": os.getsid(0) == os.getpid(),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "processes": _count_processes(),
        "interfaces": [line.split(":")[0].strip() for line in _lines("/proc/net/dev")[2:]],
        "can_connect": _works(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "can_sniff": _works(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        "can_read_shadow": _works(lambda: os.open("/etc/shadow", os.O_RDONLY)),
        "can_set_kernel": _works(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
        "writable": [path for path in PLACES if _is_writable(path)],
        "can_read_agent": _works(lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY)),
    }


def _works(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


def _is_writable(path: str) -> bool:
    return _works(lambda: os.open(path, os.O_TMPFILE | os.O_WRONLY))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _fields(path: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in _lines(path))
    return {name: value.strip() for name, _, value in pairs}


def _count_processes() -> int:
    try:
        return sum(name.isdigit() for name in os.listdir("/proc"))
    except OSError:
        return 0
