from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandlot.walls import landlock, lockdown, rlimits, session
from sandlot.walls.plan import INNER, Plan
from sandlot.walls.syscalls import prctl

from .conftest import Forked

try:
    landlock.abi()
except OSError as missing:
    pytest.skip(f"a whole lockdown needs Landlock: {missing}", allow_module_level=True)


@pytest.fixture
def plan(place: Path) -> Plan:
    return Plan(
        rlimits={"nofile": 128, "fsize": 1 << 20},
        readable=("/usr", "/lib", "/lib64", "/bin", "/proc"),
        writable=(str(place),),
        network="none",
        walls=INNER,
    )


def changed(plan: Plan, field: str, value: object) -> Plan:
    return Plan.from_json({**plan.to_json(), field: value})


def signs() -> dict[str, object]:
    """What shows from outside or inside that each wall stands."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    with open("/proc/self/limits") as file:
        limits = [line.split()[-3:-1] for line in file if line.startswith("Max open files")]
    return {
        "session": os.getsid(0) == os.getpid(),
        "rlimits": limits == [["128", "128"]],
        "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapInh"], 16)
        == 0,
        "no_new_privs": status["NoNewPrivs"] == "1",
        "landlock": not os.access("/", os.R_OK) or not readable("/"),
        "dumpable": not dumpable(),
        "seccomp": status["Seccomp"] == "2",
    }


def readable(path: str) -> bool:
    try:
        os.listdir(path)
    except PermissionError:
        return False
    return True


def dumpable() -> bool:
    return prctl(session.PR_GET_DUMPABLE) == 1


@pytest.mark.parametrize("as_user", [False, True])
def test_a_payload_gets_every_wall_in_order(forked: Forked, plan: Plan, as_user: bool) -> None:
    names, seen = forked(lambda: (lockdown.payload(plan), signs()), as_user=as_user)
    assert names == list(INNER)
    assert seen == dict.fromkeys(INNER, True)


@pytest.mark.parametrize("wall", [wall for wall in INNER if wall not in {"no_new_privs", "capabilities"}])
def test_a_wall_left_out_is_missing_and_nothing_else(forked: Forked, plan: Plan, wall: str) -> None:
    names, seen = forked(lambda: (lockdown.payload(plan.without(wall)), signs()))
    assert wall not in names
    assert [name for name, stands in seen.items() if not stands] == [wall]


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user has no capabilities to keep")
def test_root_keeps_its_capabilities_when_that_wall_is_left_out(forked: Forked, plan: Plan) -> None:
    _, seen = forked(lambda: (lockdown.payload(plan.without("capabilities", "no_new_privs")), signs()))
    assert [name for name, stands in seen.items() if not stands] == ["capabilities", "no_new_privs"]


def failure(action: Callable[[], object]) -> list[str]:
    try:
        action()
    except lockdown.WallError as error:
        return [error.wall, str(error)]
    return []


def test_walls_that_need_no_new_privs_fail_closed_without_it(forked: Forked, plan: Plan) -> None:
    for needing in ("landlock", "seccomp"):
        other = {"landlock": "seccomp", "seccomp": "landlock"}[needing]
        bare = plan.without("no_new_privs", other)
        wall, message = forked(lambda bare=bare: failure(lambda: lockdown.payload(bare)), as_user=True)
        assert wall == needing
        assert "could not be put up" in message


def test_a_missing_writable_tree_stops_the_payload(forked: Forked, plan: Plan) -> None:
    broken = changed(plan, "writable", ["/nowhere/at/all"])
    wall, message = forked(lambda: failure(lambda: lockdown.payload(broken)))
    assert wall == "landlock"
    assert "/nowhere/at/all" in message


def test_a_payload_whose_parent_is_gone_does_not_start(forked: Forked, plan: Plan) -> None:
    wall, message = forked(lambda: failure(lambda: lockdown.payload(plan, parent=1 << 22)))
    assert wall == "session"
    assert "4194304" in message


def test_the_agent_can_still_fork_payloads_and_kill_them(forked: Forked, plan: Plan) -> None:
    def inside() -> list[object]:
        lockdown.prepare(plan)
        names = lockdown.agent(plan)
        me = os.getpid()
        reader, writer = os.pipe()
        payload = os.fork()
        if payload == 0:
            put_up = lockdown.payload(plan, parent=me)
            try:
                os.kill(me, signal.SIGKILL)
            except PermissionError:
                put_up.append("kill refused")
            try:
                os.open(f"/proc/{me}/mem", os.O_RDONLY)
            except PermissionError:
                put_up.append("memory refused")
            os.write(writer, ",".join(put_up).encode())
            signal.pause()
        told = os.read(reader, 1000).decode().split(",")
        os.kill(payload, signal.SIGKILL)
        _, status = os.waitpid(payload, 0)
        return [names, told, os.WTERMSIG(status), dumpable()]

    agent_walls, told, ended_by, open_to_others = forked(inside, as_user=True)
    assert agent_walls == ["no_new_privs", "landlock", "dumpable"]
    assert told == [*INNER, *(["kill refused"] if landlock.abi() >= 6 else []), "memory refused"]
    assert ended_by == signal.SIGKILL
    assert not open_to_others


def test_shared_memory_and_terminals_come_with_a_box_of_its_own(forked: Forked, plan: Plan) -> None:
    def opened(ipc: bool) -> list[bool]:
        lockdown.payload(changed(plan, "ipc", ipc))
        return [can_open("/dev/null"), can_open("/dev/ptmx"), readable("/dev/shm")]

    assert forked(lambda: opened(ipc=False)) == [True, False, False]
    own = [True, os.path.exists("/dev/ptmx"), os.path.isdir("/dev/shm")]
    assert forked(lambda: opened(ipc=True)) == own


def can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError:
        return False
    return True


def test_limits_only_go_down(forked: Forked) -> None:
    import resource

    def inside() -> list[object]:
        _, before = resource.getrlimit(resource.RLIMIT_NOFILE)
        rlimits.lower({"nofile": before + 1 if before > 0 else 1 << 30})
        same = resource.getrlimit(resource.RLIMIT_NOFILE)[1] in {before, 1 << 30}
        rlimits.lower({"nofile": 100, "as": 1 << 40})
        rlimits.lower({"nofile": 200})
        return [same, resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)]

    assert forked(inside) == [True, [100, 100], [0, 0]]


def test_a_prepared_payload_is_walled_in_well_under_a_command_start(forked: Forked, plan: Plan) -> None:
    """A generous bound, to notice walls that became slow; about 1 ms was measured."""

    def inside() -> float:
        lockdown.prepare(plan)
        before = time.perf_counter()
        lockdown.payload(plan)
        return time.perf_counter() - before

    assert forked(inside) < 0.1
