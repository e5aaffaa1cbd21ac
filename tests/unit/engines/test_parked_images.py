"""Boxes that have an image at their workspace before they are asked for: who gets it, what is left of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, DiskFull, NotFound, StartFailed, Unsupported
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import Bounds, KeptWorkspace, Limits, SandboxSpec, WorkspaceKind
from sandlot.engines.zygote.engine import Parked, ZygoteEngine
from sandlot.engines.zygote.stocks import ZygoteStock
from sandlot.keeper.storage import WorkspaceStore
from tests.unit.keeper.witness import IS_ROOT, family, loops_below

pytestmark = [pytest.mark.engine, pytest.mark.linux]
if IS_ROOT:  # who may not mount images is not short of an engine
    pytestmark.append(pytest.mark.needs_engine("zygote"))

BOUNDS = Bounds(16 * 2**20, 500)
STOCK = ZygoteStock("system", BOUNDS).name


def on(name: str, blank: Bounds | None = BOUNDS, memory: Bytes | None = None) -> SandboxSpec:
    workspace = KeptWorkspace(name, WorkspaceKind.IMAGE, blank)
    return SandboxSpec(workspace=workspace, limits=Limits(memory=memory))


# The names of stocks (pure).


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (SandboxSpec(), "system"),
        (SandboxSpec(environment="science"), "science"),
        (on("a"), "system/16777216/500"),
        (on("a", None), "system"),
        (SandboxSpec(workspace=KeptWorkspace("a", WorkspaceKind.DIRECTORY, BOUNDS)), "system"),
    ],
)
def test_a_stock_has_images_where_any_empty_one_will_do(spec: SandboxSpec, name: str) -> None:
    assert ZygoteEngine().stock(spec) == name
    assert ZygoteStock.named(name) == ZygoteStock.of(spec)


@pytest.mark.parametrize("name", ["system/", "system/1", "system/1/2/3", "system/a/b"])
def test_what_is_no_stock_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match="ENVIRONMENT/BYTES/FILES"):
        ZygoteStock.named(name)


# Real boxes.


class Scene:
    """An engine, the store its keeper has, and what is in there."""

    def __init__(self, engine: ZygoteEngine, store: WorkspaceStore, path: Path) -> None:
        self.engine, self.store, self.path = engine, store, path

    def create(self, name: str) -> None:
        self.store.create(name, WorkspaceKind.IMAGE, BOUNDS.size, BOUNDS.inodes)

    def inode(self, name: str) -> int:
        return (self.path / f"{name}.img").stat().st_ino

    async def said(self, spec: SandboxSpec, line: str) -> str:
        box = await self.engine.create(spec)
        try:
            return await output(box, line)
        finally:
            await box.close()


async def output(box: object, line: str) -> str:
    events = [event async for event in box.run(Command.shell(line))]  # type: ignore[attr-defined] # any box
    return b"".join(getattr(event, "data", b"") for event in events).decode()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Plays a scene with images, after which there is no mount, no descriptor and no file but the named."""
    if not IS_ROOT:
        pytest.skip("only root may mount images")
    place = Path(tempfile.mkdtemp(prefix="sandlot-parked-"))  # zygotes of another uid read below it
    place.chmod(0o755)
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(place))
    path = place / "workspaces"
    store = WorkspaceStore(path)

    async def scenario(scene: Callable[[Scene], Awaitable[None]]) -> None:
        engine = ZygoteEngine()
        try:
            found = await engine.probe()
            if not found.works:
                pytest.skip(f"engine zygote cannot work here: {found.cause}")
            await scene(Scene(engine, store, path))
        finally:
            await engine.close()

    def run(scene: Callable[[Scene], Awaitable[None]]) -> None:
        before = len(os.listdir("/proc/self/fd"))
        asyncio.run(asyncio.wait_for(scenario(scene), 60))
        assert loops_below(path) == []
        assert len(os.listdir("/proc/self/fd")) == before
        assert sorted(os.listdir(path)) == [f"{name}.img" for name in store.names()]

    yield run
    shutil.rmtree(place)


def test_a_claim_gives_the_name_and_what_is_written_is_there_for_the_next_box(
    play: Callable[..., None],
) -> None:
    async def scene(at: Scene) -> None:
        parked = await at.engine.park(STOCK)
        assert os.listdir(at.path) == []
        box = await at.engine.claim(parked, on("one"))
        assert os.listdir(at.path) == ["one.img"]
        assert (
            await output(box, "ls -A; stat -f -c %T .; stat -c '%u %a' .; echo kept > f")
            == "ext2/ext3\n1000 700\n"
        )
        assert {"disk", "inodes", "landlock"} <= set(box.enforced)
        with pytest.raises(Conflict, match="another box"):
            await at.engine.create(on("one", None))
        await box.close()
        assert await at.said(on("one", None), "cat f") == "kept\n"

    play(scene)


def test_what_an_attempt_that_failed_has_left_is_replaced(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        at.create("one")
        before = at.inode("one")
        box = await at.engine.claim(await at.engine.park(STOCK), on("one"))
        assert at.inode("one") != before
        await box.close()
        at.create("two")
        assert await at.said(on("two"), "ls -A; echo fine") == "fine\n"

    play(scene)


def test_without_a_box_that_has_one_the_workspace_is_made_with_its_box(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        assert await at.said(on("one"), "ls -A; echo kept > f") == ""
        assert await at.said(on("one", None), "cat f") == "kept\n"
        assert at.store.kind_of("one") is WorkspaceKind.IMAGE
        with pytest.raises(Unsupported, match="files cannot be enforced"):
            await at.engine.create(on("three", Bounds(512 * 2**20, 1)))
        with pytest.raises(DiskFull):
            await at.engine.create(on("three", Bounds(2**50, 2**40)))
        assert at.store.names() == ["one"]

    play(scene)


def test_it_is_bounded_and_the_other_limits_of_its_claim_hold(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        at.create("one")
        parked = await at.engine.park(STOCK)
        box = await at.engine.claim(parked, on("one", memory=Bytes(64 * 2**20)))
        assert (
            await output(box, "head -c 64M /dev/zero > big 2> /dev/null; echo $?; stat -f -c '%b %S' /tmp")
            == f"1\n{8 * 2**20 // 4096} 4096\n"
        )
        await box.close()

    play(scene)


def test_no_image_is_given_twice(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        for name in ("one", "two"):
            at.create(name)
        parked = await at.engine.park(STOCK)
        claims = [at.engine.claim(parked, on(name)) for name in ("one", "two")]
        box, refused = await asyncio.gather(*claims, return_exceptions=True)
        assert isinstance(refused, Conflict)
        assert not isinstance(box, BaseException)
        assert at.inode("one") != at.inode("two")
        image = at.store.blank(BOUNDS.size, BOUNDS.inodes)
        at.store.adopt("two", image)
        with pytest.raises(Conflict, match="has a name"):
            at.store.adopt("one", image)
        os.close(image)
        assert isinstance(parked, Parked)
        assert parked.image is not None
        with pytest.raises(Conflict, match="another's"):
            await parked.image.give(on("two"))
        await box.close()

    play(scene)


def test_one_that_is_discarded_or_claimed_for_something_else_leaves_nothing(
    play: Callable[..., None],
) -> None:
    async def scene(at: Scene) -> None:
        parked = await at.engine.park(STOCK)
        await parked.discard()
        await parked.kept.exit
        assert loops_below(at.path) == []
        at.create("one")
        before = at.inode("one")
        for spec in (SandboxSpec(), on("one", None), on("one", Bounds(32 * 2**20, 500))):
            with pytest.raises(StartFailed, match="another workspace"):
                await at.engine.claim(await at.engine.park(STOCK), spec)
        assert at.inode("one") == before
        assert loops_below(at.path) == []

    play(scene)


def test_a_box_has_one_workspace_from_the_keeper_and_no_second(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        parked = await at.engine.park(STOCK)
        image = at.store.blank(BOUNDS.size, BOUNDS.inodes)
        try:
            with pytest.raises(Conflict, match="has a workspace"):
                await parked.keeper.furnish(parked.kept, image)
            null = os.open(os.devnull, os.O_RDWR)
            other = await at.engine.park("system")
            with pytest.raises(StartFailed, match="another kind"):
                await parked.keeper.furnish(other.kept, null)
            os.close(null)
            await parked.keeper.furnish(other.kept, image)
            third = await at.engine.park("system")
            with pytest.raises(Conflict, match="another box"):
                await parked.keeper.furnish(third.kept, image)
        finally:
            os.close(image)
        for each in (parked, other, third):
            await each.discard()

    play(scene)


def test_a_parked_box_that_was_killed_takes_its_image_along(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        at.create("one")
        before = at.inode("one")
        parked = await at.engine.park(STOCK)
        keeper = family(parked.keeper.stub_pid)[1]
        os.kill(keeper, signal.SIGKILL)
        await parked.kept.exit
        with pytest.raises(StartFailed):
            await at.engine.claim(parked, on("one"))
        assert at.inode("one") == before
        assert await at.said(on("one"), "echo still") == "still\n"

    play(scene)


def test_a_keeper_that_is_killed_after_the_claim_leaves_the_data(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        at.create("one")
        parked = await at.engine.park(STOCK)
        box = await at.engine.claim(parked, on("one"))
        await output(box, "echo safe > f")
        os.kill(family(parked.keeper.stub_pid)[1], signal.SIGKILL)
        await box.ended()
        await parked.keeper.close()
        while loops_below(at.path):  # noqa: ASYNC110 - the kernel takes the mounts apart, and tells nobody
            await asyncio.sleep(0.01)
        assert await at.said(on("one", None), "cat f") == "safe\n"

    play(scene)


def test_a_claim_that_is_cancelled_names_no_image_afterwards(play: Callable[..., None]) -> None:
    async def scene(at: Scene) -> None:
        for turns in range(1, 5):
            at.create("one")
            parked = await at.engine.park(STOCK)
            claim = asyncio.ensure_future(at.engine.claim(parked, on("one")))
            for _ in range(turns):
                await asyncio.sleep(0)
            claim.cancel()
            await asyncio.wait([claim])
            assert claim.cancelled()
            at.store.remove("one")
            assert loops_below(at.path) == []
        assert at.store.names() == []

    play(scene)
