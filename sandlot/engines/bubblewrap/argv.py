"""The command line of bubblewrap, which is the security model of its boxes (pure).

Order matters: a later mount hides what lies beneath it, and the remounts come last. The reasons:

* `--unshare-user --disable-userns`: the payload cannot make user namespaces, the door to kernel surface.
* `--ro-bind /proc/sys /proc/sys`: /proc/sys checks the *host* uid, so core_pattern would be open to a box
  that runs as the host's root. No box does; this is the second lock.
* masks: files of /proc that tell about the host or act on it. /dev/null over a file, an empty tmpfs over a
  directory.
* `--clearenv`: variables of the service never enter.
* `--die-with-parent --as-pid-1`: bubblewrap dies with the keeper, the agent with bubblewrap, and all of the
  pid namespace with the agent.
* `--new-session`: no terminal of the host to push characters into (TIOCSTI, CVE-2017-5226).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Mount

from .. import inside
from ..layout import ETC, MASKED, SHOWN_OF_ETC, SHOWN_WITH_NETWORK, Layout, aliases

AGENT = "/run/agent.pyz"
WITHOUT = frozenset(
    {
        "users",
        "namespaces",
        "namespaces.network",
        "namespaces.pid",
        "mounts",
        "cgroup",
        "session",
        "rlimits",
        "capabilities",
        "landlock",
        "seccomp",
        "dumpable",
    }
)
"""Walls a box can be made without, for tests. bubblewrap itself always sets no_new_privs."""

_RESERVED = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/dev",
    "/sys",
    "/run",
    "/env",
    "/tmp",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """One box as bubblewrap is to build it.

    `workspace` is a host path or the keeper's mark for it, None for a tmpfs of `disk` bytes. `etc_fds` are
    the descriptors that hold the files of ETC, in its order. `agent` is the host path of the archive,
    `command` the argv of the agent inside.
    """

    layout: Layout
    agent: str
    command: tuple[str, ...]
    etc_fds: tuple[int, ...]
    workspace: str | None
    disk: int | None
    scratch: int
    binds: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    full_network: bool = False
    without: frozenset[str] = frozenset()


def argv_for(bwrap: str, shape: Shape) -> tuple[str, ...]:
    """The whole command line. Raises InvalidSpec for a mount that would hide a part of the box."""
    sections = (_namespaces, _identity, _system, _etc, _proc, _devices, _storage, _shown, _sealed)
    options = [option for section in sections for option in section(shape)]
    return (bwrap, *options, "--", *shape.command)


def _namespaces(shape: Shape) -> Iterator[str]:
    out = shape.without
    keeps = "namespaces" not in out
    yield "--unshare-user"
    if "users" not in out:
        yield "--disable-userns"
    if keeps:
        yield from ("--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", inside.HOSTNAME)
    if keeps and "namespaces.pid" not in out:
        yield from ("--unshare-pid", "--as-pid-1")
    if keeps and "namespaces.network" not in out and not shape.full_network:
        yield "--unshare-net"


def _identity(shape: Shape) -> Iterator[str]:
    yield from ("--uid", str(inside.USER), "--gid", str(inside.GROUP), "--die-with-parent")
    if "session" not in shape.without:
        yield "--new-session"
    yield from ("--cap-add" if "capabilities" in shape.without else "--cap-drop", "ALL", "--clearenv")
    for name, value in (("PATH", inside.PATH), ("LANG", "C.UTF-8"), ("HOME", "/workspace")):
        yield from ("--setenv", name, value)


def _system(shape: Shape) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name, target in shape.layout.links:
        yield from ("--symlink", target, f"/{name}")
    for name in shape.layout.trees:
        yield from ("--ro-bind", f"/{name}", f"/{name}")


def _etc(shape: Shape) -> Iterator[str]:
    shown = SHOWN_OF_ETC + (SHOWN_WITH_NETWORK if shape.full_network else ())
    for name in shown:
        if name in shape.layout.etc:
            yield from ("--ro-bind", f"/etc/{name}", f"/etc/{name}")
    for path, descriptor in zip(ETC, shape.etc_fds, strict=True):
        if not (shape.full_network and path.removeprefix("/etc/") in SHOWN_WITH_NETWORK):
            yield from ("--perms", "0444", "--file", str(descriptor), path)


def _proc(shape: Shape) -> Iterator[str]:
    yield from ("--proc", "/proc")
    if "mounts" in shape.without:
        return
    yield from ("--ro-bind", "/proc/sys", "/proc/sys")
    for name in sorted(shape.layout.proc.intersection(MASKED)):
        if name in shape.layout.proc_trees:
            yield from ("--perms", "0555", "--tmpfs", f"/proc/{name}", "--remount-ro", f"/proc/{name}")
        else:
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")


def _devices(shape: Shape) -> Iterator[str]:
    yield from ("--dev", "/dev", "--size", str(shape.scratch), "--perms", "1777", "--tmpfs", "/dev/shm")


def _storage(shape: Shape) -> Iterator[str]:
    yield from ("--size", str(shape.scratch), "--perms", "1777", "--tmpfs", "/tmp")
    yield from ("--dir", "/var", "--symlink", "/tmp", "/var/tmp")
    if shape.workspace is not None:
        yield from ("--bind", shape.workspace, "/workspace")
    else:
        size = ("--size", str(shape.disk)) if shape.disk is not None else ()
        yield from (*size, "--perms", "0700", "--tmpfs", "/workspace")


def _shown(shape: Shape) -> Iterator[str]:
    for path, target in aliases(_taken(shape)):
        yield from ("--symlink", target, path)
    for host, box in shape.binds:
        yield from ("--ro-bind", host, box)
    yield from ("--ro-bind", shape.agent, AGENT)
    for mount in shape.mounts:
        check_mount(mount)
        yield from ("--bind" if mount.writable else "--ro-bind", mount.source, str(mount.target))


def _taken(shape: Shape) -> Iterator[str]:
    yield from (box for _, box in shape.binds)
    yield from (str(mount.target) for mount in shape.mounts)


def _sealed(shape: Shape) -> Iterator[str]:
    if "mounts" not in shape.without:
        yield from ("--remount-ro", "/dev", "--remount-ro", "/")
    yield from ("--chdir", "/workspace")


def check_mount(mount: Mount) -> None:
    """Raise InvalidSpec for a mount that is no path or would hide a part of the box."""
    target = PurePosixPath(mount.target)
    if not PurePosixPath(mount.source).is_absolute() or "\0" in mount.source:
        raise InvalidSpec(f"the mount's source {mount.source!r} is not an absolute path")
    if not target.is_absolute() or ".." in target.parts or str(target) in ("/", "/workspace"):
        raise InvalidSpec(f"a mount cannot stand at {str(target)!r}: use a directory such as /mnt/data")
    if any(target.is_relative_to(reserved) for reserved in _RESERVED):
        raise InvalidSpec(
            f"a mount at {str(target)!r} would hide a part of the box: use one such as /mnt/data"
        )
