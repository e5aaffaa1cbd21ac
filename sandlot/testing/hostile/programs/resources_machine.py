"""Processor, disk and output used up: R03 to R06, R09 to R11."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import os
import re
import resource
import sys
import threading
import time
from functools import partial
from typing import Callable, Dict, Iterator, List

from .report import WORKSPACE, Found, broke, facts, held, judge, refused

_MIB = 2**20
_PAGE = 4096


def spin() -> Iterator[Found]:
    """Threads, and a process per processor, that spin for a given time: how much of it did they get?"""
    seconds = facts()["seconds"]
    children = []
    began = time.monotonic()
    for _ in range(os.cpu_count() or 1):
        child = os.fork()
        if child == 0:
            while time.monotonic() - began < seconds:
                pass
            os._exit(0)
        children.append(child)
    threads = [threading.Thread(target=_until, args=(began + seconds,)) for _ in range(facts()["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        os.waitpid(child, 0)
    used = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    used += sum(resource.getrusage(who).ru_stime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    share = used / (time.monotonic() - began)
    yield judge(
        "more processor time than allowed", share > facts()["cores"] * 1.25 + 0.05, f"{share:.2f} cores"
    )


def _until(deadline: float) -> None:
    while time.monotonic() < deadline:
        pass


_WAYS: Dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(1e8),
    "regular expression": lambda: re.match(r"(a+)+$", "a" * 64 + "b"),
    "big number": lambda: 9**9**9,
    "loop in C": lambda: sum(range(10**12)),
    # PyDLL keeps the interpreter's lock during the call.
    "sleep in C": lambda: ctypes.PyDLL(None)["sleep"](10**6),
    "endless loop": lambda: _until(float("inf")),
}


def hold_on() -> Iterator[Found]:
    """Not let go of the interpreter, in one of several ways; only the timeout ends it."""
    kind = facts()["kind"]
    yield held(f"about to hold on by {kind}")
    _WAYS[kind]()
    yield broke("it came back")


def disk() -> Iterator[Found]:
    """Fill the workspace with one file and with many, then fill again what was freed."""
    quota = facts()["quota"]
    for name, size in (("one file", 4 * quota), ("many files", quota // 64)):
        written, error = _fill_directory(4 * quota, size)
        yield judge(
            f"running out with {name} is said plainly", error not in {errno.ENOSPC, errno.EDQUOT}, error
        )
        yield judge(
            f"write past the quota with {name}", written > 1.05 * quota, f"{written} of {quota} bytes"
        )


def _fill_directory(wanted: int, size: int) -> "tuple[int, int]":
    names: List[str] = []
    written = 0
    error = 0
    try:
        while written < wanted:
            names.append(f"{WORKSPACE}/fill-{len(names)}")
            descriptor = os.open(names[-1], os.O_CREAT | os.O_WRONLY)
            try:
                target = written + size
                while written < min(target, wanted):
                    written += os.write(descriptor, bytes(min(_MIB, target - written)))
            finally:
                os.close(descriptor)
    except OSError as caught:
        error = caught.errno or 0
    for name in names:
        if os.path.exists(name):
            os.unlink(name)
    return written, error


def sparse_growth() -> Iterator[Found]:
    """Room without writing: fallocate past the quota."""
    descriptor = os.open(f"{WORKSPACE}/reserved", os.O_CREAT | os.O_WRONLY)
    yield refused("reserve past the quota", partial(os.posix_fallocate, descriptor, 0, 4 * facts()["quota"]))


def flood() -> Iterator[Found]:
    """Write for ever."""
    yield held("about to flood")
    block = b"\0" * 65536
    while True:
        os.write(1, block)


def drip() -> Iterator[Found]:
    """A byte now and then, for ever, and never a line's end."""
    yield held("about to drip")
    while True:
        os.write(1, b".")
        time.sleep(0.02)


def interleave() -> Iterator[Found]:
    """A line to each stream in turn, very often."""
    yield held("about to interleave")
    sys.stdout.flush()
    for start in range(0, facts()["lines"], 500):
        for number in range(start, start + 500):
            os.write(1, b"o%d\n" % number)
            os.write(2, b"e%d\n" % number)


def recursion() -> Iterator[Found]:
    """Recurse without end: in Python, in a data structure, and on the C stack."""

    def down(depth: int) -> int:
        return down(depth + 1) + 1

    try:
        down(0)
    except RecursionError as error:
        yield held("Python recursion", error)
    nested: object = ()
    for _ in range(100_000):
        nested = (nested,)
    try:
        repr(nested)
    except RecursionError as error:
        yield held("nested repr", error)
    child = os.fork()
    if child == 0:
        # The shortest way to the end of the C stack.
        faulthandler._stack_overflow()  # type: ignore[attr-defined]  # noqa: SLF001
    _, status = os.waitpid(child, 0)
    yield judge("the C stack has no end", not os.WIFSIGNALED(status), f"signal {os.WTERMSIG(status)}")
