"""E01 and E06 for engine zygote under a server: what is left when that ends, one way or the other."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from sandlot.client import Client
from sandlot.contracts.command import Command
from sandlot.contracts.events import Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.servers import running_server
from sandlot.testing.suite import NAP
from tests.e2e.standing import groups_of, outliving, standing

pytestmark = [
    pytest.mark.engine,
    pytest.mark.faults,
    pytest.mark.needs_engine("zygote"),
    pytest.mark.timeout(180),
]

_DEPTH = 3


@pytest.mark.parametrize("when", ["parked", "claimed and running"])
def test_e01_nothing_outlives_a_killed_server_by_two_seconds(when: str) -> None:
    with running_server("--engine", "zygote", "--pool", "3") as server, closing(Client(server.url)) as client:
        deadline = time.monotonic() + 20
        while len(standing("spare", server.pid)) < _DEPTH:
            assert time.monotonic() < deadline, server.said
        if when != "parked":
            client.ensure("mine", SandboxSpec(ttl=Seconds(600)))
            events = client.reach("mine").run(Command.shell(f"echo up; {NAP}", timeout=Seconds(600)))
            next(event for event in events if isinstance(event, Stdout))
        kinds = ("stub", "keeper", "warden", "zygote", "box", "spare")
        pids = [pid for kind in kinds for pid in standing(kind, server.pid)]
        stubs = standing("stub", server.pid)
        assert len(pids) > len(kinds)
        server.process.kill()
        assert outliving(pids, 2.0) == []
        assert groups_of(stubs) == []


def test_e06_a_server_that_is_told_to_end_leaves_nothing() -> None:
    with running_server("--engine", "zygote", "--pool", "3") as server, closing(Client(server.url)) as client:
        client.ensure("mine", SandboxSpec(ttl=Seconds(600)))
        kinds = ("stub", "keeper", "warden", "zygote", "box", "spare")
        pids = [pid for kind in kinds for pid in standing(kind, server.pid)]
        stubs = standing("stub", server.pid)
        assert server.stop() == 0
        assert outliving(pids, 0.5) == []
        assert groups_of(stubs) == []
