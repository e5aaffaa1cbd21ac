"""A service manager that opens the socket and watches: what systemd does, done by a test (sd_listen_fds(3)).

The manager here is this process and a program that, as systemd does, moves the socket to descriptor 3 and
names its own pid in LISTEN_PID before it becomes the server.
"""

from __future__ import annotations

import http.client
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer, ServerDidNotStart, running_server
from tests.unit.server.talk import ask

_BECOME = """#!{python}
import os
import sys

passed = int(os.environ["PASSED"])
if passed != 3:
    os.dup2(passed, 3)
    os.close(passed)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@contextmanager
def activated(listener: socket.socket, place: Path, **environ: str) -> Iterator[RunningServer]:
    """A server that was handed *listener*, with its state below *place*."""
    program = place / "become"
    program.write_text(_BECOME.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    passed = listener.fileno()
    variables = {"PASSED": str(passed), "LISTEN_FDS": "1", **environ}
    with running_server(python=str(program), listen=(), pass_fds=(passed,), environ=variables) as server:
        yield server


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_it_answers_at_the_socket_it_was_handed_and_nobody_it_starts_has_that(
    listener: socket.socket, tmp_path: Path
) -> None:
    port = listener.getsockname()[1]
    with activated(listener, tmp_path) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        assert ask(server, "GET", "/healthz").status == 200
        inode = os.fstat(listener.fileno()).st_ino
        assert inode in _sockets_of(server.pid)
        for process in descendants(server.pid):
            assert inode not in _sockets_of(process.pid), process


def test_a_request_between_two_servers_is_answered_by_the_second(
    listener: socket.socket, tmp_path: Path
) -> None:
    with activated(listener, tmp_path) as server:
        assert ask(server, "GET", "/healthz").status == 200
    told: list[int] = []
    waiting = threading.Thread(target=lambda: told.append(_listed(listener.getsockname()[1])))
    waiting.start()
    with activated(listener, tmp_path):
        waiting.join(40)
    assert told == [200]


def test_a_unix_socket_is_served_and_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        made.listen()
        with activated(made, tmp_path) as server:
            assert server.url == f"unix://{path}"
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_two_sockets_are_refused(listener: socket.socket, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerDidNotStart, match="leave one ListenStream"),
        activated(listener, tmp_path, LISTEN_FDS="2"),
    ):
        pass


def test_it_is_heard_of_as_long_as_it_lives(listener: socket.socket, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        heard: list[bytes] = []
        watched = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        with activated(listener, tmp_path, **watched) as server:
            while b"READY=1" not in heard or heard[-2:] != [b"WATCHDOG=1"] * 2:
                heard.append(manager.recv(100))
            server.stop()
            while heard[-1] != b"STOPPING=1":
                heard.append(manager.recv(100))
    assert set(heard) == {b"WATCHDOG=1", b"READY=1", b"STOPPING=1"}


def _sockets_of(pid: int) -> set[int]:
    """The inodes of the sockets that the process *pid* has open; none when it has ended."""
    found = set()
    folder = Path(f"/proc/{pid}/fd")
    try:
        for name in os.listdir(folder):
            target = os.readlink(folder / name)
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    except FileNotFoundError:
        return found
    return found


def _listed(port: int) -> int:
    """The status of a request that needs the service behind the server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        connection.request("GET", "/v1/sandboxes")
        return connection.getresponse().status
    finally:
        connection.close()
