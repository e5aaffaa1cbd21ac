"""The warden of one environment: pid 1 of its pid namespace, parent of its zygote and of every box of it.

The keeper makes it in new namespaces of every kind; from its first instruction on it has no power over the
host. It builds the root that zygote and boxes share, starts the zygote, starts another one when that dies
(boxes are not touched by it, for they are its siblings), and reaps. It says where a new zygote listens.

Zygotes get high pids: libraries that ask getpid(2) whether they were forked (OpenSSL does) must not find the
number they had, and a box's processes count from 1.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import struct
import time
from typing import NoReturn

from ..walls import namespaces, session, syscalls, tree, users
from . import packets
from .orders import ZygoteOrder
from .uids import UidRange

REPLACE = signal.SIGUSR1
"""Tells a warden to end its zygote, which did not answer, and to start another one."""

ALONE = 1
"""The one user there is in the namespace of a keeper that has only its own.

Not 0: /proc/PID of what may not be dumped belongs to that one (proc(5)), which would be every payload's user.
"""

_NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
_LAST_PID = "/proc/sys/kernel/ns_last_pid"
_HIGH = b"20000"  # below the least pid_max, 32768
_HIGHEST_DESCRIPTOR = 1 << 16
_SHORT_LIFE = 1.0
_MOST_SHORT_LIVES = 5


def start(order: ZygoteOrder, uids: UidRange | None) -> tuple[int, socket.socket]:
    """The pid of a new warden, and the socket on which its zygotes' sockets come. OSError.

    Its users are those of *uids*; without, the keeper's own alone.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        try:
            return _made(order, uids, ours, theirs), ours
        except OSError:
            ours.close()
            raise


def _made(order: ZygoteOrder, uids: UidRange | None, ours: socket.socket, theirs: socket.socket) -> int:
    (asked, asking), (going, go) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    try:
        pid = _clone()
        if pid == 0:
            ours.close()
            _become(order, theirs, asking, going, _own_id(uids))
    finally:
        os.close(asking)
        os.close(going)
    try:
        _admit(pid, uids, asked, go)
    finally:
        os.close(asked)
        os.close(go)
    return pid


def _clone() -> int:
    flags = namespaces.flags_of(_NAMESPACES)
    arguments = struct.pack("=11Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    return syscalls.syscall("clone3", arguments, len(arguments))


def _admit(pid: int, uids: UidRange | None, asked: int, go: int) -> None:
    if os.read(asked, 1) != b"+":
        raise OSError("the warden ended before it had a user")
    user, group, count = (uids.first, uids.first, uids.size) if uids else (os.geteuid(), os.getegid(), 1)
    own = _own_id(uids)
    user_map, group_map = users.IdMap(own, user, count), users.IdMap(own, group, count)
    users.write_maps(str(pid), [user_map], [group_map], deny_setgroups=uids is None)
    os.write(go, b"+")


def _own_id(uids: UidRange | None) -> int:
    """What user and group of the warden are in its own namespace."""
    return ALONE if uids is None else 0


def _become(order: ZygoteOrder, control: socket.socket, ready: int, go: int, own: int) -> NoReturn:
    try:
        syscalls.prctl(session.PR_SET_DUMPABLE, 1)  # the keeper has to write our maps
        os.write(ready, b"+")
        if os.read(go, 1) != b"+":
            os._exit(1)
        _settle(control, own)
        tree.build(order.tree)
        with open(_LAST_PID, "wb", buffering=0) as file:
            file.write(_HIGH)
        session.forbid_new_privileges()
        _tend(order, control)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return into the keeper's loop
        _complain(control, error)
    os._exit(1)


def _settle(control: socket.socket, own: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the keeper ignores none, and handles no other
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    session.lead()
    if own != ALONE:
        os.setgroups([])
    os.setresgid(own, own, own)
    os.setresuid(own, own, own)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    kept = control.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, _HIGHEST_DESCRIPTOR)
    os.umask(0o022)


def _complain(control: socket.socket, error: BaseException) -> None:
    message = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:4096]
    packets.send(control, b"!" + message)


def _tend(order: ZygoteOrder, control: socket.socket) -> NoReturn:
    short_lives = 0
    while short_lives < _MOST_SHORT_LIVES:
        began = time.monotonic()
        zygote = _start_zygote(order, control)
        signal.signal(REPLACE, functools.partial(_end, zygote))
        while os.wait()[0] != zygote:
            pass
        is_short = time.monotonic() - began < _SHORT_LIFE
        short_lives = short_lives + 1 if is_short else 0
    raise OSError(f"{_MOST_SHORT_LIVES} zygotes in a row ended within {_SHORT_LIFE:g} s")


def _end(zygote: int, _number: int, _frame: object) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(zygote, signal.SIGKILL)


def _start_zygote(order: ZygoteOrder, control: socket.socket) -> int:
    # Made in here: a socket of the host's network namespace would show its interfaces.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        packets.send(control, b"+", [ours.fileno()])
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(theirs.fileno(), 0)
                os.execve(order.argv[0], order.argv, order.env)
            finally:
                os._exit(127)
    return pid
