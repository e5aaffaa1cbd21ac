"""Own processes and streams: P04, P07, P08, P11, P12, P13, P14."""

from __future__ import annotations

import array
import builtins
import errno
import fcntl
import json
import os
import signal
import struct
import sys
import threading
import time
from functools import partial
from typing import Any, Iterator

from .report import Found, broke, facts, held, judge, refused, say


def leave_daemon() -> Iterator[Found]:
    """A grandchild in a session of its own that ignores every signal it may and holds no pipe."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.write(writer, b"up")
            for descriptor in (0, 1, 2, reader, writer):
                os.close(descriptor)
            os.execvp(facts()["nap"][0], facts()["nap"])
        os._exit(0)
    os.read(reader, 2)
    yield held("daemon is up")


def daemon_lives() -> Iterator[Found]:
    """Whether the daemon of the command before is still there."""
    wanted = "\0".join(facts()["nap"])
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                alive.extend([pid] if wanted in file.read() else [])
        except OSError:
            continue
    yield judge("the daemon outlived its command", alive, alive)


def ignore_signals() -> Iterator[Found]:
    """Ignore every signal that can be, then wait for ever."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            continue
    yield held("all signals are ignored")
    while True:
        signal.pause()


def orphans() -> Iterator[Found]:
    """Thousands of orphans that die at once; the dead must be collected by somebody."""
    made = 0
    for _ in range(facts()["batches"]):
        child = os.fork()
        if child == 0:
            for _ in range(50):
                if os.fork() == 0:
                    os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
        made += 50
    yield held("made", made)
    deadline = time.monotonic() + 5
    # One look decides: what dies after it is no zombie that nobody collects.
    while (left := _zombies()) and time.monotonic() < deadline:
        time.sleep(0.01)
    yield judge("zombies nobody collects", left, left)


def _zombies() -> int:
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                found += file.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
    return found


def type_into_terminal() -> Iterator[Found]:
    """Type into a terminal somebody else reads: TIOCSTI, TIOCLINUX, TIOCSETD, the controlling one."""
    yield refused(
        "open the controlling terminal", partial(os.open, "/dev/tty", os.O_RDWR), but=_is_own_terminal
    )
    # The filter answers for any descriptor; a terminal of one's own would be there in some boxes only.
    for name, request, argument in (
        ("TIOCSTI", 0x5412, b"x"),
        ("TIOCLINUX", 0x541C, b"\x03"),
        ("TIOCSETD", 0x5423, struct.pack("i", 2)),
    ):
        yield _terminal_request(name, 0, request, argument)


def _is_own_terminal(_: object) -> bool:
    return bool(facts().get("tty"))


def _terminal_request(name: str, descriptor: int, request: int, argument: bytes) -> Found:
    """EPERM comes from the filter; the kernel's own refusals have other numbers (EIO, ENOTTY, EINVAL)."""
    try:
        fcntl.ioctl(descriptor, request, argument)
    except OSError as error:
        return judge(name, error.errno != errno.EPERM, error)
    return broke(name)


def forge_frames() -> Iterator[Found]:
    """Write frames of the agent link to every descriptor, and a result as if it were ours."""
    frame = struct.pack(">IBI", 2, 11, 1) + b"{}"
    done = json.dumps({"ok": {"reason": "exited", "exit_code": 0}}).encode()
    forged = struct.pack(">IBI", len(done), 11, 1) + done
    yield held("about to forge")
    for number in range(64):
        for data in (frame, forged):
            try:
                os.write(number, data)
            except OSError:
                continue
    sys.stdout.flush()
    os.close(1)
    os.close(2)
    os._exit(23)


def dup_over() -> Iterator[Found]:
    """Put our own pipe over every descriptor number, then go on."""
    reader, writer = os.pipe()
    kept = os.dup(1)
    for number in range(3, 128):
        if number not in (kept, reader, writer):
            os.dup2(writer, number)
    yield held("every descriptor is ours")
    os.close(0)


def monkeypatch() -> Iterator[Found]:
    """Change everything a later run or the reporting might use, in this process and on the way out."""
    import atexit

    nothing: Any = lambda *_, **__: None  # noqa: E731 - stands in for functions of every type
    for module, names in (
        (builtins, ("print", "open", "__import__")),
        (json, ("dumps",)),
        (os, ("_exit",)),
        (sys, ("exit",)),
        (threading.Thread, ("start",)),
    ):
        for name in names:
            setattr(module, name, nothing)
    sys.settrace(lambda *_: None)
    atexit.register(lambda: say("still here"))
    yield held("changed builtins, json, os, sys, threading")


def unpatched() -> Iterator[Found]:
    """Whether a later run sees any of it."""
    kinds: "tuple[Any, ...]" = (
        print,
        open,
        __import__,
        json.dumps,
        os._exit,
        sys.exit,
        threading.Thread.start,
    )
    changed = [str(kind) for kind in kinds if kind is None or "lambda" in str(kind)]
    yield judge("an earlier run changed this one", changed, changed)
    yield judge("a trace function is left", sys.gettrace())
    numbers = array.array("b", [1])
    yield judge("modules of an earlier run", "report" in sys.modules, len(numbers))


def daemon_is_up() -> Iterator[Found]:
    """The daemon, looked for by the very command that started it."""
    yield from leave_daemon()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and not next(iter(daemon_lives()))[1]:
        time.sleep(0.01)
    yield from daemon_lives()


def with_a_descriptor() -> Iterator[Found]:
    """The search for descriptors, with one to find."""
    from .processes_others import descriptors

    kept = os.dup(1)
    yield from descriptors()
    os.close(kept)


def survive_termination() -> Iterator[Found]:
    """A child that ignores SIGTERM lives on after one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(writer, b"ready")
        while True:
            signal.pause()
    os.read(reader, 5)
    os.kill(child, signal.SIGTERM)
    gone, _ = os.waitpid(child, os.WNOHANG)
    os.kill(child, signal.SIGKILL)
    yield judge("it lives on after SIGTERM", not gone)


def orphans_nobody_collects() -> Iterator[Found]:
    """Children of a parent that does not wait stay zombies."""
    for _ in range(50):
        if os.fork() == 0:
            os._exit(0)
    deadline = time.monotonic() + 2
    while _zombies() < 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    left = _zombies()
    yield judge("zombies nobody collects", left >= 50, left)


def believed() -> Iterator[Found]:
    """A parent that reads how its child ended from the child's own descriptor is lied to."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"0")
        os._exit(23)
    _, status = os.waitpid(child, 0)
    told = int(os.read(reader, 1))
    yield judge("the forged end is believed", told != status >> 8, f"told {told}, really {status >> 8}")


def patched_in_one() -> Iterator[Found]:
    """Changed and looked at in one interpreter."""
    kept: Any = json.dumps
    vars(json)["dumps"] = lambda *_, **__: ""
    yield from unpatched()
    vars(json)["dumps"] = kept


def polite_alarm() -> Iterator[Found]:
    """A Python signal handler that should end a long C call; it waits for the call instead."""

    def ring(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    yield held("the alarm is set")
    try:
        sum(range(10**12))
    except TimeoutError:
        yield held("the alarm ended it")
