"""Kernel objects and processes used up: R01, R07, R08, R13, R15."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from functools import partial
from typing import Callable, Iterator, List

from .calls import call
from .report import WORKSPACE, Found, facts, held, judge, say

_NAME = ctypes.c_char_p


def fork_bomb() -> Iterator[Found]:
    """Fork until it no longer works; then say how far it went."""
    limit = facts()["pids"]
    reader, writer = os.pipe()
    children = 0
    refused = ""
    while children < 3 * limit:
        try:
            if os.fork() == 0:
                os.close(writer)
                os.read(reader, 1)  # until the parent's end goes with the parent
                os._exit(0)
        except OSError as error:
            refused = errno.errorcode[error.errno or 0]
            break
        children += 1
    yield judge(
        "more processes than allowed", children >= limit, f"{children} of {limit} forked, then {refused}"
    )
    os.close(writer)


def endless_bomb() -> Iterator[Found]:
    """The classic one: every process forks for ever; only the timeout ends it."""
    yield held("bomb started")
    while True:
        try:
            os.fork()
        except OSError:
            continue


def thread_bomb() -> Iterator[Found]:
    """Threads count as processes do."""
    import threading

    stop = threading.Event()
    threads = 0
    limit = facts()["pids"]
    threading.stack_size(65536)
    try:
        while threads < 3 * limit:
            threading.Thread(target=stop.wait, daemon=True).start()
            threads += 1
    except RuntimeError as error:
        yield held("a thread more", error)
    yield judge("more threads than allowed", threads >= limit, threads)
    stop.set()


def inodes() -> Iterator[Found]:
    """Empty files until there are no more."""
    limit = facts()["inodes"]
    made = 0
    try:
        os.mkdir(f"{WORKSPACE}/many")
        while made < 2 * limit:
            os.close(os.open(f"{WORKSPACE}/many/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        yield judge("running out is said plainly", error.errno not in {errno.ENOSPC, errno.EDQUOT}, error)
    yield judge("more files than allowed", made >= limit, f"{made} of {limit}")


def descriptors() -> Iterator[Found]:
    """Descriptors until there are no more, and an attempt to allow more of them."""
    import resource

    limit = facts()["open_files"]
    opened: List[int] = []
    try:
        while len(opened) < 4 * limit:
            opened.append(os.dup(0))
    except OSError as error:
        for descriptor in opened:
            os.close(descriptor)
        yield judge("running out is said plainly", error.errno != errno.EMFILE, error)
    yield judge("more descriptors than allowed", len(opened) > limit, f"{len(opened)} of {limit}")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 * limit, 4 * limit))
    except (OSError, ValueError) as error:
        yield held("raise the limit", error)
    else:
        yield judge("raise the limit", True)


def kernel_objects() -> Iterator[Found]:
    """Objects of the kernel that live outside a process's own memory, each until refused or far too many."""
    kinds: List["tuple[str, Callable[[], object]]"] = [
        ("inotify instances", partial(call, "inotify_init1", 0)),
        ("epoll instances", partial(call, "epoll_create1", 0)),
        ("timers", _timer),
        ("pipes", os.pipe),
        ("socket pairs", socket.socketpair),
        ("memory files", partial(call, "memfd_create", _NAME(b"attack"), 0)),
        ("message queues", partial(call, "msgget", 0, 0o600)),
        ("semaphore sets", partial(call, "semget", 0, 250, 0o600)),
        ("shared segments", partial(call, "shmget", 0, 2**20, 0o600)),
        ("keys", partial(call, "add_key", _NAME(b"user"), _NAME(b"k"), _NAME(b"v"), 1, -3)),
    ]
    for name, make in kinds:
        yield _until_refused(name, make)


_timers = ctypes.create_string_buffer(8)


def _timer() -> int:
    return call("timer_create", 1, 0, _timers)


def _until_refused(name: str, make: Callable[[], object]) -> Found:
    """Made in a child, which gives everything back that is its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        kept: List[object] = []
        reason = "nobody refused"
        try:
            while len(kept) < facts()["objects"]:
                kept.append(make())
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, "?")
            os.closerange(3, writer)
        os.write(writer, f"{len(kept)} {reason}".encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 100).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return judge(name, said.endswith("refused") or not said, said)


def sleep_for_ever() -> Iterator[Found]:
    """Do nothing and hold a box."""
    yield held("asleep")
    say("ASLEEP")
    os.read(os.pipe()[0], 1)
