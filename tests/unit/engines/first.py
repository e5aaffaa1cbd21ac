"""A box of engine zygote with a first process of either kind, and what to run in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import SandboxSpec
from sandlot.engines.zygote.engine import ZygoteEngine
from sandlot.environments import native
from sandlot.environments.environment import SYSTEM

Scene = Callable[[Any], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture(params=["auto", native.NONE], scope="module")
def on_a_box(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Plays a scene on a box of its own, whose first process is in C, and again with an interpreter."""
    engine = ZygoteEngine()
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("SANDLOT_COMPILER", request.param)
        if request.param != native.NONE and native.library().path is None:
            pytest.skip(f"no first process in C: {native.library().why}")
        found = runner.run(engine.probe())
        if not found.works:
            pytest.skip(f"engine zygote cannot work here: {found.cause}")

        def play(scene: Scene, spec: SandboxSpec | None = None) -> None:
            async def scenario() -> None:
                box = await engine.claim(await engine.park(SYSTEM), spec or SandboxSpec())
                await scene(box)
                await box.close()

            runner.run(asyncio.wait_for(scenario(), 60))

        yield play
        runner.run(engine.close())


async def result_of(box: Any, command: Command) -> Result:
    """The whole of a command."""
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)
