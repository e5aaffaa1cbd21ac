"""Both versions against trees of plain files; what only the kernel does is tested in tests/unit/walls."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict

import pytest

from sandlot.walls import cgroup, cgroup1, cgroup2

linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")

V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
"""
V1_GROUPS = "9:name=systemd:/\n4:memory:/outer/inner\n3:cpu,cpuacct:/\n2:pids:/\n0::/\n"
V2_MOUNTS = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("membership", "mounts", "expected"),
    [
        ("", "", {}),
        ("0::/a/b\n", V2_MOUNTS, {"": "/sys/fs/cgroup/a/b"}),
        ("0::/\n", V2_MOUNTS, {"": "/sys/fs/cgroup"}),
        ("0::/a:b\n", V2_MOUNTS, {"": "/sys/fs/cgroup/a:b"}),
        ("0::/../x\n", V2_MOUNTS, {}),
        ("0::/box/1\n", V2_MOUNTS.replace(" / ", " /box/1 "), {"": "/sys/fs/cgroup"}),
        ("0::/box/1/in\n", V2_MOUNTS.replace(" / ", " /box/1 "), {"": "/sys/fs/cgroup/in"}),
        ("0::/box/12\n", V2_MOUNTS.replace(" / ", " /box/1 "), {}),
        ("0::/a\n", V2_MOUNTS.replace("/sys/fs/cgroup", "/odd\\040name"), {"": "/odd name/a"}),
    ],
)
def test_groups_are_found_through_their_mounts(
    membership: str, mounts: str, expected: Dict[str, str]
) -> None:
    assert cgroup.locate(membership, mounts) == expected


def test_each_version_1_controller_has_its_own_place() -> None:
    assert cgroup.locate(V1_GROUPS, V1_MOUNTS) == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "memory": "/sys/fs/cgroup/memory/outer/inner",
        "pids": "/sys/fs/cgroup/pids",
        "name=systemd": "/sys/fs/cgroup/systemd",
    }


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0"])
def test_a_group_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="one path part"):
        cgroup.below("", name)


@pytest.mark.parametrize("parent", ["/a", "..", "a/../.."])
def test_a_parent_stays_below_the_callers_group(parent: str) -> None:
    with pytest.raises(ValueError, match="below"):
        cgroup.below(parent, "name")


@pytest.mark.parametrize(("cpu", "expected"), [(1.0, 100_000), (0.5, 50_000), (1.5, 150_000), (0.0001, 1000)])
def test_processors_become_microseconds_per_period(cpu: float, expected: int) -> None:
    assert cgroup.quota(cpu) == expected


def fake(root: Path, membership: str, mounts: str) -> str:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    (root / "proc/self/mountinfo").write_text(mounts)
    return str(root)


def fill(directory: str, **files: object) -> None:
    """Control files a kernel would have made; a double underscore stands for the dot."""
    for name, content in files.items():
        Path(directory, name.replace("__", ".")).write_text(f"{content}\n")


def content(directory: str, name: str) -> str:
    return Path(directory, name).read_text().strip()


@pytest.fixture
def v1(tmp_path: Path) -> str:
    root = fake(tmp_path, V1_GROUPS, V1_MOUNTS)
    for place in ("cpu,cpuacct", "memory/outer/inner", "pids"):
        (tmp_path / "sys/fs/cgroup" / place).mkdir(parents=True)
    return root


@linux
def test_version_1_makes_one_directory_per_hierarchy_and_removes_them(v1: str) -> None:
    assert cgroup1.available(v1) == {"memory", "cpu", "pids"}
    group = cgroup1.Group.create("", "box", root=v1)
    assert group.directories["cpu"] == group.directories["cpuacct"]
    assert group.directories["memory"].endswith("/memory/outer/inner/box")
    assert cgroup1.names(root=v1) == {"box"}
    assert cgroup1.Group.existing("", "box", root=v1) == group
    with pytest.raises(FileExistsError):
        cgroup1.Group.create("", "box", root=v1)
    group.remove()
    group.remove()
    assert cgroup1.names(root=v1) == frozenset()


@linux
def test_version_1_leaves_nothing_when_one_hierarchy_refuses(v1: str) -> None:
    Path(v1, "sys/fs/cgroup/pids/box").mkdir()
    with pytest.raises(FileExistsError):
        cgroup1.Group.create("", "box", root=v1)
    assert os.listdir(os.path.join(v1, "sys/fs/cgroup/memory/outer/inner")) == []


@linux
def test_version_1_limits_are_written_in_kernel_units(v1: str) -> None:
    group = cgroup1.Group.create("", "box", root=v1)
    fill(group.directories["memory"], memory__limit_in_bytes=2**62, memory__memsw__limit_in_bytes=2**62)
    fill(group.directories["cpu"], cpu__cfs_period_us=0, cpu__cfs_quota_us=-1)
    fill(group.directories["pids"], pids__max="max", pids__current=3)
    group.limit(memory=64 << 20, cpu=1.5, pids=20)
    assert content(group.directories["memory"], "memory.limit_in_bytes").startswith(str(64 << 20))
    assert content(group.directories["memory"], "memory.memsw.limit_in_bytes").startswith(str(64 << 20))
    assert content(group.directories["cpu"], "cpu.cfs_quota_us") == "150000"
    assert content(group.directories["pids"], "pids.max").startswith("20")


@linux
def test_version_1_usage_says_none_for_what_it_cannot_know(v1: str) -> None:
    group = cgroup1.Group.create("", "box", root=v1)
    fill(group.directories["memory"], memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2")
    fill(group.directories["cpu"], cpuacct__usage=2_500_000_000)
    assert group.usage() == cgroup.Usage(memory_peak=None, cpu_seconds=2.5, oom_kills=2, pids=None)


@linux
@pytest.mark.parametrize("asked", ["memory", "cpu", "pids"])
def test_a_limit_without_its_controller_is_refused(tmp_path: Path, asked: str) -> None:
    mounts = "".join(line + "\n" for line in V1_MOUNTS.splitlines() if asked not in line)
    root = fake(tmp_path, V1_GROUPS, mounts)
    for place in ("cpu,cpuacct", "memory/outer/inner", "pids"):
        (tmp_path / "sys/fs/cgroup" / place).mkdir(parents=True)
    assert asked not in cgroup1.available(root)
    group = cgroup1.Group.create("", "box", root=root)
    with pytest.raises(OSError, match=f"no {asked} control group"):
        group.limit(**{asked: 1})


@linux
def test_a_machine_without_control_groups_offers_none(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert cgroup1.available(root) == cgroup2.available(root) == cgroup2.delegate(root) == frozenset()
    assert cgroup1.names(root=root) == cgroup2.names(root=root) == frozenset()
    with pytest.raises(OSError, match="version 1"):
        cgroup1.Group.create("", "box", root=root)
    with pytest.raises(OSError, match="version 2"):
        cgroup2.Group.create("", "box", root=root)


def v2(tmp_path: Path, path: str) -> str:
    """A version 2 tree whose top belongs to a container, so it has a type and members."""
    root = fake(tmp_path, f"0::{path}\n", V2_MOUNTS)
    base = tmp_path / "sys/fs/cgroup" / path.strip("/")
    (base / cgroup2.LEAF).mkdir(parents=True)
    fill(
        str(base),
        cgroup__controllers="cpuset cpu io memory pids",
        cgroup__subtree_control="",
        cgroup__procs="41",
        cgroup__type="domain",
    )
    fill(str(base / cgroup2.LEAF), cgroup__procs="")
    return root


@linux
def test_version_2_empties_its_own_group_before_it_hands_out_controllers(tmp_path: Path) -> None:
    root = v2(tmp_path, "/")
    top = str(tmp_path / "sys/fs/cgroup")
    assert cgroup2.available(root) == {"memory", "cpu", "pids"}
    group = cgroup2.Group.create("", "box", root=root)
    assert content(top, "cgroup.subtree_control") == "+cpu +memory +pids"
    assert content(os.path.join(top, cgroup2.LEAF), "cgroup.procs") == "41"
    assert cgroup2.names(root=root) == {"box"}
    assert group.directory == os.path.join(top, "box")


@linux
def test_version_2_finds_its_group_again_from_the_leaf(tmp_path: Path) -> None:
    root = v2(tmp_path, "/")
    (tmp_path / "proc/self/cgroup").write_text(f"0::/{cgroup2.LEAF}\n")
    fill(str(tmp_path / "sys/fs/cgroup"), cgroup__subtree_control="memory cpu pids")
    assert cgroup2.available(root) == {"memory", "cpu", "pids"}
    assert cgroup2.Group.create("", "box", root=root).directory == str(tmp_path / "sys/fs/cgroup/box")


@linux
def test_version_2_leaves_a_group_alone_that_was_not_handed_over(tmp_path: Path) -> None:
    root = v2(tmp_path, "/user.slice/session.scope")
    fill(str(tmp_path / "sys/fs/cgroup/user.slice"), cgroup__procs="")
    assert cgroup2.available(root) == frozenset()
    group = cgroup2.Group.create("", "box", root=root)
    with pytest.raises(OSError, match="no memory control group"):
        group.limit(memory=1)
    assert content(str(tmp_path / "sys/fs/cgroup/user.slice/session.scope"), "cgroup.procs") == "41"


@linux
def test_version_2_limits_usage_and_removal(tmp_path: Path) -> None:
    root = v2(tmp_path, "/")
    made = cgroup2.Group.create("", "box", root=root)
    fill(
        made.directory,
        cgroup__controllers="memory cpu pids",
        memory__max="max",
        memory__swap__max="max",
        memory__peak=4096,
        memory__events="low 0\nhigh 0\nmax 3\noom 1\noom_kill 1",
        cpu__max="max 100000",
        cpu__stat="usage_usec 1500000\nuser_usec 1000000",
        pids__max="max",
        pids__current=0,
        cgroup__procs="",
    )
    group = cgroup2.Group.existing("", "box", root=root)
    group.limit(memory=64 << 20, cpu=0.5, pids=20)
    assert content(group.directory, "memory.max") == str(64 << 20)
    assert content(group.directory, "memory.swap.max").startswith("0")
    assert content(group.directory, "cpu.max").startswith("50000 100000")
    assert content(group.directory, "pids.max").startswith("20")
    assert group.usage() == cgroup.Usage(memory_peak=4096, cpu_seconds=1.5, oom_kills=1, pids=0)
    group.kill()
    assert group.members() == []
    group.add_self()
    assert content(group.directory, "cgroup.procs").startswith("0")
