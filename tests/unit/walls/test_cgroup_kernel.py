from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.walls import cgroup, cgroup1, cgroup2

LIMITS_1 = cgroup1.available()
version_1 = pytest.mark.skipif(not LIMITS_1, reason="no version 1 control groups that this user may write")
UNIFIED = cgroup.own_directories().get(cgroup.UNIFIED, "")
version_2 = pytest.mark.skipif(
    not os.access(UNIFIED or "/nowhere", os.W_OK),
    reason="no version 2 control groups that this user may write",
)
needs_limits_2 = pytest.mark.skipif(
    not cgroup2.available() >= {"memory", "pids"},
    reason="version 2 controllers are not ours to hand out here",
)
NAME = f"sandlot-test-{os.getpid()}"


@pytest.fixture
def group1() -> Iterator[cgroup1.Group]:
    group = cgroup1.Group.create("", NAME)
    yield group
    group.kill()
    group.remove()
    assert NAME not in cgroup1.names()


@pytest.fixture
def group2() -> Iterator[cgroup2.Group]:
    group = cgroup2.Group.create("", NAME)
    yield group
    group.kill()
    group.remove()
    assert NAME not in cgroup2.names()


def needs(*controllers: str) -> pytest.MarkDecorator:
    missing = sorted(set(controllers) - LIMITS_1)
    return pytest.mark.skipif(bool(missing), reason=f"no version 1 controllers {missing} here")


def eat_memory() -> None:
    hoard = bytearray(256 << 20)
    for at in range(0, len(hoard), 4096):
        hoard[at] = 1


def fork_often() -> None:
    """Exit status: how many children could be made, which all sleep until they are killed."""
    made = 0
    while made < 100:
        try:
            child = os.fork()
        except BlockingIOError:
            break
        if child == 0:
            signal.pause()
        made += 1
    os._exit(made)


def spin() -> None:
    before = time.monotonic()
    while time.process_time() < 0.1:
        pass
    os._exit(min(250, int((time.monotonic() - before) * 100)))


def start(group: cgroup1.Group | cgroup2.Group, work: object) -> int:
    child = os.fork()
    if child == 0:
        try:
            group.add_self()
            assert callable(work)
            work()
        finally:
            os._exit(251)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@version_1
@needs("memory")
def test_version_1_kills_what_takes_too_much_memory(group1: cgroup1.Group) -> None:
    group1.limit(memory=32 << 20)
    assert exit_code(start(group1, eat_memory)) == -signal.SIGKILL
    usage = group1.usage()
    assert usage.oom_kills == 1
    assert usage.memory_peak is not None
    assert (30 << 20) < usage.memory_peak <= 32 << 20


@version_1
@needs("memory")
def test_version_1_memory_limits_go_up_and_down(group1: cgroup1.Group) -> None:
    for size in (64 << 20, 256 << 20, 32 << 20):
        group1.limit(memory=size)
        assert cgroup.read_number(group1.directories["memory"], "memory.limit_in_bytes") == size
        assert cgroup.read_number(group1.directories["memory"], "memory.memsw.limit_in_bytes") in {size, None}


@version_1
@needs("pids")
@pytest.mark.skipif("freezer" not in cgroup.own_directories(), reason="no freezer controller")
@pytest.mark.parametrize("by", ["switch", "freezer", "signals"])
def test_version_1_stops_a_fork_bomb_and_clears_it_away(group1: cgroup1.Group, by: str) -> None:
    left_out = {"switch": set(), "freezer": {cgroup.UNIFIED}, "signals": {cgroup.UNIFIED, "freezer"}}[by]
    group = cgroup1.Group({name: path for name, path in group1.directories.items() if name not in left_out})
    group.limit(pids=20)
    assert exit_code(start(group, fork_often)) == 19
    assert len(group.members()) == 19
    assert group.usage().pids == 19
    group.kill()
    assert group.members() == []


@version_1
@needs("pids")
@pytest.mark.parametrize("hidden", [set(), {cgroup.UNIFIED}, {cgroup.UNIFIED, "freezer"}])
def test_version_1_strikes_once_without_any_patience(group1: cgroup1.Group, hidden: set[str]) -> None:
    group = cgroup1.Group({name: path for name, path in group1.directories.items() if name not in hidden})
    child = start(group, signal.pause)
    while child not in group.members():
        os.sched_yield()
    with contextlib.suppress(TimeoutError):
        group.kill(0)
    assert exit_code(child) == -signal.SIGKILL


@version_1
@needs("cpu")
def test_version_1_slows_a_spinning_process_down(group1: cgroup1.Group) -> None:
    group1.limit(cpu=0.2)
    hundredths = exit_code(start(group1, spin))
    assert hundredths >= 30, "0.1 s of processor time at a fifth of a processor take about 0.5 s"
    used = group1.usage().cpu_seconds
    assert used is None or used >= 0.1


@version_1
def test_version_1_is_found_again_by_name(group1: cgroup1.Group) -> None:
    assert NAME in cgroup1.names()
    assert cgroup1.Group.existing("", NAME) == group1


@version_2
def test_version_2_kills_every_process_at_once(group2: cgroup2.Group) -> None:
    assert exit_code(start(group2, fork_often)) == 100
    assert len(group2.members()) == 100
    group2.kill(30.0)  # a machine that does much else takes its time over a hundred ends
    assert group2.members() == []


@version_2
def test_version_2_refuses_limits_it_has_no_controllers_for(group2: cgroup2.Group) -> None:
    if cgroup2.available():
        pytest.skip("this hierarchy has controllers")
    with pytest.raises(OSError, match="no pids control group"):
        group2.limit(pids=5)


@needs_limits_2
def test_version_2_limits_memory_and_processes(group2: cgroup2.Group) -> None:
    group2.limit(memory=32 << 20, pids=20)
    assert exit_code(start(group2, eat_memory)) == -signal.SIGKILL
    assert group2.usage().oom_kills == 1
    assert exit_code(start(group2, fork_often)) == 19


@version_1
def test_nothing_is_left_of_a_group_that_could_not_be_made_whole() -> None:
    directories = cgroup.own_directories()
    last = [name for name in (*cgroup1.USED, cgroup.UNIFIED) if name in directories][-1]
    Path(directories[last], NAME).mkdir()
    try:
        with pytest.raises(FileExistsError):
            cgroup1.Group.create("", NAME)
        others = [path for name, path in directories.items() if name != last]
        assert not any(Path(path, NAME).exists() for path in others)
    finally:
        Path(directories[last], NAME).rmdir()
