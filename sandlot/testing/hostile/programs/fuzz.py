"""Random system calls and ioctls with random arguments: K12. What they do to this process does not matter."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import signal
import time
from typing import Callable, FrozenSet, Iterator

from .calls import number, raw
from .report import WORKSPACE, Found, facts, held, judge

_HIGHEST = 470
# Ending or stopping the fuzzer itself shows nothing; everything else is fair.
_ENDS_US = {
    "x86_64": frozenset((0, 15, 34, 35, 37, 57, 58, 59, 60, 61, 62, 200, 219, 230, 231, 234, 322, 424)),
    "aarch64": frozenset((63, 73, 93, 94, 95, 101, 103, 129, 130, 131, 133, 139, 221, 281, 424)),
}


def system_calls() -> Iterator[Found]:
    """Random numbers with random arguments."""
    skipped = _ENDS_US[platform.machine()]
    yield from _fuzz("system calls", lambda chance: _random_call(chance, skipped))


def ioctls() -> Iterator[Found]:
    """Random requests on every kind of descriptor a box has."""
    yield from _fuzz("ioctls", _random_ioctl)


def _random_call(chance: random.Random, skipped: FrozenSet[int]) -> None:
    wanted = chance.randrange(_HIGHEST)
    if wanted not in skipped:
        raw(wanted, *(_argument(chance) for _ in range(6)))


def _random_ioctl(chance: random.Random) -> None:
    path = chance.choice(
        ("/dev/null", "/dev/urandom", WORKSPACE, "/proc/self/ns/user", "/dev/ptmx", "/dev/shm")
    )
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        request = chance.choice(
            (chance.getrandbits(32), 0x5400 + chance.randrange(128), 0xB700 + chance.randrange(16))
        )
        raw(number("ioctl"), descriptor, request, _argument(chance))
    finally:
        os.close(descriptor)


_BUFFER = ctypes.create_string_buffer(os.urandom(4096), 4096)


def _argument(chance: random.Random) -> int:
    kinds: "tuple[Callable[[], int], ...]" = (
        lambda: chance.randrange(16),
        lambda: ctypes.addressof(_BUFFER) + 8 * chance.randrange(256),
        lambda: chance.getrandbits(63) - (1 << 62),
        lambda: 1 << chance.randrange(63),
        lambda: -1,
    )
    return chance.choice(kinds)()


def _fuzz(what: str, one: Callable[[random.Random], None]) -> Iterator[Found]:
    """Children that make random calls until they die or hang; each is replaced until the time is up."""
    deadline = time.monotonic() + facts()["fuzz_seconds"]
    seed = random.SystemRandom().getrandbits(32)
    rounds = 0
    while time.monotonic() < deadline:
        _round(one, random.Random(seed + rounds))  # noqa: S311 - reproducible by its seed
        rounds += 1
    yield held(f"random {what}", f"{rounds} rounds from seed {seed}")
    yield judge("too few to mean anything", rounds < 3, rounds)


def _round(one: Callable[[random.Random], None], chance: random.Random) -> None:
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        for _ in range(2000):
            try:
                one(chance)
            except (OSError, ValueError, OverflowError):
                continue
        os._exit(0)
    give_up = time.monotonic() + 0.5
    while time.monotonic() < give_up:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
