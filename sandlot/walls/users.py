"""Who a process is: the id maps of a user namespace, and the one-way step to an unprivileged uid."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Sequence


@dataclass(frozen=True)
class IdMap:
    """`count` ids from `inside` in the namespace are `outside` and up in its parent (user_namespaces(7))."""

    inside: int
    outside: int
    count: int = 1


def map_text(maps: Sequence[IdMap]) -> str:
    """The content of a uid_map or gid_map file."""
    return "".join(f"{entry.inside} {entry.outside} {entry.count}\n" for entry in maps)


def write_maps(process: str, uids: Sequence[IdMap], gids: Sequence[IdMap], *, deny_setgroups: bool) -> None:
    """Write the maps of the new user namespace of `process` (a pid or "self"), once. Raises OSError.

    deny_setgroups: what a writer without CAP_SETGID in the parent namespace must do before the gid map
    (CVE-2014-8989). Read your own ids before unshare: afterwards they read as the overflow id.
    """
    if deny_setgroups:
        _write(f"/proc/{process}/setgroups", "deny")
    _write(f"/proc/{process}/uid_map", map_text(uids))
    _write(f"/proc/{process}/gid_map", map_text(gids))


def become(uid: int, gid: int, *, groups: Sequence[int] = ()) -> None:
    """Take real, effective and saved ids for good. Raises OSError when it fails or could be undone.

    In a user namespace whose setgroups is denied the supplementary groups cannot be dropped; that is
    refused unless there are none.
    """
    if sorted(os.getgroups()) != sorted(groups):
        os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
        raise OSError(errno.EPERM, f"ids are {os.getresuid()} and {os.getresgid()}, wanted {uid} and {gid}")


def _write(path: str, text: str) -> None:
    # One write(2): the kernel takes a map whole or not at all.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
