"""Zygotes for the keeper's tests: a real one, and programs in its place that say what they like."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.engines.layout import host_layout
from sandlot.engines.zygote import terms, tree
from sandlot.engines.zygote.terms import Terms
from sandlot.environments import agent, native, registry
from sandlot.environments.environment import SYSTEM
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import Powers
from sandlot.keeper.orders import Limits, ZygoteOrder
from tests.unit.keeper.witness import members

NO_LIMITS = Limits()

_FAKE = """
import json, os, socket, sys, time
keeper = socket.socket(fileno=0)
def say(message, *descriptors):
    packet = message if isinstance(message, bytes) else json.dumps(message).encode()
    socket.send_fds(keeper, [packet], descriptors)
def ready():
    say({"ready": "3"})
def asked():
    packet, descriptors, _, _ = socket.recv_fds(keeper, 65536, 16)
    if not packet:
        sys.exit()
    return json.loads(packet)["park"], descriptors
def sleep():
    while True:
        time.sleep(60)
"""


def order(
    powers: Powers,
    *,
    preload: tuple[str, ...] = (),
    loading: float = 60.0,
    library: Path | None = None,
    most: int = terms.MOST_BOXES,
) -> ZygoteOrder:
    """A real zygote of the system's Python; *library* in the place of the real one."""
    environment, layout = replace(registry.get(SYSTEM), preload=preload), host_layout()
    library = library or native.library().path
    nest = Terms(powers, without=frozenset(), missing=frozenset()).nest(environment, layout)
    return ZygoteOrder(
        argv=agent.zygote_command(
            environment, tree.AGENT, json.dumps({**nest, "most": most}), tree.LIBRARY if library else ""
        ),
        env=tree.ZYGOTE_VARIABLES,
        tree=tree.entries(environment, layout, str(agent.archive_for(environment)), str(library or "")),
        loading=loading,
    )


def fake(powers: Powers, program: str, *, loading: float = 5.0, making: float = 5.0) -> ZygoteOrder:
    """*program* in the place of a zygote: `say`, `ready`, `asked` and `sleep` are there for it."""
    real = order(powers)
    argv = (real.argv[0], "-I", "-S", "-c", _FAKE + program)
    return replace(real, argv=argv, loading=loading, making=making)


def preloading(powers: Powers, folder: Path, source: str, *, loading: float = 60.0) -> ZygoteOrder:
    """A real zygote that has the module `brought`, with the text *source*, to import."""
    path = folder / "brought.py"
    path.write_text(source)
    real = order(powers, preload=("brought",), loading=loading)
    path_entry = "import sys; sys.path.insert(0, '/brought'); "
    argv = (*real.argv[:4], path_entry + real.argv[4], *real.argv[5:])
    return replace(real, argv=argv, tree=(*real.tree, ("show", "/brought", str(folder))))


@asynccontextmanager
async def keeper(run_directory: Path) -> AsyncIterator[Keeper]:
    """A keeper that is still there, and still makes boxes of an honest zygote, after the block."""
    async with await Keeper.start(run_directory=run_directory) as started:
        yield started
        zygote = await started.raise_zygote(order(started.powers))
        box = await park(started, zygote)
        await box.kill()


async def park(keeper: Keeper, zygote: int, limits: Limits = NO_LIMITS) -> KeptBox:
    """A parked box whose channel is empty and stays open."""
    with _ends() as (reading, writing, null):
        return await keeper.park(zygote, limits, (reading, writing, null))


@contextmanager
def _ends() -> Iterator[tuple[int, int, int]]:
    # The box reads from a pipe that it writes to itself, so its input never ends.
    reading, writing = os.pipe2(os.O_CLOEXEC)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield reading, writing, null
    finally:
        for descriptor in (reading, writing, null):
            os.close(descriptor)


@asynccontextmanager
async def nursed(run_directory: Path) -> AsyncIterator[tuple[Keeper, int]]:
    """A keeper with one honest zygote; what it cannot do here is a reason to skip."""
    async with await Keeper.start(run_directory=run_directory) as keeper:
        if not keeper.powers.pid_namespace:
            pytest.skip(f"zygotes need namespaces: {keeper.powers.missing}")
        yield keeper, await keeper.raise_zygote(order(keeper.powers))


def run(run_directory: Path, scene: Callable[[Keeper, int], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30), nursed(run_directory) as (keeper, zygote):
            await scene(keeper, zygote)

    asyncio.run(scenario())


async def parked(keeper: Keeper, zygote: int, limits: Limits = NO_LIMITS) -> tuple[KeptBox, set[int]]:
    """A box and its processes: the agent, and its spare."""
    before = members(keeper.stub_pid)
    box = await park(keeper, zygote, limits)
    return box, members(keeper.stub_pid) - before
