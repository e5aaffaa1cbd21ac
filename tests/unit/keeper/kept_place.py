"""A store with one kept workspace, and boxes that use it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import KeptMount, Launch, WorkspaceMount
from sandlot.keeper.storage import WorkspaceStore
from tests.unit.keeper.witness import IDENTITY

SIZE, INODES = 16 * 2**20, 500

both = pytest.mark.parametrize("place", ["image", "directory"], indirect=True)


@dataclass(frozen=True)
class Place:
    """A run directory and a store with one workspace of one kind, called `kept`."""

    run: Path
    path: Path
    store: WorkspaceStore
    mount: KeptMount

    async def keeper(self) -> Keeper:
        return await Keeper.start(run_directory=self.run, store=self.path)


def drive(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 30))


def launch(script: str, mount: KeptMount | None, scratch: WorkspaceMount | None = None) -> Launch:
    argv = ("/bin/sh", "-c", f"cd $1 && {{ {script}\n}}", "sh", "{workspace}")
    return Launch(argv, {"PATH": "/usr/sbin:/usr/bin:/bin"}, IDENTITY, workspace=scratch, kept=mount)


async def start(keeper: Keeper, script: str, mount: KeptMount, output: int | None = None) -> KeptBox:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        end = null if output is None else output
        return await keeper.spawn(launch(script, mount), (null, end, end))
    finally:
        os.close(null)


async def said(keeper: Keeper, script: str, mount: KeptMount) -> list[str]:
    """The lines a box prints that runs *script* in the workspace."""
    readable, writable = os.pipe()
    with os.fdopen(readable) as output:
        try:
            box = await start(keeper, script, mount, writable)
        finally:
            os.close(writable)
        await box.exit
        return output.read().splitlines()


async def begun(keeper: Keeper, script: str, mount: KeptMount) -> KeptBox:
    """A box that has done *script* and lives on."""
    readable, writable = os.pipe()
    with os.fdopen(readable) as output:
        try:
            box = await start(keeper, f"{script}; echo begun; exec >&-; sleep 1000", mount, writable)
        finally:
            os.close(writable)
        assert await asyncio.to_thread(output.readline) == "begun\n"
    return box
