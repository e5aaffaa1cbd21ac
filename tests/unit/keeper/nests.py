"""Zygotes for the keeper's tests: a real one, and programs in its place that say what they like."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from sandlot.engines.layout import host_layout
from sandlot.engines.zygote import tree
from sandlot.engines.zygote.terms import Terms
from sandlot.environments import agent, registry
from sandlot.environments.environment import SYSTEM
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import Powers
from sandlot.keeper.orders import Limits, ZygoteOrder

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


def order(powers: Powers, *, preload: tuple[str, ...] = (), loading: float = 60.0) -> ZygoteOrder:
    """A real zygote of the system's Python."""
    environment, layout = replace(registry.get(SYSTEM), preload=preload), host_layout()
    terms = Terms(powers, without=frozenset(), missing=frozenset())
    return ZygoteOrder(
        argv=agent.zygote_command(environment, tree.AGENT, json.dumps(terms.nest(environment, layout))),
        env=tree.ZYGOTE_VARIABLES,
        tree=tree.entries(environment, layout, str(agent.archive_for(environment))),
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
