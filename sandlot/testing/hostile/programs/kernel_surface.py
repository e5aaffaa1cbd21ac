"""The kernel's doors: K01 to K14 except the fuzzers."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import struct
import subprocess
import sys
from functools import partial
from typing import Callable, Iterator, List, Tuple

from .calls import call, raw
from .report import TEMPORARY, Found, broke, held, judge, refused

_NEWUSER, _NEWNS, _NEWNET, _NEWPID = 0x10000000, 0x20000, 0x40000000, 0x20000000
_NAME = ctypes.c_char_p


def new_namespaces() -> Iterator[Found]:
    """A user namespace, in which everything else would be allowed; and the others without one."""
    for name, flags in (
        ("user", _NEWUSER),
        ("user and mount", _NEWUSER | _NEWNS),
        ("mount", _NEWNS),
        ("network", _NEWNET),
        ("pid", _NEWPID),
        ("ipc", 0x08000000),
        ("uts", 0x04000000),
        ("cgroup", 0x02000000),
        ("time", 0x80),
    ):
        yield in_child(f"unshare {name}", partial(call, "unshare", flags))
        if flags & _NEWUSER:
            yield in_child(f"clone {name}", partial(_clone, flags))
            yield in_child(f"clone3 {name}", partial(_clone3, flags))
    for kind in ("user", "mnt", "net", "pid"):
        yield refused(f"join the {kind} namespace of process 1", partial(_join, f"/proc/1/ns/{kind}"))


def in_child(name: str, action: Callable[[], object]) -> Found:
    """As `refused`, tried in a child: what succeeds must not change this process."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            action()
        except OSError as error:
            code = error.errno or 255
        os._exit(min(code, 255))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return held(name, f"killed by signal {os.WTERMSIG(status)}")
    number = os.WEXITSTATUS(status)
    return held(name, errno.errorcode.get(number, number)) if number else broke(name, "it worked")


def _clone(flags: int) -> None:
    if call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)


def _clone3(flags: int) -> None:
    if call("clone3", _NAME(struct.pack("8Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)), 64) == 0:
        os._exit(0)


def _join(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return call("setns", descriptor, 0)
    finally:
        os.close(descriptor)


def io_uring() -> Iterator[Found]:
    """A ring through which the kernel makes calls past the filter."""
    yield refused("io_uring_setup", partial(call, "io_uring_setup", 4, ctypes.create_string_buffer(256)))


def privileged_calls() -> Iterator[Found]:
    """Calls no program of a box needs; the arguments are harmless should one get through."""
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(96))
    calls: List[Tuple[str, Tuple[object, ...]]] = [
        ("bpf", (5, ctypes.create_string_buffer(128), 128)),
        ("perf_event_open", (attributes, 0, -1, -1, 0)),
        ("userfaultfd", (1,)),
        ("keyctl", (0, -3, 1, 0, 0)),
        ("add_key", (_NAME(b"user"), _NAME(b"k"), _NAME(b"v"), 1, -2)),
        ("request_key", (_NAME(b"user"), _NAME(b"k"), 0, -2)),
        ("kexec_load", (0, 0, 0, 0)),
        ("kexec_file_load", (-1, -1, 0, 0, 0)),
        ("init_module", (0, 0, 0)),
        ("finit_module", (-1, _NAME(b""), 0)),
        ("delete_module", (_NAME(b"no-such"), 0)),
        ("reboot", (0, 0, 0, 0)),
        ("swapon", (_NAME(b"/nowhere"), 0)),
        ("acct", (_NAME(b"/nowhere"),)),
        ("quotactl", (0x80000100, 0, 0, 0)),
        ("iopl", (3,)),
        ("fanotify_init", (0x200, 0)),
        ("memfd_secret", (0,)),
        ("kcmp", (os.getpid(), 1, 0, 0, 0)),
        ("mbind", (0, 4096, 2, 0, 0, 0)),
        ("name_to_handle_at", (-100, _NAME(b"/"), 0, 0, 0)),
    ]
    for name, arguments in calls:
        yield filtered(name, partial(call, name, *arguments))


def filtered(name: str, action: Callable[[], object]) -> Found:
    """Held only when the filter itself answers: any other error means that the call was let in."""
    try:
        value = action()
    except OSError as error:
        passed = error.errno not in {errno.EPERM, errno.ENOSYS}
        return judge(name, passed, errno.errorcode.get(error.errno or 0, error))
    return broke(name, f"returned {value}")


def mounts() -> Iterator[Found]:
    """mount(2) in all its forms, in the box as it is and in a fresh user namespace."""
    tmpfs = (_NAME(b"none"), _NAME(TEMPORARY.encode()), _NAME(b"tmpfs"), 0, 0)
    bind = (_NAME(b"/"), _NAME(TEMPORARY.encode()), 0, 4096, 0)
    remount = (0, _NAME(b"/usr"), 0, 4096 | 32, 0)
    calls: List[Tuple[str, str, Tuple[object, ...]]] = [
        ("mount tmpfs", "mount", tmpfs),
        ("bind over", "mount", bind),
        ("remount /usr writable", "mount", remount),
        ("make / shared", "mount", (0, _NAME(b"/"), 0, 1 << 20, 0)),
        ("unmount /proc", "umount2", (_NAME(b"/proc"), 2)),
        ("pivot_root", "pivot_root", (_NAME(TEMPORARY.encode()), _NAME(TEMPORARY.encode()))),
        ("fsopen", "fsopen", (_NAME(b"tmpfs"), 0)),
        ("open_tree", "open_tree", (-100, _NAME(b"/"), 1)),
        ("fspick", "fspick", (-100, _NAME(b"/"), 0)),
        ("move_mount", "move_mount", (-100, _NAME(b"/"), -100, _NAME(TEMPORARY.encode()), 0)),
        ("mount_setattr", "mount_setattr", (-100, _NAME(b"/"), 0, ctypes.create_string_buffer(32), 32)),
        (
            "open_by_handle_at",
            "open_by_handle_at",
            (-100, ctypes.create_string_buffer(struct.pack("Ii", 8, 1) + bytes(8)), 0),
        ),
    ]
    for title, name, arguments in calls:
        yield in_child(title, partial(call, name, *arguments))
        yield in_child(f"{title} in a new user namespace", partial(_in_new_namespace, name, arguments))


def _in_new_namespace(name: str, arguments: Tuple[object, ...]) -> object:
    call("unshare", _NEWUSER | _NEWNS)
    return call(name, *arguments)


def other_abis() -> Iterator[Found]:
    """System calls by another door: x32 numbers, int 0x80, a personality without randomisation."""
    yield filtered("personality", partial(call, "personality", 0x0040000))
    if platform.machine() != "x86_64":
        yield held("other ABIs", "this machine has none of them")
        return
    yield filtered("getpid by its x32 number", partial(raw, 0x40000000 + 39))
    yield filtered("execve by its x32 number", partial(raw, 0x40000000 + 520, 0, 0, 0))
    yield _int80()


# mov eax, 20 (getpid of i386); int 0x80; ret
_GETPID_I386 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"


def _int80() -> Found:
    child = os.fork()
    if child == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(_GETPID_I386)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        pid = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        os._exit(1 if pid == os.getpid() else 0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return held("getpid by int 0x80", f"killed by signal {os.WTERMSIG(status)}")
    return judge("getpid by int 0x80", os.WEXITSTATUS(status) == 1, "answered" if status else "no answer")


def shed_filter() -> Iterator[Found]:
    """Get rid of the filter: by exec, in a child, in a thread, by another filter or by strict mode."""
    probe = (
        "import ctypes as c; u = c.CDLL(None, use_errno=True).unshare; print(u(0x10000000), c.get_errno())"
    )
    for name, argv in (
        ("exec", [sys.executable or "/usr/bin/python3", "-I", "-c", probe]),
        ("exec through a shell", ["/bin/sh", "-c", f"exec /usr/bin/python3 -I -c '{probe}'"]),
        (
            "set-uid exec",
            [
                "/bin/sh",
                "-c",
                "su --version >/dev/null 2>&1; grep -q 'Seccomp:.*2' /proc/self/status && echo -1",
            ],
        ),
    ):
        done = subprocess.run(argv, capture_output=True, check=False, timeout=10)
        yield judge(f"after {name}", not done.stdout.startswith(b"-1"), done.stdout + done.stderr)
    with open("/proc/self/status") as file:
        yield judge("no filter is on", "Seccomp:\t2" not in file.read())
    allow = struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)
    program = ctypes.create_string_buffer(allow)
    header = struct.pack("HP", 1, ctypes.addressof(program))
    try:
        call("seccomp", 1, 0, _NAME(header))
    except OSError as error:
        yield held("add an allowing filter", error)
    yield in_child("unshare after an allowing filter", partial(call, "unshare", _NEWUSER))
