from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sandlot.walls import capabilities, mounts, namespaces, session, users

from .conftest import Forked, run_forked

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs uid 0")


def enter_own(*names: str) -> None:
    """New namespaces in a user namespace of the caller's, who is root in there."""
    uid, gid = os.getuid(), os.getgid()
    namespaces.leave({"user", *names})
    users.write_maps("self", [users.IdMap(0, uid)], [users.IdMap(0, gid)], deny_setgroups=True)


def user_namespaces_work() -> bool:
    try:
        run_forked(lambda: enter_own("mnt"), as_user=True)
    except AssertionError:
        return False
    return True


needs_user_namespaces = pytest.mark.skipif(
    not user_namespaces_work(), reason="this machine refuses user namespaces to ordinary users"
)


@needs_user_namespaces
def test_an_ordinary_user_becomes_root_of_its_own_namespace(forked: Forked) -> None:
    def inside() -> list[object]:
        enter_own("uts")
        namespaces.set_hostname("sandlot")
        return [os.getuid(), os.getgid(), socket.gethostname(), capabilities.held()[0] != 0]

    before = socket.gethostname()
    assert forked(inside, as_user=True) == [0, 0, "sandlot", True]
    assert socket.gethostname() == before


@needs_user_namespaces
def test_a_root_is_built_and_the_old_one_is_gone(forked: Forked, place: Path) -> None:
    (place / "root").mkdir()
    (place / "root").chmod(0o777)

    def inside() -> list[object]:
        enter_own("mnt", "pid")
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            return [os.waitstatus_to_exitcode(status)]
        os._exit(built(str(place / "root")))

    assert forked(inside, as_user=True) == [0]


def built(root: str) -> int:
    """Exit status: the number of the first expectation that does not hold, or 0."""
    mounts.make_private()
    mounts.tmpfs(root, mounts.tmpfs_options(1 << 20, 64, 0o755, 0, 0))
    for name in ("usr", "proc", "room"):
        os.mkdir(f"{root}/{name}")
    mounts.bind_read_only("/usr", f"{root}/usr")
    mounts.proc(f"{root}/proc")
    mounts.tmpfs(f"{root}/room", mounts.tmpfs_options(65536, 8, 0o700, 0, 0), executable=False)
    mounts.pivot_root(root)
    mounts.restrict("/", mounts.MOUNT_ATTR_RDONLY, recursive=False)
    return first_broken(
        [
            sorted(os.listdir("/")) == ["proc", "room", "usr"],
            not os.path.exists("/etc/passwd"),
            refused("/usr/new"),
            refused("/new"),
            not refused("/room/new"),
            os.getpid() == 1,
            sorted(filter(str.isdigit, os.listdir("/proc"))) == ["1"],
            fills_up("/room/big"),
            os.statvfs("/room").f_flag & os.ST_NOEXEC != 0,
            os.statvfs("/usr").f_flag & os.ST_NOSUID != 0,
            unmounted("/room"),
        ]
    )


def first_broken(expectations: list[bool]) -> int:
    return next((at for at, holds in enumerate(expectations, 1) if not holds), 0)


def refused(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        return True
    return False


def fills_up(path: str) -> bool:
    try:
        Path(path).write_bytes(bytes(1 << 20))
    except OSError:
        return True
    return False


def unmounted(path: str) -> bool:
    before = os.stat(path).st_dev
    mounts.unmount(path, lazy=True)
    return os.stat(path).st_dev != before


@needs_user_namespaces
def test_a_kept_namespace_can_be_entered_by_its_kind_only(forked: Forked) -> None:
    def inside() -> list[object]:
        enter_own("uts")
        first = namespaces.keep("uts")
        namespaces.leave(["uts"])
        namespaces.set_hostname("second")
        try:
            namespaces.enter(first, "net")
        except OSError:
            namespaces.enter(first, "uts")
        return [socket.gethostname() != "second", sorted(namespaces.known())]

    assert forked(inside, as_user=True) == [True, sorted(namespaces.FLAGS)]


@ROOT
def test_root_becomes_an_ordinary_user_for_good(forked: Forked) -> None:
    def inside() -> list[object]:
        users.become(1_900_000_001, 1_900_000_001)
        try:
            os.setuid(0)
        except PermissionError:
            return [os.getresuid(), os.getresgid(), os.getgroups(), capabilities.held()]
        return ["root again"]

    ids = [1_900_000_001] * 3
    assert forked(inside) == [ids, ids, [], [0, 0, 0]]


@ROOT
def test_the_bounding_set_is_emptied_where_that_is_allowed(forked: Forked) -> None:
    def inside() -> list[str]:
        capabilities.drop_all()
        with open("/proc/self/status") as file:
            return [line.split()[1] for line in file if line.startswith("Cap")]

    assert forked(inside) == ["0" * 16] * 5


def test_a_session_leader_stays_one(forked: Forked) -> None:
    def inside() -> list[bool]:
        session.lead()
        first = os.getsid(0)
        session.lead()
        return [first == os.getpid(), os.getsid(0) == first]

    assert forked(inside) == [True, True]
