"""What engine zygote shows of the host, what its zygotes are told, and what a claim changes (pure)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.spec import (
    Isolation,
    KeptWorkspace,
    Limits,
    Mount,
    Network,
    SandboxSpec,
    WorkspaceKind,
)
from sandlot.engines import inside
from sandlot.engines.layout import Layout
from sandlot.engines.zygote import tree
from sandlot.engines.zygote.engine import ZygoteEngine
from sandlot.engines.zygote.terms import MOST_BOXES, REMOVABLE, Terms
from sandlot.environments.environment import Bind, Environment
from sandlot.guest.nest import Nest
from sandlot.keeper import orders
from sandlot.keeper.launch import KeptMount, Powers
from sandlot.walls.plan import INNER

ALL = Powers(
    uid_switch=True, pid_namespace=True, workspace=True, controllers=frozenset({"memory", "cpu", "pids"})
)
NO_GROUPS = replace(ALL, controllers=frozenset(), missing=("no control group can be written",))
MERGED = Layout(
    links=(("bin", "usr/bin"), ("lib", "usr/lib")),
    trees=(),
    etc=frozenset({"passwd", "shadow", "ld.so.cache", "fonts"}),
    proc=frozenset({"kcore", "keys", "acpi", "self", "meminfo"}),
    proc_trees=frozenset({"acpi", "self"}),
)
APART = replace(MERGED, links=(), trees=("bin", "lib"))
SCIENCE = Environment(
    "science", "/env/bin/python3", Path("/usr/bin/python3"), "3.11.2", "tag",
    binds=(Bind(Path("/data/science"), "/env"), Bind(Path("/opt/python"), "/opt/python")), preload=("numpy",),
)  # fmt: skip


def terms(powers: Powers = ALL, *without: str) -> Terms:
    return Terms(powers, without=frozenset(without), missing=frozenset())


# What of the host is shown (pure).


@pytest.mark.parametrize("layout", [MERGED, APART])
def test_a_root_is_what_a_keeper_takes(layout: Layout) -> None:
    entries = tree.entries(SCIENCE, layout, "/data/agent.pyz")
    order = orders.ZygoteOrder(("/usr/bin/python3",), tree.ZYGOTE_VARIABLES, entries)
    assert order.tree == entries
    paths = [path for _, path, _ in entries]
    assert len(paths) == len(set(paths))


def test_the_host_is_shown_read_only_and_no_more_of_it_than_named() -> None:
    entries = tree.entries(SCIENCE, MERGED, "/data/agent.pyz")
    shown = {path: source for kind, path, source in entries if kind == "show"}
    assert shown == {
        "/usr": "/usr",
        "/etc/ld.so.cache": "/etc/ld.so.cache",
        "/etc/fonts": "/etc/fonts",
        "/env": "/data/science",
        "/opt/python": "/opt/python",
        tree.AGENT: "/data/agent.pyz",
    }
    files = {path: text for kind, path, text in entries if kind == "file"}
    assert "root" not in files["/etc/passwd"]
    assert "/etc/shadow" not in files
    devices = {path for kind, path, _ in entries if kind == "device"}
    assert devices == {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}


def test_the_workspace_has_its_other_name_unless_something_stands_there() -> None:
    assert ("link", "/app", "/workspace") in tree.entries(SCIENCE, MERGED, "/a")
    there = replace(SCIENCE, binds=(Bind(Path("/app/venv"), "/app/venv"),))
    assert all(kind != "link" for kind, path, _ in tree.entries(there, MERGED, "/a") if path == "/app")


def test_a_merged_tree_is_linked_and_another_one_shown() -> None:
    assert ("link", "/bin", "usr/bin") in tree.entries(SCIENCE, MERGED, "/a")
    apart = tree.entries(SCIENCE, APART, "/a")
    assert ("show", "/bin", "/bin") in apart
    assert all(kind != "link" for kind, path, _ in apart if path == "/bin")


def test_what_tells_of_the_host_is_masked_where_it_exists() -> None:
    assert tree.masked(MERGED) == [["acpi", True], ["kcore", False], ["keys", False]]


def test_libraries_are_told_to_load_with_one_thread_and_boxes_are_not() -> None:
    assert tree.ZYGOTE_VARIABLES["OMP_NUM_THREADS"] == "1"
    box = terms().nest(SCIENCE, MERGED)["env"]
    assert isinstance(box, dict)
    assert not [name for name in box if name.endswith("_THREADS")]


# What a zygote is told (pure).


def test_a_nest_is_what_the_zygote_reads() -> None:
    nest = Nest.parse(json.dumps(terms().nest(SCIENCE, MERGED)))
    assert nest.preload == ("numpy",)
    assert (nest.user, nest.group, nest.hostname) == (inside.USER, inside.GROUP, inside.HOSTNAME)
    assert nest.most == MOST_BOXES
    assert nest.plan.walls == INNER
    assert {"mounts", "capabilities", "namespaces.pid", "namespaces.net"} <= nest.walls


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ("namespaces.pid", {"namespaces.pid"}),
        ("namespaces.network", {"namespaces.net"}),
        ("mounts", {"mounts"}),
        ("namespaces", {f"namespaces.{name}" for name in ("pid", "net", "ipc", "uts", "cgroup")}),
    ],
)
def test_a_wall_left_out_is_missing_and_nothing_else(left_out: str, missing: set[str]) -> None:
    whole, less = terms().nest(SCIENCE, MERGED)["walls"], terms(ALL, left_out).nest(SCIENCE, MERGED)["walls"]
    assert isinstance(whole, list)
    assert isinstance(less, list)
    assert set(whole) - set(less) == missing


def test_new_privileges_and_users_can_never_be_left_out() -> None:
    assert not {"no_new_privs", "users"} & REMOVABLE
    with pytest.raises(Unsupported, match="no_new_privs"):
        ZygoteEngine(without=frozenset({"no_new_privs"}))


# What a claim changes (pure).


@pytest.mark.parametrize(
    "spec",
    [
        SandboxSpec(),
        SandboxSpec(environment="science"),
        SandboxSpec(env={"A": "b"}),
        SandboxSpec(limits=Limits(open_files=100, output=Bytes(5))),
        SandboxSpec(limits=Limits(memory=Bytes(2**30), pids=256, disk=Bytes(2**29), inodes=100_000)),
        SandboxSpec(network=Network.NONE, isolation=Isolation.NAMESPACE, engine="zygote"),
    ],
)
def test_what_a_box_was_parked_with_needs_no_fit(spec: SandboxSpec) -> None:
    usual = terms()
    assert usual.fit(spec, usual.grant(spec)) is None


@pytest.mark.parametrize(
    ("limits", "changed"),
    [
        (Limits(memory=Bytes(2**28)), {"memory": 2**28}),
        (Limits(cpu=Cores(0.5)), {"cpu": 0.5}),
        (Limits(pids=20), {"pids": 20}),
        (Limits(disk=Bytes(2**20)), {"disk": 2**20}),
        (Limits(inodes=10), {"inodes": 10}),
        (Limits(memory=Bytes(2**28), pids=7, inodes=9), {"memory": 2**28, "pids": 7, "inodes": 9}),
    ],
)
def test_other_limits_need_a_fit_that_says_them_all(limits: Limits, changed: dict[str, float]) -> None:
    usual, spec = terms(), SandboxSpec(limits=limits)
    granted = usual.grant(spec)
    fit = usual.fit(spec, granted)
    assert fit is not None
    for name in ("memory", "cpu", "pids"):
        assert getattr(fit.limits, name) == changed.get(name, getattr(usual.limits, name))
    assert (fit.disk, fit.inodes, fit.scratch) == (granted.disk, granted.inodes, granted.scratch)
    assert all(getattr(granted, name) == value for name, value in changed.items())


def test_a_kept_workspace_is_mounted_and_has_the_size_it_has() -> None:
    usual = terms()
    for kind, name in ((WorkspaceKind.IMAGE, "image"), (WorkspaceKind.DIRECTORY, "directory")):
        spec = SandboxSpec(workspace=KeptWorkspace("kept", kind))
        fit = usual.fit(spec, usual.grant(spec))
        assert fit is not None
        assert fit.kept == KeptMount("kept", name)  # type: ignore[arg-type] # one of its two words
        assert (fit.disk, fit.inodes) == (None, None)


@pytest.mark.parametrize(
    "spec",
    [
        SandboxSpec(network=Network.FULL),
        SandboxSpec(mounts=(Mount("/tmp", PurePosixPath("/mnt")),)),
        SandboxSpec(isolation=Isolation.VM),
        SandboxSpec(image="python:3.11"),
        SandboxSpec(
            limits=Limits(disk=Bytes(2**20)), workspace=KeptWorkspace("kept", WorkspaceKind.DIRECTORY)
        ),
    ],
)
def test_what_it_never_offers_is_refused(spec: SandboxSpec) -> None:
    with pytest.raises(Unsupported):
        terms().grant(spec)


def test_full_network_and_mounts_are_known_to_be_lacking_before_anything_starts() -> None:
    assert ZygoteEngine.lacks == Feature.NETWORK_FULL | Feature.MOUNTS


def test_limits_without_control_groups_are_refused_with_the_reason_and_pids_hold() -> None:
    bare = terms(NO_GROUPS)
    for limits in (Limits(memory=Bytes(2**28)), Limits(cpu=Cores(1.0))):
        with pytest.raises(Unsupported, match="no control group can be written"):
            bare.grant(SandboxSpec(limits=limits))
    spec = SandboxSpec(limits=Limits(pids=20))
    assert bare.grant(spec).rlimits()["nproc"] == 20
    assert bare.limits == orders.Limits()


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        terms().grant(SandboxSpec(limits=Limits(memory=Bytes(2**26), disk=Bytes(2**27))))
