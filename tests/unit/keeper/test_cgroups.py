from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.keeper.cgroups import Groups, Owner, owner_in, this_owner
from sandlot.keeper.launch import Consumption
from sandlot.keeper.orders import Limits
from sandlot.walls import cgroup1, cgroup2
from sandlot.walls.cgroup import UNIFIED


def test_a_group_tells_its_owner() -> None:
    owner = Owner(4026531836, 12, 3456)
    assert owner_in(owner.name_of(7)) == owner


@pytest.mark.parametrize(
    "name",
    [
        "", "sandlot", "sandlot-1-2-3", "sandlot-1-2-3-4-5", "sandlot-1-2-x-4", "sandlot--2-3-4",
        "sandbox-1-2-3-4", "sandlot-1-2-3-\u0664", "user.slice",
    ],
)  # fmt: skip
def test_groups_of_others_have_no_owner(name: str) -> None:
    assert owner_in(name) is None


def test_this_process_is_an_owner_with_a_start() -> None:
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    owner = this_owner(proc)
    os.close(proc)
    assert owner.pid == os.getpid()
    assert owner.started > 0
    assert owner.pid_namespace == os.stat("/proc/self/ns/pid").st_ino


@pytest.fixture
def groups() -> Iterator[Groups]:
    # Asked before `Groups` is made: version 2 would have to move this very process.
    if len(cgroup1.available()) <= len(cgroup2.available()):
        pytest.skip("version 1 has no controllers to offer here")
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    owner = this_owner(proc)
    made = Groups(Owner(owner.pid_namespace, owner.pid, owner.started + 1))
    yield made
    made.clear_own()
    os.close(proc)


def test_a_plain_group_can_be_entered_through_its_doors_alone(groups: Groups) -> None:
    group = groups.create(1, Limits(pids=50), is_plain=True)
    assert group is not None
    assert group.birthplace is None
    doors = group.doors()
    assert len(doors) == len(set(group.directories.values()))
    assert not any(os.get_inheritable(door) for door in doors)
    (told, tell), (going, go) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        for door in doors:
            os.write(door, b"0")
        os.write(tell, b"+")
        os.read(going, 1)
        os._exit(0)
    assert os.read(told, 1) == b"+"
    tasks = [Path(directory, "tasks").read_text().split() for directory in group.directories.values()]
    assert tasks == [[str(child)]] * len(tasks)
    assert not group.remove()
    os.close(go)
    os.waitpid(child, 0)
    for descriptor in (*doors, told, tell, going):
        os.close(descriptor)
    assert group.remove()
    assert not any(os.path.exists(directory) for directory in group.directories.values())


def test_a_group_that_is_not_plain_has_a_switch_to_kill_with(groups: Groups) -> None:
    plain, switched = groups.create(1, Limits(), is_plain=True), groups.create(2, Limits())
    assert plain is not None
    assert switched is not None
    assert plain.birthplace is None
    assert set(plain.directories) == set(switched.directories) - {UNIFIED, "freezer"}
    assert plain.remove()
    assert switched.remove()


def test_limits_are_set_anew_and_those_that_are_none_stay(groups: Groups) -> None:
    group = groups.create(1, Limits(memory=64 << 20, pids=50), is_plain=True)
    assert group is not None
    group.limit(Limits(memory=32 << 20))
    directories = group.directories
    assert Path(directories["memory"], "memory.limit_in_bytes").read_text() == f"{32 << 20}\n"
    assert Path(directories["pids"], "pids.max").read_text() == "50\n"
    group.limit(Limits(memory=128 << 20))
    assert Path(directories["memory"], "memory.limit_in_bytes").read_text() == f"{128 << 20}\n"
    assert group.remove()


def test_a_group_that_is_gone_has_no_doors_and_counts_nothing(groups: Groups) -> None:
    group = groups.create(1, Limits(), is_plain=True)
    assert group is not None
    assert group.remove()
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No such file"):
        group.doors()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert group.consumption() == Consumption()
