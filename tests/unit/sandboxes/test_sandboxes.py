"""Sandboxes made, claimed, used and deleted, one step after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from sandlot.contracts.errors import (
    Conflict,
    DiskFull,
    InvalidSpec,
    NotFound,
    PoolExhausted,
    QuotaDenied,
    StartFailed,
)
from sandlot.contracts.lease import EndReason, State
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import Bounds, KeptWorkspace, Limits, SandboxSpec, WorkspaceKind
from sandlot.sandboxes.house import House
from sandlot.sandboxes.quota import Quota
from tests.unit.sandboxes.house import LEASED, until
from tests.unit.sandboxes.place import ME, Place, play


def test_a_leased_sandbox_is_made_on_a_workspace_of_its_own() -> None:
    async def scene(place: Place) -> None:
        status = await place.all.ensure(ME, "one", replace(LEASED, limits=Limits(disk=Bytes(2**20))))
        assert (status.state, status.is_durable, status.engine) == (State.RUNNING, True, "memory")
        assert (status.created, status.lease.expires) == (place.clock.now, place.clock.now + 900)
        ((name, kept),) = place.store.kept.items()
        assert kept == (WorkspaceKind.IMAGE, 2**20, 100_000)
        blank = Bounds(2**20, 100_000)
        assert place.engine.boxes[0].spec.workspace == KeptWorkspace(name, WorkspaceKind.IMAGE, blank)
        assert len(name) == 32

    play(scene)


def test_a_sandbox_without_a_lease_lies_in_memory_and_is_written_nowhere() -> None:
    async def scene(place: Place) -> None:
        status = await place.all.ensure(ME, "one", SandboxSpec())
        assert (status.is_durable, status.lease.expires) == (False, None)
        assert place.engine.boxes[0].spec.workspace is None
        assert await place.registry.load() == ()

    assert play(scene).store.kept == {}


def test_defaults_are_what_nobody_asked_for() -> None:
    async def scene(place: Place) -> None:
        status = await place.all.ensure(ME, "one", SandboxSpec(limits=Limits(pids=3)))
        assert status.lease.ttl == Seconds(900)
        assert place.engine.boxes[0].spec.environment == "science"
        assert place.engine.boxes[0].spec.limits.pids == 3
        assert await place.all.ensure(ME, "one", SandboxSpec()) == status

    play(scene, House(defaults=SandboxSpec("science", ttl=Seconds(900))))


def test_an_image_is_the_environment_it_means_from_the_first_to_the_last() -> None:
    async def scene(place: Place) -> None:
        asked = replace(LEASED, image="python:3.11")
        await place.all.ensure(ME, "one", asked)
        await place.all.ensure(ME, "one", replace(LEASED, environment="science"))
        await place.all.ensure(ME, "one", asked)
        box = await place.all.make(ME, SandboxSpec(image="python:3.11"))
        assert [(each.spec.environment, each.spec.image) for each in place.engine.boxes] == [
            ("science", None),
            ("science", None),
        ]
        await box.close()
        with pytest.raises(InvalidSpec, match="no environment for image"):
            await place.all.ensure(ME, "two", SandboxSpec(image="node:20"))

    play(scene, House(images={"python:3.11": "science"}))


def test_an_engine_without_use_for_an_image_gets_a_workspace_in_memory() -> None:
    async def scene(place: Place) -> None:
        place.engine.refused = (WorkspaceKind.IMAGE,)
        assert not (await place.all.ensure(ME, "one", LEASED)).is_durable
        assert place.store.kept == {}

    play(scene)


def test_claiming_renews_the_lease() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        place.clock.now += 100
        assert (await place.all.ensure(ME, "one", SandboxSpec())).lease.expires == place.clock.now + 900
        place.clock.now += 100
        assert (await place.all.touch(ME, "one")).lease.expires == place.clock.now + 900
        shorter = await place.all.ensure(ME, "one", SandboxSpec(ttl=Seconds(5)))
        assert shorter.lease.expires == place.clock.now + 5
        (record,) = await place.registry.load()
        assert record.status() == shorter == place.all.status(ME, "one")
        assert len(place.engine.boxes) == 1

    play(scene)


def test_another_spec_is_a_conflict_that_names_the_field_and_no_value() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", replace(LEASED, env={"TOKEN": "secret"}))
        with pytest.raises(Conflict, match="another env") as caught:
            await place.all.ensure(ME, "one", SandboxSpec(env={"TOKEN": "other"}))
        assert "secret" not in caught.value.message

    play(scene)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a" * 200, "\0", "é"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    async def scene(place: Place) -> None:
        with pytest.raises(InvalidSpec):
            await place.all.ensure(ME, name, LEASED)
        with pytest.raises(NotFound):
            place.all.status(ME, name)

    play(scene)


def test_a_failure_to_start_leaves_nothing() -> None:
    async def scene(place: Place) -> None:
        place.engine.failing = 1
        with pytest.raises(StartFailed):
            await place.all.ensure(ME, "one", LEASED)
        assert (place.store.kept, await place.registry.load()) == ({}, ())
        with pytest.raises(NotFound):
            place.all.status(ME, "one")
        place.store.is_full = True
        with pytest.raises(DiskFull):
            await place.all.ensure(ME, "one", LEASED)
        place.store.is_full = False
        assert (await place.all.ensure(ME, "one", LEASED)).state is State.RUNNING
        assert place.all.census().failed_starts == 2

    play(scene)


def test_deleting_takes_box_and_workspace_and_leaves_the_reason() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", replace(LEASED, env={"A": "secret"}))
        await place.all.delete(ME, "one")
        assert (place.engine.living, place.store.kept) == ([], {})
        status = place.all.status(ME, "one")
        assert status.state is State.ENDED
        assert status.ending is not None
        assert (status.ending.reason, status.ending.at) == (EndReason.DELETED, place.clock.now)
        assert place.all.list(ME) == ()
        for verb in (place.all.delete, place.all.touch, place.all.reach):
            with pytest.raises(NotFound, match=r"'one' has ended \(deleted\)"):
                await verb(ME, "one")
        (record,) = await place.registry.load()
        assert record.spec.env == {}

    play(scene)


def test_what_has_ended_is_listed_only_when_it_is_asked_for() -> None:
    def seen(place: Place, owner: str, *, ended: bool) -> list[tuple[str, State]]:
        return [(each.id, each.state) for each in place.all.list(owner, ended=ended)]

    async def scene(place: Place) -> None:
        for owner, name in ((ME, "two"), (ME, "one"), ("other", "three")):
            await place.all.ensure(owner, name, LEASED)
        await place.all.delete(ME, "one")
        await place.all.delete("other", "three")
        assert seen(place, ME, ended=False) == [("two", State.RUNNING)]
        assert seen(place, ME, ended=True) == [("one", State.ENDED), ("two", State.RUNNING)]
        assert seen(place, "stranger", ended=True) == []
        await place.all.ensure(ME, "one", LEASED)
        assert seen(place, ME, ended=True) == [("one", State.RUNNING), ("two", State.RUNNING)]

    play(scene)


def test_an_ended_name_can_be_used_again() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        await place.all.delete(ME, "one")
        status = await place.all.ensure(ME, "one", replace(LEASED, environment="other"))
        assert (status.state, status.ending) == (State.RUNNING, None)
        await until(lambda: len(vars(place.registry)["_records"]) == 1)

    play(scene)


def test_what_belongs_to_another_is_not_found_in_the_very_same_words() -> None:
    async def told(work: Awaitable[object]) -> str:
        with pytest.raises(NotFound) as caught:
            await work
        return caught.value.message

    async def scene(place: Place) -> None:
        async def status(owner: str, name: str) -> object:
            return place.all.status(owner, name)

        await place.all.ensure(ME, "one", LEASED)
        await place.all.ensure(ME, "two", LEASED)
        await place.all.delete(ME, "two")
        for verb in (status, place.all.touch, place.all.reach, place.all.delete):
            told_of = {name: await told(verb("stranger", name)) for name in ("one", "two", "six")}
            assert {message.replace(name, "?") for name, message in told_of.items()} == {
                "there is no live sandbox '?': create it first"
            }
        assert place.all.list("stranger") == ()
        await place.all.ensure("stranger", "one", replace(LEASED, environment="other"))
        assert len(place.engine.living) == 2

    play(scene)


def test_too_many_sandboxes_are_refused_until_one_ends() -> None:
    async def scene(place: Place) -> None:
        await asyncio.gather(*(place.all.ensure(ME, str(n), LEASED) for n in range(2)))
        with pytest.raises(QuotaDenied, match="2 sandboxes"):
            await place.all.ensure(ME, "more", LEASED)
        await place.all.ensure("other", "one", LEASED)
        with pytest.raises(PoolExhausted):
            await place.all.ensure("third", "one", LEASED)
        await place.all.ensure(ME, "0", LEASED)
        await place.all.delete(ME, "0")
        await place.all.ensure(ME, "more", LEASED)

    play(scene, House(quota=Quota(per_owner=2, in_all=3)))
