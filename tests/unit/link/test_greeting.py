from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandlot.contracts.errors import StartFailed
from sandlot.link.agentbox import AgentBox
from sandlot.wire.frames import Frame, Kind, encode, parse_json
from tests.unit.link.fake_agent import HELLO, PLAN, FakeAgent, FakeLife, facts, pair, stage


async def _connect(greet: Any, within: float = 5.0) -> tuple[StartFailed, FakeLife]:
    channel, agent, life = pair()
    greet(agent)
    with pytest.raises(StartFailed) as refused:
        await AgentBox.connect(channel, life, facts(), PLAN, within=within)
    return refused.value, life


def test_the_host_says_where_files_are_and_which_walls_it_wants() -> None:
    async def scene() -> dict[str, Any]:
        channel, agent, life = pair()
        agent.send(Kind.HELLO, 0, HELLO)
        box = await AgentBox.connect(channel, life, facts(), PLAN, within=5.0)
        said = parse_json((await agent.frame()).payload)
        await box.close()
        return said

    said = asyncio.run(scene())
    assert said == {"protocol": 1, "workspace": "/workspace", "roots": ["/workspace", "/tmp"], "plan": PLAN}


def test_enforced_lists_the_makers_walls_and_the_agents() -> None:
    async def scene() -> tuple[str, ...]:
        async with stage() as on:
            return on.box.enforced

    assert asyncio.run(scene()) == ("dumpable", "mounts", "seccomp")


def test_an_agent_that_never_answers_is_killed_at_the_deadline() -> None:
    error, life = asyncio.run(_connect(lambda _agent: None, within=0.05))
    assert "did not answer within 0.05 s" in error.message
    assert life.kills == 1


@pytest.mark.parametrize(
    "hello",
    [
        {**HELLO, "protocol": 2},
        {**HELLO, "walls": {"agent": ["dumpable"], "payload": []}},
        {**HELLO, "walls": "all of them"},
        {**HELLO, "walls": {"agent": "seccomp", "payload": []}},
        {**HELLO, "python": 3},
        {},
    ],
)
def test_a_hello_that_is_not_right_refuses_the_box(hello: dict[str, Any]) -> None:
    _, life = asyncio.run(_connect(lambda agent: agent.send(Kind.HELLO, 0, hello)))
    assert life.kills == 1


@pytest.mark.parametrize(
    "greeting",
    [
        encode(Frame(Kind.OUTPUT, 1, b"x")),
        b"Traceback (most recent call last)",
        encode(Frame(Kind.HELLO, 0, b"{]")),
        encode(Frame(Kind.HELLO, 0, b'{"a":' * 200)),
    ],
)
def test_what_is_no_hello_refuses_the_box(greeting: bytes) -> None:
    _, life = asyncio.run(_connect(lambda agent: agent.raw(greeting)))
    assert life.kills == 1


def test_an_agent_that_dies_before_its_hello_is_told_with_its_last_words() -> None:
    def die(agent: FakeAgent) -> None:
        agent.complain(b"sandlot agent: the box is refused: no seccomp\n")
        agent.hang_up()

    async def scene() -> StartFailed:
        channel, agent, life = pair()
        die(agent)
        life.die("launcher")
        with pytest.raises(StartFailed) as refused:
            await AgentBox.connect(channel, life, facts(), PLAN, within=5.0)
        return refused.value

    message = asyncio.run(scene()).message
    assert "killed by SIGKILL" in message
    assert "no seccomp" in message
