"""Other processes: P01, P02, P03, P05, P06, P09, P10, P13, P15, P16."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from functools import partial
from typing import Dict, Iterator, List

from .calls import call, prctl
from .report import WORKSPACE, Found, broke, facts, held, judge, refused

_PR_GET_PDEATHSIG, _PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_SET_NAME = 2, 3, 4, 15


def _pids() -> List[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def _status(pid: object) -> Dict[str, str]:
    with open(f"/proc/{pid}/status") as file:
        return {line.partition(":")[0]: line.partition(":")[2].strip() for line in file}


def kill_others() -> Iterator[Found]:
    """Signal everything that is not ours: by number, by group, and everybody at once."""
    host = facts()["host_pid"]
    yield refused(
        f"signal the host's process {host}", partial(os.kill, host, 0), but=lambda _: _is_ours(host)
    )
    for pid in _pids():
        if not _is_ours(pid):
            yield refused(f"signal process {pid}", partial(os.kill, pid, 0))
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGURG, signal.SIG_IGN)
        try:
            os.kill(-1, signal.SIGURG)  # ignored by default: proves reach without doing harm
        except OSError:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    yield held("signal everybody", f"exit {status >> 8}; the sibling box tells whether it mattered")


def _is_ours(pid: int) -> bool:
    """Whether *pid* is this program or one it started; other numbers here are not its business."""
    try:
        while pid > 1 and pid != os.getpid():
            pid = int(_status(pid)["PPid"])
    except OSError:
        return False
    return pid == os.getpid()


def see_others() -> Iterator[Found]:
    """Processes of the host and of other boxes in /proc."""
    lines = []
    for pid in _pids():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            lines.append(file.read().replace(b"\0", b" ").decode("utf-8", "replace"))
    for who, word in facts()["strangers"].items():
        yield judge(f"see {who}", any(word in line for line in lines), f"{len(lines)} processes")


def trace_others() -> Iterator[Found]:
    """Take memory or descriptors of the processes that hold the channel."""
    others = [pid for pid in _pids() if pid != os.getpid()]
    yield judge("somebody is there to attack", not others, others)
    for pid in others[:20]:
        yield refused(f"ptrace seize {pid}", partial(call, "ptrace", 0x4206, pid, 0, 0))
        yield refused(f"read memory of {pid}", partial(_read_memory, pid))
        yield refused(f"open /proc/{pid}/mem", partial(os.open, f"/proc/{pid}/mem", os.O_RDWR))
        yield refused(f"take a descriptor of {pid}", partial(_take_descriptor, pid))
        yield refused(f"list descriptors of {pid}", partial(os.listdir, f"/proc/{pid}/fd"))
        yield refused(
            f"read environ of {pid}", partial(_read, f"/proc/{pid}/environ"), but=lambda data: not data
        )
        yield refused(f"lower limits of {pid}", partial(_limit_other, pid))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(4096)


def _read_memory(pid: int) -> int:
    here = ctypes.create_string_buffer(16)
    own = struct.pack("PN", ctypes.addressof(here), 16)
    # The other's address does not matter: ESRCH, EPERM or EFAULT tell whether the door is open.
    with open(f"/proc/{pid}/maps") as file:
        start = int(file.readline().split("-")[0] or "1000", 16)
    theirs = struct.pack("PN", start, 16)
    return call("process_vm_readv", pid, ctypes.c_char_p(own), 1, ctypes.c_char_p(theirs), 1, 0)


def _take_descriptor(pid: int) -> int:
    handle = call("pidfd_open", pid, 0)
    try:
        return call("pidfd_getfd", handle, 0, 0)
    finally:
        os.close(handle)


def _limit_other(pid: int) -> int:
    new = struct.pack("QQ", 0, 0)
    return call("prlimit64", pid, resource.RLIMIT_CORE, ctypes.c_char_p(new), 0)


def descriptors() -> Iterator[Found]:
    """Descriptors that came with the program: 0, 1 and 2 are pipes or a terminal, and there is no other."""
    listing = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    numbers = sorted(int(name) for name in os.listdir(listing))
    os.close(listing)
    extra = [number for number in numbers if number > 2 and number != listing]
    seen = {}
    for number in extra:
        try:
            seen[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the descriptor os.listdir used itself
            continue
    yield judge("descriptors beyond 0, 1, 2", seen, seen)
    for number in (0, 1, 2):
        target = os.readlink(f"/proc/self/fd/{number}")
        yield judge(f"descriptor {number} leads outside", not target.startswith(("pipe:", "/dev/")), target)
    for number in range(3, 64):
        try:
            os.write(number, b"\0\0\0\2\x0b\0\0\0\1{}")
        except OSError:
            continue
        yield broke(f"write to descriptor {number}")


def stop_and_kill() -> Iterator[Found]:
    """SIGKILL, SIGSTOP, SIGTERM for pid 1 of the box and for the parent; Landlock refuses them from ABI 6."""
    scoped = call("landlock_create_ruleset", 0, 0, 1) >= 6
    for pid in {1, os.getppid()} - {os.getpid()}:
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            try:
                os.kill(pid, number)
            except OSError as error:
                yield held(f"{number.name} for {pid}", error)
            else:
                yield judge(f"{number.name} for {pid}", scoped, "sent; the end of the run tells")


def stop_self() -> Iterator[Found]:
    """Stop for ever: only the timeout can end this."""
    yield held("about to stop")
    os.kill(os.getpid(), signal.SIGSTOP)
    yield broke("went on")


def priorities() -> Iterator[Found]:
    """A better place in the scheduler, and another processor."""
    yield refused("real-time scheduling", partial(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)))
    yield refused("round robin", partial(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1)))
    yield refused("a better nice value", partial(os.setpriority, os.PRIO_PROCESS, 0, -5))
    for pid in (1, os.getppid()):
        yield refused(f"the priority of process {pid}", partial(os.setpriority, os.PRIO_PROCESS, pid, -5))
    attributes = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10**6, 10**7, 10**7)
    yield refused("deadline scheduling", partial(call, "sched_setattr", 0, ctypes.c_char_p(attributes), 0))
    yield refused("best I/O class", partial(call, "ioprio_set", 1, 0, 1 << 13))


def masquerade() -> Iterator[Found]:
    """Another name: harmless inside, as long as nobody outside believes it."""
    name = ctypes.create_string_buffer(b"systemd")
    prctl(_PR_SET_NAME, ctypes.addressof(name))
    yield held("called itself systemd")
    sys.argv[0] = "/sbin/init"
    yield judge("made itself dumpable again", prctl(_PR_SET_DUMPABLE, 0) and False)


def standing() -> Iterator[Found]:
    """What the kernel says of this process: /proc/self/status and prctl(2)."""
    status = _status("self")
    uids = set(status["Uid"].split())
    yield judge("uid 0", "0" in uids, status["Uid"])
    yield judge("gid 0", "0" in set(status["Gid"].split() + status["Groups"].split()), status["Gid"])
    # A user who may not shrink the bounding set keeps it; no_new_privs makes it worth nothing.
    bounding = ("CapBnd",) if facts()["isolation"] > 1 else ()
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", *bounding):
        yield judge(f"capabilities in {kind}", int(status[kind], 16), status[kind])
    yield judge("new privileges allowed", status["NoNewPrivs"] != "1", status["NoNewPrivs"])
    yield judge("no seccomp filter", status["Seccomp"] != "2", status["Seccomp"])
    yield judge("no session of its own", os.getsid(0) != os.getpid(), f"{os.getsid(0)} {os.getpid()}")
    signal_number = ctypes.c_int()
    prctl(_PR_GET_PDEATHSIG, ctypes.addressof(signal_number))
    yield judge("outlives its parent", signal_number.value != signal.SIGKILL, signal_number.value)
    yield judge("dumpable", prctl(_PR_GET_DUMPABLE) == 1, prctl(_PR_GET_DUMPABLE))


def core_dump() -> Iterator[Found]:
    """Leave a core file: a child crashes in the workspace, having asked for one of any size."""
    yield refused("raise the limit on core files", _raise_core_limit)
    child = os.fork()
    if child == 0:
        prctl(_PR_SET_DUMPABLE, 1)
        os.chdir(WORKSPACE)
        os.execv("/bin/sh", ["sh", "-c", "ulimit -c unlimited 2>/dev/null; kill -SEGV $$"])
    _, status = os.waitpid(child, 0)
    yield judge("the kernel dumped core", os.WCOREDUMP(status), status)
    cores = [name for name in os.listdir(WORKSPACE) if "core" in name]
    yield judge("a core file is there", cores, cores)


def _raise_core_limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
