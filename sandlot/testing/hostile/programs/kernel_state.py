"""State of the whole machine: K05, K06, K07, K11, K14."""

from __future__ import annotations

import ctypes
import glob
import os
import resource
import struct
from functools import partial
from typing import FrozenSet, Iterator

from .calls import call
from .kernel_surface import filtered, in_child
from .report import TEMPORARY, WORKSPACE, Found, facts, held, judge, refused

_NAME = ctypes.c_char_p


def control_groups(tree: str = "/sys/fs/cgroup") -> Iterator[Found]:
    """Raise one's own limits, leave the group, have the kernel run a program (CVE-2022-0492)."""
    names = (
        "memory.limit_in_bytes",
        "memory.max",
        "pids.max",
        "cpu.cfs_quota_us",
        "cpu.max",
        "cgroup.procs",
        "tasks",
        "release_agent",
        "notify_on_release",
        "cgroup.kill",
        "cgroup.freeze",
    )
    found = [path for name in names for path in glob.glob(f"{tree}/**/{name}", recursive=True)[:200]]
    for path in found[:600]:
        yield refused(f"open {path} to write", partial(os.open, path, os.O_WRONLY))
    yield refused("make a group", partial(os.mkdir, f"{tree}/attack"))
    yield in_child(
        "mount the group tree",
        partial(call, "mount", _NAME(b"x"), _NAME(TEMPORARY.encode()), _NAME(b"cgroup2"), 0, 0),
    )
    yield held("looked for groups", f"{len(found)} files of groups are visible")


_SETTINGS = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sysrq-trigger",
    "/proc/irq/0/smp_affinity",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/bus/pci",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/proc/1/oom_score_adj",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/kernel/hostname",
)
_KERNEL = (
    "/proc/kcore",
    "/proc/kpageflags",
    "/proc/kmsg",
    "/dev/kmsg",
    "/sys/firmware/dmi/tables/DMI",
    "/sys/kernel/debug/tracing",
    "/sys/kernel/security",
    "/proc/vmallocinfo",
    "/proc/slabinfo",
    "/proc/timer_list",
)
_TELLING = ("/proc/kallsyms", "/proc/interrupts", "/proc/modules", "/proc/keys", "/proc/cmdline")


def kernel_settings() -> Iterator[Found]:
    """Settings of the whole machine, opened to write (never written), and its memory, opened to read."""
    for path in _SETTINGS:
        yield refused(f"open {path} to write", partial(os.open, path, os.O_WRONLY))
    for path in _KERNEL:
        yield refused(f"read {path}", partial(_some, path), but=lambda data: not data)
    if facts()["isolation"] > 1:
        for path in _TELLING:
            yield refused(f"read {path}", partial(_some, path), but=lambda data: not data)


def _some(path: str) -> object:
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(16)


def kernel_log() -> Iterator[Found]:
    """The kernel's log, which names addresses and neighbours."""
    buffer = ctypes.create_string_buffer(4096)
    yield filtered("syslog read all", partial(call, "syslog", 3, buffer, 4096))
    yield filtered("syslog size", partial(call, "syslog", 10, 0, 0))
    yield refused("open /dev/kmsg", partial(os.open, "/dev/kmsg", os.O_RDONLY))


def own_group() -> Iterator[Found]:
    """The same search in a tree of our own making."""
    os.makedirs(f"{WORKSPACE}/tree/group")
    for name in ("pids.max", "release_agent"):
        with open(f"{WORKSPACE}/tree/group/{name}", "w") as file:
            file.write("1")
    yield from control_groups(f"{WORKSPACE}/tree")


def claims() -> Iterator[Found]:
    """What the box says holds, against what the kernel says of this process."""
    with open("/proc/self/status") as file:
        status = {line.partition(":")[0]: line.partition(":")[2].strip() for line in file}
    shown = {
        "seccomp": status["Seccomp"] == "2",
        "no_new_privs": status["NoNewPrivs"] == "1",
        "capabilities": not any(int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")),
        "session": os.getsid(0) == os.getpid(),
        "landlock": _is_denied("/proc/sys/kernel/hostname", os.O_WRONLY),
        "rlimits": resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
        "users": os.getuid() != 0,
        "dumpable": _is_denied("/proc/1/environ", os.O_RDONLY),
        "claim": False,
    }
    for wall in facts()["claimed"]:
        if wall in shown:
            yield judge(f"{wall} is claimed", not shown[wall], shown[wall])
    yield judge("nothing was claimed", not facts()["claimed"])


def _is_denied(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags))
    except OSError:
        return True
    return False


def virtual_machines(more: FrozenSet[str] = frozenset()) -> Iterator[Found]:
    """Devices of virtual machines and others the box has no use for."""
    wanted = {
        "kvm",
        "vhost-net",
        "vhost-vsock",
        "fuse",
        "loop-control",
        "mem",
        "port",
        "kmsg",
        "net",
        "userfaultfd",
        "autofs",
        "btrfs-control",
        "cuse",
        "dri",
        "snd",
        "input",
        "bus",
        "mapper",
        "uinput",
        "vfio",
        "hwrng",
    }
    usable = []
    for name in sorted(wanted | more):
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK))
            usable.append(name)
        except OSError:
            continue
    yield judge("dangerous devices", usable, usable)


def clock_and_names() -> Iterator[Found]:
    """The machine's clock and names."""
    now = struct.pack("qq", 1_000_000_000, 0)
    yield filtered("settimeofday", partial(call, "settimeofday", 0, _NAME(struct.pack("ii", 0, 0))))
    yield filtered("clock_settime", partial(call, "clock_settime", 99, _NAME(now)))
    yield filtered("sethostname", partial(call, "sethostname", _NAME(b"attacked"), 8))
    yield filtered("setdomainname", partial(call, "setdomainname", _NAME(b"attacked"), 8))


def device_there() -> Iterator[Found]:
    """The same search where one of the wanted names is there."""
    yield from virtual_machines(frozenset({"null"}))
