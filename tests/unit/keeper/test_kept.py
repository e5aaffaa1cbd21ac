"""Kept workspaces in real boxes: what stays, what does not, and who may have one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from sandlot.contracts import errors
from sandlot.contracts.spec import WorkspaceKind
from sandlot.keeper.client import Keeper
from sandlot.keeper.launch import KeptMount, WorkspaceMount
from tests.unit.keeper.kept_place import INODES, SIZE, Place, begun, both, drive, launch, said
from tests.unit.keeper.witness import IS_ROOT, family, loops_below

pytestmark = pytest.mark.linux


@both
def test_what_a_box_wrote_is_there_for_the_next_which_may_change_it(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            first = await said(keeper, "id -u; umask 077; mkdir d; echo one > d/f; chmod 000 .", place.mount)
            second = await said(keeper, "id -u; cat d/f; echo two >> d/f; stat -c %u . d d/f", place.mount)
            third = await said(keeper, "cat d/f; rm -r d; ls -A", place.mount)
        assert (second[1], third) == ("one", ["one", "two"])
        assert set(second[2:]) == {second[0]}
        assert (first[0] != second[0]) == IS_ROOT

    drive(scene())


@both
def test_the_tmpfs_around_a_kept_workspace_is_not_kept(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            script = "ls . workspace; echo > workspace/kept; echo > scratch"
            for found in (["workspace:"], ["workspace:", "kept"]):
                readable, writable = os.pipe()
                asked = launch(script, place.mount, WorkspaceMount(2**20, 100))
                box = await keeper.spawn(asked, (readable, writable, writable))
                os.close(writable)
                await box.exit
                with os.fdopen(readable) as output:
                    lines = [line for line in output.read().splitlines() if line not in (".:", "")]
                assert lines == ["workspace", *found]

    drive(scene())


@both
def test_a_killed_keeper_leaves_the_workspace_and_nothing_else(place: Place) -> None:
    async def scene() -> None:
        keeper = await place.keeper()
        box = await begun(keeper, "echo safe > f", place.mount)
        os.kill(family(keeper.stub_pid)[1], signal.SIGKILL)
        assert (await box.exit).cause == "keeper_died"
        await keeper.close()
        async with await place.keeper() as another:
            assert await said(another, "cat f", place.mount) == ["safe"]

    drive(scene())


@both
def test_one_box_at_a_time_has_it_whoever_keeps_the_boxes(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper, await place.keeper() as another:
            box = await begun(keeper, "true", place.mount)
            for whom in (keeper, another):
                with pytest.raises(errors.Conflict, match="another box"):
                    await said(whom, "true", place.mount)
            await box.kill()
            assert await said(another, "echo mine", place.mount) == ["mine"]

    drive(scene())


@both
def test_it_is_free_as_soon_as_its_box_has_ended_whatever_else_is_starting(place: Place) -> None:
    # A child of the keeper has every lock of the keeper until it runs a program of its own.
    names = [f"w{number}" for number in range(6)]
    for name in names:
        place.store.create(name, WorkspaceKind(place.mount.kind), SIZE, INODES)

    async def again_and_again(keeper: Keeper, name: str) -> None:
        for count in range(4):
            lines = await said(keeper, "echo >> f; wc -l < f", KeptMount(name, place.mount.kind))
            assert lines == [str(count + 1)]

    async def scene() -> None:
        async with await place.keeper() as keeper:
            await asyncio.gather(*(again_and_again(keeper, name) for name in names))

    drive(scene())


def test_what_is_not_there_or_of_another_kind_is_not_found(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            for mount in (KeptMount("nowhere", "image"), KeptMount("kept", "directory")):
                with pytest.raises(errors.NotFound, match="create it first"):
                    await said(keeper, "true", mount)
            os.symlink(place.path / "kept.img", place.path / "linked.img")
            with pytest.raises(errors.StartFailed):
                await said(keeper, "true", KeptMount("linked", "image"))
            os.unlink(place.path / "linked.img")

    drive(scene())


def test_removing_the_image_of_a_living_box_is_no_harm(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            box = await begun(keeper, "echo > f", place.mount)
            place.store.remove("kept")
            await box.kill()
            assert loops_below(place.path) == []

    drive(scene())


@pytest.mark.skipif(IS_ROOT, reason="root may mount images")
def test_an_ordinary_users_image_is_refused(run_directory: Path) -> None:
    async def scene() -> None:
        async with await Keeper.start(run_directory=run_directory, store=run_directory / "store") as keeper:
            with pytest.raises(errors.Unsupported, match="use a directory"):
                await said(keeper, "true", KeptMount("kept", "image"))

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(scene())
