"""What begins and ends with a sandbox's object, and what stays."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

import sandlot
from sandlot.client import Client
from sandlot.contracts.errors import Conflict, ConnectionLost, InvalidSpec, NotFound
from sandlot.contracts.quantity import Seconds

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


def test_a_named_sandbox_stays_and_is_found_again(url: str) -> None:
    with sandlot.Sandbox.connect(url, id="kept", ttl="60s", pids=100) as first:
        first.write("note", "1")
    with sandlot.Sandbox.connect(url, id="kept") as second:
        assert second.read("note") == b"1"
        assert second.status().lease.ttl == Seconds(60.0)
        with pytest.raises(Conflict):
            sandlot.Sandbox.connect(url, id="kept", pids=50)
        second.delete()
    with closing(Client(url)) as client, pytest.raises(NotFound):
        client.reach("kept")


def test_a_sandbox_without_a_name_ends_with_its_object(url: str) -> None:
    with sandlot.Sandbox.connect(url) as box:
        name = box.id
    with closing(Client(url)) as client:
        assert name not in [status.id for status in client.list()]


def test_the_settings_say_which_server(url: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
    monkeypatch.setenv("SANDLOT_URL", url)
    with sandlot.Sandbox.connect(disk="2Mi") as box:
        asked = box.run("print(open('x', 'wb').write(bytes(2 ** 22)))")
        assert "No space left" in asked.errors


def test_a_local_sandbox_leaves_no_process_and_no_thread(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())

    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
    before, threads = children(), len(os.listdir("/proc/self/task"))
    with sandlot.Sandbox.local() as made:
        made.shell("sleep 100 & sleep 100 & echo")
    assert children() == before
    # Python's join returns a moment before the kernel's thread is gone.
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > threads and time.monotonic() < deadline:
        os.sched_yield()
    assert len(os.listdir("/proc/self/task")) <= threads


def test_a_server_that_is_not_there_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:1"):
        sandlot.Sandbox.connect("http://127.0.0.1:1")
    with pytest.raises(InvalidSpec):
        sandlot.Sandbox.connect("gopher://127.0.0.1")
