"""Kept workspaces through both engines, as whoever runs this (root and an ordinary user are two runs)."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sandlot.contracts import errors
from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.lease import EndReason
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Bounds, KeptWorkspace, Limits, Network, SandboxSpec, WorkspaceKind
from sandlot.engines import registry
from sandlot.engines.keeping import KeeperEngine
from sandlot.engines.process.portable import PortableEngine
from sandlot.keeper.storage import WorkspaceStore
from sandlot.link.agentbox import AgentBox
from sandlot.testing import leaks

pytestmark = [pytest.mark.engine, pytest.mark.linux]

T = TypeVar("T")
SIZE, INODES = 16 * 2**20, 500


class Bench:
    """One engine on one loop, and a store with kept workspaces of one kind."""

    def __init__(self, engine: str, kind: WorkspaceKind, data: Path) -> None:
        self._runner = asyncio.Runner()
        self.kind, self.store, self._made = kind, WorkspaceStore(data / "workspaces"), 0
        made = registry.make(engine)
        assert isinstance(made, KeeperEngine)
        self.engine = made

    def drive(self, scene: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(scene, 30))

    def spec(self, **limits: Any) -> SandboxSpec:
        """A spec with a workspace nobody has used."""
        self._made += 1
        name = f"{self.engine.name}-{self.kind.value}-{self._made}"
        self.store.create(name, self.kind, SIZE, INODES)
        return SandboxSpec(workspace=KeptWorkspace(name, self.kind), limits=Limits(**limits))

    def close(self) -> None:
        self.drive(self.engine.close())
        self._runner.close()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data directory of our own that boxes can read from, and nothing of it in a loop device afterwards."""
    place = Path(tempfile.mkdtemp(prefix="sandlot-data-"))
    place.chmod(0o755)
    before, leaks_before = os.environ.get("SANDLOT_DATA_DIRECTORY"), leaks.snapshot().loops
    os.environ["SANDLOT_DATA_DIRECTORY"] = str(place)
    try:
        yield place
        assert leaks.snapshot().loops <= leaks_before
    finally:
        del os.environ["SANDLOT_DATA_DIRECTORY"]
        if before is not None:
            os.environ["SANDLOT_DATA_DIRECTORY"] = before
        shutil.rmtree(place)


@pytest.fixture(scope="module", params=["bubblewrap", "process", "zygote"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(
    scope="module", params=[WorkspaceKind.IMAGE, WorkspaceKind.DIRECTORY], ids=lambda kind: kind.value
)
def bench(request: pytest.FixtureRequest, engine: str, data: Path) -> Iterator[Bench]:
    made = Bench(engine, request.param, data)
    if cause := made.store.kinds()[request.param]:
        made.close()
        pytest.skip(cause)
    if obstacle := made.engine.obstacle():
        pytest.skip(": ".join(obstacle))
    yield made
    made.close()


async def result_of(box: AgentBox, line: str) -> Result:
    events = [event async for event in box.run(Command.shell(line))]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


async def told(bench: Bench, spec: SandboxSpec, line: str) -> str:
    box = await bench.engine.create(spec)
    try:
        result = await result_of(box, line)
        return result.text + result.errors
    finally:
        await box.close()


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(65_536)


def test_the_workspace_outlives_its_box_and_scratch_does_not(bench: Bench) -> None:
    spec = bench.spec()

    async def scene() -> None:
        assert await told(bench, spec, "mkdir d; echo one > d/f; echo > $TMPDIR/scratch; pwd > where") == ""
        assert await told(bench, spec, "cat d/f; ls -A $TMPDIR; echo two > d/f; chmod 0 .") == "one\n"
        box = await bench.engine.create(spec)
        assert [entry["name"] async for entry in box.list(WORKSPACE)] != []
        assert b"".join([data async for data in box.read(WORKSPACE / "d" / "f")]) == b"two\n"
        await box.write(WORKSPACE / "g", pieces(1))
        await box.close()
        assert await told(bench, spec, "ls -A; wc -c < g") == "d\ng\nwhere\n65536\n"

    bench.drive(scene())


def test_a_new_one_is_made_with_its_box_and_once(bench: Bench) -> None:
    workspace = KeptWorkspace(f"{bench.engine.name}-{bench.kind.value}-new", bench.kind, Bounds(SIZE, INODES))
    spec = SandboxSpec(workspace=workspace)

    async def scene() -> None:
        assert await told(bench, spec, "ls -A; echo one > f") == ""
        assert await told(bench, replace(spec, workspace=replace(workspace, blank=None)), "cat f") == "one\n"
        assert bench.store.kind_of(workspace.name) is bench.kind

    bench.drive(scene())


def test_what_bounds_it_is_told_and_what_cannot_is_refused(bench: Bench) -> None:
    async def scene() -> None:
        box = await bench.engine.create(bench.spec())
        is_image = bench.kind is WorkspaceKind.IMAGE
        assert ({"disk", "inodes"} <= set(box.enforced)) == is_image
        assert (Feature.LIMIT_DISK in box.features) == is_image
        await box.close()
        for limits in ({"disk": Bytes(SIZE)}, {"inodes": INODES}):
            if is_image:
                await told(bench, bench.spec(**limits), "true")
                continue
            with pytest.raises(errors.Unsupported, match="nothing bounds a workspace in a directory"):
                await bench.engine.create(bench.spec(**limits))

    bench.drive(scene())


def test_a_full_image_is_an_error_of_the_disk_and_of_no_memory(bench: Bench) -> None:
    if bench.kind is not WorkspaceKind.IMAGE:
        pytest.skip("nothing bounds a directory")
    limits: dict[str, Any] = {"disk": Bytes(SIZE)}
    if Feature.LIMIT_MEMORY in bench.drive(bench.engine.probe()).features:
        limits["memory"] = Bytes(2**26)

    async def scene() -> None:
        box = await bench.engine.create(bench.spec(**limits))
        with pytest.raises(errors.DiskFull):
            await box.write(WORKSPACE / "big", pieces(2 * SIZE // 65_536))
        full = await result_of(box, "head -c 64M /dev/zero > big; echo $?; rm big; echo fine > f; cat f")
        assert full.text == "1\nfine\n"
        assert "No space left" in full.errors
        await box.close()

    bench.drive(scene())


def test_an_image_need_not_fit_the_memory(bench: Bench) -> None:
    if Feature.LIMIT_MEMORY not in bench.drive(bench.engine.probe()).features:
        pytest.skip("no memory limit can be enforced here")
    if bench.kind is not WorkspaceKind.IMAGE:
        pytest.skip("nothing bounds a directory")
    spec = bench.spec(memory=Bytes(2**26), disk=Bytes(2**30))
    assert bench.drive(told(bench, spec, "echo fine")) == "fine\n"


def test_two_boxes_at_once_do_not_get_it(bench: Bench) -> None:
    spec = bench.spec()

    async def scene() -> None:
        box = await bench.engine.create(spec)
        with pytest.raises(errors.Conflict, match="another box"):
            await bench.engine.create(spec)
        await box.close()
        assert await told(bench, spec, "echo mine") == "mine\n"

    bench.drive(scene())


def test_a_workspace_nobody_made_is_not_found(bench: Bench) -> None:
    spec = SandboxSpec(workspace=KeptWorkspace("nobody-made-it", bench.kind))
    with pytest.raises(errors.NotFound):
        bench.drive(bench.engine.create(spec))


def test_the_end_of_a_box_is_told_and_the_next_can_have_its_workspace(bench: Bench) -> None:
    spec = bench.spec()

    async def scene() -> None:
        box = await bench.engine.create(spec)
        waiting = asyncio.ensure_future(box.ended())
        await box.close()
        assert (await waiting).reason is EndReason.KILLED
        box = await bench.engine.create(spec)
        keeper = bench.engine._keeper
        assert keeper is not None
        keeper._started.kill()
        ending = await box.ended()
        assert (ending.reason, ending.detail) == (EndReason.BOX_DIED, "keeper: the keeper ended")
        assert await told(bench, spec, "echo again") == "again\n"

    bench.drive(scene())


def test_where_there_is_no_keeper_nothing_is_kept() -> None:
    async def scene() -> None:
        engine = PortableEngine()
        workspace = KeptWorkspace("w", WorkspaceKind.DIRECTORY)
        with pytest.raises(errors.Unsupported, match="cannot keep workspaces"):
            await engine.create(SandboxSpec(workspace=workspace, network=Network.FULL))
        box = await engine.create(SandboxSpec(network=Network.FULL))
        waiting = asyncio.ensure_future(box.ended())
        await engine.close()
        assert (await waiting, await box.ended()) == (await box.ended(), await waiting)
        assert (await waiting).reason is EndReason.KILLED

    asyncio.run(scene())
