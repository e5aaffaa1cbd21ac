from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any, List

import pytest

from sandlot.compat.sandbox_runtime.sdk.servers import nearest
from sandlot.compat.sandbox_runtime.sdk.shared_env import SandboxError, SharedEnvSandbox
from tests.base.compat_sandbox_runtime.service import HEALTHY, Answer, serving

NOWHERE = "http://127.0.0.1:1"
NAMES = [f"http://server-{number}:9101" for number in range(4)]


def test_both_forms_name_servers() -> None:
    with serving() as service:
        for named in (
            {"servers": [service.url]},
            {"servers": [service.url + "/"], "check_interval": 1.0},
            {"server_selector_params": {"servers": [service.url]}},
        ):
            sandbox = SharedEnvSandbox("s", **named)
            asyncio.run(sandbox.get_status())
            assert (sandbox.current_server or "").rstrip("/") == service.url
        assert service.heard() == ["GET /workspace/se/status/s"] * 3


def test_the_servers_of_one_session_are_not_those_of_the_next() -> None:
    params = {"check_interval": 5.0}
    SharedEnvSandbox("one", server_selector_params=params, servers=[NOWHERE])
    assert params == {"check_interval": 5.0}
    with pytest.raises(SandboxError) as caught:
        asyncio.run(SharedEnvSandbox("two").get_status())
    assert caught.value.message == "No available server found"
    assert caught.value.context == {"method": "GET", "path": "/workspace/se/status/two"}


def test_who_cannot_be_reached_is_named_with_the_cause() -> None:
    with pytest.raises(SandboxError, match="No available server found") as caught:
        asyncio.run(SharedEnvSandbox("s", servers=[NOWHERE]).execute("ls"))
    assert "cannot reach" in caught.value.context["causes"][NOWHERE]


def test_health_is_asked_for_once_per_interval() -> None:
    with serving() as service:
        kept = SharedEnvSandbox("s", servers=[service.url])
        for _ in range(3):
            asyncio.run(kept.get_status())
        assert service.requests.count(HEALTHY) == 1
        service.heard()
        eager = SharedEnvSandbox("s", servers=[service.url], check_interval=-1)
        for _ in range(3):
            asyncio.run(eager.get_status())
        assert service.requests.count(HEALTHY) == 3


def test_a_healthy_server_goes_before_one_that_only_answers() -> None:
    with serving() as well, serving() as ill:
        ill.health = Answer(503)
        for session in map(str, range(8)):
            asyncio.run(SharedEnvSandbox(session, servers=[ill.url, well.url]).get_status())
        assert ill.heard() == []
        assert len(well.heard()) == 8
        # As the original: who answers at all is better than nobody.
        asyncio.run(SharedEnvSandbox("s", servers=[ill.url, NOWHERE]).get_status())
        assert ill.heard() == ["GET /workspace/se/status/s"]


def test_a_session_has_the_same_server_in_every_process() -> None:
    program = "import sys; from sandlot.compat.sandbox_runtime.sdk.servers import nearest\n"
    program += "print(nearest('s', sys.argv[1:]))"
    command = [sys.executable, "-c", program, *NAMES]
    said = {
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().strip() for _ in range(2)
    }
    assert said == {nearest("s", NAMES)} == {nearest("s", NAMES[::-1])}


def test_sessions_spread_and_only_those_of_a_lost_server_move() -> None:
    sessions = [str(number) for number in range(200)]
    before = {session: nearest(session, NAMES) for session in sessions}
    after = {session: nearest(session, NAMES[1:]) for session in sessions}
    assert all(20 < list(before.values()).count(name) < 90 for name in NAMES)
    assert all(after[session] == name for session, name in before.items() if name != NAMES[0])


@pytest.mark.parametrize(("kind", "least"), [("static", 1), ("unheard of", 1), ("round_robin", 2)])
def test_a_selector_may_spread_calls(kind: str, least: int) -> None:
    with serving() as one, serving() as two:
        sandbox = SharedEnvSandbox("s", kind, servers=[one.url, two.url])
        chosen: List[Any] = []
        for _ in range(4):
            asyncio.run(sandbox.get_status())
            chosen.append(sandbox.current_server)
        assert len(set(chosen)) == least


def test_kubernetes_knows_no_server_and_says_what_to_do() -> None:
    sandbox = SharedEnvSandbox("s", "k8s", {"namespace": "n", "service_name": "v"})
    with pytest.raises(SandboxError, match="No available server found") as caught:
        asyncio.run(sandbox.get_status())
    assert "servers=" in caught.value.context["causes"]["v.n"]
    with pytest.raises(TypeError, match="namespace"):
        SharedEnvSandbox("s", "k8s")
