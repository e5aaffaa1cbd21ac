"""The end of a server: in order when told, with what runs given its time, and never silently stuck."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from sandlot.testing.servers import RunningServer, ServerDidNotStart, running_server
from tests.unit.local.machine import obstacle
from tests.unit.server.talk import ask, dial, read_answer

needs_boxes = pytest.mark.skipif(obstacle() is not None, reason=f"no boxes here: {obstacle()}")


def begin(connection: socket.socket, code: str) -> None:
    """Send a request whose program runs until it is told, and wait until it runs."""
    body = json.dumps({"code": code, "timeoutSeconds": 60}).encode()
    connection.sendall(
        b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Accept: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    with connection.makefile("rb") as lines:
        for line in lines:
            if b"running" in line:
                return
    raise AssertionError("the program did not start")


def until_draining(server: RunningServer) -> None:
    """Wait until nobody is let in any more."""
    server.heard("told to stop")
    with pytest.raises(ConnectionRefusedError):
        dial(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once_and_well(number: int) -> None:
    with running_server() as server:
        assert server.stop(number) == 0


@needs_boxes
@pytest.mark.engine
def test_what_runs_may_finish_and_nothing_new_begins() -> None:
    program = "import time\nprint('running', flush=True)\ntime.sleep(2)\nprint('done', flush=True)"
    with running_server() as server, dial(server) as running, dial(server) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(idle).status == 200
        begin(running, program)
        os.kill(server.pid, signal.SIGTERM)
        until_draining(server)
        idle.sendall(b"GET /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        refused = read_answer(idle)
        assert (refused.status, refused.problem["code"]) == (503, "draining")
        assert refused.headers["connection"] == "close"
        assert int(refused.headers["retry-after"]) > 0
        with running.makefile("rb") as rest:
            assert b'"exited"' in rest.read()
        assert server.stop() == 0


@needs_boxes
@pytest.mark.engine
@pytest.mark.parametrize("way", ["grace", "second signal"])
def test_what_outlasts_the_grace_is_ended(way: str) -> None:
    grace = "300ms" if way == "grace" else "60s"
    program = "import time\nprint('running', flush=True)\ntime.sleep(50)"
    with running_server("--grace", grace) as server, dial(server) as running:
        begin(running, program)
        os.kill(server.pid, signal.SIGTERM)
        until_draining(server)
        if way != "grace":
            os.kill(server.pid, signal.SIGTERM)
        assert server.stop() == 0
        server.heard("ended 1 requests")
        with running.makefile("rb") as rest:
            assert b'"exited"' not in rest.read()


@needs_boxes
@pytest.mark.engine
def test_whoever_waits_for_a_whole_answer_is_told_that_there_will_be_none() -> None:
    body = json.dumps({"cmd": ["/bin/sleep", "50"], "timeoutSeconds": 60}).encode()
    head = b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with running_server("--grace", "300ms") as server, dial(server) as running:
        running.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while b"\nsandlot_commands 1.0" not in ask(server, "GET", "/metrics").body:
            continue
        os.kill(server.pid, signal.SIGTERM)
        answer = read_answer(running)
        assert (answer.status, answer.problem["code"]) == (503, "draining")
        assert int(answer.headers["retry-after"]) > 0
        assert server.stop() == 0


def test_a_second_server_on_the_same_state_is_refused() -> None:
    with running_server() as first:
        with (
            pytest.raises(ServerDidNotStart, match=f"pid {first.pid}"),
            running_server(directory=first.directory),
        ):
            pass
        assert ask(first, "GET", "/healthz").status == 200


def test_a_second_server_at_the_same_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    place = ("--unix", str(path))
    with running_server(listen=place) as first:
        with pytest.raises(ServerDidNotStart, match="another server listens"), running_server(listen=place):
            pass
        assert ask(first, "GET", "/healthz").status == 200
        first.kill()
        assert path.exists()
    with running_server(listen=place) as again:
        assert ask(again, "GET", "/healthz").status == 200


def test_a_service_manager_hears_how_far_the_server_is(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        with running_server(environ={"NOTIFY_SOCKET": str(path)}) as server:
            assert manager.recv(100) == b"READY=1"
            server.stop()
            assert manager.recv(100) == b"STOPPING=1"
