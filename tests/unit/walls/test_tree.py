"""The root of boxes, built in throw-away namespaces by a process that has power in there alone."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sandlot.walls import mounts, namespaces, session, tree, users

from .conftest import Forked, read_all, report, run_forked

DEVICE = ("device", "/dev/null", "/dev/null")


def apart(function: Callable[[], object]) -> bytes:
    """What `function` told as the first process of new user, mount and pid namespaces, root in there."""
    uid, gid = os.getuid(), os.getgid()
    namespaces.leave({"user", "mnt", "pid"})
    users.write_maps("self", [users.IdMap(0, uid)], [users.IdMap(0, gid)], deny_setgroups=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        session.die_with_parent()
        report(function, writer, as_user=False)
    os.close(writer)
    answer = read_all(reader)
    os.waitpid(child, 0)
    return answer


def namespaces_work() -> bool:
    try:
        return bool(run_forked(lambda: apart(lambda: True).decode(), as_user=True))
    except AssertionError:
        return False


pytestmark = pytest.mark.skipif(
    not namespaces_work(), reason="this machine refuses user namespaces to ordinary users"
)


@pytest.fixture
def inside(forked: Forked) -> Callable[[Callable[[], object]], object]:
    """Runs a function as `apart` does, for an ordinary user, and hands on what it returned."""
    import json

    def run(function: Callable[[], object]) -> object:
        outcome = json.loads(forked(lambda: apart(function).decode(), as_user=True))
        assert "failure" not in outcome, outcome["failure"]
        return outcome["value"]

    return run


Inside = Callable[[Callable[[], object]], object]


def refusal(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except ValueError as error:
        return str(error)
    return "ok"


def test_every_kind_of_entry_is_where_it_was_asked_for(inside: Inside, place: Path) -> None:
    (place / "shown").mkdir()
    (place / "shown" / "file").write_text("content")
    entries = [
        ("directory", "/empty/inner", "750"),
        ("link", "/short", "/empty/inner"),
        ("file", "/etc/note", "a note"),
        ("show", "/data/tree", str(place / "shown")),
        ("show", "/data/file", str(place / "shown" / "file")),
        DEVICE,
        ("proc", "/proc", ""),
    ]

    def look() -> list[object]:
        tree.build(entries)
        Path("/dev/null").write_text("gone")
        return [
            sorted(os.listdir("/")),
            stat.S_IMODE(os.stat("/empty/inner").st_mode),
            os.readlink("/short"),
            Path("/etc/note").read_text(),
            Path("/data/tree/file").read_text(),
            Path("/data/file").read_text(),
            stat.S_ISCHR(os.stat("/dev/null").st_mode),
            [name for name in os.listdir("/proc") if name.isdigit()],
            os.getcwd(),
        ]

    top = ["data", "dev", "empty", "etc", "proc", "short"]
    assert inside(look) == [top, 0o750, "/empty/inner", "a note", "content", "content", True, ["1"], "/"]


def test_nothing_of_the_root_can_be_written(inside: Inside, place: Path) -> None:
    (place / "shown").mkdir()
    (place / "shown" / "file").write_text("content")
    place.joinpath("shown").chmod(0o777)
    entries = [
        ("directory", "/empty", "777"),
        ("file", "/note", "x"),
        ("show", "/shown", str(place / "shown")),
    ]

    def look() -> list[str]:
        tree.build(entries)
        return [
            refusal(lambda: os.mkdir("/new")),
            refusal(lambda: Path("/empty/new").write_text("x")),
            refusal(lambda: Path("/note").write_text("x")),
            refusal(lambda: Path("/shown/new").write_text("x")),
            refusal(lambda: os.chmod("/shown/file", 0o600)),
            refusal(lambda: os.mknod("/shown/device", 0o020666, os.makedev(1, 3))),
        ]

    assert inside(look) == ["EROFS"] * 6
    assert os.listdir(place / "shown") == ["file"]


def test_a_directory_in_memory_can_be_written_and_is_bounded(inside: Inside) -> None:
    def look() -> list[object]:
        tree.build([("memory", "/tmp", str(1 << 20))])
        Path("/tmp/small").write_text("x")
        return [
            Path("/tmp/small").read_text(),
            refusal(lambda: Path("/tmp/large").write_bytes(bytes(2 << 20))),
            bool(os.statvfs("/tmp").f_flag & os.ST_NOSUID) and bool(os.statvfs("/tmp").f_flag & os.ST_NODEV),
        ]

    assert inside(look) == ["x", "ENOSPC", True]


def test_what_is_shown_is_neither_set_uid_nor_a_device(inside: Inside, place: Path) -> None:
    def look() -> list[bool]:
        tree.build([("show", "/shown", str(place))])
        flags = os.statvfs("/shown").f_flag
        return [bool(flags & bit) for bit in (os.ST_RDONLY, os.ST_NOSUID, os.ST_NODEV)]

    assert inside(look) == [True, True, True]


def test_a_mount_below_what_is_shown_is_read_only_too(inside: Inside, place: Path) -> None:
    (place / "below").mkdir()

    def look() -> list[object]:
        mounts.make_private()
        mounts.tmpfs(str(place / "below"), mounts.tmpfs_options(65536, 8, 0o777, 0, 0))
        (place / "below" / "file").write_text("there")
        tree.build([("show", "/shown", str(place))])
        return [Path("/shown/below/file").read_text(), refusal(lambda: os.unlink("/shown/below/file"))]

    assert inside(look) == ["there", "EROFS"]


def test_links_of_the_host_are_followed_before_its_root_is_gone(inside: Inside, place: Path) -> None:
    (place / "real").mkdir()
    (place / "real" / "file").write_text("content")
    (place / "link").symlink_to(place / "real")
    (place / "again").symlink_to("link")

    def look() -> str:
        tree.build([("show", "/shown", str(place / "again"))])
        return Path("/shown/file").read_text()

    assert inside(look) == "content"


def test_a_link_in_the_new_root_may_lead_nowhere(inside: Inside) -> None:
    def look() -> list[object]:
        tree.build([("link", "/bin", "usr/bin"), ("link", "/away", "/nowhere")])
        return [os.readlink("/bin"), os.path.exists("/away")]

    assert inside(look) == ["usr/bin", False]


def test_the_old_root_cannot_be_reached(inside: Inside, place: Path) -> None:
    (place / "secret").write_text("of the host")

    def look() -> list[object]:
        before = os.open("/", os.O_PATH | os.O_DIRECTORY)
        os.close(before)
        tree.build([("directory", "/empty", "755"), ("proc", "/proc", "")])
        climbed = [os.path.join("/", *[".."] * 9), "/old", "/proc/1/root", "/proc/1/cwd", "/proc/self/root"]
        mounted = Path("/proc/self/mountinfo").read_text().splitlines()
        return [
            [sorted(os.listdir(path)) for path in climbed if os.path.exists(path)],
            os.path.exists(place / "secret"),
            sorted(line.split()[4] for line in mounted),
        ]

    assert inside(look) == [[["empty", "proc"]] * 4, False, ["/", "/proc"]]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (("file", "etc/note", "x"), "no absolute path"),
        (("file", "/etc/../../note", "x"), "without '..'"),
        (("directory", "", "755"), "no absolute path"),
        (("show", "/shown/..", "/usr"), "without '..'"),
        (("mount", "/shown", "/usr"), "none of directory, link"),
        (("directory", "/empty", "wide"), "invalid literal"),
        (("show", "/shown", "/no/such/place"), "ENOENT"),
        (("file", "/empty", "x"), "EEXIST"),
    ],
)
def test_an_entry_that_makes_no_sense_ends_the_building(inside: Inside, entry: tree.Entry, why: str) -> None:
    assert why in str(inside(lambda: refusal(lambda: tree.build([("directory", "/empty", "755"), entry]))))


def test_a_process_without_namespaces_of_its_own_builds_nothing(forked: Forked) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    assert forked(lambda: refusal(lambda: tree.build([DEVICE])), as_user=True) == "EPERM"
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_memory_file_system_is_bounded_anew(inside: Inside, place: Path) -> None:
    def look() -> list[object]:
        mounts.make_private()
        mounts.tmpfs(str(place), mounts.tmpfs_options(1 << 20, 16, 0o777, 0, 0))
        (place / "kept").write_bytes(bytes(300_000))
        small = refusal(lambda: mounts.resize(str(place), 1 << 16))
        mounts.resize(str(place), 2 << 20, 64)
        grown = os.statvfs(place)
        mounts.resize(str(place), 1 << 19, 8)
        shrunk = os.statvfs(place)
        return [
            small,
            (grown.f_blocks * grown.f_frsize, grown.f_files),
            (shrunk.f_blocks * shrunk.f_frsize, shrunk.f_files),
            refusal(lambda: (place / "more").write_bytes(bytes(1 << 19))),
            len((place / "kept").read_bytes()),
            bool(shrunk.f_flag & os.ST_NOSUID) and bool(shrunk.f_flag & os.ST_NODEV),
        ]

    assert inside(look) == ["EINVAL", [2 << 20, 64], [1 << 19, 8], "ENOSPC", 300_000, True]


def test_terminals_are_the_callers_own(inside: Inside, place: Path) -> None:
    def look() -> list[object]:
        mounts.make_private()
        mounts.terminals(str(place))
        master = os.open(str(place / "ptmx"), os.O_RDWR | os.O_NOCTTY)
        seen = sorted(os.listdir(place))
        os.close(master)
        return [seen, sorted(os.listdir(place)), stat.S_IMODE(os.stat(place / "ptmx").st_mode)]

    assert inside(look) == [["0", "ptmx"], ["ptmx"], 0o666]
