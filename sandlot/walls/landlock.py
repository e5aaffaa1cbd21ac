"""Landlock: the trees a process may read or write, enforced by the kernel at every open (landlock(7)).

It binds root as well, nests (a domain inside a domain can only have less) and forbids mounting. From ABI 6 on
a domain cannot signal, or reach by abstract socket, what is outside; its ancestors can still signal it.
It does not cover stat, chdir, UDP or named Unix sockets: other walls do.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from .syscalls import close, opened, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Sequence

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
MAKE_CHAR = 1 << 6
MAKE_BLOCK = 1 << 11
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15

# Access rights known from each ABI on: 1 is Linux 5.13, 2 is 5.19, 3 is 6.2, 5 is 6.10.
RIGHTS_BY_ABI = ((1, (1 << 13) - 1), (2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
NET_ABI = 4  # Linux 6.7
SCOPE_ABI = 6  # Linux 6.12

BIND_TCP = 1 << 0
CONNECT_TCP = 1 << 1
SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0
SCOPE_SIGNAL = 1 << 1

READ = EXECUTE | READ_FILE | READ_DIR
# Device nodes are never made, not even where everything else may be.
WRITE = ((1 << 16) - 1) & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
DEVICE = WRITE_FILE | READ_FILE | READ_DIR | TRUNCATE | IOCTL_DEV
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
TERMINALS = ("/dev/ptmx", "/dev/pts")
ALL_DEVICES = ("/dev",)
"""Where all of /dev is a box's own; one rule costs less than eight."""

CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

_ABI: List[int] = []


def abi() -> int:
    """The Landlock version of this kernel, at least 1. Raises OSError when it is missing or switched off."""
    if not _ABI:
        _ABI.append(_asked_abi())
    return _ABI[0]


def _asked_abi() -> int:
    try:
        return syscall("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        hint = "it needs Linux 5.13 and 'landlock' in the lsm= boot parameter"
        raise OSError(error.errno, f"Landlock is not available: {hint}") from error


def ruleset(
    readable: Iterable[str],
    writable: Iterable[str],
    *,
    devices: Sequence[str],
    tcp: bool,
    scoped: bool = True,
) -> int:
    """A descriptor of what `enter` confines to: the trees named, and nothing else.

    readable: trees to read and execute; a missing one is skipped, which only takes access away.
    writable: trees to do everything in but make device nodes.
    devices: files or trees to use as devices; a missing one is skipped.
    tcp: False also refuses TCP bind and connect where the ABI has it (4).
    scoped: where the ABI has it (6), what is outside cannot be signalled or reached by abstract socket.
    Raises OSError, also for a writable path that is missing.
    """
    version = abi()
    attributes = ruleset_attributes(version, tcp=tcp, scoped=scoped)
    made = syscall("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(made, path, READ & rights(version), optional=True)
        for path in writable:
            _allow(made, path, WRITE & rights(version), optional=False)
        for path in devices:
            _allow(made, path, DEVICE & rights(version), optional=True)
    except OSError:
        close(made)
        raise
    return made


def widen(made: int, writable: Iterable[str]) -> None:
    """Let a `ruleset` that is still to be entered allow writing beneath other trees too. Raises OSError.

    What counts is the tree that stands at a path now: a rule does not reach what is mounted over it later.
    """
    for path in writable:
        _allow(made, path, WRITE & rights(abi()), optional=False)


def enter(made: int) -> None:
    """Confine this thread and all it starts to a `ruleset`, within what confines it already.

    Needs no_new_privs or CAP_SYS_ADMIN. Raises OSError.
    """
    syscall("landlock_restrict_self", made, 0)


def rights(version: int) -> int:
    """The file access rights an ABI version knows; a ruleset naming others is refused by the kernel."""
    known = 0
    for since, added in RIGHTS_BY_ABI:
        known |= added if version >= since else 0
    return known


def ruleset_attributes(version: int, *, tcp: bool, scoped: bool = True) -> bytes:
    """Struct landlock_ruleset_attr as long as an ABI version knows it; all is handled, nothing granted."""
    fields = [rights(version)]
    if version >= NET_ABI:
        fields.append(0 if tcp else BIND_TCP | CONNECT_TCP)
    if version >= SCOPE_ABI:
        fields.append(SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL if scoped else 0)
    return struct.pack(f"={len(fields)}Q", *fields)


def path_rule(access: int, descriptor: int) -> bytes:
    """Struct landlock_path_beneath_attr, which is packed."""
    return struct.pack("=Qi", access, descriptor)


def _allow(ruleset: int, path: str, access: int, *, optional: bool) -> None:
    try:
        is_tree = stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        if optional and error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
            return
        raise
    # What became a file in between is refused by the kernel, what became a tree may be used like a file.
    access &= -1 if is_tree else OF_FILES
    descriptor = opened(path, os.O_PATH)
    try:
        syscall("landlock_add_rule", ruleset, RULE_PATH_BENEATH, path_rule(access, descriptor), 0)
    finally:
        close(descriptor)
