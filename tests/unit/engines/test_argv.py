"""The command line of bubblewrap, option by option: whoever builds it owns the security model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Mount
from sandlot.engines.bubblewrap.argv import WITHOUT, Shape, argv_for
from sandlot.engines.layout import ETC, Layout

LAYOUT = Layout(
    links=(("bin", "usr/bin"), ("lib", "usr/lib")),
    trees=("lib64",),
    etc=frozenset({"alternatives", "ld.so.cache", "shadow", "resolv.conf", "ssl"}),
    proc=frozenset({"kcore", "keys", "scsi", "cpuinfo", "sys"}),
    proc_trees=frozenset({"scsi", "sys"}),
)
SHAPE = Shape(
    layout=LAYOUT,
    agent="/var/lib/sandlot/agents/a.pyz",
    command=("/usr/bin/python3", "-I"),
    etc_fds=(3, 4, 5, 6),
    workspace="{workspace}",
    disk=None,
    scratch=1 << 20,
)


def _argv(**changes: object) -> tuple[str, ...]:
    return argv_for("/usr/bin/bwrap", replace(SHAPE, **changes))  # type: ignore[arg-type]


def _has(argv: tuple[str, ...], *options: str) -> bool:
    return any(argv[start : start + len(options)] == options for start in range(len(argv)))


@pytest.mark.parametrize(
    "options",
    [
        ("--unshare-user",),
        ("--disable-userns",),
        ("--unshare-pid",),
        ("--unshare-net",),
        ("--unshare-ipc",),
        ("--unshare-uts",),
        ("--unshare-cgroup-try",),
        ("--as-pid-1",),
        ("--die-with-parent",),
        ("--new-session",),
        ("--clearenv",),
        ("--cap-drop", "ALL"),
        ("--uid", "1000"),
        ("--gid", "1000"),
        ("--hostname", "sandlot"),
        ("--ro-bind", "/usr", "/usr"),
        ("--symlink", "usr/bin", "/bin"),
        ("--symlink", "/workspace", "/app"),
        ("--ro-bind", "/lib64", "/lib64"),
        ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"),
        ("--ro-bind", "/dev/null", "/proc/kcore"),
        ("--ro-bind", "/dev/null", "/proc/keys"),
        ("--tmpfs", "/proc/scsi", "--remount-ro", "/proc/scsi"),
        ("--size", str(1 << 20), "--perms", "1777", "--tmpfs", "/tmp"),
        ("--size", str(1 << 20), "--perms", "1777", "--tmpfs", "/dev/shm"),
        ("--bind", "{workspace}", "/workspace"),
        ("--ro-bind", "/var/lib/sandlot/agents/a.pyz", "/run/agent.pyz"),
        ("--ro-bind", "/etc/alternatives", "/etc/alternatives"),
    ],
)
def test_every_box_has(options: tuple[str, ...]) -> None:
    assert _has(_argv(), *options)


def test_what_stands_at_the_other_name_of_the_workspace_goes_before_it() -> None:
    assert "/app" not in _argv(binds=(("/app/python", "/app/python"),))
    assert not _has(_argv(mounts=(Mount("/srv", PurePosixPath("/app")),)), "--symlink", "/workspace", "/app")


def test_the_root_and_dev_are_sealed_after_everything_that_writes_to_them() -> None:
    argv = _argv(mounts=(Mount("/srv/data", PurePosixPath("/mnt/data")),))
    sealed = argv.index("--remount-ro", argv.index("/mnt/data"))
    assert argv[sealed:] == (
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace"),
        *("--", "/usr/bin/python3", "-I"),
    )


def test_of_etc_only_what_is_listed_is_shown() -> None:
    argv = _argv()
    shown = [
        argv[at + 2] for at, option in enumerate(argv) if option == "--ro-bind" and "/etc" in argv[at + 2]
    ]
    assert shown == ["/etc/alternatives", "/etc/ld.so.cache"]
    assert [argv[at + 2] for at, option in enumerate(argv) if option == "--file"] == list(ETC)


def test_proc_entries_a_program_needs_are_not_masked() -> None:
    assert "/proc/cpuinfo" not in _argv()


def test_the_host_network_is_shared_only_when_it_was_asked_for() -> None:
    argv = _argv(full_network=True)
    assert "--unshare-net" not in argv
    assert _has(argv, "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf")
    assert _has(argv, "--ro-bind", "/etc/ssl", "/etc/ssl")
    assert "/etc/shadow" not in argv


def test_without_a_workspace_of_the_keeper_it_is_a_bounded_tmpfs() -> None:
    assert _has(
        _argv(workspace=None, disk=4096), "--size", "4096", "--perms", "0700", "--tmpfs", "/workspace"
    )


def test_an_environment_is_shown_read_only() -> None:
    assert _has(_argv(binds=(("/data/env/tree", "/env"),)), "--ro-bind", "/data/env/tree", "/env")


@pytest.mark.parametrize(("writable", "option"), [(True, "--bind"), (False, "--ro-bind")])
def test_a_mount_is_read_only_unless_asked_otherwise(writable: bool, option: str) -> None:
    argv = _argv(mounts=(Mount("/srv", PurePosixPath("/mnt/a"), writable),))
    assert _has(argv, option, "/srv", "/mnt/a")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("relative", "/mnt/a"),
        ("/srv\0x", "/mnt/a"),
        ("/srv", "mnt"),
        ("/srv", "/"),
        ("/srv", "/workspace"),
        ("/srv", "/usr/local"),
        ("/srv", "/etc"),
        ("/srv", "/proc/sys"),
        ("/srv", "/run/agent.pyz"),
        ("/srv", "/env/bin"),
        ("/srv", "/mnt/../etc"),
    ],
)
def test_a_mount_that_would_hide_a_part_of_the_box_is_refused(source: str, target: str) -> None:
    with pytest.raises(InvalidSpec):
        _argv(mounts=(Mount(source, PurePosixPath(target)),))


@pytest.mark.parametrize(
    ("wall", "option"),
    [
        ("users", "--disable-userns"),
        ("namespaces", "--unshare-ipc"),
        ("namespaces", "--unshare-pid"),
        ("namespaces.network", "--unshare-net"),
        ("namespaces.pid", "--unshare-pid"),
        ("namespaces.pid", "--as-pid-1"),
        ("mounts", "--remount-ro"),
        ("mounts", "/proc/sys"),
        ("session", "--new-session"),
        ("capabilities", "--cap-drop"),
    ],
)
def test_a_wall_left_out_leaves_out_its_option_and_nothing_else(wall: str, option: str) -> None:
    assert option in _argv()
    without = _argv(without=frozenset({wall}))
    assert option not in without
    assert "--clearenv" in without
    assert "--die-with-parent" in without


def test_walls_of_the_agent_do_not_change_the_command_line() -> None:
    inner = WITHOUT - {
        "users",
        "namespaces",
        "namespaces.network",
        "namespaces.pid",
        "mounts",
        "session",
        "capabilities",
    }
    assert _argv(without=inner) == _argv()
