"""What a probe's payload saw is held against what was claimed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandlot.contracts.errors import StartFailed
from sandlot.contracts.spec import Isolation
from sandlot.engines import proof
from sandlot.engines.keeping import death_of
from sandlot.keeper.launch import Consumption, Exit
from sandlot.link.life import Who
from tests.unit.engines.memory import MemoryBox

BOX: dict[str, Any] = {
    "uid": 1000,
    "owner_of_usr": 65534,
    "capabilities": 0,
    "no_new_privs": True,
    "seccomp": True,
    "leads_session": True,
    "core": 0,
    "processes": 3,
    "interfaces": ["lo"],
    "can_connect": True,
    "can_sniff": False,
    "can_read_shadow": False,
    "can_set_kernel": False,
    "writable": ["/tmp", "/dev/shm"],
    "can_read_agent": False,
}
CLAIMS = (
    "capabilities", "cgroup.memory", "dumpable", "landlock", "mounts", "namespaces", "network",
    "no_new_privs", "rlimits", "seccomp", "session", "users",
)  # fmt: skip
USED = Consumption(oom_kills=0, memory_peak=1, cpu_seconds=0.1, pids=3)


def test_a_box_that_is_as_claimed_disproves_nothing() -> None:
    assert proof.disproved(BOX, CLAIMS, Isolation.NAMESPACE, USED) == ()


@pytest.mark.parametrize(
    ("seen", "missing"),
    [
        ({"uid": 0}, {"users"}),
        ({"owner_of_usr": 0}, {"users"}),
        ({"capabilities": 1}, {"capabilities"}),
        ({"no_new_privs": False}, {"no_new_privs"}),
        ({"seccomp": False}, {"seccomp"}),
        ({"can_sniff": True}, {"seccomp"}),
        ({"leads_session": False}, {"session"}),
        ({"core": -1}, {"rlimits"}),
        ({"processes": 200}, {"namespaces"}),
        ({"interfaces": ["lo", "eth0"]}, {"namespaces", "network"}),
        ({"can_read_shadow": True}, {"landlock"}),
        ({"can_set_kernel": True}, {"mounts"}),
        ({"writable": ["/usr"]}, {"landlock", "mounts"}),
        ({"can_read_agent": True}, {"dumpable"}),
    ],
)
def test_a_wall_the_payload_saw_missing_is_named(seen: dict[str, Any], missing: set[str]) -> None:
    assert set(proof.disproved({**BOX, **seen}, CLAIMS, Isolation.NAMESPACE, USED)) == missing


def test_a_wall_that_is_not_claimed_is_not_missed() -> None:
    assert proof.disproved({**BOX, "seccomp": False}, ("users",), Isolation.NAMESPACE, USED) == ()


def test_a_control_group_nobody_counts_with_is_missing() -> None:
    assert proof.disproved(BOX, ("cgroup.memory",), Isolation.NAMESPACE, Consumption()) == ("cgroup.memory",)


@pytest.mark.parametrize(("can_connect", "missing"), [(False, ()), (True, ("network",))])
def test_without_a_network_namespace_a_socket_must_be_refused(
    can_connect: bool, missing: tuple[str, ...]
) -> None:
    seen = {**BOX, "can_connect": can_connect, "interfaces": ["lo", "eth0"], "processes": 300}
    assert proof.disproved(seen, ("network",), Isolation.PROCESS, USED) == missing


def _trial(error: Exception | None) -> proof.Trial:
    @asynccontextmanager
    async def trial() -> AsyncIterator[tuple[MemoryBox, Consumption]]:
        if error is not None:
            raise error
        yield MemoryBox("x", Isolation.NAMESPACE), Consumption()

    return trial


def test_a_box_that_does_not_start_is_an_answer_and_no_error() -> None:
    trial = _trial(StartFailed("no user namespaces"))
    found = asyncio.run(proof.probe("x", Isolation.NAMESPACE, trial))
    assert (found.works, found.cause) == (False, "no user namespaces")


def test_a_payload_that_reports_nothing_is_a_failure() -> None:
    found = asyncio.run(proof.probe("x", Isolation.NAMESPACE, _trial(None)))
    assert not found.works
    assert found.cause is not None
    assert "payload ended with exited" in found.cause


@pytest.mark.parametrize(
    ("told", "launcher", "who", "detail"),
    [
        (Exit(9, "keeper_died"), "launcher", "keeper", "the keeper ended"),
        (Exit(9, "killed"), "launcher", "host", "killed on request"),
        (Exit(9, "exited"), "launcher", "launcher", "killed by SIGKILL"),
        (Exit(137 << 8, "exited"), "launcher", "agent", "killed by SIGKILL"),
        (Exit(9, "exited"), "agent", "agent", "killed by SIGKILL"),
        (Exit(3 << 8, "exited"), "agent", "agent", "exited with code 3"),
        (Exit(1 << 8, "exited"), "launcher", "agent", "exited with code 1"),
    ],
)
def test_who_died_first_is_read_from_the_first_process(
    told: Exit, launcher: Who, who: str, detail: str
) -> None:
    death = death_of(told, launcher)
    assert (death.who, death.detail) == (who, detail)
