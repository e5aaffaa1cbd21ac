"""An agent that does what a test tells it to, honest or not, over real pipes and in the test's own loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sandlot.contracts.spec import Isolation
from sandlot.link.agentbox import AgentBox, BoxFacts
from sandlot.link.channel import ChildEnds, PipeChannel, open_pipes
from sandlot.link.life import Death, Usage, Who
from sandlot.wire.frames import FROM_HOST, Frame, FrameDecoder, Kind, encode, json_frame

PLAN: dict[str, Any] = {"walls": ["seccomp"]}
HELLO = {"protocol": 1, "python": "3.11.2", "walls": {"agent": ["dumpable"], "payload": ["seccomp"]}}
ENDING: dict[str, Any] = {
    "reason": "exited",
    "exit_code": 0,
    "signal": None,
    "truncated": {"stdout": False, "stderr": False},
    "cpu_seconds": 0.5,
    "memory_peak": 4096,
    "duration": 1.5,
}


class FakeAgent:
    """The agent's side of a channel."""

    def __init__(self, ends: ChildEnds) -> None:
        self._channel = PipeChannel(ends.stdin, ends.stdout)
        self._diagnostics = ends.stderr
        self._decoder = FrameDecoder(accept=FROM_HOST)
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._channel.start(self._received, lambda _cause: None)

    async def frame(self, *kinds: int) -> Frame:
        """The next frame of the host, or the next of these kinds."""
        while True:
            frame = await self._frames.get()
            if not kinds or frame.kind in kinds:
                return frame

    def send(self, kind: int, stream: int, content: bytes | Mapping[str, Any] = b"") -> None:
        if isinstance(content, bytes):
            self.raw(encode(Frame(kind, stream, content)))
        else:
            self.raw(encode(json_frame(kind, stream, dict(content))))

    def raw(self, data: bytes) -> None:
        self._channel.write(data)

    async def drained(self) -> None:
        """Wait until the host has taken most of what was sent."""
        await self._channel.drained()

    def started(self, stream: int) -> None:
        self.send(Kind.EVENT, stream, {"event": "started", "process": "p1", "pid": 7})

    def done(self, stream: int, **changes: Any) -> None:
        self.send(Kind.DONE, stream, {"ok": {**ENDING, **changes}})

    def refuse(self, stream: int, code: str, message: str = "because") -> None:
        self.send(Kind.DONE, stream, {"error": {"code": code, "message": message}})

    def complain(self, words: bytes) -> None:
        os.write(self._diagnostics, words)

    def hang_up(self) -> None:
        self._channel.close()
        if self._diagnostics >= 0:
            os.close(self._diagnostics)
            self._diagnostics = -1

    def _received(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._frames.put_nowait(frame)


class FakeLife:
    """A box that dies when told to: `death` says how it will have died."""

    def __init__(self, agent: FakeAgent) -> None:
        self.agent = agent
        self.death = Death("agent", "killed by SIGKILL")
        self.kills = 0
        self.asked = 0
        """How often `usage` was."""
        self.used = Usage()
        self._gone = asyncio.Event()

    async def kill(self) -> None:
        if not self._gone.is_set():
            self.kills += 1
            self.death = Death("host", "killed on request", self.used)
        self.agent.hang_up()
        self._gone.set()

    def die(self, who: Who = "agent", usage: Usage | None = None) -> None:
        """End by itself."""
        self.used = usage or self.used
        self.death = Death(who, "killed by SIGKILL", self.used)
        self._gone.set()
        self.agent.hang_up()

    async def ended(self) -> Death:
        await self._gone.wait()
        return self.death

    def counted(self) -> None:
        """It has to be asked."""

    async def usage(self) -> Usage:
        self.asked += 1
        return self.used


class Stage:
    """A box, the agent in it and its life, for one test."""

    def __init__(self, box: AgentBox, agent: FakeAgent, life: FakeLife) -> None:
        self.box, self.agent, self.life = box, agent, life


def facts(**changes: Any) -> BoxFacts:
    return BoxFacts(**{"engine": "fake", "isolation": Isolation.PROCESS, "enforced": ("mounts",), **changes})


def pair() -> tuple[PipeChannel, FakeAgent, FakeLife]:
    channel, ends = open_pipes()
    agent = FakeAgent(ends)
    return channel, agent, FakeLife(agent)


@asynccontextmanager
async def stage(**changes: Any) -> AsyncIterator[Stage]:
    """A connected box with an agent that has greeted."""
    channel, agent, life = pair()
    agent.send(Kind.HELLO, 0, HELLO)
    box = await AgentBox.connect(channel, life, facts(**changes), PLAN, within=5.0)
    await agent.frame(Kind.HELLO)
    try:
        yield Stage(box, agent, life)
    finally:
        await box.close()
        agent.hang_up()
