"""The server is killed in the middle of everything: nothing of a box lives on, and nothing kept is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from sandlot.client import Client
from sandlot.contracts.command import Command
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Started
from sandlot.contracts.lease import EndReason, State
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer, running_server

pytestmark = [pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(180)]

_SANDBOXES, _COMMANDS = 10, 5
_MARK = "86399"
"""Seconds the commands would sleep: no other process of this machine does."""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place for a server's state that boxes can walk through, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="sandlot-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_e01_a_killed_server_leaves_nothing_running_and_every_workspace(directory: Path) -> None:
    names = [f"box-{number}" for number in range(_SANDBOXES)]
    with running_server("--workspaces", "disk", directory=directory) as server, _client(server) as client:
        for name in names:
            client.ensure(name, SandboxSpec(ttl=Seconds(600)))
            client.reach(name).write(WORKSPACE / "kept", [name.encode()])
        with _running_commands(server, names):
            server.kill()
            ended = time.monotonic()
            _wait_until_gone(ended + 2)
    begun = time.monotonic()
    with running_server("--workspaces", "disk", directory=directory) as server, _client(server) as client:
        _wait_until_ready(server)
        seconds = time.monotonic() - begun
        found = {status.id: status for status in client.list()}
        assert sorted(found) == names
        for name in names:
            ending = found[name].ending
            assert found[name].state is State.STOPPED
            assert ending is not None
            assert ending.reason is EndReason.HOST_RESTART
        for name in names:
            assert b"".join(client.reach(name).read(WORKSPACE / "kept")) == name.encode()
            client.delete(name)
    assert _left(directory) == []
    # A promise with a number belongs to the bench; this bound only tells a hang from a start.
    assert seconds < 10


def test_a_second_server_on_the_same_state_refuses(directory: Path) -> None:
    with running_server(directory=directory) as server, _client(server) as client:
        client.ensure("mine", SandboxSpec(ttl=Seconds(600)))
        second = subprocess.run(
            [sys.executable, "-m", "sandlot.cli.main", "serve", "--port", "0"],
            env={
                **os.environ,
                "SANDLOT_DATA_DIRECTORY": str(directory / "data"),
                "SANDLOT_RUNTIME_DIRECTORY": str(directory / "run"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert second.returncode == 125
        assert str(server.pid) in second.stderr
        assert client.status("mine").state is State.RUNNING


def _client(server: RunningServer) -> closing[Client]:
    return closing(Client(server.url))


def _running_commands(server: RunningServer, names: list[str]) -> _Commands:
    commands = _Commands(server)
    for name in names:
        for _ in range(_COMMANDS):
            commands.begin(name)
    return commands


class _Commands:
    """Commands that run in threads of their own until their connections break."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._threads: list[threading.Thread] = []
        self._outcomes: list[object] = []
        self._started = threading.Semaphore(0)

    def begin(self, name: str) -> None:
        thread = threading.Thread(target=self._run, args=(name,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Self:
        for _ in self._threads:
            assert self._started.acquire(timeout=60)
        return self

    def __exit__(self, *_why: object) -> None:
        for thread in self._threads:
            thread.join(30)
        # Whoever waited is told that the connection broke, and never that the program ended.
        kinds = {type(outcome).__name__ for outcome in self._outcomes}
        assert len(self._outcomes) == len(self._threads)
        assert kinds == {"ConnectionLost"}

    def _run(self, name: str) -> None:
        try:
            command = Command(argv=("sh", "-c", f"sleep {_MARK}; true"), timeout=Seconds(3600))
            with _client(self._server) as client:
                for event in client.reach(name).run(command):
                    if isinstance(event, Started):
                        self._started.release()
            self._outcomes.append(None)
        except SandlotError as error:
            self._outcomes.append(error)


def _sleepers() -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", _MARK.encode()]:
                found.append(int(entry))
    return found


def _wait_until_gone(deadline: float) -> None:
    while _sleepers():
        assert time.monotonic() < deadline, f"these outlived the server: {_sleepers()}"


def _wait_until_ready(server: RunningServer) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(server.url + "/readyz", timeout=10) as answer:  # noqa: S310 - loopback
                if answer.status == 200:
                    return
        except OSError:
            assert time.monotonic() < deadline, server.said


def _left(directory: Path) -> list[str]:
    """What a server with no sandbox left behind: processes, workspaces."""
    workspaces = directory / "data" / "workspaces"
    kept = [f"workspace {entry.name}" for entry in workspaces.iterdir()] if workspaces.is_dir() else []
    return kept + [f"process {process.words or process.name}" for process in descendants() if process.alive]
