"""The verbs on files: what they do, and what a hostile tree cannot make them do."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from sandlot.wire.frames import Frame, Kind
from tests.base.guest.driver import Host

CANARY = b"canary"


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that is not beneath the root, with a file nobody may read or change."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_bytes(CANARY)
    return folder


def test_a_directory_is_listed_with_all_kinds(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    reply = host.ask("list", path=str(tmp_path))
    found = {event["entry"]["name"]: event["entry"] for event in reply.events}
    kinds = {"file": "file", "folder": "directory", "link": "symlink", "fifo": "fifo"}
    assert {name: entry["kind"] for name, entry in found.items()} == kinds
    assert (found["file"]["size"], found["link"]["target"]) == (5, "file")
    assert found["file"]["path"] == f"{tmp_path}/file"
    assert reply.ok == {"entries": 4}


@pytest.mark.parametrize(
    "name", ["new\nline", "-rf", " leading", "\u202eabc", "CON", "x" * 255, "\udcff\udc80"]
)
def test_odd_names_go_through(host: Host, tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    assert host.upload("write", b"odd", path=path).ok["size"] == 3
    assert host.ask("read", path=path).stdout == b"odd"
    assert host.ask("stat", path=path).ok["name"] == name
    assert host.ask("list", path=str(tmp_path)).events[0]["entry"]["name"] == name
    assert host.ask("remove", path=path).ok == {}


@pytest.mark.parametrize("verb", ["stat", "list", "read", "remove", "get", "mkdir", "watch"])
@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/", "{root}/../x", "{root}/a/../../b", "{root}x", "a", "{root}/\0"]
)
def test_paths_outside_are_refused(host: Host, tmp_path: Path, verb: str, path: str) -> None:
    assert host.ask(verb, path=path.format(root=tmp_path)).error in ("path_escape", "invalid")


@pytest.mark.parametrize("verb", ["list", "read", "get", "remove", "stat", "mkdir"])
def test_a_link_to_outside_is_never_followed(host: Host, tmp_path: Path, outside: Path, verb: str) -> None:
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "file").symlink_to(outside / "secret")
    assert host.ask(verb, path=f"{tmp_path}/link/secret").error == "path_escape"
    if verb in ("list", "read"):
        assert (
            host.ask(verb, path=f"{tmp_path}/{'link' if verb == 'list' else 'file'}").error == "path_escape"
        )
    if verb == "remove":
        assert host.ask("remove", path=f"{tmp_path}/link", recursive=True).ok == {}
    assert (outside / "secret").read_bytes() == CANARY


def test_writing_at_a_link_replaces_the_link(host: Host, tmp_path: Path, outside: Path) -> None:
    (tmp_path / "link").symlink_to(outside / "secret")
    assert host.upload("write", b"mine", path=f"{tmp_path}/link").ok["size"] == 4
    assert (outside / "secret").read_bytes() == CANARY
    assert (tmp_path / "link").read_bytes() == b"mine"
    assert not (tmp_path / "link").is_symlink()


def test_a_directory_that_turns_into_a_link_leads_nowhere(host: Host, tmp_path: Path, outside: Path) -> None:
    stop = threading.Event()
    target, spare = tmp_path / "flip", tmp_path / "spare"
    target.mkdir()
    spare.symlink_to(outside)

    def flip() -> None:
        third = tmp_path / "third"
        while not stop.is_set():
            for source, destination in ((target, third), (spare, target), (target, spare), (third, target)):
                source.rename(destination)

    flipping = threading.Thread(target=flip)
    flipping.start()
    try:
        for number in range(300):
            host.upload("write", b"x", path=f"{target}/{number}")
            host.ask("read", path=f"{target}/secret")
    finally:
        stop.set()
        flipping.join()
    assert os.listdir(outside) == ["secret"]
    assert not any(reply.stdout for reply in host.replies.values())


def test_a_write_is_whole_or_not_at_all(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    assert host.upload("write", b"after", path=f"{tmp_path}/file", size=6).error == "invalid"
    stream = host.open("write", path=f"{tmp_path}/file")
    host.send(stream, Kind.INPUT, b"half")
    host.post(Frame(Kind.CANCEL, stream))
    assert host.finish(stream).error == "failed"
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]
    assert host.upload("write", b"after", path=f"{tmp_path}/file", size=5, mode=0o4755).ok == {"size": 5}
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("verb", ["read", "write", "get"])
def test_special_files_hang_nobody(host: Host, tmp_path: Path, verb: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    started = time.monotonic()
    reply = host.upload(verb, b"x", path=f"{tmp_path}/fifo")
    assert time.monotonic() - started < 5
    if verb == "get":
        assert reply.ok["skipped"] == 1
    else:
        assert reply.error == "invalid"


def test_ranges_are_read_as_asked(host: Host, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tmp_path / "file").write_bytes(content)
    path = f"{tmp_path}/file"
    assert host.ask("read", path=path).stdout == content
    assert host.ask("read", path=path, offset=70_000, length=70_000).stdout == content[70_000:140_000]
    assert host.ask("read", path=path, offset=200_000).stdout == b""
    assert host.ask("read", path=path, offset=-1).error == "invalid"


def test_directories_are_made_and_things_are_moved(host: Host, tmp_path: Path) -> None:
    root = str(tmp_path)
    assert host.ask("mkdir", path=f"{root}/a/b").error == "not_found"
    assert host.ask("mkdir", path=f"{root}/a/b", parents=True).ok == {}
    assert host.ask("mkdir", path=f"{root}/a/b", parents=True).ok == {}
    assert host.ask("mkdir", path=f"{root}/a/b").error == "already_exists"
    host.upload("write", b"1", path=f"{root}/a/file")
    assert host.ask("mkdir", path=f"{root}/a/file/c", parents=True).error == "not_directory"
    assert host.ask("move", path=f"{root}/a/file", to=f"{root}/moved").ok == {}
    assert host.ask("move", path=f"{root}/a", to="/etc/a").error == "path_escape"
    assert host.ask("move", path=root, to=f"{root}/x").error == "invalid"
    assert host.ask("remove", path=f"{root}/a").error == "not_empty"
    assert host.ask("remove", path=root, recursive=True).error == "invalid"
    assert sorted(os.listdir(root)) == ["a", "moved"]


def test_a_very_deep_tree_is_removed(host: Host, tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    skipped = host.ask("get", path=str(tmp_path)).ok["skipped"]
    assert skipped == 1
    assert host.ask("remove", path=f"{tmp_path}/d", recursive=True).ok == {}
    assert os.listdir(tmp_path) == []


def test_a_tree_without_permissions_is_removed(host: Host, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"")
    for folder in (deep, deep.parent, deep.parent.parent):
        folder.chmod(0)
    assert host.ask("remove", path=f"{tmp_path}/a/b/c", recursive=True).ok == {}
    assert host.ask("remove", path=f"{tmp_path}/a", recursive=True).ok == {}
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(host: Host, tmp_path: Path) -> None:
    # A file-size limit stands in for a full disk: EFBIG instead of ENOSPC, the same way out.
    import resource

    resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
    assert host.upload("write", bytes(5000), path=f"{tmp_path}/file").error == "too_large"
    assert os.listdir(tmp_path) == []


def test_many_files_do_not_hold_up_others(host: Host, tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / str(number)).touch()
    stream = host.open("list", path=str(tmp_path))
    assert host.ask("ping").ok == {}
    assert host.replies[stream].done is None
    assert len(host.finish(stream).events) == 5000


def test_unknown_verbs_and_odd_requests_are_refused(host: Host) -> None:
    assert host.ask("levitate").error == "unsupported"
    assert host.ask("stat").error == "invalid"
    assert host.ask("stat", path=7).error == "invalid"
