"""Running servers, and the proof that ends every case: well, nothing left, canaries as they were planted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sandlot.client import Client
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing import leaks
from sandlot.testing.host_processes import adopt_orphans
from sandlot.testing.hostile.canary import Canaries, plant
from sandlot.testing.servers import RunningServer, running_server
from tests.threats.proof import descriptors, grave, left_over, prove_healthy, removed, settled_descriptors
from tests.threats.raw import ask
from tests.threats.slow import SlowClients

BOX = "box"
_NO_POOL = ("--pool", "0")
"""Boxes that come and go by themselves would look like those that were left behind."""


@pytest.fixture(scope="session")
def canaries() -> Iterator[Canaries]:
    planted = plant()
    try:
        yield planted
    finally:
        planted.remove()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """A keyless server with the usual settings, which most cases share."""
    with ready_server() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def slow_clients() -> Iterator[SlowClients]:
    """Clients that are slow while everything else happens; test_waiting.py looks how they ended."""
    with running_server(*_NO_POOL) as running, SlowClients(running) as clients:
        yield clients


@pytest.fixture(scope="session")
def looking() -> str:
    """The key by which the proof looks at sandboxes; a file whose server has keys gives its own."""
    return ""


@contextmanager
def ready_server(*flags: str, **environ: str) -> Iterator[RunningServer]:
    """A server that has proven that it can run programs; when it has ended, nothing of it is left."""
    adopt_orphans()
    before = leaks.snapshot()
    with (
        TemporaryDirectory(prefix="sandlot-test-") as place,
        running_server(
            *_NO_POOL, *flags, directory=Path(place), environ={**environ, "TMPDIR": place}
        ) as running,
    ):
        deadline = time.monotonic() + 30
        while ask(running, "GET", "/readyz").status != 200:
            assert time.monotonic() < deadline, running.said
        if "--allow-network" in flags:  # another engine has that, and stays once it was started
            assert ask(running, "POST", "/v1/run", {"cmd": ["true"], "network": "full"}).status == 200
        yield running
    assert grave(running.said) == []
    assert left_over(before) == []


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    with closing(Client(server.url)) as made:
        yield made


@pytest.fixture
def box(client: Client) -> Iterator[str]:
    """The id of a sandbox that lives as long as the test."""
    client.ensure(BOX, SandboxSpec(ttl=Seconds(600)))
    yield BOX
    client.delete(BOX)


@pytest.fixture(autouse=True)
def proof(request: pytest.FixtureRequest, canaries: Canaries) -> Iterator[None]:
    """Every case ends with it, where it has a server."""
    if "server" not in request.fixturenames:
        yield
        return
    server: RunningServer = request.getfixturevalue("server")
    key: str = request.getfixturevalue("looking")
    before, files, said = leaks.snapshot(), descriptors(server), len(server.said)
    temporary = sorted(os.listdir(server.directory))
    yield
    prove_healthy(server)
    assert removed(server, key) == []
    assert left_over(before) == []
    assert settled_descriptors(server, files) <= files
    assert sorted(os.listdir(server.directory)) == temporary
    assert canaries.disturbances() == ()
    assert grave(server.said[said:]) == []
