"""Services and keepers that are killed while sandboxes come to be, whose boxes were parked with an image."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.contracts.streams import ended
from sandlot.local.service import LocalService, told
from sandlot.local.start import open_service
from tests.e2e.standing import kill, standing
from tests.unit.keeper.witness import IS_ROOT, loops_below
from tests.unit.local.machine import data_directory, obstacle
from tests.unit.sandboxes.house import until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.needs_engine("zygote"),
    pytest.mark.timeout(120),
    pytest.mark.root,
]

LEASED = SandboxSpec(ttl=Seconds(600), engine="zygote")
IMAGES = "system/536870912/100000"

SERVICE = """
import asyncio, sys
from sandlot import settings
from sandlot.local.start import open_service
from tests.unit.sandboxes import test_crashes_at_the_start as test

async def main():
    service = await open_service(settings.load())
    await test.filled(service)
    await asyncio.gather(*(worker(service, number) for number in range(3)))

async def worker(service, number):
    for count in range(1000):
        await test.made(service, f"{number}-{count}")
        print(f"{number}-{count}", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if not IS_ROOT:
        pytest.skip("only root may mount images")
    if (cause := obstacle("zygote")) is not None:
        pytest.skip(f"zygote does not work here: {cause}")
    with data_directory() as place:
        monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(place))
        yield place
        assert os.listdir(place / "workspaces") == []
        assert loops_below(place / "workspaces") == []


async def filled(service: LocalService) -> None:
    """Wait until a sandbox finds a parked box with an image; the first one that is asked for finds none."""
    await made(service, "first")
    await service.delete("first")
    while not [each for each in service.supplies() if each.stock == IMAGES and each.ready]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # nobody tells of counts


async def shell(service: LocalService, name: str, line: str) -> str:
    box = await service.reach(name)
    async with ended(box.run(Command.shell(line))) as events:
        return told(box, [event async for event in events]).text


async def made(service: LocalService, name: str) -> None:
    """A new sandbox with a file in it that tells its name."""
    await service.ensure(name, LEASED)
    assert await shell(service, name, f"ls -A; echo {name} > f; sync f; cat f") == f"{name}\n"


async def emptied(service: LocalService) -> None:
    for status in await service.list():
        await service.delete(status.id)


@pytest.mark.parametrize("lines", [1, 4, 9])
def test_a_killed_service_leaves_every_sandbox_it_told_of_and_no_workspace_of_nobody(
    data: Path, lines: int
) -> None:
    home = str(Path(__file__).parents[3])
    environ = {**os.environ, "PYTHONPATH": home}
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        try:
            names = [process.stdout.readline().decode().strip() for _ in range(lines)]
        finally:
            process.kill()
        names += process.stdout.read().decode().split()

    async def scene() -> None:
        service = await open_service(settings.load())
        try:
            living = {status.id for status in await service.list()}
            assert set(names) <= living
            for name in names:
                assert await shell(service, name, "cat f") == f"{name}\n"
            await until(lambda: len(os.listdir(data / "workspaces")) == len(living))
            await made(service, "after")
            await emptied(service)
        finally:
            await service.close()

    asyncio.run(scene())


def test_keepers_that_are_killed_meanwhile_cost_no_sandbox_that_was_told_of(data: Path) -> None:
    async def scene() -> None:
        service = await open_service(settings.load())
        told_of: list[str] = []

        async def worker(number: int) -> None:
            for count in range(6):
                name = f"{number}-{count}"
                try:
                    await service.ensure(name, LEASED)
                except SandlotError:
                    continue
                told_of.append(name)

        try:
            await filled(service)
            async with asyncio.TaskGroup() as workers:
                for number in range(3):
                    workers.create_task(worker(number))
                for _ in range(2):
                    await asyncio.sleep(0.02)  # lets them go on: what is tested is any moment of theirs
                    kill(standing("keeper"))
            assert told_of
            for name in told_of:
                assert await shell(service, name, f"echo {name} > f; cat f") == f"{name}\n"
            assert {status.id for status in await service.list()} == set(told_of)
            assert len(os.listdir(data / "workspaces")) == len(told_of)
            await emptied(service)
        finally:
            await service.close()

    asyncio.run(scene())
