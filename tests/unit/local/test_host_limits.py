"""What the operator set by the variables of Sandbox Runtime, in real boxes: what holds, and what wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandlot import settings
from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.spec import Isolation
from sandlot.engines.grants import grant
from sandlot.local.asked import spec_of
from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import obstacle
from tests.unit.server.talk import Answer, ask

MEBIBYTE = 2**20
SET = {
    "SANDBOX_CPU_QUOTA": "0.5",
    "SANDBOX_MEMORY_LIMIT": str(96 * 1024),
    "SANDBOX_MAX_USER_PROGRESS": "20",
    "SANDBOX_TIMEOUT_SECONDS": "1",
    "SANDBOX_POOL_SIZE": "2",
}
PATIENT = {"timeoutSeconds": 30}
FORK = "import os\nfor _ in range(40):\n    if not os.fork():\n        import time; time.sleep(60)"
BURN = "import time\nuntil = time.monotonic() + 1.5\nwhile time.monotonic() < until: pass"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    if why := obstacle():
        pytest.skip(f"no box can be started here: {why}")
    with running_server(environ=SET) as running:
        if "memory" in (missing := _missing(running)):
            pytest.skip(f"no memory limit can be enforced here: {missing}")
        yield running


def _missing(server: RunningServer) -> str:
    """Why the operator's limits are refused on this host; nothing when they hold."""
    told = ask(server, "POST", "/v1/run", {"cmd": ["true"], **PATIENT})
    return "" if told.status == 200 else str(told.problem["detail"])


def run(server: RunningServer, **asked: Any) -> dict[str, Any]:
    told = ask(server, "POST", "/v1/run", {**PATIENT, **asked})
    assert told.status == 200, told.body
    found: dict[str, Any] = json.loads(told.body)
    return found


def taking(amount: int) -> str:
    return f"x = bytearray({amount * MEBIBYTE})"


def test_the_memory_limit_is_of_the_box_and_in_kilobytes(server: RunningServer) -> None:
    assert run(server, code=taking(200))["reason"] == "out_of_memory"
    assert run(server, code=taking(40))["reason"] == "exited"


def test_who_asks_for_another_limit_gets_that_one_and_keeps_the_others(server: RunningServer) -> None:
    told = run(server, code=taking(200), limits={"memory": "512Mi"})
    assert told["reason"] == "exited"
    assert {"cgroup.memory", "cgroup.cpu", "cgroup.pids"} <= set(told["enforced"])


def test_the_count_is_of_processes(server: RunningServer) -> None:
    told = run(server, code=FORK)
    assert told["exitCode"] == 1
    assert "BlockingIOError" in told["stderr"]


def test_the_quota_is_in_cores(server: RunningServer) -> None:
    told = run(server, code=BURN)
    assert told["reason"] == "exited"
    # Half a core for 1.5 s of wall time; a processor of its own would have used all of it.
    assert told["cpuMs"] < 0.8 * 1500


def test_the_time_out_holds_where_a_request_names_none(server: RunningServer) -> None:
    told = ask(server, "POST", "/v1/run", {"cmd": ["sleep", "60"]})
    assert json.loads(told.body)["reason"] == "timeout"
    assert run(server, cmd=["sleep", "1.5"])["reason"] == "exited"


def test_the_time_out_holds_for_handlers_too(server: RunningServer) -> None:
    endless = {"handler_code": "def handler(event):\n    while True: pass"}
    told = json.loads(ask(server, "POST", "/workspace/se/v2/execute_code", endless).body)
    assert (told["error_code"], told["metrics"]["timeout_seconds"]) == ("Sandbox.ExecTimeout", 1)


def test_the_pool_is_as_deep_as_was_said(server: RunningServer) -> None:
    stocks = json.loads(ask(server, "GET", "/v1/pool").body)["stocks"]
    assert all(stock["ready"] + stock["starting"] <= 2 + stock["waiting"] for stock in stocks)


def test_what_contradicts_the_operators_limit_is_told_in_words(server: RunningServer) -> None:
    refused: Answer = ask(server, "POST", "/v1/run", {"cmd": ["true"], "limits": {"disk": "256Mi"}})
    assert refused.status == 400
    assert "raise memory or lower disk" in refused.problem["detail"]


def test_the_network_is_off_and_may_not_be_asked_for(server: RunningServer) -> None:
    told = run(server, code="import socket; socket.create_connection(('192.0.2.1', 80), 1)")
    assert told["exitCode"] == 1
    assert ask(server, "POST", "/v1/run", {"cmd": ["true"], "network": "full"}).status == 403


@pytest.mark.parametrize(
    ("variable", "text", "lacking"),
    [
        ("SANDBOX_CPU_QUOTA", "1", "limit_cpu"),
        ("SANDBOX_MEMORY_LIMIT", "131072", "limit_memory"),
        ("SANDBOX_MAX_USER_PROGRESS", "10", "limit_pids"),
    ],
)
def test_a_limit_that_an_engine_cannot_enforce_is_refused_and_never_dropped(
    variable: str, text: str, lacking: str
) -> None:
    spec = spec_of(settings.load({}, {variable: text}, []))
    with pytest.raises(Unsupported, match=lacking):
        grant(spec, Feature.NOTHING, engine="bare", isolation=Isolation.NAMESPACE)
    unset = spec_of(settings.load({}, {}, []))
    assert grant(unset, Feature.NOTHING, engine="bare", isolation=Isolation.NAMESPACE).memory is None
