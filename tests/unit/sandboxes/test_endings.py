"""How sandboxes end, and what the next service knows of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sandlot.contracts.errors import (
    Conflict,
    NotFound,
    StartFailed,
)
from sandlot.contracts.lease import EndReason, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import Bounds, SandboxSpec, WorkspaceKind
from sandlot.sandboxes.house import House
from tests.unit.sandboxes.house import LEASED, until
from tests.unit.sandboxes.place import ME, Place, play


def test_a_lease_that_runs_out_ends_box_and_workspace_and_running_commands() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", replace(LEASED, ttl=Seconds(0.02)))
        await place.all.ensure(ME, "two", LEASED)
        place.clock.now += 1
        await until(lambda: place.all.status(ME, "one").state is State.ENDED)
        await until(lambda: len(place.store.kept) == 1)
        ending = place.all.status(ME, "one").ending
        assert ending is not None
        assert ending.reason is EndReason.EXPIRED
        assert [status.id for status in place.all.list(ME)] == ["two"]
        assert place.all.census().ended == {EndReason.EXPIRED: 1}

    play(scene)


def test_a_renewed_lease_does_not_run_out() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "short", replace(LEASED, ttl=Seconds(0.02)))
        await place.all.ensure(ME, "renewed", replace(LEASED, ttl=Seconds(0.02)))
        place.clock.now += 0.01
        await place.all.ensure(ME, "renewed", SandboxSpec(ttl=Seconds(5)))
        place.clock.now += 0.02
        await until(lambda: len(place.all.list(ME)) == 1)
        assert place.all.status(ME, "renewed").state is State.RUNNING

    play(scene)


@pytest.mark.parametrize("reason", [EndReason.OUT_OF_MEMORY, EndReason.BOX_DIED, EndReason.KILLED])
def test_a_box_that_dies_stops_a_durable_sandbox_and_the_next_use_starts_another(reason: EndReason) -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        place.engine.boxes[0].die(reason)
        await until(lambda: place.all.status(ME, "one").state is State.STOPPED)
        status = place.all.status(ME, "one")
        assert status.ending is not None
        assert (status.ending.reason, status.ending.detail) == (reason, "agent: killed by SIGKILL")
        await until(lambda: place.engine.living == [])
        await asyncio.gather(*(place.all.reach(ME, "one") for _ in range(20)))
        first, second = place.engine.boxes
        assert first.spec.workspace is not None
        assert first.spec.workspace.blank == Bounds(512 * 2**20, 100_000)
        assert second.spec.workspace == replace(first.spec.workspace, blank=None)
        status = place.all.status(ME, "one")
        assert (status.state, status.ending) == (State.RUNNING, None)
        assert place.all.census().started == 2

    play(scene)


def test_a_box_that_dies_ends_a_sandbox_in_memory() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        place.engine.boxes[0].die(EndReason.OUT_OF_MEMORY)
        await until(lambda: place.all.census().sandboxes[State.RUNNING] == 0)
        with pytest.raises(NotFound, match="out of memory"):
            await place.all.reach(ME, "one")
        assert (await place.all.ensure(ME, "one", LEASED)).state is State.RUNNING

    play(scene, House(workspaces="memory"))


def test_a_restart_that_fails_leaves_it_stopped() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        place.engine.boxes[0].die(EndReason.BOX_DIED)
        await until(lambda: place.all.status(ME, "one").state is State.STOPPED)
        place.engine.failing = 1
        with pytest.raises(StartFailed):
            await place.all.reach(ME, "one")
        status = place.all.status(ME, "one")
        assert (status.state, status.ending and status.ending.reason) == (State.STOPPED, EndReason.BOX_DIED)
        assert len(place.store.kept) == 1
        await place.all.reach(ME, "one")

    play(scene)


def test_a_workspace_that_a_killed_services_box_still_has_is_waited_for() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        place.engine.boxes[0].die(EndReason.BOX_DIED)
        await until(lambda: place.all.status(ME, "one").state is State.STOPPED)
        place.engine.busy = 2
        await place.all.reach(ME, "one")
        assert (place.engine.tried, place.engine.busy) == (4, 0)

    play(scene)


def test_clearing_up_that_fails_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> int:
        raise StartFailed("no sweep today")

    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        await place.all.close()
        place.registry.was_interrupted = True
        again = place.again()
        place.engine.sweep = broken  # type: ignore[method-assign]
        await again.open()
        await again.reach(ME, "one")

    play(scene)
    assert "no sweep today" in caplog.text


def test_the_next_service_goes_on_with_what_was_durable() -> None:
    async def scene(place: Place) -> None:
        created = await place.all.ensure(ME, "kept", LEASED)
        await place.all.ensure(ME, "gone", SandboxSpec())
        await place.all.close()
        await place.all.close()
        assert (place.engine.living, len(place.store.kept)) == ([], 1)
        with pytest.raises(Conflict):
            await place.all.ensure(ME, "more", LEASED)
        await place.again().open()
        assert place.engine.swept == 0
        (status,) = place.all.list(ME)
        assert (status.id, status.state, status.lease) == ("kept", State.STOPPED, created.lease)
        assert status.ending is not None
        assert status.ending.reason is EndReason.SHUTDOWN
        with pytest.raises(NotFound):
            place.all.status(ME, "gone")
        await place.all.reach(ME, "kept")

    play(scene)


def test_the_next_service_tells_what_a_killed_one_left() -> None:
    async def scene(place: Place) -> None:
        killed = place.all
        await killed.ensure(ME, "kept", LEASED)
        await killed.ensure(ME, "late", replace(LEASED, ttl=Seconds(60)))
        await killed.ensure(ME, "deleted", LEASED)
        await killed.delete(ME, "deleted")
        place.store.create("stray", WorkspaceKind.IMAGE, 1, 1)
        place.clock.now += 61
        place.registry.was_interrupted = True
        await place.again().open()
        told = {name: place.all.status(ME, name).ending for name in ("kept", "late", "deleted")}
        reasons = {name: ending.reason for name, ending in told.items() if ending is not None}
        assert reasons == {
            "kept": EndReason.HOST_RESTART,
            "late": EndReason.EXPIRED,
            "deleted": EndReason.DELETED,
        }
        await until(lambda: len(place.store.kept) == 1)
        assert place.engine.swept == 1
        assert (await place.all.ensure(ME, "kept", LEASED)).state is State.STOPPED
        await place.all.reach(ME, "kept")

    play(scene)


def test_why_a_sandbox_ended_is_told_for_an_hour() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        await place.all.delete(ME, "one")
        await place.all.ensure(ME, "waker", replace(LEASED, ttl=Seconds(0.02)))
        place.clock.now += 3601
        await until(lambda: place.all._tombstones.find(ME, "one") is None)
        with pytest.raises(NotFound):
            place.all.status(ME, "one")
        await until(lambda: "waker" in [each.id for each in vars(place.registry)["_records"].values()])

    play(scene)
