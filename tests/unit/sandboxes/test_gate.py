from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import PoolExhausted, QuotaDenied
from sandlot.sandboxes.gate import Gate, Width
from sandlot.sandboxes.quota import Quota
from tests.unit.sandboxes.house import until


class Door:
    """Callers of a gate who stay inside until they are let out."""

    def __init__(self, width: Width) -> None:
        self.gate = Gate("guests", width)
        self.inside: list[str] = []
        self.seen: list[str] = []
        self.out = asyncio.Event()

    def come(self, owner: str) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.visit(owner))

    async def visit(self, owner: str) -> None:
        async with self.gate.place(owner):
            self.seen.append(owner)
            self.inside.append(owner)
            await self.out.wait()
            self.inside.remove(owner)


def test_no_more_are_inside_and_waiting_than_may_be() -> None:
    async def work() -> None:
        door = Door(Width(inside=2, waiting=3))
        guests = [door.come("one") for _ in range(5)]
        await until(lambda: door.gate.waiting == 3)
        assert door.gate.inside == len(door.inside) == 2
        with pytest.raises(PoolExhausted, match="2 guests are under way and 3 wait"):
            await door.visit("one")
        door.out.set()
        await asyncio.gather(*guests)
        assert (door.gate.inside, door.gate.waiting, len(door.seen)) == (0, 0, 5)

    asyncio.run(work())


def test_an_owner_with_many_waiting_does_not_hold_up_one_with_few() -> None:
    async def work() -> None:
        door = Door(Width(inside=1, waiting=100))
        many = [door.come("many") for _ in range(20)]
        await until(lambda: door.gate.waiting == 19)
        few = [door.come("few") for _ in range(2)]
        await until(lambda: door.gate.waiting == 21)
        door.out.set()
        await asyncio.gather(*many, *few)
        assert max(place for place, owner in enumerate(door.seen) if owner == "few") <= 4

    asyncio.run(work())


def test_an_owner_at_its_limit_leaves_room_for_others() -> None:
    async def work() -> None:
        door = Door(Width(inside=4, waiting=4, inside_per_owner=3, waiting_per_owner=2))
        greedy = [door.come("greedy") for _ in range(5)]
        await until(lambda: door.gate.waiting == 2)
        assert door.inside == ["greedy"] * 3
        with pytest.raises(QuotaDenied, match="you have 2 guests waiting"):
            await door.visit("greedy")
        modest = door.come("modest")
        await until(lambda: "modest" in door.inside)
        door.out.set()
        await asyncio.gather(*greedy, modest)

    asyncio.run(work())


def test_the_shared_width_keeps_some_room_for_others() -> None:
    assert Width.shared(64, 512) == Width(64, 512, 56, 448)
    assert Width.shared(1, 1) == Width(1, 1, 1, 1)


@given(seed=st.integers(), width=st.integers(1, 4))
def test_whoever_is_cancelled_whenever_no_place_is_lost(seed: int, width: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a repeatable order of events

    async def guest(door: Door, owner: str) -> None:
        with suppress(PoolExhausted, QuotaDenied):
            async with door.gate.place(owner):
                assert door.gate.inside <= width
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)

    async def work() -> None:
        door = Door(Width(width, 12, inside_per_owner=max(1, width - 1), waiting_per_owner=6))
        tasks: list[asyncio.Task[None]] = []
        for _ in range(60):
            tasks.append(asyncio.ensure_future(guest(door, chance.choice("abc"))))
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.4:
                chance.choice(tasks).cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        assert (door.gate.inside, door.gate.waiting) == (0, 0)
        assert vars(door.gate)["_turns"] == {}
        assert vars(door.gate)["_inside"] == Counter()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("own", "every", "refusal"),
    [(0, 0, None), (1, 4, None), (2, 2, QuotaDenied), (2, 5, QuotaDenied), (1, 5, PoolExhausted)],
)
def test_a_quota_refuses_the_one_that_is_too_many(
    own: int, every: int, refusal: type[Exception] | None
) -> None:
    quota = Quota(per_owner=2, in_all=5)
    if refusal is None:
        quota.refuse_one_more(own, every)
    else:
        with pytest.raises(refusal):
            quota.refuse_one_more(own, every)
