"""What shows that a server came through: its health, its sandboxes, its processes, its files, its log."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from sandlot.testing import leaks
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer
from tests.threats.raw import ask

SETTLING = 10.0
"""Seconds in which what a case began must be gone."""
HEALTHY_SECONDS = 1.0
"""Seconds in which a server says that it is alive, whatever else it does."""


class Watch:
    """How long a server lets one wait, in seconds since the beginning.

    Without those in which it could have run and others had the processors: they tell of the machine, which
    may have other suites to run. What the server computes, and what it waits for itself, counts in full.
    """

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._began, self._starved = time.monotonic(), _starved(server)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began - (_starved(self._server) - self._starved)


def _starved(server: RunningServer) -> float:
    """Seconds that its event loop's thread has waited for a processor; 0 where the kernel does not count.

    The second field of schedstat (Documentation/scheduler/sched-stats.rst), in nanoseconds.
    """
    try:
        return int(Path(f"/proc/{server.pid}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def prove_healthy(server: RunningServer) -> float:
    """Seconds that the server took to say that it is alive."""
    watch = Watch(server)
    answer = ask(server, "GET", "/healthz")
    seconds = watch.seconds
    assert (answer.status, answer.body) == (200, b"OK")
    assert seconds < HEALTHY_SECONDS
    return seconds


def sandboxes(server: RunningServer, key: str = "") -> list[str]:
    """The ids of the sandboxes that have not ended, of the owner of *key*."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = ask(server, "GET", "/v1/sandboxes?state=running,stopped", **headers)
    assert answer.status == 200, answer
    return [each["id"] for each in answer.json["sandboxes"]]


def removed(server: RunningServer, key: str = "") -> list[str]:
    """The sandboxes that a case forgot, which are deleted lest the next one be blamed for them."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    found = sandboxes(server, key)
    for name in found:
        ask(server, "DELETE", f"/v1/sandboxes/{name}", **headers)
    return found


def left_over(before: leaks.Counters) -> list[str]:
    """What there is more of than *before*, once everything that ends by itself has ended."""
    deadline = time.monotonic() + SETTLING
    while (more := _more(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return more


def _more(before: leaks.Counters) -> list[str]:
    """Without temporary files, which other sessions have too: those of our servers are in their directory."""
    found = leaks.difference(before, leaks.snapshot())
    return [line for line in found if not line.startswith("temporary: ")]


def descriptors(server: RunningServer) -> int:
    """How many files the server holds open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def resident(server: RunningServer) -> int:
    """Bytes of memory the server holds."""
    fields = Path(f"/proc/{server.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGESIZE")


def running(server: RunningServer, word: str) -> list[int]:
    """The processes beneath the server whose words hold *word*."""
    return [process.pid for process in descendants(server.pid) if word in " ".join(process.words)]


def wait_until(server: RunningServer, word: str, count: int, seconds: float = SETTLING) -> None:
    """Wait until *count* processes beneath the server hold *word*; nothing announces that."""
    deadline = time.monotonic() + seconds
    while len(found := running(server, word)) != count:
        assert time.monotonic() < deadline, f"{len(found)} processes with {word!r}, not {count}"
        time.sleep(0.01)


def grave(lines: list[str]) -> list[str]:
    """Lines of a log that tell of a fault of ours."""
    return [
        line for line in lines if json.loads(line)["level"] in ("error", "critical") or "traceback" in line
    ]


def settled_descriptors(server: RunningServer, files: int) -> int:
    """How many files the server holds open once they are not more than *files*, or after a while."""
    deadline = time.monotonic() + SETTLING
    while descriptors(server) > files and time.monotonic() < deadline:
        time.sleep(0.02)
    return descriptors(server)
