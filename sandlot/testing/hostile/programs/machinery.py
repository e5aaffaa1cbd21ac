"""Reach what made the box: its agent, the zygote, the warden, the keeper (D04)."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import stat
import struct
from functools import partial
from typing import Iterator, List

from .calls import call
from .report import Found, facts, judge, refused

_MOST_PIDS = 1 << 16
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time")
_SECRETS = (
    "mem",
    "environ",
    "maps",
    "stack",
    "syscall",
    "auxv",
    "io",
    "fd",
    "fdinfo",
    "map_files",
    "exe",
    "cwd",
)


def processes() -> Iterator[Found]:
    """Signal, pidfd and descriptors of every number there could be, and every file of those that are seen."""
    ours = _ours()
    reached = [pid for pid in range(1, _MOST_PIDS) if pid not in ours and _answers(pid)]
    yield judge("processes beyond the box's own", reached, reached[:10])
    host = facts()["host_pid"]
    yield judge("a pidfd of the host's process", host not in ours and _has_handle(host), host)
    for pid in sorted(ours - {os.getpid()}):
        for name in _SECRETS:
            yield refused(
                f"/proc/{pid}/{name}", partial(_look, f"/proc/{pid}/{name}"), but=lambda seen: not seen
            )
        yield refused(f"a pidfd's descriptor of {pid}", partial(_take, pid))
        yield refused(f"write memory of {pid}", partial(_write, pid))
        yield refused(f"attach to {pid}", partial(call, "ptrace", 0x4206, pid, 0, 0))
        for kind in _NAMESPACES:
            yield refused(f"enter {kind} of {pid}", partial(_enter, f"/proc/{pid}/ns/{kind}"))


def _ours() -> "set[int]":
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _has_handle(pid: int) -> bool:
    try:
        os.close(call("pidfd_open", pid, 0))
    except OSError:
        return False
    return True


def _look(path: str) -> object:
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(64)


def _take(pid: int) -> int:
    handle = call("pidfd_open", pid, 0)
    try:
        return call("pidfd_getfd", handle, 0, 0)
    finally:
        os.close(handle)


def _write(pid: int) -> int:
    """Where nothing is mapped: that this is what is wrong tells that the door is open, and does no harm."""
    here = ctypes.create_string_buffer(16)
    own, theirs = struct.pack("PN", ctypes.addressof(here), 16), struct.pack("PN", 8, 16)
    try:
        return call("process_vm_writev", pid, ctypes.c_char_p(own), 1, ctypes.c_char_p(theirs), 1, 0)
    except OSError as error:
        if error.errno == errno.EFAULT:
            return 0
        raise


def _enter(path: str) -> int:
    handle = os.open(path, os.O_RDONLY)
    try:
        return call("setns", handle, 0)
    finally:
        os.close(handle)


def inherited() -> Iterator[Found]:
    """What came along through fork: descriptors, by number and by what the kernel tells of them; sockets."""
    yield judge("a socket among the descriptors", _sockets(), _sockets())
    told = {number: _info(number) for number in _numbers() if number > 2}
    yield judge("descriptors beyond 0, 1, 2", told, told)
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split()[4] for line in file]
    control = [place for place in mounts if "cgroup" in place or place.startswith(("/old", "/new"))]
    yield judge("a mount of those who built the root", control, control)
    for word in ("notify", "agent", "keeper", "zygote", "warden", "sandlot"):
        yield refused(f"an abstract socket called {word}", partial(_connect, "\0" + word))
    listening = [path for top in ("/run", "/tmp", "/var") for path in _named_sockets(top)]
    yield judge("a named socket", listening, listening)


def _numbers() -> List[int]:
    found = []
    for number in range(4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found


def _sockets() -> List[int]:
    return [number for number in _numbers() if stat.S_ISSOCK(os.fstat(number).st_mode)]


def _info(number: int) -> str:
    with open(f"/proc/self/fdinfo/{number}") as file:
        return file.read()[:100]


def _connect(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(address)
    return "connected"


def _named_sockets(top: str) -> Iterator[str]:
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.join(place, name)
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                yield path


def parents() -> Iterator[Found]:
    """The death of what is above: signals for the first process and the parent."""
    for pid in {1, os.getppid()} - {os.getpid()}:
        yield judge(f"{pid} is not ours to end", False, "the end of the run tells")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGSEGV, signal.SIGSTOP):
            try:
                os.kill(pid, number)
            except OSError:
                continue
