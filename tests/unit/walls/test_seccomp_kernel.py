from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import pty
import signal
import socket
import stat
import threading
from pathlib import Path

import pytest

from sandlot.walls import namespaces, seccomp, session, syscalls

from .conftest import Forked

pytestmark = pytest.mark.skipif(
    syscalls.machine() not in seccomp.AUDIT_ARCHITECTURES, reason=f"no filter for {syscalls.machine()}"
)

BAD = 1  # an address nothing is mapped at: a call let through fails there, or on the descriptor -1
HARMLESS: dict[str, tuple[int, ...]] = {
    "reboot": (0, 0, 0, 0),  # wrong magic
    "setns": (-1, 0),
    "unshare": (0,),
    "iopl": (0,),
    "ioperm": (0, 0, 0),
    "acct": (BAD,),
    "swapon": (BAD, 0),
    "swapoff": (BAD,),
    "syslog": (-1, 0, 0),
    "ptrace": (-1, 0, 0, 0),
    "kcmp": (-1, -1, 0, 0, 0),
    "keyctl": (-1,),
    "modify_ldt": (-1,),
    "mbind": (BAD, 0, -1, 0, 0, -1),
    "set_mempolicy": (-1, 0, 0),
    "lsm_set_self_attr": (0, BAD, 0, 0),
    "userfaultfd": (-1,),
    "fanotify_init": (-1, 0),
    "mount": (BAD, BAD, BAD, 0, 0),
}


def shut_in(network: str = "own", *, ipc: bool = False) -> None:
    """A throwaway set of namespaces, then the filter: what slips through meets nothing of the host."""
    kinds = ["mnt", "uts", "ipc", "net"] if os.getuid() == 0 else ["user", "mnt", "uts", "ipc", "net"]
    namespaces.leave(kinds)
    session.forbid_new_privileges()
    seccomp.install(network, ipc=ipc)


def outcome(name: str, *arguments: int | bytes | None) -> str:
    try:
        return f"returned {syscalls.syscall(name, *arguments)}"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))


def refusals() -> dict[str, str]:
    """What each refused call answers when it is given arguments that can do no harm."""
    tried = {}
    for name in seccomp.REFUSED + seccomp.SHARED_MEMORY:
        if name != "vhangup":  # takes no argument that could make it harmless
            tried[name] = outcome(name, *HARMLESS.get(name, (-1, BAD, BAD, -1, -1)))
    return tried


def exists(name: str) -> bool:
    try:
        return syscalls.number(name, syscalls.machine()) >= 0
    except OSError:
        return False


def test_every_refused_call_fails_in_the_kernel(forked: Forked) -> None:
    def inside() -> dict[str, str]:
        shut_in()
        return refusals()

    answers = forked(inside)
    assert {name: answer for name, answer in answers.items() if answer != "EPERM" and exists(name)} == {}


def test_without_the_filter_the_same_calls_get_other_answers(forked: Forked) -> None:
    """The control: EPERM above came from the filter and not from missing privilege."""
    if os.getuid() != 0:
        pytest.skip("an ordinary user gets EPERM for many of these without a filter, which proves nothing")

    def bare() -> dict[str, str]:
        namespaces.leave(["mnt", "uts", "ipc", "net"])
        return refusals()

    answers = forked(bare)
    same = {name for name, answer in answers.items() if answer == "EPERM"}
    # settimeofday and friends need CAP_SYS_TIME, which a container's root may lack.
    assert len(same) <= 6, sorted(same)


def test_probed_calls_look_absent_and_fork_and_threads_work(forked: Forked) -> None:
    def inside() -> list[object]:
        shut_in()
        seen: list[str] = []
        thread = threading.Thread(target=seen.append, args=("thread",))
        thread.start()
        thread.join()
        child = os.fork()
        if child == 0:
            os._exit(7)
        _, status = os.waitpid(child, 0)
        return [outcome("clone3", None, 0), outcome("io_uring_setup", 1, None), seen, status >> 8]

    assert forked(inside) == ["ENOSYS", "ENOSYS", ["thread"], 7]


def test_new_namespaces_by_clone_are_refused_as_a_user(forked: Forked) -> None:
    def inside() -> list[str]:
        session.forbid_new_privileges()
        seccomp.install("own", ipc=False)
        return [outcome("clone", flag | signal.SIGCHLD, 0, 0, 0, 0) for flag in namespaces.FLAGS.values()]

    assert set(forked(inside, as_user=True)) == {"EPERM"}


def test_a_program_it_starts_has_the_filter_too(forked: Forked) -> None:
    def inside() -> str:
        shut_in()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(writer, 1)
            os.execv("/usr/bin/grep", ["grep", "Seccomp:", "/proc/self/status"])
        os.close(writer)
        os.waitpid(child, 0)
        return os.read(reader, 100).decode()

    assert forked(inside).split() == ["Seccomp:", "2"]


def families(network: str, ipc: bool = False) -> list[str]:
    shut_in(network, ipc=ipc)
    tried = []
    for family, kind in (
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_DGRAM),
        (socket.AF_INET, socket.SOCK_RAW),
        (socket.AF_NETLINK, socket.SOCK_RAW),
        (socket.AF_PACKET, socket.SOCK_RAW),
        (socket.AF_VSOCK, socket.SOCK_STREAM),
        (socket.AF_ALG, socket.SOCK_SEQPACKET),
    ):
        try:
            socket.socket(family, kind).close()
            tried.append("ok")
        except OSError as error:
            tried.append(errno.errorcode[error.errno or 0])
    first, second = socket.socketpair()
    first.send(b"x")
    return [*tried, second.recv(1).decode()]


def test_sockets_by_network_mode(forked: Forked) -> None:
    assert forked(lambda: families("own")) == ["ok"] * 3 + ["EINVAL"] * 5 + ["x"]
    assert forked(lambda: families("none")) == ["EAFNOSUPPORT"] * 8 + ["x"]


def test_a_loopback_connection_works_in_its_own_network(forked: Forked) -> None:
    def inside() -> str:
        shut_in("own")
        names = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        return str(names[0][4][0])

    assert forked(inside) == "127.0.0.1"


def test_a_terminal_cannot_be_typed_into(forked: Forked) -> None:
    def inside() -> list[str]:
        _, terminal = pty.openpty()
        shut_in()
        tried = []
        for command in seccomp.TERMINAL_TRICKS:
            try:
                fcntl.ioctl(terminal, command, b"x\0\0\0")
                tried.append("ok")
            except PermissionError:
                tried.append("EPERM")
        return [*tried, str(os.isatty(terminal))]

    assert forked(inside) == ["EPERM", "EPERM", "EPERM", "True"]


def test_devices_cannot_be_made_but_pipes_can(forked: Forked, tmp_path: Path) -> None:
    def inside() -> list[str]:
        shut_in()
        os.mkfifo(tmp_path / "pipe")
        os.mknod(tmp_path / "file", 0o600 | stat.S_IFREG)
        tried = []
        for kind in (stat.S_IFCHR, stat.S_IFBLK):
            try:
                os.mknod(tmp_path / "device", 0o600 | kind, os.makedev(1, 3))
                tried.append("ok")
            except PermissionError:
                tried.append("EPERM")
        return tried

    assert forked(inside) == ["EPERM", "EPERM"]


def test_limits_and_placement_of_others_are_out_of_reach(forked: Forked) -> None:
    def inside() -> list[str]:
        shut_in()
        import resource

        resource.getrlimit(resource.RLIMIT_NOFILE)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return [
            outcome("prlimit64", os.getppid(), resource.RLIMIT_NOFILE, None, None),
            outcome("sched_setscheduler", 0, os.SCHED_FIFO, b"\1\0\0\0"),
            outcome("sched_setscheduler", os.getppid(), os.SCHED_IDLE, b"\0\0\0\0"),
            outcome("setpriority", os.PRIO_PROCESS, os.getppid(), 0),
            outcome("setpriority", os.PRIO_USER, 0, 0),
            outcome("personality", 0x0040000),
            outcome("personality", 0xFFFFFFFF),
        ]

    assert forked(inside) == [*["EPERM"] * 6, "returned 0"]


@pytest.mark.skipif(syscalls.machine() != "x86_64", reason="the i386 and x32 ABIs are x86-64's")
def test_other_call_conventions_are_shut(forked: Forked) -> None:
    def inside() -> list[int]:
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (i386 getpid); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        old_call = ctypes.CFUNCTYPE(ctypes.c_int)(address)
        before = old_call() == os.getpid()
        shut_in()
        x32 = syscalls.libc().syscall(ctypes.c_long(0x40000000 | 39))
        child = os.fork()
        if child == 0:
            old_call()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        return [int(before), int(x32), ctypes.get_errno(), os.WTERMSIG(status)]

    assert forked(inside)[1:] == [-1, errno.ENOSYS, signal.SIGSYS]
