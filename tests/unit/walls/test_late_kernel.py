"""Rulesets made ahead: kept until the walls go up, and widened by what is mounted in between."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sandlot.walls import landlock, lockdown, mounts, namespaces, session, users
from sandlot.walls.plan import Plan

from .conftest import Forked, run_forked

try:
    VERSION = landlock.abi()
except OSError as missing:
    pytest.skip(f"these are tests of Landlock: {missing}", allow_module_level=True)


def leave_the_host() -> None:
    uid, gid = os.getuid(), os.getgid()
    namespaces.leave({"user", "mnt"})
    users.write_maps("self", [users.IdMap(0, uid)], [users.IdMap(0, gid)], deny_setgroups=True)
    mounts.make_private()


def namespaces_work() -> bool:
    try:
        run_forked(leave_the_host, as_user=True)
    except AssertionError:
        return False
    return True


needs_namespaces = pytest.mark.skipif(
    not namespaces_work(), reason="this machine refuses user namespaces to ordinary users"
)
needs_scopes = pytest.mark.skipif(
    landlock.SCOPE_ABI > VERSION, reason=f"needs Landlock ABI {landlock.SCOPE_ABI}, this is {VERSION}"
)


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


def told_by_a_child(function: Callable[[], object]) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    return os.read(reader, 1000).decode()


@pytest.fixture
def room(place: Path) -> Path:
    made = place / "room"
    made.mkdir()
    made.chmod(0o777)
    return made


@pytest.fixture
def plan(room: Path) -> Plan:
    return Plan(
        rlimits={},
        readable=("/usr", "/lib", "/lib64", "/bin", "/proc"),
        writable=(str(room),),
        network="none",
        walls=("no_new_privs", "landlock"),
    )


def mount_over(room: Path) -> None:
    mounts.tmpfs(str(room), mounts.tmpfs_options(1 << 20, 16, 0o777, 0, 0))


def writes(room: Path) -> list[str]:
    return [
        attempt(lambda: (room / "file").write_text("x")),
        attempt(lambda: os.mkdir(room / "inner")),
        attempt(lambda: (room.parent / "beside").write_text("x")),
    ]


@needs_namespaces
@pytest.mark.parametrize(("is_widened", "answers"), [(True, ["ok", "ok", "EACCES"]), (False, ["EACCES"] * 3)])
def test_rules_reach_what_is_mounted_before_they_are_widened(
    forked: Forked, room: Path, is_widened: bool, answers: list[str]
) -> None:
    def inside() -> list[str]:
        leave_the_host()
        made = landlock.ruleset(["/"], [str(room)], devices=(), tcp=True)
        mount_over(room)
        if is_widened:
            landlock.widen(made, [str(room)])
        session.forbid_new_privileges()
        landlock.enter(made)
        return writes(room)

    assert forked(inside, as_user=True) == answers


@needs_namespaces
def test_rules_do_not_reach_what_is_mounted_after_that(forked: Forked, room: Path) -> None:
    """The reason why `widen` exists, and a fact of the kernel that may change."""

    def inside() -> list[str]:
        leave_the_host()
        made = landlock.ruleset(["/"], [str(room)], devices=(), tcp=True)
        (reading, writing), (told, tell) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            session.forbid_new_privileges()
            landlock.enter(made)
            os.write(tell, b"+")
            os.close(writing)
            os.read(reading, 1)
            os.write(tell, " ".join(writes(room)).encode())
            os._exit(0)
        os.read(told, 1)
        mount_over(room)
        os.close(writing)
        os.waitpid(child, 0)
        return os.read(told, 1000).decode().split()

    assert forked(inside, as_user=True) == ["EACCES"] * 3


@needs_namespaces
@pytest.mark.parametrize(("is_moved", "answer"), [(True, "ok"), (False, "EACCES")])
def test_agent_and_payload_reach_a_workspace_that_came_late(
    forked: Forked, plan: Plan, room: Path, is_moved: bool, answer: str
) -> None:
    def payload() -> str:
        walls = lockdown.payload(plan)
        return f"{walls} {attempt(lambda: (room / 'theirs').write_text('x'))}"

    def inside() -> list[str]:
        leave_the_host()
        lockdown.prepare(plan)
        lockdown.prepare_late(plan)
        session.forbid_new_privileges()
        mount_over(room)
        if is_moved:
            lockdown.widen_late(plan)
        lockdown.settle_late(plan)
        return [attempt(lambda: (room / "ours").write_text("x")), told_by_a_child(payload)]

    assert forked(inside, as_user=True) == [answer, f"['no_new_privs', 'landlock'] {answer}"]


def test_a_late_agent_is_confined_all_the_same(forked: Forked, plan: Plan, room: Path) -> None:
    def inside() -> list[str]:
        lockdown.prepare(plan)
        lockdown.prepare_late(plan)
        session.forbid_new_privileges()
        lockdown.settle_late(plan)
        return [*writes(room), attempt(lambda: os.listdir("/"))]

    assert forked(inside) == ["ok", "ok", "EACCES", "EACCES"]


@needs_scopes
def test_a_late_agent_ends_payloads_that_waited_and_an_early_one_could_not(
    forked: Forked, plan: Plan
) -> None:
    def attempts(put_up: Callable[[], object]) -> list[object]:
        reading, writing = os.pipe()
        waiting = os.fork()
        if waiting == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        put_up()
        answer = attempt(lambda: os.kill(waiting, signal.SIGTERM))
        os.close(writing)
        return [answer, os.WIFSIGNALED(os.waitpid(waiting, 0)[1])]

    def late() -> None:
        lockdown.prepare_late(plan)
        session.forbid_new_privileges()
        lockdown.settle_late(plan)

    assert forked(lambda: attempts(late), as_user=True) == ["ok", True]
    assert forked(lambda: attempts(lambda: lockdown.agent(plan)), as_user=True) == ["EPERM", False]


@needs_scopes
def test_a_payload_that_waited_with_landlock_is_scoped_once_it_has_it(forked: Forked, plan: Plan) -> None:
    def inside() -> list[str]:
        lockdown.prepare(plan)
        walls = lockdown.payload(plan.without("landlock"))
        before = attempt(lambda: os.kill(os.getppid(), 0))
        lockdown.confine(plan)
        return [*walls, before, attempt(lambda: os.kill(os.getppid(), 0)), attempt(lambda: os.listdir("/"))]

    def outside() -> str:
        return told_by_a_child(inside)

    assert forked(outside, as_user=True) == str(["no_new_privs", "ok", "EPERM", "EACCES"])


def test_what_is_prepared_is_kept_high_and_closed_on_exec(forked: Forked, plan: Plan) -> None:
    def inside() -> list[object]:
        before = lockdown.held()
        lockdown.prepare(plan)
        lockdown.prepare_late(plan)
        kept = lockdown.held()
        return [
            before,
            len(set(kept)),
            all(number >= 200 for number in kept),
            any(os.get_inheritable(each) for each in kept),
        ]

    assert forked(inside) == [[], 2, True, False]


def test_release_closes_what_was_held_and_the_walls_stay(forked: Forked, plan: Plan, room: Path) -> None:
    def inside() -> list[object]:
        lockdown.prepare(plan)
        (kept,) = lockdown.held()
        walls = lockdown.payload(plan)
        lockdown.release()
        return [walls, lockdown.held(), attempt(lambda: os.fstat(kept)), *writes(room)]

    assert forked(inside) == [["no_new_privs", "landlock"], [], "EBADF", "ok", "ok", "EACCES"]


def test_a_payload_enters_the_ruleset_it_was_handed(forked: Forked, plan: Plan, room: Path) -> None:
    """As a spare does: what the rules name may be out of its reach by then."""

    def inside() -> list[str]:
        lockdown.prepare(plan)
        os.rename(room, room.parent / "moved")
        lockdown.payload(plan)
        return writes(room.parent / "moved")

    assert forked(inside) == ["ok", "ok", "EACCES"]


def test_a_plan_whose_rules_cannot_be_made_is_refused_when_it_is_prepared(forked: Forked, plan: Plan) -> None:
    broken = Plan.from_json({**plan.to_json(), "writable": ["/nowhere/at/all"]})

    def inside() -> list[object]:
        refused = []
        for step in (lockdown.prepare, lockdown.prepare_late, lockdown.confine):
            try:
                step(broken)
            except lockdown.WallError as error:
                refused.append([error.wall, "/nowhere/at/all" in str(error)])
        return [refused, lockdown.held()]

    assert forked(inside) == [[["landlock", True]] * 3, []]
