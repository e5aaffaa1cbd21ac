"""Files outside the box: F01, F02, F06, F07, F12, F13, F14."""

from __future__ import annotations

import glob
import os
import stat
from functools import partial
from typing import Iterator, List

from .report import TEMPORARY, WORKSPACE, Found, broke, facts, held, judge, refused

_SECRETS = ("/etc/shadow", "/etc/gshadow", "/root/.ssh/id_rsa", "/root/.bashrc", "/etc/ssh/ssh_host_rsa_key")
_OUTSIDE = (
    "/usr",
    "/usr/bin",
    "/etc",
    "/",
    "/lib",
    "/opt",
    "/root",
    "/home",
    "/boot",
    "/sys",
    "/proc/sys/kernel",
)
_DEVICES = (
    "/dev/mem",
    "/dev/kmsg",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/vhost-net",
    "/dev/net/tun",
    "/dev/sda",
    "/dev/vda",
)
_PLACES = (WORKSPACE, TEMPORARY, "/var/tmp", "/dev/shm", "/run", "/dev/mqueue")


def _first(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(64)


def read_secrets() -> Iterator[Found]:
    """Read what only the host may read, and a canary that everybody on the host may read."""
    for path in (*_SECRETS, facts()["canary"]):
        yield refused(f"read {path}", partial(_first, path))
    for directory in ("/root", "/home", "/var/lib", "/var/log", os.path.dirname(facts()["canary"])):
        yield refused(f"list {directory}", partial(os.listdir, directory), but=lambda found: not found)
    for path in glob.glob("/home/*/.ssh/*") + glob.glob("/run/secrets/*") + glob.glob("/var/run/secrets/*/*"):
        yield refused(f"read {path}", partial(_first, path))


def write_outside() -> Iterator[Found]:
    """Make a file everywhere but in the workspace, and change one that everybody may change."""
    for directory in (*_OUTSIDE, facts()["open_to_all"]):
        yield refused(f"make a file in {directory}", partial(_make, directory))
    for path in (facts()["writable"], "/usr/bin/env", "/etc/passwd", "/bin/sh"):
        yield refused(f"open {path} to write", partial(_write, path))
    yield refused("truncate by path", lambda: os.truncate(facts()["writable"], 0))
    yield refused("rename away", lambda: os.rename(facts()["writable"], facts()["open_to_all"] + "/gone"))


def change_metadata() -> Iterator[Found]:
    """Mode, times, owner and attributes of a file of the host: Landlock does not cover these calls."""
    writable = facts()["writable"]
    yield refused("change the mode", partial(os.chmod, writable, 0o600))
    yield refused("change the times", partial(os.utime, writable, (1, 1)))
    yield refused("change the owner", partial(os.chown, writable, os.getuid(), os.getgid()))
    yield refused("set an attribute", partial(os.setxattr, writable, "user.attack", b"x"))
    yield refused("look at it", partial(os.stat, writable))


def _make(directory: str) -> str:
    path = os.path.join(directory, "made-by-an-attack")
    with open(path, "w"):
        return path


def _write(path: str) -> int:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        return os.write(descriptor, b"changed by an attack")
    finally:
        os.close(descriptor)


def hard_links() -> Iterator[Found]:
    """Link a file of the host to a place that is ours."""
    canary, writable = facts()["canary"], facts()["writable"]
    for source in (canary, writable, "/usr/bin/env", "/etc/passwd", "/proc/self/exe"):
        for target in (f"{WORKSPACE}/linked", f"{TEMPORARY}/linked", facts()["open_to_all"] + "/linked"):
            yield refused(f"link {source} to {target}", partial(os.link, source, target))
    yield refused("link an open descriptor", _link_descriptor)


def _link_descriptor() -> None:
    descriptor = os.open("/usr/bin/env", os.O_PATH)
    try:
        os.link(f"/proc/self/fd/{descriptor}", f"{WORKSPACE}/linked", follow_symlinks=True)
    finally:
        os.close(descriptor)


def through_proc() -> Iterator[Found]:
    """Leave by the magic links of /proc."""
    canary = facts()["canary"]
    for pid in ["self", "thread-self", *sorted(filter(str.isdigit, os.listdir("/proc")), key=int)[:200]]:
        for way in ("root", "cwd", "cwd/../../../..", "root/.."):
            path = f"/proc/{pid}/{way}{canary}"
            yield refused(f"read {path}", partial(_first, path))
        for link in glob.glob(f"/proc/{pid}/fd/*"):
            yield refused(f"read {link}{canary}", partial(_first, link + canary))
    yield refused("map a file of another process", lambda: _first("/proc/1/map_files"))


def devices() -> Iterator[Found]:
    """Make device nodes and open dangerous ones."""
    for name, mode, device in (
        ("disk", stat.S_IFBLK, os.makedev(8, 0)),
        ("memory", stat.S_IFCHR, os.makedev(1, 1)),
        ("kernel log", stat.S_IFCHR, os.makedev(1, 11)),
        ("whiteout, which needs no capability", stat.S_IFCHR, os.makedev(0, 0)),
    ):
        for directory in (WORKSPACE, TEMPORARY):
            where = f"{directory}/node-{name[:4].strip()}"
            yield refused(
                f"make {name} in {directory}",
                partial(os.mknod, where, mode | 0o666, device),
            )
    for path in _DEVICES:
        yield refused(f"open {path}", partial(os.open, path, os.O_RDWR))


def leave_marks() -> Iterator[Found]:
    """Write a marker wherever writing works; F13 and F14 look for it elsewhere."""
    for place in (*_PLACES, os.environ.get("HOME", "/"), "/dev"):
        try:
            with open(os.path.join(place, "." + facts()["mark"]), "w") as file:
                file.write(facts()["mark"])
        except OSError as error:
            yield held(f"mark {place}", error.strerror)
        else:
            yield held(f"mark {place}", "marked")


def find_marks() -> Iterator[Found]:
    """Look for the marker of another box, by name in every place and through every process."""
    mark = facts()["mark"]
    roots = ["", *(f"/proc/{pid}/root" for pid in os.listdir("/proc") if pid.isdigit())]
    seen: List[str] = []
    for root in roots:
        for place in (*_PLACES, os.environ.get("HOME", "/"), "/dev", facts().get("elsewhere", TEMPORARY)):
            path = f"{root}{place}/.{mark}"
            try:
                seen.extend([path] if _first(path) else [])
            except OSError:
                continue
    yield judge("find the marker by name", seen, seen[:3])
    found = [top for top, _, names in os.walk("/") if f".{mark}" in names]
    yield broke("find the marker by searching", found[:3]) if found else held("find the marker by searching")
