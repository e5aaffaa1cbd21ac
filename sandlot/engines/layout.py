"""What boxes with a root of their own show of the host, and what they hide of /proc."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from . import inside

_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

MASKED = (
    "acpi", "asound", "bus", "cmdline", "config.gz", "interrupts", "irq", "kallsyms", "kcore", "key-users",
    "keys", "kmsg", "latency_stats", "modules", "sched_debug", "scsi", "sysrq-trigger", "timer_list",
    "timer_stats",
)  # fmt: skip
"""Entries of /proc no program needs, which tell about the host or act on it."""

SHOWN_OF_ETC = ("alternatives", "fonts", "ld.so.cache", "localtime")
SHOWN_WITH_NETWORK = (
    "resolv.conf",
    "hosts",
    "services",
    "protocols",
    "gai.conf",
    "ssl",
    "ca-certificates",
    "pki",
)
ETC = {
    "/etc/passwd": f"sandlot:x:{inside.USER}:{inside.GROUP}:sandlot:/workspace:/bin/sh\n",
    "/etc/group": f"sandlot:x:{inside.GROUP}:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "/etc/hosts": f"127.0.0.1 localhost {inside.HOSTNAME}\n::1 localhost\n",
}
"""Files of ours in every box, by path."""

APP = "/app"
"""The workspace by the name that ipybox gave it, so that programs written for that find their files."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What of the host's tree there is to show; looked up once by the engine.

    `links` are top-level links into /usr by name (the merged layout), `trees` top-level directories where
    it is not merged, `etc` and `proc` the names that exist there, `proc_trees` those that are directories.
    """

    links: tuple[tuple[str, str], ...]
    trees: tuple[str, ...]
    etc: frozenset[str]
    proc: frozenset[str]
    proc_trees: frozenset[str]


def aliases(taken: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Links to the workspace, each with its target, but those at or above a path of *taken*."""
    if not any(PurePosixPath(path).is_relative_to(APP) for path in taken):
        yield APP, "/workspace"


@functools.cache
def host_layout() -> Layout:
    """What of this host's tree boxes show; looked up once."""
    merged = [name for name in _TOP if os.path.islink(f"/{name}")]
    proc = frozenset(os.listdir("/proc"))
    return Layout(
        links=tuple((name, os.readlink(f"/{name}")) for name in merged),
        trees=tuple(name for name in _TOP if os.path.isdir(f"/{name}") and name not in merged),
        etc=frozenset(os.listdir("/etc")),
        proc=proc,
        proc_trees=frozenset(name for name in proc if os.path.isdir(f"/proc/{name}")),
    )
