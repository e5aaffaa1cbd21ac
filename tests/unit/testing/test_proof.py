from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from sandlot.testing import host_processes, leaks
from sandlot.testing.host_processes import HostProcess, descendants, is_same, kill, parse_stat, read_process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def of(process: subprocess.Popen[bytes]) -> HostProcess:
    found = read_process(process.pid)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["python3", "a) S 1 (b", "", "two words", "((("])
def test_a_processs_name_cannot_confuse(name: str) -> None:
    fields = " ".join(["S", "7", *(["0"] * 17), "4711", "0"])
    assert parse_stat(f"42 ({name}) {fields}") == (42, name, "S", 7, 4711)


def test_children_are_found_beneath_this_process(child: subprocess.Popen[bytes]) -> None:
    assert child.pid in {process.pid for process in descendants()}
    assert os.getpid() not in {process.pid for process in descendants()}


def test_a_descendant_is_killed(child: subprocess.Popen[bytes]) -> None:
    kill(of(child))
    assert child.wait(5) == -signal.SIGKILL


def test_a_stranger_is_never_signalled() -> None:
    stranger = read_process(1)
    assert stranger is not None
    with pytest.raises(PermissionError, match="not ours"):
        kill(stranger, 0)


def test_a_recycled_number_is_noticed(child: subprocess.Popen[bytes]) -> None:
    recycled = HostProcess(child.pid, os.getpid(), of(child).started + 1, "S", "x")
    assert not is_same(recycled)
    with pytest.raises(ProcessLookupError):
        kill(recycled, 0)


def test_what_is_gone_is_gone(child: subprocess.Popen[bytes]) -> None:
    seen = of(child)
    child.kill()
    child.wait()
    assert not is_same(seen)
    assert read_process(child.pid) is None


def test_a_zombie_is_not_alive(child: subprocess.Popen[bytes]) -> None:
    seen = of(child)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not of(child).alive
    assert not is_same(seen)
    assert child.pid not in {process.pid for process in host_processes.descendants()}


def test_leaks_are_named(child: subprocess.Popen[bytes]) -> None:
    after = leaks.snapshot()
    reader, writer = os.pipe()
    child.kill()
    child.wait()
    words = " ".join(map(str, cast("list[str]", child.args)[:3]))
    others = frozenset(name for name in after.processes if not name.startswith(words))
    found = leaks.difference(leaks.Counters(**{**vars(after), "processes": others}), after)
    assert found == (f"processes: {words} of {os.getpid()}, number 1",)
    assert any(line.startswith("descriptors:") for line in leaks.difference(after, leaks.snapshot()))
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_something_that_went_away_is_no_leak() -> None:
    before = leaks.snapshot()
    fewer = leaks.Counters(**{**vars(before), "mounts": frozenset()})
    assert leaks.difference(before, fewer) == ()
