"""A thousand sandboxes one after the other leave the machine as it was and the server no larger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandlot.client import Client
from sandlot.contracts.command import Command
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer, running_server

pytestmark = [pytest.mark.engine, pytest.mark.faults]

_LAST = 100
_SETTLING = 5.0
_PAUSE = 2.0
_GROWTH = 24 * 2**20
"""Bytes the server may grow after its first hundred sandboxes: the allocator's slack, not 0.1 MiB of each."""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.mark.timeout(900)
def test_d03_cycles_leave_nothing_and_memory_stays_flat(
    server: RunningServer, request: pytest.FixtureRequest
) -> None:
    cycles = int(request.config.getoption("--cycles"))
    small = 0
    with closing(Client(server.url)) as client:
        _cycle(client, 0)
        before = _steady(server)
        for number in range(1, cycles + 1):
            _cycle(client, number)
            if number == _LAST:
                small = _resident(server.pid)
        assert _grown(before, server) == {}
    if cycles > _LAST:
        assert _resident(server.pid) - small < _GROWTH


def _cycle(client: Client, number: int) -> None:
    name = f"cycle-{number}"
    client.ensure(name, SandboxSpec(ttl=Seconds(60)))
    box = client.reach(name)
    box.write(WORKSPACE / "in", [b"x" * 10_000])
    events = list(box.run(Command(argv=("sh", "-c", "cat in > out; echo $?"))))
    assert getattr(events[-1], "exit_code", None) == 0
    assert sum(map(len, box.get(WORKSPACE))) > 0
    client.delete(name)


def _steady(server: RunningServer) -> dict[str, int]:
    """The counts once nothing comes and goes: the pool is full."""
    found, since = _counts(server), time.monotonic()
    while time.monotonic() < since + _PAUSE:
        now = _counts(server)
        if now != found:
            found, since = now, time.monotonic()
    return found


def _grown(before: dict[str, int], server: RunningServer) -> dict[str, int]:
    """What there is more of than *before*, once the kernel has put away what its last users have closed."""
    deadline = time.monotonic() + _SETTLING
    while True:
        now = _counts(server)
        grown = {name: count - before[name] for name, count in now.items() if count > before[name]}
        if not grown or time.monotonic() > deadline:
            return grown


def _counts(server: RunningServer) -> dict[str, int]:
    """What a sandbox could leave, counted in the system's own books."""
    while True:
        try:
            return _counted(server)
        except OSError:  # one ended while it was counted: count again
            continue


def _counted(server: RunningServer) -> dict[str, int]:
    pid = server.pid
    tree = [process.pid for process in descendants(pid)]
    return {
        "processes": len(tree),
        "mounts": sum(_lines(each, "mountinfo") for each in (pid, *tree)),
        "descriptors": sum(len(os.listdir(f"/proc/{each}/fd")) for each in (pid, *tree)),
        "control groups": _control_groups(tree),
        "loop devices": _loops(server.directory),
    }


def _lines(pid: int, name: str) -> int:
    return len(Path(f"/proc/{pid}/{name}").read_text().splitlines())


def _control_groups(tree: list[int]) -> int:
    """Groups named after a process of the server's."""
    pids = set(map(str, tree))
    found = 0
    for _top, directories, _ in os.walk("/sys/fs/cgroup"):
        found += sum("sandlot" in name and bool(pids & set(name.split("-"))) for name in directories)
    return found


def _loops(place: Path) -> int:
    """Devices of images beneath *place*: other suites have theirs at the same time."""
    images = Path("/sys/block").glob("loop*/loop/backing_file")
    return sum(str(place) in image.read_text() for image in images)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
