"""I04: what the server knows is not in the memory of those who make boxes; I05 with packages loaded."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandlot.client import Client
from sandlot.contracts.command import Command
from sandlot.contracts.events import Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.environments.environment import SYSTEM
from sandlot.environments.registry import DESCRIPTION, get
from sandlot.testing.engines import make_engine
from sandlot.testing.host_processes import descendants
from sandlot.testing.hostile.canary import plant
from sandlot.testing.hostile.neighbour_plays import numbers
from sandlot.testing.hostile.stage import Stage, composed
from sandlot.testing.servers import running_server

pytestmark = [
    pytest.mark.engine,
    pytest.mark.hostile,
    pytest.mark.needs_engine("zygote"),
    pytest.mark.timeout(120),
]

_PIECE = 1 << 22
_PRELOAD = ("random", "uuid", "ssl", "hashlib", "tempfile", "secrets", "multiprocessing")


def _mark() -> str:
    return f"leftover-{secrets.token_hex(16)}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of others")
def test_i04_no_secret_of_the_server_or_of_a_request_is_in_what_makes_boxes() -> None:
    of_server, of_settings, of_request, of_program = (_mark() for _ in range(4))
    environ = {"CLOUD_TOKEN": of_server, "SANDLOT_ALLOW_ORIGINS": f"https://{of_settings}.example"}
    flags = ("--engine", "zygote", "--pool", "4")
    with running_server(*flags, environ=environ) as server, closing(Client(server.url)) as client:
        client.ensure("user", SandboxSpec(ttl=Seconds(600)))
        secret = Command(code=f"print('{of_program}'[::-1])", env={"TOKEN": of_request}, timeout=Seconds(10))
        assert list(client.reach("user").run(secret))
        client.delete("user")
        client.ensure("another", SandboxSpec(ttl=Seconds(600)))
        for mark in (of_server, of_settings, of_request, of_program):
            _search_inside(client, mark)
            found = {process.pid: _memory_holds(process.pid, mark) for process in descendants(server.pid)}
            # Stub, keeper, warden, zygote, and parked boxes with their spares.
            assert list(found.values()).count(False) > 6, found
            assert True not in found.values(), (mark, descendants(server.pid), found)
        assert _memory_holds(server.pid, of_server)  # the control: where it is, this search finds it
        client.delete("another")


def _memory_holds(pid: int, mark: str) -> bool | None:
    """Whether *mark* is anywhere in the process's memory; None when it ended meanwhile."""
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            readable = [line for line in lines if line[1][0] == "r"]
            return any(_range_holds(memory.fileno(), line, mark.encode()) for line in readable)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _range_holds(memory: int, line: list[str], mark: bytes) -> bool:
    start, end = (int(number, 16) for number in line[0].split("-"))
    for at in range(start, end, _PIECE):
        try:
            data = os.pread(memory, min(_PIECE + len(mark), end - at), at)
        except (OSError, OverflowError):  # what the kernel maps and does not show
            return False
        if mark in data:
            return True
    return False


def _search_inside(client: Client, mark: str) -> None:
    facts = {"nonce": "n", "digest": hashlib.sha256(mark.encode()).hexdigest()}
    command = Command(
        code=composed("residue:find_in_memory"),
        env={"HOSTILE_FACTS": json.dumps(facts)},
        timeout=Seconds(30),
    )
    events = list(client.reach("another").run(command))
    said = b"".join(event.data for event in events if isinstance(event, Stdout)).decode()
    assert "VERDICT n" in said, said
    assert not re.findall("^BROKE.*", said, re.MULTILINE)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an environment whose zygote has every generator of random numbers loaded."""
    with tempfile.TemporaryDirectory(prefix="sandlot-test-") as name:
        data = Path(name)
        data.chmod(0o755)
        described = dataclasses.replace(get(SYSTEM, data), name="loaded", preload=_PRELOAD)
        folder = data / "environments" / "loaded"
        folder.mkdir(parents=True)
        (folder / DESCRIPTION).write_text(json.dumps(described.to_json()))
        monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", name)
        yield "loaded"


def test_i05_generators_that_were_loaded_before_the_fork_draw_other_numbers_in_each_run(loaded: str) -> None:
    async def play() -> None:
        engine, canaries = make_engine("zygote"), plant()
        try:
            spec = SandboxSpec(environment=loaded)
            box = await engine.create(spec)
            outcome = await numbers(Stage(box, engine, canaries, spec))
            assert outcome.finished
            assert outcome.broken() == ()
            names = {finding.name for finding in outcome.findings}
            assert {"draw random.random", "draw ssl.RAND_bytes", "draw multiprocessing.authkey"} <= names
            assert outcome.result is not None
            assert "HELD preloaded: random, ssl, tempfile, uuid" in outcome.result.text
        finally:
            canaries.remove()
            await engine.close()

    asyncio.run(play())
