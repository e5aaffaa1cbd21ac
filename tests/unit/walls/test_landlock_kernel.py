from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sandlot.walls import landlock, session

from .conftest import Forked


def version() -> int:
    try:
        return landlock.abi()
    except OSError:
        return 0


pytestmark = pytest.mark.skipif(version() < 1, reason="this kernel has no Landlock")


def needs(wanted: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(version() < wanted, reason=f"needs Landlock ABI {wanted}, this is {version()}")


def confine(readable: tuple[str, ...], writable: tuple[str, ...] = (), *, tcp: bool = False) -> int:
    session.forbid_new_privileges()
    made = landlock.ruleset(readable, writable, devices=landlock.DEVICES, tcp=tcp)
    landlock.enter(made)
    os.close(made)
    return landlock.abi()


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


@pytest.fixture
def trees(place: Path) -> tuple[Path, Path, Path]:
    made = place / "read", place / "write", place / "secret"
    for tree in made:
        tree.mkdir()
        tree.chmod(0o777)
        (tree / "file").write_text("content")
        (tree / "file").chmod(0o666)
    return made


def test_trees_are_kept_apart(forked: Forked, trees: tuple[Path, Path, Path]) -> None:
    read, write, secret = trees

    def inside() -> list[str]:
        reached = confine((str(read), "/nowhere/at/all"), (str(write),))
        return [
            str(reached == version()),
            attempt((read / "file").read_text),
            attempt(lambda: (read / "new").write_text("x")),
            attempt((read / "file").unlink),
            attempt((write / "file").read_text),
            attempt(lambda: (write / "new").write_text("x")),
            attempt(lambda: os.mkfifo(write / "pipe")),
            attempt(lambda: os.rename(write / "new", write / "renamed")),
            attempt(lambda: os.mknod(write / "device", 0o020600, os.makedev(1, 3))),
            attempt((secret / "file").read_text),
            attempt(lambda: os.listdir(secret)),
            attempt(lambda: os.link(secret / "file", write / "link")),
            attempt(lambda: os.open("/dev/null", os.O_RDWR | os.O_TRUNC)),
            attempt(lambda: os.open("/dev/ptmx", os.O_RDWR)),
        ]

    ok, no = "ok", "EACCES"
    assert forked(inside) == ["True", ok, no, no, ok, ok, ok, ok, no, no, no, "EXDEV", ok, no]


def test_a_missing_writable_tree_fails_closed(forked: Forked) -> None:
    assert forked(lambda: attempt(lambda: confine((), ("/nowhere/at/all",)))) == "ENOENT"


def test_an_inner_domain_cannot_have_more(forked: Forked, trees: tuple[Path, Path, Path]) -> None:
    read, _, secret = trees

    def inside() -> list[str]:
        confine((str(read),))
        confine(("/",), ("/",), tcp=True)
        return [attempt((read / "file").read_text), attempt((secret / "file").read_text)]

    assert forked(inside) == ["ok", "EACCES"]


@needs(4)
def test_tcp_is_refused_on_demand(forked: Forked) -> None:
    def inside() -> list[str]:
        confine(("/",), tcp=True)
        listener = socket.create_server(("127.0.0.1", 0))
        confine(("/",), tcp=False)
        return [
            attempt(lambda: socket.create_connection(listener.getsockname())),
            attempt(lambda: socket.create_server(("127.0.0.1", 0))),
        ]

    assert forked(inside) == ["EACCES", "EACCES"]


@needs(6)
def test_a_confined_process_cannot_signal_out_but_can_be_killed(forked: Forked) -> None:
    """As the agent's payload is: the agent, confined itself, must still be able to end it."""

    def inside() -> list[str | int]:
        confine(("/",))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            confine(("/",))
            answers = [attempt(lambda: os.kill(os.getppid(), 0)), attempt(lambda: os.kill(os.getpid(), 0))]
            os.write(writer, " ".join(answers).encode())
            signal.pause()
        told = os.read(reader, 100).decode()
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return [told, os.WTERMSIG(status)]

    assert forked(inside) == ["EPERM ok", signal.SIGKILL]


@needs(6)
def test_a_confined_process_still_dies_with_its_parent(forked: Forked) -> None:
    """The kernel sends PDEATHSIG on behalf of the dying parent, whose domain is outside the payload's."""

    def inside() -> int:
        session.adopt_orphans()
        reader, writer = os.pipe()
        supervisor = os.fork()
        if supervisor == 0:
            me = os.getpid()
            payload = os.fork()
            if payload == 0:
                confine(("/",))
                session.die_with_parent(me)
                os.write(writer, str(os.getpid()).encode())
                signal.pause()
            signal.pause()
        payload = int(os.read(reader, 20))
        os.kill(supervisor, signal.SIGKILL)
        os.waitpid(supervisor, 0)
        _, status = os.waitpid(payload, 0)
        return os.WTERMSIG(status)

    assert forked(inside) == signal.SIGKILL


@needs(6)
def test_an_abstract_socket_outside_is_out_of_reach(forked: Forked) -> None:
    def inside() -> list[str]:
        listener = socket.socket(socket.AF_UNIX)
        name = f"\0sandlot-walls-{os.getpid()}"
        listener.bind(name)
        listener.listen()
        before = attempt(lambda: socket.socket(socket.AF_UNIX).connect(name))
        confine(("/",))
        return [before, attempt(lambda: socket.socket(socket.AF_UNIX).connect(name))]

    assert forked(inside) == ["ok", "EPERM"]
