"""How a keeper comes to be: namespaces, a fork, and a stub that stays behind as the keeper's mirror.

The stub lives in the host's pid namespace, makes the new ones and forks: its child is pid 1 of a pid
namespace and, by the kernel's rule, every process in there dies with it. The keeper dies with the stub
(parent death signal) and with the service (end of file, pidfd); the stub ends with the keeper and then
removes what the kernel does not: control groups and the lock on the uids.

Where namespaces are refused nothing is half made: the stub says so and ends, and the service starts
another one in plain mode, without a fork: there the keeper adopts orphans instead.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..walls import mounts, namespaces, session, users
from ..walls.cgroup import LIMITED
from . import packets, protocol, uids, workspaces
from .cgroups import Groups, this_owner
from .launch import Powers, Refusal
from .process import KeeperProcess
from .supplies import Supplies
from .uids import UidBlock
from .workspaces import Workspaces


@dataclass(frozen=True, slots=True)
class Order:
    """What the service passes on the command line.

    `store` is where kept workspaces lie; `plain` tells why namespaces are not made ("": do).
    """

    channel: int
    service: int
    run_directory: str
    store: str
    plain: str


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is made before the fork and outlives the keeper in the stub."""

    host_proc: int
    groups: Groups
    uids: UidBlock | None
    missing: tuple[str, ...]

    def clear(self) -> None:
        """Remove what outlives processes; every box must be gone."""
        self.groups.clear_own()
        if self.uids is not None:
            self.uids.release()


def main(arguments: Sequence[str]) -> NoReturn:
    """The keeper's program: channel, pid of the service, run directory, store, reason for plain mode."""
    # What was imported lives as long as we do: the collector need not look at it, nor dirty its pages
    # in every forked child. It was off during the imports, which saves 3 ms.
    gc.freeze()
    gc.enable()
    order = Order(int(arguments[0]), int(arguments[1]), *arguments[2:])
    channel = socket.socket(fileno=order.channel)
    try:
        _start(order, channel)
    except (OSError, Refusal) as error:
        refusal = error if isinstance(error, Refusal) else Refusal("start_failed", f"the keeper: {error}")
        _say(channel, {"event": "not_started", "error": {"code": refusal.code, "message": refusal.message}})
        os._exit(1)
    os._exit(0)


def _start(order: Order, channel: socket.socket) -> None:
    _settle_signals()
    lifeline = _lifeline(order.service)
    ground = _prepare(order)
    if order.plain:
        session.adopt_orphans()
        _say(channel, {"event": "born"}, os.pidfd_open(os.getpid()))
        _serve(channel, [lifeline], ground, _plain_powers(ground, order.plain), None)
        ground.clear()
        return
    stub = os.pidfd_open(os.getpid())
    _leave_host()
    keeper = os.fork()
    if keeper == 0:
        session.die_with_parent()
        spaces, powers = _settle_in(order, ground)
        _serve(channel, [lifeline, stub], ground, powers, spaces)
        return
    _say(channel, {"event": "born"}, os.pidfd_open(keeper))
    channel.close()
    _mirror(keeper, ground)


def _lifeline(service: int) -> int:
    # A pidfd and no parent death signal: that one fires when the thread that started us ends (prctl(2)).
    descriptor = os.pidfd_open(service)
    if os.getppid() != service:
        raise Refusal("start_failed", f"process {service} is not the one that started this keeper")
    return descriptor


def _prepare(order: Order) -> _Ground:
    host_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    block: UidBlock | None = None
    missing: tuple[str, ...] = ()
    directory = _open_run_directory(order.run_directory)
    if os.geteuid() == 0:
        block, missing = _claim_uids(directory, host_proc)
    os.close(directory)
    groups = Groups(this_owner(host_proc))
    if lacking := LIMITED - groups.controllers:
        missing += (f"no control group for {', '.join(sorted(lacking))} can be written",)
    return _Ground(host_proc, groups, block, missing)


def _open_run_directory(path: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.makedirs(path, 0o711 if os.geteuid() == 0 else 0o700)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    status = os.fstat(directory)
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refusal(
            "start_failed", f"{path} belongs to or is writable by others: choose another run directory"
        )
    return directory


def _claim_uids(run_directory: int, host_proc: int) -> tuple[UidBlock | None, tuple[str, ...]]:
    if not _is_mapped(uids.FIRST_UID):
        return None, (f"uid {uids.FIRST_UID} is not mapped in this user namespace",)
    with contextlib.suppress(FileExistsError):
        os.mkdir("uids", 0o700, dir_fd=run_directory)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return uids.claim(os.open("uids", flags, dir_fd=run_directory), host_proc), ()


def _is_mapped(uid: int) -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as file:
        ranges = [(int(first), int(count)) for first, _, count in (line.split() for line in file)]
    return any(first <= uid < first + count for first, count in ranges)


def _leave_host() -> None:
    uid, gid = os.getuid(), os.getgid()
    try:
        if os.geteuid() == 0:
            namespaces.leave(["pid"])
        else:
            namespaces.leave(["user", "pid"])
            # Identity: files keep their owner, and the capabilities of a namespace's maker need no uid 0.
            users.write_maps("self", [users.IdMap(uid, uid)], [users.IdMap(gid, gid)], deny_setgroups=True)
    except OSError as error:
        raise Refusal("namespaces", str(error)) from error


def _settle_in(order: Order, ground: _Ground) -> tuple[Workspaces | None, Powers]:
    try:
        namespaces.leave(["mnt"])  # here and not before the fork: the stub goes on seeing the host's /proc
        mounts.make_slave()
        mounts.proc("/proc")
    except OSError as error:
        raise Refusal("namespaces", f"the keeper cannot have mounts of its own: {error}") from error
    spaces, why_none = _make_workspaces(order.run_directory, order.store)
    powers = Powers(
        uid_switch=ground.uids is not None,
        pid_namespace=True,
        workspace=spaces is not None,
        controllers=ground.groups.controllers,
        missing=ground.missing + why_none,
    )
    return spaces, powers


def _make_workspaces(run_directory: str, store: str) -> tuple[Workspaces | None, tuple[str, ...]]:
    closed = workspaces.refused_because(run_directory) if os.geteuid() == 0 else None
    if closed is not None:
        return None, (closed,)
    try:
        return Workspaces(os.path.realpath(run_directory), store), ()
    except OSError as error:
        return None, (f"tmpfs: {error}",)


def _plain_powers(ground: _Ground, why: str) -> Powers:
    return Powers(
        uid_switch=ground.uids is not None,
        pid_namespace=False,
        workspace=False,
        controllers=ground.groups.controllers,
        missing=(why, *ground.missing),
    )


def _serve(
    channel: socket.socket,
    lifelines: Sequence[int],
    ground: _Ground,
    powers: Powers,
    spaces: Workspaces | None,
) -> None:
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # A box of the process engine may have this very uid: close /proc/PID/mem and ptrace to it.
    session.forbid_dumping()
    supplies = Supplies(powers, ground.groups, proc, ground.host_proc, ground.uids, spaces)
    KeeperProcess(channel, lifelines, supplies).serve()


def _mirror(keeper: int, ground: _Ground) -> NoReturn:
    _, status = os.waitpid(keeper, 0)
    ground.clear()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _settle_signals() -> None:
    # A service manager sends these to everybody at once; the service decides when its boxes end.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    # Ignored signals survive exec, and Python ignores SIGPIPE and SIGXFSZ: boxes must not inherit that.
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _say(channel: socket.socket, message: Mapping[str, Any], *descriptors: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the service is gone: nobody to tell, and the end is near
        packets.send(channel, protocol.encode(message), descriptors)
    packets.close(descriptors)
