from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.spec import (
    DEFAULT_LIMITS,
    Isolation,
    KeptWorkspace,
    Limits,
    Mount,
    Network,
    SandboxSpec,
    WorkspaceKind,
)
from sandlot.engines.grants import grant, limit_features, wanted

EVERYTHING = ~Feature.NOTHING
MIB = 2**20


def _grant(limits: Limits, offered: Feature = EVERYTHING) -> object:
    return grant(SandboxSpec(limits=limits), offered, engine="test", isolation=Isolation.NAMESPACE)


def test_defaults_are_given_where_they_can_be_enforced() -> None:
    given = grant(SandboxSpec(), EVERYTHING, engine="test", isolation=Isolation.NAMESPACE)
    assert (given.memory, given.pids, given.disk) == (1024 * MIB, 256, 512 * MIB)
    assert (given.inodes, given.output, given.open_files) == (100_000, MIB, 1024)


def test_amounts_are_plain_numbers_for_command_lines() -> None:
    given = grant(SandboxSpec(), EVERYTHING, engine="test", isolation=Isolation.NAMESPACE)
    assert [str(given.memory), str(given.disk)] == ["1073741824", "536870912"]


def test_defaults_are_left_out_where_they_cannot() -> None:
    given = grant(SandboxSpec(), Feature.NOTHING, engine="test", isolation=Isolation.NAMESPACE)
    assert (given.memory, given.cpu, given.pids, given.disk, given.inodes) == (None,) * 5
    assert given.rlimits() == {"nofile": 1024, "core": 0, "nproc": 2048, "data": 2**30}


def test_an_image_keeps_its_own_limits_beside_those_of_memory() -> None:
    limits = Limits(memory=Bytes(64 * MIB), disk=Bytes(1024 * MIB))
    spec = SandboxSpec(limits=limits, workspace=KeptWorkspace("w", WorkspaceKind.IMAGE))
    given = grant(spec, Feature.LIMIT_MEMORY, engine="test", isolation=Isolation.NAMESPACE)
    assert (given.memory, given.disk, given.inodes) == (64 * MIB, 1024 * MIB, 100_000)


@pytest.mark.parametrize("limits", [Limits(disk=Bytes(MIB)), Limits(inodes=10)])
def test_nothing_bounds_a_directory_and_nothing_is_said_to(limits: Limits) -> None:
    workspace = KeptWorkspace("w", WorkspaceKind.DIRECTORY)
    unasked = SandboxSpec(workspace=workspace)
    given = grant(unasked, EVERYTHING, engine="test", isolation=Isolation.NAMESPACE)
    assert (given.disk, given.inodes) == (None, None)
    asked = SandboxSpec(workspace=workspace, limits=limits)
    with pytest.raises(Unsupported, match="keep it in an image"):
        grant(asked, EVERYTHING, engine="test", isolation=Isolation.NAMESPACE)


@pytest.mark.parametrize(
    ("limits", "missing"),
    [
        (Limits(memory=Bytes(2**30)), Feature.LIMIT_MEMORY),
        (Limits(cpu=Cores(0.5)), Feature.LIMIT_CPU),
        (Limits(pids=10), Feature.LIMIT_PIDS),
        (Limits(disk=Bytes(MIB)), Feature.LIMIT_DISK),
        (Limits(inodes=10), Feature.LIMIT_INODES),
    ],
)
def test_what_was_asked_and_cannot_be_enforced_is_refused(limits: Limits, missing: Feature) -> None:
    with pytest.raises(Unsupported, match=str(missing.name).lower()):
        _grant(limits, EVERYTHING & ~missing)


def test_full_network_and_mounts_are_features_too() -> None:
    spec = SandboxSpec(network=Network.FULL, mounts=(Mount("/srv", PurePosixPath("/mnt")),))
    assert wanted(spec) == (Feature.NETWORK_FULL, Feature.MOUNTS)


def test_a_default_disk_stays_below_a_small_memory() -> None:
    given = grant(
        SandboxSpec(limits=Limits(memory=Bytes(64 * MIB))),
        EVERYTHING,
        engine="test",
        isolation=Isolation.NAMESPACE,
    )
    assert (given.disk, given.scratch) == (32 * MIB, 8 * MIB)


def test_a_disk_that_would_not_fit_into_the_memory_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="below the memory limit"):
        _grant(Limits(memory=Bytes(64 * MIB), disk=Bytes(64 * MIB)))


@pytest.mark.parametrize(
    "limits", [Limits(memory=Bytes(MIB)), Limits(cpu=Cores(0.009)), Limits(pids=3), Limits(open_files=15)]
)
def test_a_limit_nothing_can_start_in_is_refused(limits: Limits) -> None:
    with pytest.raises(InvalidSpec, match="too little"):
        _grant(limits)


def test_more_processes_than_the_kernel_counts_are_refused() -> None:
    with pytest.raises(InvalidSpec, match="use 4194304 or less"):
        _grant(Limits(pids=2**22 + 1))


def test_controllers_decide_which_limits_are_offered() -> None:
    assert limit_features(frozenset({"memory", "hugetlb"})) == Feature.LIMIT_MEMORY
    assert DEFAULT_LIMITS.pids == 256


def test_more_isolation_than_the_engine_reaches_is_refused() -> None:
    with pytest.raises(Unsupported, match="not the vm asked"):
        grant(SandboxSpec(isolation=Isolation.VM), EVERYTHING, engine="test", isolation=Isolation.NAMESPACE)


def test_an_image_that_nobody_took_for_an_environment_is_refused() -> None:
    with pytest.raises(Unsupported, match="name an environment"):
        grant(SandboxSpec(image="python:3.11"), EVERYTHING, engine="test", isolation=Isolation.VM)
