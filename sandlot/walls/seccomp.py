"""The seccomp filter: what system calls a payload may not make (seccomp(2)); everything else is allowed.

A deny list, because unread programs use most of the rest. A number newer than the newest reviewed call gets
ENOSYS, so a kernel upgrade adds nothing. The architecture is checked first: under the i386 ABI a number means
another call, and such a process is killed. x32 calls lie above every number and get ENOSYS.
Pointers cannot be followed by a filter: a call whose danger hides behind one is refused whole.
"""

from __future__ import annotations

import errno
import stat
import struct

from . import bpf
from .bpf import Check
from .namespaces import FLAGS
from .syscall_numbers import ABSENT, MACHINES, NEWEST, NUMBERS
from .syscalls import address_of, machine, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Sequence, Tuple

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

REFUSED = (
    # Mounts and roots: inside a user namespace these would undo the mount wall.
    "mount", "umount2", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "pivot_root", "chroot",
    # Namespaces: a fresh user namespace reopens the kernel code only root could reach (CVE-2022-0185).
    "setns", "unshare",
    # Other processes' memory and descriptors: the agent shares the payload's uid.
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise",
    # Kernel programs, keys that are not namespaced, modules, machine state.
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff",
    "acct", "quotactl", "quotactl_fd", "syslog", "settimeofday", "clock_settime", "clock_adjtime",
    "adjtimex", "sethostname", "setdomainname", "iopl", "ioperm", "modify_ldt", "vhangup",
    "lsm_set_self_attr",
    # File handles step around path walls (the Docker "shocker" escape, 2014).
    "open_by_handle_at", "name_to_handle_at", "fanotify_init",
    # Memory and processor placement reach beyond the box; sched_setattr hides its policy behind a pointer.
    "move_pages", "mbind", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages", "sched_setattr",
)  # fmt: skip

UNKNOWN = (
    # Flags behind a pointer; the C library falls back to clone, which is checked below.
    "clone3",
    # Makes calls from the kernel's side, past this filter.
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    # Callers probe for these and go on without; the obsolete ones few kernels still carry.
    "memfd_secret", "statmount", "listmount", "lookup_dcookie", "nfsservctl", "uselib", "sysfs",
    "_sysctl", "ustat", "create_module", "query_module", "get_kernel_syms",
)  # fmt: skip

SHARED_MEMORY = (
    # System V objects and POSIX queues live in an IPC namespace; without its own the box meets the host's.
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd",
    "msgrcv", "msgctl", "mq_open", "mq_unlink",
)  # fmt: skip

CLONE_NEW = sum(FLAGS.values())
SCHED_RESET_ON_FORK = 0x40000000
SCHED_OTHER = 0
SCHED_UNPRIVILEGED = (SCHED_OTHER, 3, 5)  # and BATCH, IDLE
PERSONALITY_QUERY = 0xFFFFFFFF
# Type into or take over a terminal that someone else reads: TIOCSTI, TIOCLINUX, TIOCSETD (CVE-2017-5226).
TERMINAL_TRICKS = (0x5412, 0x541C, 0x5423)

CHECKED: Dict[str, Sequence[Sequence[Check]]] = {
    "clone": ((Check(0, (0,), mask=CLONE_NEW),),),
    "prlimit64": ((Check(0, (0,)),),),  # pid 0 is the caller
    "personality": ((Check(0, (0, PERSONALITY_QUERY)),),),
    # The caller's own only: the agent has the payload's uid and must not be left without processor time. The
    # usual policy leaves nobody without, and libzmq, which ends the process otherwise, sets it by thread id.
    "sched_setscheduler": (
        (Check(0, (0,)), Check(1, SCHED_UNPRIVILEGED, mask=bpf.WORD & ~SCHED_RESET_ON_FORK)),
        (Check(1, (SCHED_OTHER,)),),
    ),
    "sched_setparam": ((Check(0, (0,)),),),
    "setpriority": ((Check(0, (0,)), Check(1, (0,))),),  # PRIO_PROCESS
    "ioprio_set": ((Check(0, (1,)), Check(1, (0,))),),  # IOPRIO_WHO_PROCESS
    "ioctl": ((Check(1, TERMINAL_TRICKS, among=False),),),
    "mknod": ((Check(1, (0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK), mask=0o170000),),),
    "mknodat": ((Check(2, (0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK), mask=0o170000),),),
}
"""Calls allowed only for some arguments, else EPERM."""

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10  # Linux numbers: the module must import anywhere
SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
SOCK_TYPE_MASK = 0xF  # the rest are SOCK_NONBLOCK and SOCK_CLOEXEC
PROTOCOLS = (0, 6, 17)  # default, TCP, UDP: any other makes the kernel load a module (CVE-2017-6074, DCCP)

LOCAL = (Check(0, (AF_UNIX,)), Check(1, (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET), mask=SOCK_TYPE_MASK))
INTERNET = (
    Check(0, (AF_INET, AF_INET6)),
    Check(1, (SOCK_STREAM, SOCK_DGRAM), mask=SOCK_TYPE_MASK),
    Check(2, PROTOCOLS),
)
# A datagram socket of a pair could still be sent anywhere: to the host's /dev/log, say.
CONNECTED = (Check(0, (AF_UNIX,)), Check(1, (SOCK_STREAM, SOCK_SEQPACKET), mask=SOCK_TYPE_MASK))

NO_SUCH_SOCKET = errno.EINVAL
"""As socket(2) answers for families and protocols it lacks. libzmq asks for network interfaces (netlink)
before it binds, and ends the process for EAFNOSUPPORT (ip_resolver.cpp, resolve_nic_name)."""

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1

_BUILT: Dict[Tuple[str, bool, str], bytes] = {}


def install(network: str, *, ipc: bool) -> None:
    """Put the filter on every thread of this process, for good; children and programs it execs inherit it.

    Needs no_new_privs or CAP_SYS_ADMIN. Raises OSError, also when a thread could not take the filter.
    """
    instructions = filter_for(network, ipc, machine())
    header = struct.pack("@HP", len(instructions) // 8, address_of(instructions))
    left_out = syscall("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, header)
    if left_out:
        raise OSError(errno.ESRCH, f"thread {left_out} did not take the seccomp filter")


def filter_for(network: str, ipc: bool, architecture: str) -> bytes:
    """The packed program for a network mode of `plan.NETWORKS`; `ipc` allows System V and POSIX queues.

    Built once in a process and its forks. Raises OSError(ENOSYS) for an architecture without a table.
    """
    wanted = (network, ipc, architecture)
    if wanted not in _BUILT:
        _BUILT[wanted] = _build(network, ipc, architecture)
    return _BUILT[wanted]


def _build(network: str, ipc: bool, architecture: str) -> bytes:
    if architecture not in AUDIT_ARCHITECTURES:
        known = ", ".join(AUDIT_ARCHITECTURES)
        raise OSError(errno.ENOSYS, f"no seccomp filter for {architecture}; known: {known}")
    entry = (
        (bpf.LOAD, 0, 0, bpf.OFFSET_ARCHITECTURE),
        (bpf.IF_EQUAL, 1, 0, AUDIT_ARCHITECTURES[architecture]),
        *bpf.answer(bpf.KILL_PROCESS),
        (bpf.LOAD, 0, 0, bpf.OFFSET_NUMBER),
    )
    return bpf.pack(entry + bpf.by_number(_ranges(_rules(network, ipc=ipc), architecture)))


def _rules(network: str, *, ipc: bool) -> Dict[str, bpf.Code]:
    refused = REFUSED if ipc else REFUSED + SHARED_MEMORY
    rules = {name: bpf.refuse(errno.EPERM) for name in refused}
    rules.update((name, bpf.refuse(errno.ENOSYS)) for name in UNKNOWN)
    rules.update((name, bpf.permit(checks, errno.EPERM)) for name, checks in CHECKED.items())
    rules.update(_socket_rules(network, ipc=ipc))
    return rules


def _socket_rules(network: str, *, ipc: bool) -> Dict[str, bpf.Code]:
    """Without its own network namespace a box gets connected pairs only: AF_UNIX would reach the host too.

    So it would with the host's network and no IPC or mount namespace: Landlock lets named sockets through,
    and behind one of them (a session bus, a container engine) somebody runs programs for whoever asks.
    """
    if network == "none":
        return {
            "socket": bpf.refuse(errno.EAFNOSUPPORT),
            "socketpair": bpf.permit((CONNECTED,), errno.EAFNOSUPPORT),
            "connect": bpf.refuse(errno.EPERM),
        }
    if network == "full" and not ipc:
        return {
            "socket": bpf.permit((INTERNET,), NO_SUCH_SOCKET),
            "socketpair": bpf.permit((CONNECTED,), errno.EAFNOSUPPORT),
        }
    return {
        "socket": bpf.permit((LOCAL, INTERNET), NO_SUCH_SOCKET),
        "socketpair": bpf.permit((LOCAL,), errno.EAFNOSUPPORT),
    }


def _ranges(rules: Dict[str, bpf.Code], architecture: str) -> List[Tuple[int, bpf.Code]]:
    """Every number from 0 up, as ranges that are treated alike."""
    column = MACHINES.index(architecture)
    special = {NUMBERS[name][column]: code for name, code in rules.items() if NUMBERS[name][column] != ABSENT}
    ranges: List[Tuple[int, bpf.Code]] = []
    for number in range(NEWEST + 1):
        code = special.get(number, bpf.answer(bpf.ALLOW))
        if not ranges or ranges[-1][1] != code:
            ranges.append((number, code))
    return [*ranges, (NEWEST + 1, bpf.refuse(errno.ENOSYS))]
