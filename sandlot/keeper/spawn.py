"""From fork to exec: what a child of the keeper puts on, in order, before it becomes the launch's program.

Whatever fails on the way is told through a close-on-exec pipe and the child exits: no box starts with
something missing. The pipe's end of file, with nothing in it, is the proof that exec happened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from ..walls import rlimits, session, syscalls, users
from .cgroups import Group

NOT_STARTED = 127
_ABOVE_ALL_TARGETS = 256  # launch.py allows numbers below it
_MOST_DESCRIPTORS = 1 << 20
_CLONE_INTO_CGROUP = 0x2_0000_0000


@dataclass(frozen=True, slots=True)
class Birth:
    """What the child becomes: `descriptors` by the number they get, `uid` None to keep the keeper's ids.

    `prepare` is done first, with the power of the keeper, which does not wait for it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    descriptors: Mapping[int, int]
    rlimits: Mapping[str, int]
    uid: int | None
    group: Group | None
    prepare: Callable[[], None] | None = None


def give_birth(birth: Birth) -> tuple[int, int]:
    """The child's pid and the pipe that tells why it did not start. OSError when there is no room for it."""
    keeper = os.getpid()
    errors, report = os.pipe()
    try:
        pid, is_born_inside = _fork(birth.group.birthplace if birth.group else None)
    except OSError:
        os.close(errors)
        os.close(report)
        raise
    if pid == 0:
        _become(birth, keeper, report, is_born_inside=is_born_inside)
    os.close(report)
    os.set_blocking(errors, False)
    return pid, errors


def aside(work: Callable[[], None]) -> int:
    """The pid of a child that does *work* and exits, with 0 when it was done. OSError."""
    pid = _clone()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    finally:  # whatever it was, it must never return into the keeper's loop
        os._exit(1)


def _fork(birthplace: str | None) -> tuple[int, bool]:
    """The child's pid (0 in the child) and whether it was born in the group *birthplace*."""
    # Whatever keeps it from being born there (clone3 denied, Linux before 5.7, the group itself),
    # a child that then moves in by itself either meets no more or tells it.
    if birthplace is not None:
        with contextlib.suppress(OSError):
            return _clone_into(birthplace), True
    return _clone(), False


def _clone_into(directory: str) -> int:
    group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _clone3(_CLONE_INTO_CGROUP, group)
    finally:
        os.close(group)


def _clone() -> int:
    """os.fork, at less cost where clone3 is to be had."""
    try:
        return _clone3()
    except OSError:
        return os.fork()


def _clone3(flags: int = 0, group: int = 0) -> int:
    # Skips what os.fork does for threads and for the random module; the keeper has neither.
    arguments = struct.pack("=11Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
    return syscalls.syscall("clone3", arguments, len(arguments))


def _become(birth: Birth, keeper: int, report: int, *, is_born_inside: bool) -> NoReturn:
    try:
        report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL_TARGETS)
        if birth.prepare is not None:
            birth.prepare()
        if birth.group is not None:
            birth.group.join(is_born_inside=is_born_inside)
        _keep_only(birth.descriptors, report)
        session.lead()
        rlimits.lower(birth.rlimits)
        _take_identity(birth.uid)
        session.die_with_parent(keeper)
        _accept_signals()
        _leave_directory()
        os.execve(birth.argv[0], birth.argv, birth.env)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return into the keeper's loop
        os.write(report, f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:4096])
    os._exit(NOT_STARTED)


def _keep_only(descriptors: Mapping[int, int], report: int) -> None:
    # Two moves: a target number may be the present number of another descriptor.
    parked = {
        target: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL_TARGETS)
        for target, source in descriptors.items()
    }
    for target, source in parked.items():
        os.dup2(source, target, inheritable=True)
    # 0, 1 and 2 are always among the targets. (CPython's closerange(0, 0) would close everything.)
    low = 3
    for kept in sorted({*descriptors, report} - {0, 1, 2}):
        os.closerange(low, kept)
        low = kept + 1
    os.closerange(low, _highest_descriptor())


def _highest_descriptor() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard


def _take_identity(uid: int | None) -> None:
    if uid is not None:
        users.become(uid, uid)
    elif os.geteuid() == 0:
        raise PermissionError("a box never runs as root: launch with identity box")


def _accept_signals() -> None:
    # Handlers end with exec; the keeper itself ignores no signal (process.py), so none stays ignored.
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _leave_directory() -> None:
    os.umask(0o077)
    os.chdir("/")
